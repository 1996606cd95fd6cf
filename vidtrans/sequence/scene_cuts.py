"""Scene cuts, found in the labels' own change."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vidtrans.frame import Bytes, LabelFrame

# Both frames are looked at on a grid of this size: enough to tell scenes apart, and the same cost
# for any picture.
_GRID_HW = (64, 128)
# A camera may move by this share of the picture's height and width between two frames.
_REACH = (0.15, 0.35)
# Measured on real clips at 17 frames a second and on rendered ones: consecutive frames have a
# likeness of 0.67 and more, frames three apart 0.53 and more; different streets stay below 0.5,
# most below 0.4.
_CUT_BELOW = 0.5
_SURELY_ALIKE = 0.65


def is_cut(previous: LabelFrame, frame: LabelFrame) -> bool:
    """Whether another scene begins with ``frame``. A pure function of the two frames' ids, at most
    a few milliseconds.

    Frames without labels (of models that paint from pictures) never are a cut; frames of different
    sizes always are.
    """
    if previous.size_hw != frame.size_hw:
        return True
    return likeness(previous.ids, frame.ids) < _CUT_BELOW


def likeness(before: Bytes, after: Bytes) -> float:
    """How much two label maps [H,W] show the same scene: 1 the same picture, about 0.3 or less two
    different streets.

    The mean of two measures, at the best shift, since a fast pan moves everything and changes
    nothing: the classes' mean intersection over union, weighted by the square root of their size
    (so that a pedestrian is not drowned by the road); and the share of equal pixels beyond chance
    (Cohen's kappa, 1960) with chance taken row by row, since every street has sky above and road
    below.
    """
    a, b = _grid(before), _grid(after)
    still = _agreement(a, b)
    if still >= _SURELY_ALIKE:
        return still
    dy, dx = _best_shift(a, b)
    height, width = a.shape
    moved_a = a[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
    moved_b = b[max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)]
    return max(still, _agreement(moved_a, moved_b))


def _agreement(a: Bytes, b: Bytes) -> float:
    in_a, in_b = _count_rows(a), _count_rows(b)
    common = np.bincount(a[a == b], minlength=256)
    union = in_a.sum(axis=0) + in_b.sum(axis=0) - common
    shown = union > 0
    overlap = float(np.average(common[shown] / union[shown], weights=np.sqrt(union[shown])))
    equal = float(common.sum()) / a.size
    chance = float((in_a * in_b).sum()) / (a.size * a.shape[1])
    kappa = (equal - chance) / (1 - chance) if chance < 1 else equal
    return (overlap + kappa) / 2


def _count_rows(a: Bytes) -> npt.NDArray[np.int64]:
    """How often each of 256 classes occurs in each row: [H,256]."""
    rows = np.arange(a.shape[0])[:, None] * 256 + a
    return np.bincount(rows.ravel(), minlength=256 * a.shape[0]).reshape(-1, 256)


def _grid(ids: Bytes) -> Bytes:
    rows = (np.arange(_GRID_HW[0]) * 2 + 1) * ids.shape[0] // (2 * _GRID_HW[0])
    columns = (np.arange(_GRID_HW[1]) * 2 + 1) * ids.shape[1] // (2 * _GRID_HW[1])
    sampled: Bytes = ids[rows[:, None], columns[None]]
    return sampled


def _best_shift(a: Bytes, b: Bytes) -> tuple[int, int]:
    """(dy, dx) at which ``b`` laid over ``a`` agrees best: ``b[y, x]`` shows what is at ``a[y +
    dy, x + dx]``."""
    from scipy import fft  # takes a tenth of a second to import, and films without cuts do without

    height, width = a.shape
    reach_y, reach_x = (
        max(1, int(share * side)) for share, side in zip(_REACH, (height, width), strict=True)
    )
    full = (height + reach_y, width + reach_x)
    size = (fft.next_fast_len(full[0], real=True), fft.next_fast_len(full[1], real=True))
    # For every shift at once, the number of pixels that agree: the classes' planes correlated, and
    # summed.
    classes = np.intersect1d(a, b)[:, None, None]
    planes = [np.asarray(map_ == classes, np.float32) for map_ in (a, b)]
    spectrum_a, spectrum_b = (fft.rfft2(one_hot, size) for one_hot in planes)
    agreeing: npt.NDArray[np.float32] = fft.irfft2(
        np.einsum("cyx,cyx->yx", spectrum_a, np.conj(spectrum_b)), size
    )
    dy = np.arange(-reach_y, reach_y + 1)
    dx = np.arange(-reach_x, reach_x + 1)
    overlap = (height - np.abs(dy))[:, None] * (width - np.abs(dx))[None]
    share = agreeing[np.ix_(dy, dx)] / overlap
    best = np.unravel_index(np.argmax(share), share.shape)
    return int(dy[best[0]]), int(dx[best[1]])
