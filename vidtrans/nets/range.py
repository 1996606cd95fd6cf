"""Between bytes and the networks' range: the one place where pictures change between uint8 and
float."""

from __future__ import annotations

import torch
from torch import Tensor


def to_bytes(picture: Tensor) -> Tensor:
    """A picture [1,3,H,W] or [3,H,W] in [-1,1] (or of one grey channel) as uint8 RGB [H,W,3] on the
    same device.

    -1 becomes 0 and 1 becomes 255; values between are rounded half to even,
    values outside are clamped.
    """
    if picture.dim() == 4:
        if picture.shape[0] != 1:
            raise ValueError(f"one picture at a time, not a batch of {picture.shape[0]}")
        picture = picture[0]
    if picture.shape[0] == 1:
        picture = picture.expand(3, -1, -1)
    scaled = (picture.float() + 1.0) * 127.5
    return scaled.round().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()


def from_bytes(picture: Tensor) -> Tensor:
    """uint8 RGB [H,W,3] or [K,H,W,3] as float32 [K,3,H,W] in [-1,1]; ``to_bytes`` gives the same
    bytes back."""
    if picture.dim() == 3:
        picture = picture[None]
    return picture.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0
