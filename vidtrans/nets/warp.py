"""Moving a picture along a flow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vidtrans.nets.constants import constant, kept
from vidtrans.nets.precision import full_precision


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Sample a picture at each pixel's position plus the flow, bilinearly.

    Convention: flow is x then y in pixels, from the current frame to where the pixel was in the
    previous one; pixel centres are whole numbers and zero flow is the identity, to the bit. Outside
    the picture its border is continued.

    Args:
        picture: The previous picture, [N,C,H,W].
        flow: [N,2,H,W].

    Returns:
        [N,C,H,W], in float32 or float64, under autocast too.
    """
    h, w = flow.shape[-2:]
    with torch.autocast(picture.device.type, enabled=False):
        flow = full_precision(flow)
        picture = full_precision(picture)
        # grid_sample wants positions as fractions of the size and turns them back into pixels.
        # Fractions of a power of two are exact in floating point, others are off by a rounding that
        # would blur a still picture frame by frame.
        full_h, full_w = _power_of_two(h), _power_of_two(w)
        if (full_h, full_w) != (h, w):
            picture = F.pad(picture, (0, full_w - w, 0, full_h - h), mode="replicate")
        x = torch.arange(w, device=flow.device, dtype=flow.dtype) + flow[:, 0]
        y = torch.arange(h, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
        grid = torch.stack(((2 * x + 1) / full_w - 1, (2 * y + 1) / full_h - 1), dim=-1)
        return F.grid_sample(
            picture, grid, mode="bilinear", padding_mode="border", align_corners=False
        )


def warp_interleaved(picture: Tensor, flow: Tensor) -> Tensor:
    """As `warp`, up to rounding, for a flow float32 [N,H,W,2] as a CPU likes it."""
    h, w = flow.shape[1:3]
    full_h, full_w = _power_of_two(h), _power_of_two(w)
    if (full_h, full_w) != (h, w):
        picture = F.pad(picture, (0, full_w - w, 0, full_h - h), mode="replicate")
    grid = torch.addcmul(_identity((h, w), flow.device), flow, _fractions((h, w), flow.device))
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)


@kept(maxsize=16)
def _identity(size_hw: tuple[int, int], device: torch.device) -> Tensor:
    """The grid that samples every pixel's own position, float32 [H,W,2]."""
    h, w = size_hw
    x = (2 * torch.arange(w, device=device) + 1) / _power_of_two(w) - 1
    y = (2 * torch.arange(h, device=device) + 1) / _power_of_two(h) - 1
    return torch.stack((x.expand(h, w), y[:, None].expand(h, w)), dim=-1)


@kept(maxsize=16)
def _fractions(size_hw: tuple[int, int], device: torch.device) -> Tensor:
    """What a pixel is of the grid's range along x and y, float32 [H,W,2]: where every pixel has its
    own copy, memory is read in one run."""
    scale = constant((2 / _power_of_two(size_hw[1]), 2 / _power_of_two(size_hw[0])), device)
    return scale.expand(*size_hw, 2).contiguous()


def _power_of_two(size: int) -> int:
    return 1 << max(size - 1, 0).bit_length()
