"""Extents of label runs: how large the thing at a pixel is, and where in it the pixel lies.

They tell a car's windows from its wheels. A network that sees labels through small windows learns
this slowly; counted directly it costs nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from vidtrans.nets.fourier import fourier_features
from vidtrans.nets.viewport import Box, Viewport

STRIDE = 4
"""Pixels of a cell along each side; runs are counted in cells."""
PLANES = 20


def extents(ids: Tensor, boundary: Tensor | None, viewport: Viewport | None = None) -> Tensor:
    """Count the cells from each cell to the ends of its run: up, down, left and right.

    A run ends where the label changes, where an instance's boundary begins, and where the film's
    picture ends. Cells of the padding have the extents of the cells that they reflect.

    Args:
        ids: Labels, integer [N,H,W].
        boundary: Boundaries between instances, bool [N,H,W], or None.
        viewport: What ``ids`` show of the film's picture; padding above and to the left is a
            multiple of `STRIDE`. None: all of it, without padding.

    Returns:
        uint8 [N,4,H/4,W/4], in cells of 4 pixels; runs longer than 255 cells count as 255.
    """
    key = ids[:, ::STRIDE, ::STRIDE].int() * 2
    if boundary is not None:
        n, h, w = boundary.shape
        # Four pixels of a row, each one byte, are one word.
        words = boundary.contiguous().view(torch.int32).view(n, h // STRIDE, STRIDE, w // STRIDE)
        key = key + (words != 0).any(dim=2).int()
    cells = None if viewport is None else _content_cells(viewport)
    if cells is not None:
        key = cells.crop(key)
    left, right = _runs(key)
    up, down = (run.transpose(1, 2) for run in _runs(key.transpose(1, 2)))
    found = torch.stack([up, down, left, right], dim=1).clamp(max=255).to(torch.uint8)
    return found if cells is None else cells.reflect(found)


def _content_cells(viewport: Viewport) -> Viewport | None:
    """The viewport in cells; those that show padding in part count as the picture's. None without
    padding."""
    box, (h, w) = viewport.content, viewport.size_hw
    if box == Box(0, h, 0, w):
        return None
    top, left = box.top // STRIDE, box.left // STRIDE
    bottom, right = -(-box.bottom // STRIDE), -(-box.right // STRIDE)
    size_hw = (h // STRIDE, w // STRIDE)
    return Viewport((bottom - top, right - left), size_hw, ((-top, -left),))


def _runs(key: Tensor) -> tuple[Tensor, Tensor]:
    """Steps along the last axis to the first and to the last cell of the run of equal keys that
    a cell is in."""
    width = key.shape[-1]
    if key.device.type == "cpu":
        return _runs_on_host(key.numpy())
    position = torch.arange(width, device=key.device, dtype=torch.int32).expand_as(key)
    differs = key[..., 1:] != key[..., :-1]
    begins, ends = F.pad(differs, (1, 0), value=True), F.pad(differs, (0, 1), value=True)
    first = torch.where(begins, position, 0).cummax(dim=-1).values
    last = torch.where(ends, position, width - 1).flip(-1).cummin(dim=-1).values.flip(-1)
    return position - first, last - position


def _runs_on_host(key: npt.NDArray[np.int32]) -> tuple[Tensor, Tensor]:
    """As `_runs`, in a third of the time: each operation on so few cells is cheaper in numpy."""
    width = key.shape[-1]
    position = np.arange(width, dtype=np.int32)
    differs = key[..., 1:] != key[..., :-1]
    first = np.zeros(key.shape, np.int32)
    np.multiply(differs, position[1:], out=first[..., 1:])
    np.maximum.accumulate(first, axis=-1, out=first)
    last = np.full(key.shape, width - 1, np.int32)
    np.copyto(last[..., :-1], position[:-1], where=differs)
    backwards = last[..., ::-1]
    np.minimum.accumulate(backwards, axis=-1, out=backwards)
    return torch.from_numpy(position - first), torch.from_numpy(last - position)


def extent_planes(extents: Tensor, height: int) -> Tensor:
    """Encode extents as planes for a network.

    For each direction: the position within the run in [-1,1] and its Fourier features, the run's
    length against the picture's height (logarithmic), and the nearness of its two ends.

    Args:
        extents: uint8 [N,4,h,w], see `extents`.
        height: Height of the film's picture, pixels.

    Returns:
        float [N,PLANES,h,w], within [-1,1].
    """
    up, down, left, right = extents.float().unbind(1)
    cells = height / STRIDE
    planes = []
    for before, after in ((up, down), (left, right)):
        length = before + after + 1
        share = (before + 0.5) / length
        planes += [
            2 * share - 1,
            ((length / cells).log2() / 6).clamp(-1, 1),
            1 / (1 + before),
            1 / (1 + after),
        ]
        planes += fourier_features(share, (0.5, 1, 2))
    return torch.stack(planes, dim=1)
