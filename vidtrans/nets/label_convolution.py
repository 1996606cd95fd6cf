"""A 7x7 convolution over a window's label planes, without the planes: for CPUs.

The planes hold ones and zeros, so a pixel's sum is that of the weights which the labels around it
pick: an embedding bag of 49 rows a frame. And most of a street is inside something: where all of
the 7x7 window shows one class, the 49 rows of a frame can be summed beforehand, and one row a frame
is left. The same numbers as the convolution's, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

# Pixels whose windows are gathered at once: the indices then stay in the cache.
_CHUNK = 8192


def convolve_labels(
    ids: Tensor,
    boundary: Tensor | None,
    present: Sequence[Sequence[int]],
    weight: Tensor,
    bias: Tensor | None,
    label_nc: int,
) -> Tensor:
    """What a reflect-padded convolution gives on a window's planes: float32 [1,K,H,W] in
    channels_last.

    ``ids`` uint8 [1,T,H,W], ``boundary`` bool [1,T,H,W] or None; ``present``: each frame's classes;
    ``weight`` [K,C,k,k] over each frame's ``label_nc`` planes and, with ``boundary``, its boundary
    plane. k is odd and at most H and W.
    """
    frames, height, width = ids.shape[1:]
    size = weight.shape[-1]
    pad, taps = size // 2, size * size
    classes = sorted({c for frame in present for c in frame})
    codes = _codes(ids[0], None if boundary is None else boundary[0], classes)
    table = _table(weight, classes, frames, label_nc, with_boundary=boundary is not None)
    codes_each = table.shape[1]

    flat = _flat_windows(codes, size)
    out = torch.empty((height * width, weight.shape[0]), dtype=torch.float32)

    inside = torch.from_numpy(np.flatnonzero(flat))
    summed = table.reshape(frames, taps, codes_each, -1).sum(dim=1).reshape(frames * codes_each, -1)
    rows = torch.arange(frames, dtype=torch.int32) * codes_each
    own = torch.from_numpy(codes).reshape(frames, -1).T.to(torch.int32)[inside] + rows
    out[inside] = F.embedding_bag(own, summed, mode="sum")

    padded = torch.from_numpy(
        np.stack(
            [
                cv2.copyMakeBorder(frame, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
                for frame in codes
            ]
        )
    ).flatten()
    edge = torch.from_numpy(np.flatnonzero(~flat))
    stride = width + 2 * pad
    corner = torch.div(edge, width, rounding_mode="floor") * stride + edge % width
    step = (torch.arange(size)[:, None] * stride + torch.arange(size)).flatten()
    window = (torch.arange(frames)[:, None] * (stride * (height + 2 * pad)) + step).flatten()
    rows = torch.arange(frames * taps, dtype=torch.int32) * codes_each
    every = table.reshape(frames * taps * codes_each, -1)
    for start in range(0, len(edge), _CHUNK):
        window_index = corner[start : start + _CHUNK, None] + window
        picked = padded[window_index].to(torch.int32) + rows
        out[edge[start : start + _CHUNK]] = F.embedding_bag(picked, every, mode="sum")
    if bias is not None:
        out += bias
    return out.view(1, height, width, -1).permute(0, 3, 1, 2)


def _codes(ids: Tensor, boundary: Tensor | None, classes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """uint8 [T,H,W]: twice the class's index in ``classes``, plus the boundary."""
    code_of = np.zeros(256, np.uint8)
    code_of[list(classes)] = np.arange(len(classes)) * (1 if boundary is None else 2)
    looked_up = cv2.LUT(ids.reshape(-1, ids.shape[-1]).numpy(), code_of)
    codes = np.asarray(looked_up, np.uint8).reshape(ids.shape)
    if boundary is not None:
        codes += boundary.numpy()
    return codes


def _table(
    weight: Tensor, classes: Sequence[int], frames: int, label_nc: int, *, with_boundary: bool
) -> Tensor:
    """The weights by tap of the kernel and code: [frames * taps, codes, K]."""
    out_channels, _, size, _ = weight.shape
    planes = weight.reshape(out_channels, frames, label_nc + with_boundary, size * size)
    labels = planes[:, :, list(classes)]
    if with_boundary:
        labels = torch.stack([labels, labels + planes[:, :, label_nc:]], dim=3).flatten(2, 3)
    return (
        labels.permute(1, 3, 2, 0)
        .reshape(frames * size * size, -1, out_channels)
        .float()
        .contiguous()
    )


def _flat_windows(codes: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.bool_]:
    """bool [H*W]: whether each frame shows one code alone in the ``size`` x ``size`` window
    around a pixel."""
    kernel = np.ones((size, size), np.uint8)
    flat = np.ones(codes.shape[1:], bool)
    for frame in codes:
        # Reflection repeats what is near, so that the border needs no care: min and max over the
        # part inside are the same.
        flat &= cv2.erode(frame, kernel) == cv2.dilate(frame, kernel)
    return flat.ravel()
