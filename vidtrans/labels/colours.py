"""Colours to classes: exact lookup of the nearest palette entry, and a vote on the fringe that
lossy codecs leave.

After x264 with half-size chroma, interiors of areas stay within a few steps of their colour, but
along edges pixels mix both sides, and a mix may look like a third class: half road, half sky is
close to wall. So along edges a colour alone is no evidence. A pixel is certain if its colour is
all but exact, or near and supported by enough equal neighbours; the others take, by colour, one of
the classes of the certain pixels around them. Luma counts more there: codecs keep it at full size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from vidtrans.frame import Bytes
from vidtrans.labels.scheme import Colour

CERTAIN_DISTANCE = 4
"""The RGB distance within which a pixel is certain: rounding and quantisation inside an area."""
NEAR_DISTANCE = 24
"""The RGB distance within which a pixel is certain if enough neighbours agree. Measured on
Cityscapes labels after x264 crf 23."""
SUPPORT = 4
"""The least number of the eight neighbours that agree: a pixel has 5 along a straight edge, and 3
in a right-angled corner."""

_CERTAIN, _NEAR, _FAR, _NONE = 0, 1, 2, 3
_REACH = 6
"""Pixels: codecs spoil up to 3 on each side of an edge, so that certain ones of both areas are
within 6."""
_RINGS = ((1, 2, 3), (4, 6))
"""Distances at which certain pixels are looked for; the second only where the first has none."""
_ABSENT = 255
# RGB -> Y, Cb, Cr of BT.709; Cb and Cr at a quarter of their weight, because codecs store them at
# half the size.
_LUMA_CHROMA = np.array(
    [[0.2126, 0.7152, 0.0722], [-0.0286, -0.0964, 0.125], [0.125, -0.1136, -0.0114]], np.float32
)


@dataclass(frozen=True, eq=False)
class Snapped:
    """A picture in the colours of a palette.

    Attributes:
        entries: uint8 [H,W], indices into the palette; 255 where no entry is near and no neighbour
            is certain.
        unreadable: the number of pixels that are within the tolerance of no entry.
        cleaned: the number of pixels that the vote along edges changed.
    """

    entries: Bytes
    unreadable: int
    cleaned: int


@dataclass(frozen=True, eq=False)
class ColourTable:
    """The nearest palette entry of all 2^24 colours.

    Attributes:
        palette: int32 RGB [P,3].
        table: uint16 [2^24] at r << 16 | g << 8 | b: the entry in the low byte, and how near it is
            (certain, near, far, none) in the high one.
    """

    palette: npt.NDArray[np.int32]
    table: npt.NDArray[np.uint16]

    def snap(self, rgb: Bytes, *, clean: bool = True) -> Snapped:
        """The palette entries of a picture.

        Args:
            rgb: uint8 [H,W,3].
            clean: whether pixels along edges that are not certain take an entry from around them.
        """
        # Blue first in memory makes the four bytes of a pixel the little-endian number r << 16 | g
        # << 8 | b.
        packed = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA).view(np.uint32)[..., 0]
        packed &= 0xFFFFFF
        found = self.table.take(packed)
        entries, level = cast(
            tuple[Bytes, Bytes], cv2.split(found.view(np.uint8).reshape(*found.shape, 2))
        )
        if not level.any():
            return Snapped(entries, 0, 0)
        unreadable = int(np.count_nonzero(level == _NONE))
        before = entries
        if clean:
            entries = self._vote(rgb, entries, level)
        cleaned = int(np.count_nonzero(entries != before))
        return Snapped(entries, unreadable, cleaned)

    def _vote(self, rgb: Bytes, entries: Bytes, level: Bytes) -> Bytes:
        """``entries`` after each uncertain pixel took the entry nearest to its own colour among
        those of the certain pixels around it."""
        uncertain = (level == _NEAR) & (_support(entries) < SUPPORT)
        uncertain |= level >= _FAR
        positions = np.flatnonzero(uncertain)
        if not len(positions):
            return entries
        width = entries.shape[1]
        absent = np.uint8(len(self.palette))
        row, column = np.divmod(positions, width)
        stride = width + 2 * _REACH
        certain = cv2.copyMakeBorder(
            np.where(uncertain, absent, entries),
            _REACH,
            _REACH,
            _REACH,
            _REACH,
            cv2.BORDER_CONSTANT,
            value=int(absent),
        ).ravel()
        positions_padded = (row + _REACH) * stride + column + _REACH
        colours = rgb.reshape(-1, 3)[positions].astype(np.float32) @ _LUMA_CHROMA.T
        centres = self.palette.astype(np.float32) @ _LUMA_CHROMA.T
        # |c - p|^2 without |c|^2, which is the same for all candidates; the last column, infinity,
        # is that of neighbours that are not certain.
        columns = len(centres) + 1
        cost = np.full((len(positions), columns), np.inf, np.float32)
        cost[:, :-1] = (centres**2).sum(1) - 2 * colours @ centres.T
        voted = entries.ravel()[positions]
        undecided = np.arange(len(positions))
        for rings in _RINGS:
            best = np.full(len(undecided), np.inf, np.float32)
            choice = np.full(len(undecided), absent, np.uint8)
            flat, at, rows = cost.ravel(), positions_padded[undecided], undecided * columns
            for offset in _neighbours(stride, rings):
                candidate = certain[at + offset]
                distance = flat[rows + candidate]
                better = distance < best
                best[better] = distance[better]
                choice[better] = candidate[better]
            decided = choice != absent
            voted[undecided[decided]] = choice[decided]
            undecided = undecided[~decided]
            if not len(undecided):
                break
        result = entries.copy()
        result.ravel()[positions] = voted
        return result


def _neighbours(stride: int, rings: tuple[int, ...]) -> list[int]:
    """Offsets of the eight neighbours at each distance, in a flat picture of rows of ``stride``."""
    return [
        (y * stride + x) * distance
        for distance in rings
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
        if y or x
    ]


def _support(entries: Bytes) -> Bytes:
    """The number of equal ones among the eight neighbours of each pixel: uint8 [H,W]."""
    count = np.zeros(entries.shape, np.uint8)
    whole, head, tail = slice(None), slice(None, -1), slice(1, None)
    for one, other in (
        ((whole, head), (whole, tail)),
        ((head, whole), (tail, whole)),
        ((head, head), (tail, tail)),
        ((head, tail), (tail, head)),
    ):
        same = (entries[one] == entries[other]).view(np.uint8)
        count[one] += same
        count[other] += same
    return count


@lru_cache(maxsize=4)
def colour_table(palette: tuple[Colour, ...], tolerance: int) -> ColourTable:
    """The colour table of a palette. It takes some 0.3 s, and is cached.

    Args:
        palette: RGB 0..255.
        tolerance: the largest Euclidean distance in RGB at which a colour has an entry.
    """
    near = min(NEAR_DISTANCE, tolerance)
    certain = min(CERTAIN_DISTANCE, tolerance)
    table = np.full((256, 256, 256), _NONE << 8 | _ABSENT, np.uint16)
    nearest = np.full((256, 256, 256), 65535, np.uint16)
    for entry, colour in enumerate(palette):
        box = tuple(slice(max(c - tolerance, 0), min(c + tolerance, 255) + 1) for c in colour)
        squares = [
            ((np.arange(b.start, b.stop) - c) ** 2).astype(np.uint16)
            for b, c in zip(box, colour, strict=True)
        ]
        distance = squares[0][:, None, None] + squares[1][:, None] + squares[2]
        known = nearest[box]
        closer = (distance < known) & (distance <= tolerance**2)
        np.copyto(known, distance, where=closer)
        level = np.where(
            distance <= certain**2, _CERTAIN, np.where(distance <= near**2, _NEAR, _FAR)
        ).astype(np.uint16)
        np.copyto(table[box], level << 8 | np.uint16(entry), where=closer)
    return ColourTable(np.array(palette, np.int32).reshape(-1, 3), table.ravel())
