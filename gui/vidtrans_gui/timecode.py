"""SMPTE timecode, HH:MM:SS:FF, with drop-frame (``;``) at 29.97 and 59.94 frames per second."""

from __future__ import annotations

import re
from fractions import Fraction

_DROP_RATES = {Fraction(30000, 1001): 30, Fraction(60000, 1001): 60}


def nominal_rate(rate: Fraction) -> int:
    """The frames that a timecode counts per second, at least 1."""
    return max(1, round(rate))


def _drop(rate: Fraction) -> int:
    """Frame numbers dropped in every minute but each tenth; 0 for timecode without drops."""
    for exact, nominal in _DROP_RATES.items():
        if abs(rate - exact) < Fraction(1, 1000):
            return nominal // 15
    return 0


def to_timecode(frame: int, rate: Fraction) -> str:
    """The timecode of a frame; frame 0 is 00:00:00:00.

    Drop-frame timecode skips numbers, not frames, so that it agrees with real time.
    """
    count = nominal_rate(rate)
    drop = _drop(rate)
    number = max(0, frame)
    if drop:
        in_ten = count * 600 - 9 * drop
        tens, rest = divmod(number, in_ten)
        minutes = max(0, (rest - drop) // (count * 60 - drop))
        number += 9 * drop * tens + drop * minutes
    seconds, frames = divmod(number, count)
    mark = ";" if drop else ":"
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{frames:02d}"


def from_timecode(text: str, rate: Fraction) -> int:
    """The frame of a timecode.

    Args:
        text: ``01:02:03:04``, or its last parts only: ``12`` is frame 12, ``1:12`` a second and 12
            frames. ``;`` and ``.`` separate as well.
        rate: Frames per second.

    Raises:
        ValueError: The text is no timecode, or a number that drop-frame timecode skips.
    """
    parts = re.split(r"[:;.]", text.strip())
    if not 1 <= len(parts) <= 4 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{text!r} is no timecode; one looks like 00:01:30:12")
    hours, minutes, seconds, frames = [0] * (4 - len(parts)) + [int(part) for part in parts]
    count = nominal_rate(rate)
    number = ((hours * 60 + minutes) * 60 + seconds) * count + frames
    drop = _drop(rate)
    if drop:
        whole = number // (count * 60)
        if whole % 10 and number % (count * 60) < drop:
            raise ValueError(
                f"{text!r} does not exist in drop-frame timecode; the minute begins with frame"
                f" {drop:02d}"
            )
        number -= drop * (whole - whole // 10)
    return number
