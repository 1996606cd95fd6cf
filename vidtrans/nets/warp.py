"""Moving a picture along a flow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

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


def _power_of_two(size: int) -> int:
    return 1 << max(size - 1, 0).bit_length()
