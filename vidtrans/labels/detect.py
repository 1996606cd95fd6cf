"""Which scheme and encoding a label video has: as asked for, or as its first frames tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vidtrans.errors import InputError, Remedy, UsageError
from vidtrans.frame import Frame
from vidtrans.labels.encodings import (
    FOUND,
    Encoding,
    detect_encoding,
    parse_encoding,
    refuse_ids_through_yuv,
)
from vidtrans.labels.scheme import Scheme, builtin_schemes, load_scheme
from vidtrans.labels.scheme_detector import Detection, SchemeDetector, lossy_warnings

_ALSO: Mapping[Encoding, tuple[Encoding, ...]] = {
    "palette": ("ids",),
    "instances": ("instances-256",),
}
"""Encodings that look the same: which it is, the likelier street tells."""


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """What the setting ``labels`` asks for.

    Attributes:
        scheme: the scheme, None where the frames decide.
        encoding: the encoding, None where the frames decide.
    """

    scheme: Scheme | None = None
    encoding: Encoding | None = None


def parse_labels(text: str) -> LabelChoice:
    """Reads the setting ``labels``.

    Args:
        text: ``auto``, ``SCHEME``, ``SCHEME:ENCODING``, ``auto:ENCODING``, ``PALETTE.toml``, or
            ``PALETTE.json:ENCODING``.

    Raises:
        UsageError: there is no such scheme or encoding; the nearest are offered.
        InputError: a palette file is missing or wrong.

    Example:
        >>> parse_labels("cityscapes:colours").encoding
        'colours'
    """
    name, encoding = text.strip(), None
    head, colon, tail = name.rpartition(":")
    # A Windows path has a colon of its own, but then what follows it is no encoding and there is a
    # separator in it.
    if colon and not (len(head) == 1 and ("\\" in tail or "/" in tail)):
        name, encoding = head, parse_encoding(tail)
    if not name:
        raise UsageError(
            "no label scheme is named.",
            remedy=Remedy(
                "{labels} needs a scheme, a palette file or auto. Known: {known}.",
                {"known": ", ".join(builtin_schemes())},
            ),
        )
    return LabelChoice(None if name == "auto" else load_scheme(name), encoding)


def detect(
    frames: Sequence[Frame],
    *,
    lossy: bool | None = None,
    expected: Scheme | None = None,
    limited_range: bool = False,
) -> Detection:
    """The scheme and encoding of the first frames of an input.

    Args:
        frames: the first frames, at least one.
        lossy: whether the codec alters pixels, None where that is not known.
        expected: the model's own scheme; it decides where several schemes score about the same.
        limited_range: whether the pictures were YUV of limited range (`VideoInfo.limited_range`).

    Raises:
        InputError: there is no frame; the frames are no label map, of no known scheme, or may be of
            several: the message then names the choices to pass.
    """
    return resolve(
        LabelChoice(), frames, lossy=lossy, expected=expected, limited_range=limited_range
    )


def resolve(
    choice: LabelChoice,
    frames: Sequence[Frame],
    *,
    lossy: bool | None = None,
    expected: Scheme | None = None,
    limited_range: bool = False,
) -> Detection:
    """The scheme and encoding of ``choice``, what it leaves open decided from the frames.

    What was given by hand is tried on the frames too, and warned of where it does not suit them.

    Args:
        choice: what was asked for.
        frames: as for `detect`.
        lossy: as for `detect`.
        expected: as for `detect`.
        limited_range: as for `detect`.

    Raises:
        InputError: as `detect`.
    """
    if not frames:
        raise InputError("there is no frame to tell the labels from.")
    detector = SchemeDetector(tuple(frames), lossy, expected)
    encoding = choice.encoding
    if encoding is None:
        encoding = detect_encoding(frames, choice.scheme, limited_range=limited_range)
    elif encoding != "colours":
        refuse_ids_through_yuv(frames, limited_range)
    if choice.scheme is None:
        return detector.detect(encoding)
    if choice.encoding is not None:
        tried: tuple[Encoding, ...] = (encoding,)
        said = "Scheme and encoding were given."
    else:
        tried = (encoding, *_ALSO.get(encoding, ()))
        said = f"The scheme was given; {FOUND[encoding]}."
    found = detector.check(choice.scheme, tried)
    lost = lossy_warnings(found.encoding, lossy) if choice.encoding is None else ()
    return replace(found, reasons=(said, *lost, *found.reasons))
