"""How label pictures hold their ids, and how that is recognised in the first frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from vidtrans.errors import InputError, UsageError
from vidtrans.frame import Bytes, Frame, Ids
from vidtrans.labels.frame_statistics import FLAT_SHARE, flat_share
from vidtrans.labels.scheme import Scheme
from vidtrans.validation import did_you_mean

Encoding = Literal["ids", "palette", "colours", "carla-red", "instances"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
WITH_INSTANCES: tuple[Encoding, ...] = ("instances", "carla-red")
"""Encodings that hold instances beside the ids."""

FOUND: Mapping[Encoding, str] = {
    "ids": "the pictures are grey, so their values are ids",
    "palette": "the pictures have a palette",
    "colours": "the pictures are in colour",
    "carla-red": "only the red channel holds a few small values, as CARLA's raw pictures do",
    "instances": "the pictures are grey with 16 bits and values over 1000, as id * 1000 + n is",
}
"""What was seen in pictures of an encoding, as a clause for people."""

_SPELLINGS = {"colors": "colours", "color": "colours", "colour": "colours"}
_LARGEST_TAG = 32
"""CARLA's tags end below 30; a red channel with larger values is one of a picture in colour."""
_ACTOR_EDGES = 0.4
"""The share of pixels that differ from their right neighbour in some channel: under 0.06 in label
maps of streets, over 0.4 in photos (see `FLAT_SHARE`)."""


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


def detect_encoding(frames: Sequence[Frame], scheme: Scheme | None = None) -> Encoding:
    """The encoding of the first frames of an input.

    Args:
        frames: at least one frame; the first decides between palette, grey and colour.
        scheme: the scheme where it is known; CARLA's red channel is looked for only where it may be
            CARLA's.

    Raises:
        InputError: ids of 8 bits were stretched to 16.
    """
    first = frames[0]
    if first.palette is not None:
        return "palette"
    if first.pixels.ndim == 3 and not all(_equal_channels(frame) for frame in frames):
        may_be_carla = scheme is None or scheme.channel == "red"
        red_only = may_be_carla and all(_red_only(frame.pixels) for frame in frames)
        return "carla-red" if red_only else "colours"
    if first.pixels.dtype != np.uint16:
        return "ids"
    if all(_stretched(frame.pixels) for frame in frames):
        raise InputError(
            "the pictures have 16 bits, but only multiples of 257: ids of 8 bits that a conversion"
            " has stretched.",
            where=first.source or None,
            frame=first.index,
            hint="Leave them 8 bits (ffmpeg: -pix_fmt gray).",
        )
    return "instances" if any(_over_thousand(frame.pixels) for frame in frames) else "ids"


def stored_values(frame: Frame, encoding: Encoding) -> Ids:
    """The ids that a frame of an encoding other than ``colours`` holds, uint8 or uint16 [H,W].

    Of a palette picture these are its indices.
    """
    if encoding == "instances":
        deep = frame.pixels.astype(np.uint16)
        return np.where((deep < 1000) | (deep == 65535), deep, deep // 1000).astype(np.uint16)
    if frame.pixels.ndim == 2:
        return frame.pixels
    return np.ascontiguousarray(frame.pixels[..., 0]).astype(np.uint8)


def _equal_channels(frame: Frame) -> bool:
    pixels = frame.pixels
    return pixels.ndim == 3 and bool((pixels[..., :1] == pixels[..., 1:]).all())


def _over_thousand(pixels: Ids) -> bool:
    return bool(((pixels >= 1000) & (pixels != 65535)).any())


def _stretched(pixels: Ids) -> bool:
    """Whether 8 bits became 16 by a factor of 257, which keeps white white: 7 becomes 1799, which
    looks like an instance."""
    return bool(pixels.any() and not (pixels % 257).any())


def _red_only(pixels: Ids) -> bool:
    """Whether the red channel holds CARLA's tags: few small values in large areas, and green and
    blue are empty or tell actors apart."""
    red: Bytes = np.ascontiguousarray(pixels[..., 0]).astype(np.uint8, copy=False)
    if int(red.max()) > _LARGEST_TAG or flat_share(red) < FLAT_SHARE:
        return False
    if not pixels[..., 1:].any():
        return True
    # The instance camera writes the actor into green and blue. An actor has one tag, so the whole
    # colour changes wherever red does.
    red_edges = red[:, 1:] != red[:, :-1]
    colour_edges = (pixels[:, 1:] != pixels[:, :-1]).any(axis=2)
    return len(np.unique(red)) > 2 and bool(
        colour_edges.mean() < _ACTOR_EDGES and (colour_edges >= red_edges).all()
    )
