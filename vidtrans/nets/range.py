"""The range of pictures: 0 to 255 in files, -1 to 1 in networks. The one place that converts."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_Values = TypeVar("_Values", Tensor, npt.NDArray[np.floating])


def normalise(values: _Values) -> _Values:
    """Scale floating-point ``values`` from [0,255] to [-1,1]; any shape."""
    return values / 127.5 - 1.0


def from_bytes(picture: Tensor) -> Tensor:
    """Convert pictures of files to pictures of networks.

    Args:
        picture: uint8 [...,H,W,C].

    Returns:
        float32 [...,C,H,W] in [-1,1], as a view of channels last; `to_bytes` gives the same bytes
        back.
    """
    return normalise(picture.movedim(-1, -3).to(torch.float32))


def to_bytes(picture: Tensor) -> Tensor:
    """Convert a picture of a network to a picture of a file.

    -1 becomes 0 and 1 becomes 255; values between are rounded half to even, values outside are
    clamped.

    Args:
        picture: [1,3,H,W] or [3,H,W] in [-1,1], or of one grey channel.

    Returns:
        uint8 RGB [H,W,3] on the same device.

    Raises:
        ValueError: For a batch of several pictures.
    """
    if picture.dim() == 4:
        if picture.shape[0] != 1:
            raise ValueError(f"one picture at a time, not a batch of {picture.shape[0]}")
        picture = picture[0]
    if picture.shape[0] == 1:
        picture = picture.expand(3, -1, -1)
    if picture.device.type == "cpu" and picture.dtype == torch.float32:
        return _to_bytes_on_host(picture)
    scaled = (picture.float() + 1.0) * 127.5
    return scaled.round().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()


def _to_bytes_on_host(picture: Tensor) -> Tensor:
    """As `to_bytes`, [3,H,W] float32: OpenCV scales, rounds (half to even too), clamps and converts
    in one pass, a sixth of the time. What is no finite number becomes 0."""
    planes = picture.detach().contiguous().numpy()
    height, width = planes.shape[1:]
    rows = planes.reshape(-1, width)
    scaled = cv2.addWeighted(rows, 127.5, rows, 0.0, 127.5, dtype=cv2.CV_8U)
    return torch.from_numpy(cv2.merge(list(scaled.reshape(3, height, width))))
