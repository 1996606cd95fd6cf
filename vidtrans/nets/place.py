"""Where a pixel is, as a street camera sees it: planes that let a network draw lane marks and
windows in flat label areas."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

HORIZON = 0.48
"""Height of the horizon as a share of the picture's height, counted from the top (a car's camera
looks slightly down)."""
PLANES = 38


def place_planes(
    top_left: Tensor, full_hw: Tensor, size_hw: tuple[int, int], stride: int
) -> Tensor:
    """Planes of crops of a picture.

    ``top_left`` and ``full_hw``: float [N,2], the crop's corner and the whole picture's size,
    pixels (y, x). ``size_hw``: the crop's size in cells of ``stride`` pixels. Returns float [N,
    PLANES, h, w], all within [-1,1].

    Convention: with u, v the distances from the vanishing point in picture heights, a point of the
    ground plane lies at X = u / v to the side and Z = 1 / v ahead (in camera heights), one of a
    facade at Y = v / |u| up and Z = 1 / |u| ahead.
    """
    h, w = size_hw
    device = top_left.device
    ys = (torch.arange(h, device=device) + 0.5) * stride
    xs = (torch.arange(w, device=device) + 0.5) * stride
    full_h, full_w = full_hw[:, :1], full_hw[:, 1:]
    v = ((top_left[:, :1] + ys) / full_h - HORIZON)[:, :, None].expand(-1, h, w)
    u = ((top_left[:, 1:] + xs - full_w / 2) / full_h)[:, None, :].expand(-1, h, w)
    side = u / (full_w / full_h / 2)[:, :, None]

    below = v.clamp(min=0.02)
    beside = u.abs().clamp(min=0.04)
    ground_x, ground_z = u / below, 1 / below
    facade_y, facade_z = v / beside, 1 / beside
    planes = [side, v]
    planes += _waves(side, (0.5, 1, 2)) + _waves(v, (1, 2, 4))
    planes += [(ground_x / 8).clamp(-1, 1), *_waves(ground_x.clamp(-12, 12), (1 / 6, 1 / 3, 2 / 3))]
    planes += [(ground_z.log() / 4).clamp(-1, 1), *_waves(ground_z.clamp(max=16), (1 / 8, 1 / 3))]
    planes += [(facade_y / 2).clamp(-1, 1), *_waves(facade_y.clamp(-4, 4), (0.5, 1.5, 4))]
    planes += [(facade_z.log() / 4).clamp(-1, 1), *_waves(facade_z.clamp(max=8), (1 / 2, 2))]
    return torch.stack(planes, dim=1)


def _waves(value: Tensor, frequencies: tuple[float, ...]) -> list[Tensor]:
    return [wave(2 * math.pi * f * value) for f in frequencies for wave in (torch.sin, torch.cos)]


@lru_cache(maxsize=16)
def whole_picture(full_hw: tuple[int, int], stride: int, device: torch.device) -> Tensor:
    """The planes [1, PLANES, h, w] of a whole picture, kept for the next frame."""
    height, width = full_hw
    corner = torch.zeros(1, 2, device=device)
    full = torch.tensor([[height, width]], dtype=torch.float32, device=device)
    return place_planes(corner, full, (height // stride, width // stride), stride)
