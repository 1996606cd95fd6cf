"""Statistics of label pictures: which values or colours they hold, how often and where.

They tell a label map from a photo, and one scheme from another (`SchemeDetector`). The figures
given with the thresholds were measured on Cityscapes' label maps and photos of 2048x1024.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from vidtrans.frame import Bytes, Frame, Ids
from vidtrans.labels.scheme import Scheme

FLAT_SHARE = 0.6
"""The least share of pixels that equal their right neighbour in a label map. Label maps have 0.99
at 2048x1024 and 0.94 at 256x128; the green channel of photos has at most 0.52."""

_SAMPLED_ROWS = 256
"""Rows and columns that mean heights are computed from: a few thousandths of a picture's height is
far below `_HEIGHT_SPREAD` of the prior."""
_FEW_COLOURS = 64
"""A picture with more colours than this has fringes: few pictures show as many classes."""
_CODEC_SPREAD = 8
"""Steps within a 3x3 neighbourhood, in each channel, that a codec leaves inside an area."""
_SEEN_SHARE = 0.0005
"""The least share of the inner pixels of a class that counts as seen: less may be a codec's."""
_COUNTED_PIXELS, _SAMPLED_PIXELS = 50_000, 100_000
"""Pixels of a picture whose colours are counted and kept: enough for classes of `_SEEN_SHARE`."""
_KEPT_COLOURS = 16384
"""Colours that are kept, commonest first, so that photos do not take seconds: label films have a
few thousand."""
_TELLING_SHARE, _TELLING_VALUES = 0.005, 3
"""A picture tells nothing of its scheme unless this many values or colours have at least the share:
black, a fade's first frame, or white writing on black."""


@dataclass(frozen=True, slots=True)
class ValueStatistics:
    """The values of grey pictures.

    Attributes:
        shares: value -> its share of all pixels, 0..1.
        heights: value -> the mean height of its pixels, 0 (top) to 1 (bottom).
        flat: the share of pixels that equal their right neighbour, 0..1.
    """

    shares: Mapping[int, float]
    heights: Mapping[int, float]
    flat: float


@dataclass(frozen=True, slots=True)
class ColourStatistics:
    """The colours of the inner pixels of areas, whose 3x3 neighbourhood has one colour.

    Attributes:
        colours: uint8 RGB [N,3].
        shares: float64 [N], sum at most 1: the share of each colour of the inner pixels.
        inner: the share of inner pixels of all pixels, 0..1.
        fringed: whether there are far more colours than classes, as a lossy codec leaves.
    """

    colours: Bytes
    shares: npt.NDArray[np.float64]
    inner: float
    fringed: bool

    def near(self, palette: npt.ArrayLike, distance: float) -> npt.NDArray[np.int64]:
        """For each colour the index of the nearest colour in ``palette`` [P,3], -1 where none is
        within ``distance`` (Euclidean, in RGB): int64 [N]."""
        squared = squared_distances(self.colours, palette)
        return np.where(squared.min(axis=1) <= distance**2, squared.argmin(axis=1), -1)

    def without(self, colour: tuple[int, int, int]) -> ColourStatistics:
        """The same of the other colours, whose shares stay."""
        others = (self.colours != np.array(colour)).any(axis=1)
        return replace(self, colours=self.colours[others], shares=self.shares[others])

    def commonest(self, number: int) -> ColourStatistics:
        """The same of the ``number`` commonest colours alone, their shares again of sum 1."""
        if len(self.colours) <= number:
            return self
        kept = np.argsort(-self.shares)[:number]
        shares = self.shares[kept]
        return replace(self, colours=self.colours[kept], shares=shares / shares.sum())


