"""How label pictures hold their ids, and how that is recognised in the first frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast, get_args

import numpy as np

from vidtrans.errors import InputError, UsageError
from vidtrans.frame import Bytes, Frame, Ids
from vidtrans.labels.frame_statistics import FLAT_SHARE, flat_share
from vidtrans.labels.scheme import Scheme
from vidtrans.validation import did_you_mean

Encoding = Literal["ids", "palette", "colours", "carla-red", "instances", "instances-256"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
WITH_INSTANCES: tuple[Encoding, ...] = ("instances", "instances-256", "carla-red")
"""Encodings that hold instances beside the ids."""
DIVISORS: Mapping[str, int] = {"instances": 1000, "instances-256": 256}
"""What the values of grey encodings with instances are divided by to give ids."""

FOUND: Mapping[Encoding, str] = {
    "ids": "the pictures are grey, so their values are ids",
    "palette": "the pictures have a palette",
    "colours": "the pictures are in colour",
    "carla-red": (
        "the red channel holds a few small values and no other tells classes, as in CARLA's raw"
        " pictures, SYNTHIA and KITTI-STEP"
    ),
    "instances": "the pictures are grey with 16 bits and values over 1000, as id * 1000 + n is",
    "instances-256": "the pictures are grey with 16 bits, and their values are id * 256 + n",
}
"""What was seen in pictures of an encoding, as a clause for people."""

_SPELLINGS = {"colors": "colours", "color": "colours", "colour": "colours"}
_LARGEST_TAG = 45
"""Ids in the red channel end below: BDD100K's are the largest, up to 40. A red channel with larger
values, other than 255 for void, is one of a picture in colour."""
_ACTOR_EDGES = 0.4
"""The share of pixels that differ from their right neighbour in some channel: under 0.06 in label
maps of streets, over 0.4 in photos (see `FLAT_SHARE`)."""
_STRETCHED_VALUES = 4
"""Fewer values may all be multiples of 4 or 16 by chance."""
_GREY_DIFFERENCE, _GREY_SHARE = 8, 0.995
"""Channels that differ by at most this, in at least this share of the pixels, are those of a grey
picture that came through YUV: lossy codecs move the chroma of grey by a few steps."""


def parse_encoding(text: str) -> Encoding:
    """The encoding of this name; American spellings count too.

    Raises:
        UsageError: there is no such encoding; the nearest are offered.
    """
    name = _SPELLINGS.get(text, text)
    for known in ENCODINGS:
        if known == name:
            return known
    raise UsageError(f"there is no label encoding '{text}'.", hint=did_you_mean(text, ENCODINGS))


def detect_encoding(
    frames: Sequence[Frame], scheme: Scheme | None = None, *, limited_range: bool = False
) -> Encoding:
    """The encoding of the first frames of an input.

    Args:
        frames: at least one frame; the first decides between palette, grey and colour.
        scheme: the scheme where it is known; CARLA's red channel is looked for only where it may be
            CARLA's.
        limited_range: whether the pictures were YUV of limited range.

    Raises:
        InputError: ids of fewer bits were stretched to more, or went through YUV.
    """
    first = frames[0]
    if first.palette is not None:
        return "palette"
    if first.pixels.ndim == 3 and not all(_equal_channels(frame) for frame in frames):
        refuse_ids_through_yuv(frames, limited_range)
        may_be_red = scheme is None or scheme.channel == "red" or not scheme.colours()
        red_only = all(red_holds_ids(frame.pixels) for frame in frames)
        if red_only and (may_be_red or not _dark_colours(scheme)):
            if limited_range:
                raise _through_yuv(first, "ids in the red channel")
            return "carla-red"
        if not red_only and all(red_holds_ids(frame.pixels[..., ::-1]) for frame in frames):
            raise ids_in_blue(first)
        return "colours"
    refuse_ids_through_yuv(frames, limited_range)
    if first.pixels.dtype != np.uint16:
        return "ids"
    for bits in (16, 12, 10):
        if all(_stretched(frame.pixels, bits) for frame in frames):
            raise InputError(
                f"ids of 8 bits were stretched to {bits} bits by a conversion"
                f"{': they are multiples of 257' if bits == 16 else ''}.",
                where=first.source or None,
                frame=first.index,
                hint="Leave them 8 bits (ffmpeg: -pix_fmt gray).",
            )
    return "instances" if any(_over_thousand(frame.pixels) for frame in frames) else "ids"


def refuse_ids_through_yuv(frames: Sequence[Frame], limited_range: bool) -> None:
    """Refuses grey ids whose values YUV of limited range has merged.

    Args:
        frames: at least one frame.
        limited_range: whether the pictures were YUV of limited range.

    Raises:
        InputError: all frames are grey, in areas of one value, and came through YUV.
    """
    if limited_range and all(
        frame.pixels.ndim == 3
        and _nearly_grey(frame.pixels)
        and flat_share(_channel(frame.pixels, 1)) >= FLAT_SHARE
        for frame in frames
    ):
        raise _through_yuv(frames[0], "grey ids")


def stored_values(frame: Frame, encoding: Encoding) -> Ids:
    """The ids that a frame of an encoding other than ``colours`` holds, uint8 or uint16 [H,W].

    Of a palette picture these are its greys in ``ids``, where its colours are greys, else its
    indices.
    """
    divisor = DIVISORS.get(encoding)
    if divisor is not None and frame.pixels.ndim == 2:
        deep = frame.pixels.astype(np.uint16)
        plain = (deep == 65535) if divisor == 256 else (deep < 1000) | (deep == 65535)
        return np.where(plain, deep, deep // divisor).astype(np.uint16)
    if frame.pixels.ndim == 2:
        greys = grey_palette(frame) if encoding == "ids" else None
        return frame.pixels if greys is None else greys.take(frame.pixels)
    return _channel(frame.pixels, 0)


def grey_palette(frame: Frame) -> Bytes | None:
    """The greys that a palette picture shows by index, uint8 [256]; None where it has no palette,
    or one in colour.

    Such files hold ids that a program renumbered: its palette, not its indices, tells them.
    """
    if frame.palette is None:
        return None
    used = frame.palette[np.unique(frame.pixels)]
    grey = bool((used[:, :1] == used).all())
    return np.ascontiguousarray(frame.palette[:, 0]) if grey else None


def red_holds_ids(pixels: Ids) -> bool:
    """Whether the red channel of pixels [H,W,3] holds ids: few small values in large areas, and
    green and blue are empty or tell instances apart.

    Stored the other way about, they are in ``pixels[..., ::-1]``.
    """
    red = _channel(pixels, 0)
    if int(np.where(red == 255, 0, red).max()) > _LARGEST_TAG or flat_share(red) < FLAT_SHARE:
        return False
    if not pixels[..., 1:].any():
        return True
    # The instance changes where the class does; within a class it changes rarely.
    colour_edges = (pixels[:, 1:] != pixels[:, :-1]).any(axis=2)
    return len(np.unique(red)) > 2 and bool(colour_edges.mean() < _ACTOR_EDGES)


def ids_in_blue(first: Frame) -> InputError:
    """The refusal of pictures whose blue channel holds what red should."""
    return InputError(
        "the ids are in the blue channel instead of the red one: red and blue are exchanged (RGB"
        " written as BGR, which is OpenCV's order).",
        where=first.source or None,
        frame=first.index,
        hint="Exchange them, for example with ffmpeg: -vf colorchannelmixer=rr=0:rb=1:br=1:bb=0.",
    )


def shows_colours(pixels: Ids) -> bool:
    """Whether pixels of 16 bits [H,W,3] are colours of 8 bits in 16: shifted or repeated."""
    low, high = pixels & 255, pixels >> 8
    return pixels.dtype == np.uint8 or bool(((low == 0) | (low == high)).all())


def _through_yuv(first: Frame, what: str) -> InputError:
    return InputError(
        f"these are {what} that went through YUV of limited range, which has 219 steps for 256"
        " values: neighbouring ids, such as 10 and 11, were merged and cannot be told apart.",
        where=first.source or None,
        frame=first.index,
        hint="Write the labels anew without YUV (ffmpeg: -pix_fmt gray, or gbrp for colours, with"
        " -c:v ffv1 or -c:v rawvideo).",
    )


def _channel(pixels: Ids, channel: int) -> Ids:
    return cast(Ids, np.ascontiguousarray(pixels[..., channel]))


def _dark_colours(scheme: Scheme | None) -> bool:
    """Whether most colours of a scheme have so little red that they look like ids in red."""
    colours = () if scheme is None else scheme.colours()
    dark = sum(colour[0] <= _LARGEST_TAG for colour, _ in colours)
    return dark > len(colours) / 2


def _nearly_grey(pixels: Ids) -> bool:
    channels = pixels.astype(np.int16)
    spread = channels.max(axis=2) - channels.min(axis=2)
    return bool((spread <= _GREY_DIFFERENCE).mean() >= _GREY_SHARE)


def _equal_channels(frame: Frame) -> bool:
    pixels = frame.pixels
    return pixels.ndim == 3 and bool((pixels[..., :1] == pixels[..., 1:]).all())


def _over_thousand(pixels: Ids) -> bool:
    return bool(((pixels >= 1000) & (pixels != 65535)).any())


def _stretched(pixels: Ids, bits: int) -> bool:
    """Whether 8 bits became ``bits``: shifted up, the upper bits repeated at the lower end so that
    white stays white. In 16 bits 7 becomes 1799, which looks like an instance."""
    values = np.unique(pixels).astype(np.int64)
    values = values[values > 0]
    if bits == 16:
        return bool(len(values)) and not (values % 257).any()
    if len(values) < _STRETCHED_VALUES or int(values[-1]) >= 1 << bits:
        return False
    narrow = values >> (bits - 8)
    shifted = narrow << (bits - 8)
    return bool((values == shifted).all() or (values == shifted | narrow >> (16 - bits)).all())
