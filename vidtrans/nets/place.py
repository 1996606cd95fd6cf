"""Where a pixel is, as a street camera sees it: planes that let a network draw lane marks and
windows in flat label areas."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidtrans.nets.constants import kept
from vidtrans.nets.viewport import Viewport

HORIZON = 0.48
"""Height of the horizon as a share of the picture's height, counted from the top (a car's camera
looks slightly down)."""
PLANES = 38


def place_planes(viewport: Viewport, stride: int, device: torch.device) -> Tensor:
    """Planes of a picture, or of crops of one.

    Convention: with u, v the distances from the vanishing point in picture heights, a point of the
    ground plane lies at X = u / v to the side and Z = 1 / v ahead (in camera heights), one of a
    facade at Y = v / |u| up and Z = 1 / |u| ahead.

    Args:
        viewport: What the network sees of the film's picture.
        stride: Pixels of a cell along each side.
        device: Where the planes shall be.

    Returns:
        float32 [N, PLANES, h, w], all within [-1,1]; N is the number of ``viewport.origins``. Not
        to be changed in place: planes of whole pictures are kept.
    """
    # Crops, of which training draws other ones in every step, are not worth keeping.
    make = _kept_planes if len(viewport.origins) == 1 else _planes
    return make(viewport, stride, device)


def _planes(viewport: Viewport, stride: int, device: torch.device) -> Tensor:
    height, width = viewport.picture_hw
    y, x = viewport.rows(stride, device), viewport.columns(stride, device)
    n, h, w = len(y), y.shape[1], x.shape[1]
    v = (y / height - HORIZON)[:, :, None].expand(n, h, w)
    u = ((x - width / 2) / height)[:, None, :].expand(n, h, w)
    side = u / (width / height / 2)

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


_kept_planes = kept(maxsize=16)(_planes)


def _waves(value: Tensor, frequencies: tuple[float, ...]) -> list[Tensor]:
    return [wave(2 * math.pi * f * value) for f in frequencies for wave in (torch.sin, torch.cos)]