def squared_distances(colours: Bytes, palette: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """The squared Euclidean distance in RGB of each of ``colours`` [N,3] to each colour of
    ``palette`` [P,3]: float32 [N,P], exact."""
    seen, known = colours.astype(np.float32), np.asarray(palette, np.float32).reshape(-1, 3)
    # Sums of whole numbers below 2^24, which float32 holds exactly.
    squared: npt.NDArray[np.float32] = (
        (seen**2).sum(1)[:, None] + (known**2).sum(1) - 2 * seen @ known.T
    )
    return squared


def counted_colours(picture: Bytes) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """The colours of evenly chosen pixels of a picture (uint8 RGB [H,W,3]): uint8 RGB [N,3], and
    how many of these pixels have each."""
    flat = picture.reshape(-1, 3)
    chosen = flat[:: max(1, len(flat) // _SAMPLED_PIXELS)]
    values, counts = np.unique(_packed(chosen), return_counts=True)
    return _unpacked(values), counts.astype(np.int64)


def is_mixture(colour: npt.ArrayLike, palette: npt.ArrayLike, distance: float) -> bool:
    """Whether a colour [3] is one that lies between two colours of ``palette`` [P,3], as pixels
    along blurred edges do.

    Args:
        colour: RGB, 0..255.
        palette: the colours of the areas.
        distance: the largest Euclidean distance in RGB from the line between them.
    """
    point, ends = np.asarray(colour, np.float64), np.asarray(palette, np.float64).reshape(-1, 3)
    start, way = ends[:, None], ends[None] - ends[:, None]
    length = (way**2).sum(-1)
    along = ((point - start) * way).sum(-1) / np.maximum(length, 1)
    nearest = start + np.clip(along, 0, 1)[..., None] * way
    return bool((((point - nearest) ** 2).sum(-1) <= distance**2).any())


def flat_share(values: Ids) -> float:
    """The share of pixels of a picture [H,W] that equal their right neighbour, 0..1."""
    return float((values[:, 1:] == values[:, :-1]).mean()) if values.shape[1] > 1 else 1.0


def interpolated_share(values: Ids) -> float:
    """The share of edges of a picture [H,W] whose pixel lies strictly between its neighbours to the
    left and to the right, 0..1: what interpolation leaves of ids.

    Cityscapes' labels have at most 0.016, at 2048x1024 as well as resized to their nearest pixels;
    resized with any interpolation they have 0.13 or more.
    """
    left, middle, right = values[:, :-2], values[:, 1:-1], values[:, 2:]
    between = (np.minimum(left, right) < middle) & (middle < np.maximum(left, right))
    edges = np.count_nonzero(left != right)
    return float(np.count_nonzero(between) / edges) if edges else 0.0


def tells_scheme(picture: Ids) -> bool:
    """Whether a picture, uint8 or uint16 [H,W] or [H,W,3], shows enough to tell its scheme."""
    thin = picture[_sampled(picture.shape[0])][:, _sampled(picture.shape[1])]
    numbers = thin if thin.ndim == 2 else _packed((thin & 255).reshape(-1, 3).astype(np.uint8))
    counts = np.unique(numbers, return_counts=True)[1]
    return int(np.count_nonzero(counts >= _TELLING_SHARE * numbers.size)) >= _TELLING_VALUES


def value_statistics(pictures: Sequence[Ids], rare: float = 0.0) -> ValueStatistics:
    """The statistics of all ``pictures`` together.

    Args:
        pictures: uint8 or uint16 [H,W] each.
        rare: values with at most this share are left out.
    """
    shares, counts, rows = np.zeros(65536), np.zeros(65536), np.zeros(65536)
    flat = 0.0
    for picture in pictures:
        # Shares are those of all pixels: a value that occurs anywhere must be known.
        shares += np.bincount(picture.ravel(), minlength=65536) / picture.size
        flat += flat_share(picture)
        thin = picture[_sampled(picture.shape[0])][:, _sampled(picture.shape[1])]
        height = np.broadcast_to(
            (np.arange(thin.shape[0])[:, None] + 0.5) / thin.shape[0], thin.shape
        )
        counts += np.bincount(thin.ravel(), minlength=65536)
        rows += np.bincount(thin.ravel(), weights=height.ravel(), minlength=65536)
    heights = np.where(counts > 0, rows / np.maximum(counts, 1), 0.5)
    used = [int(value) for value in np.flatnonzero(shares > rare * len(pictures))]
    return ValueStatistics(
        {value: float(shares[value] / len(pictures)) for value in used},
        {value: float(heights[value]) for value in used},
        flat / len(pictures),
    )


def colour_statistics(pictures: Sequence[Bytes], *, only_inner: bool = False) -> ColourStatistics:
    """The statistics of all ``pictures`` (uint8 RGB [H,W,3] each) together.

    Args:
        pictures: uint8 RGB [H,W,3] each.
        only_inner: whether pictures of few colours have fringes too.

    All pixels of a picture of few colours are inner ones. Of others inner pixels are those that
    differ from their 3x3 neighbourhood by a codec's noise only: the fringes that a lossy codec
    leaves along edges then do not count against a scheme.
    """
    kernel = np.ones((3, 3), np.uint8)
    found: list[Bytes] = []
    inner, fringed = 0.0, False
    for picture in pictures:
        flat = picture.reshape(-1, 3)
        counted = flat[:: max(1, len(flat) // _COUNTED_PIXELS)]
        if only_inner or len(np.unique(_packed(counted))) > _FEW_COLOURS:
            spread = cv2.subtract(cv2.dilate(picture, kernel), cv2.erode(picture, kernel))
            chosen = picture[spread.max(axis=2) <= _CODEC_SPREAD]
            fringed = True
        else:
            chosen = flat
        inner += len(chosen) / len(flat)
        found.append(chosen[:: max(1, len(chosen) // _SAMPLED_PIXELS)])
    values, counts = np.unique(_packed(np.concatenate(found)), return_counts=True)
    colours = _unpacked(values)
    shares = counts / max(counts.sum(), 1)
    kept = np.argsort(-shares, kind="stable")[:_KEPT_COLOURS]
    return ColourStatistics(colours[kept], shares[kept], inner / len(pictures), fringed)


def palette_statistics(frames: Iterable[Frame]) -> ColourStatistics:
    """The colours that palette pictures show, every pixel an inner one."""
    shares: dict[tuple[int, ...], float] = {}
    pictures = 0
    for frame in frames:
        assert frame.palette is not None
        pictures += 1
        counts = np.bincount(frame.pixels.ravel(), minlength=256) / frame.pixels.size
        for index in np.flatnonzero(counts):
            colour = tuple(frame.palette[index].tolist())
            shares[colour] = shares.get(colour, 0.0) + float(counts[index])
    colours = np.array(list(shares), np.uint8)
    return ColourStatistics(colours, np.array(list(shares.values())) / pictures, 1.0, False)


def colour_coverage(
    statistics: ColourStatistics, scheme: Scheme, distance: float
) -> tuple[float, frozenset[int]]:
    """How much of the pictures has colours of a scheme.

    Args:
        statistics: the colours of the pictures.
        scheme: the scheme.
        distance: the largest Euclidean distance in RGB (0..255) at which two colours are the same.

    Returns:
        The share 0..1 of the inner pixels that have one of the scheme's colours, and the ids of the
        classes seen.
    """
    pairs = scheme.colours()
    if not pairs or not len(statistics.colours):
        return 0.0, frozenset()
    entries = statistics.near([colour for colour, _ in pairs], distance)
    known = entries >= 0
    shares = np.bincount(entries[known], weights=statistics.shares[known], minlength=len(pairs))
    ids = frozenset(pairs[at][1] for at in np.flatnonzero(shares > _SEEN_SHARE))
    return float(statistics.shares[known].sum()), ids


def _packed(colours: Bytes) -> npt.NDArray[np.uint32]:
    """uint8 [N,3] -> r << 16 | g << 8 | b of each colour."""
    weights = np.array([65536, 256, 1], np.uint32)
    numbers: npt.NDArray[np.uint32] = colours.astype(np.uint32) @ weights
    return numbers


def _unpacked(numbers: npt.NDArray[np.uint32]) -> Bytes:
    """The inverse of `_packed`."""
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1).astype(np.uint8)


def _sampled(length: int) -> slice:
    return slice(None, None, max(1, length // _SAMPLED_ROWS))
