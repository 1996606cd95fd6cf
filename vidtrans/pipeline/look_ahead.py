"""The first frames of an input that tell how its labels are read: title cards and fades are passed
over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from vidtrans.errors import InputError
from vidtrans.frame import Frame
from vidtrans.labels.detect import LabelChoice, resolve
from vidtrans.labels.frame_statistics import tells_scheme
from vidtrans.labels.scheme_detector import WARNING, Detection
from vidtrans.media.naming import exists
from vidtrans.media.reader import Reader

LOOK_AHEAD = 3
"""Frames from which the labels ``auto`` are detected."""
_MOST_FRAMES, _MOST_PIXELS = 250, 130_000_000
"""Frames that are looked at where the first ones do not decide: 10 s at 25 fps, and at 1080p 2.5 s,
so that a film of photos is refused within seconds."""
_MOST_HELD = 128 << 20
"""Bytes of frames that are held while looking; files are read anew where there are more."""
_SPREAD = 8
"""Frames of ids that are looked at together: the further apart, the more they tell."""


@dataclass(frozen=True, eq=False)
class LookedAt:
    """An input after its first frames were looked at.

    Attributes:
        frames: all frames of the input, from the first one.
        telling: the frames that the detection went by.
        detection: what the labels are taken for.
    """

    frames: Iterator[Frame]
    telling: tuple[Frame, ...]
    detection: Detection


def look_ahead(reader: Reader, choice: LabelChoice, least: int = LOOK_AHEAD) -> LookedAt:
    """Decide how the labels of an open input are read.

    Looks at the first ``least`` frames, and on while these are black, a title or refused, within a
    bound.

    Args:
        reader: The open input, at its first frame.
        choice: What was asked for.
        least: Frames that are looked at before anything is decided.

    Raises:
        InputError: There is no frame, or the labels cannot be read; the first refusal.
    """
    height, width = reader.info.size_hw
    most = max(least, min(_MOST_FRAMES, _MOST_PIXELS // (height * width)))
    can_reopen = reader.stems is not None or exists(reader.info.source)
    incoming = iter(reader)
    held: list[Frame] = []
    telling: list[Frame] = []
    first: tuple[Frame, ...] = ()
    seen = held_bytes = 0
    refusal: InputError | None = None
    while seen < most:
        target = least if seen == 0 else min(2 * seen, most)
        chunk: list[Frame] = []
        for frame in islice(incoming, target - seen):
            seen += 1
            held_bytes += frame.pixels.nbytes
            if held_bytes > _MOST_HELD and can_reopen:
                held.clear()
            else:
                held.append(frame)
            if tells_scheme(frame.pixels):
                chunk = [*chunk, frame][-_SPREAD:]
        first = first or tuple(held)
        ended = seen < target
        if chunk:
            telling = _spread([*telling, *chunk])
            grey = chunk[0].pixels.ndim == 2
            chosen = tuple(telling if grey else chunk[-least:])
            try:
                detection = _resolve(reader, choice, chosen)
            except InputError as error:
                refusal = refusal or error
            else:
                detection = _with_hidden(detection, chosen)
                return LookedAt(_again(reader, held, incoming, seen), chosen, detection)
        if ended or (held_bytes > _MOST_HELD and not can_reopen):
            break
    if refusal is not None:
        raise refusal
    detection = _with_hidden(_resolve(reader, choice, first), first)
    return LookedAt(_again(reader, held, incoming, seen), first, detection)


def _resolve(reader: Reader, choice: LabelChoice, frames: tuple[Frame, ...]) -> Detection:
    info = reader.info
    return resolve(choice, frames, lossy=info.lossy, limited_range=info.limited_range)


def _with_hidden(detection: Detection, frames: tuple[Frame, ...]) -> Detection:
    """The detection with a warning where pixels that hold labels are transparent."""
    hidden = [0.0 if f.alpha is None else float((f.alpha == 0).mean()) for f in frames]
    share = sum(hidden) / len(hidden)
    if not share or detection.encoding == "carla-red":  # there alpha numbers instances
        return detection
    warning = (
        f"{WARNING}{share:.1%} of the pixels are transparent, so that what they hold is not seen;"
        " it is read as labels all the same."
    )
    return replace(detection, reasons=(*detection.reasons, warning))


def _spread(frames: list[Frame]) -> list[Frame]:
    """At most `_SPREAD` of the frames, the first and the last included."""
    if len(frames) <= _SPREAD:
        return frames
    step = (len(frames) - 1) / (_SPREAD - 1)
    return [frames[round(at * step)] for at in range(_SPREAD)]


def _again(
    reader: Reader, held: list[Frame], incoming: Iterator[Frame], seen: int
) -> Iterator[Frame]:
    """The input from its first frame."""
    if len(held) == seen:
        return chain(held, incoming)
    reader.seek(0)
    return iter(reader)
