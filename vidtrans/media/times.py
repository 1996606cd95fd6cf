"""When each frame of an input is shown, and timecode.

A constant rate has SMPTE timecode, HH:MM:SS:FF, with drop-frame (``;``) at 29.97 and 59.94 frames
per second. Where the timing varies, frames have no common length, and a frame is named by its time,
HH:MM:SS.mmm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

_DROP_RATES = {Fraction(30000, 1001): 30, Fraction(60000, 1001): 60}
_SAME_RATE = 0.001
"""The relative difference up to which the rate that a container states is that of its timestamps.
30 and 29.97 frames a second, the closest rates in use, differ by as much."""
_TIME = re.compile(r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,9})?)")
_TIMECODE = re.compile(r"[0-9]{1,4}(?::[0-9]{1,2}){2}[:;][0-9]{1,3}")


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
    if not 1 <= len(parts) <= 4 or not all(re.fullmatch("[0-9]{1,12}", part) for part in parts):
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


def to_clock(seconds: Fraction) -> str:
    """A time as ``HH:MM:SS.mmm``, cut off after milliseconds."""
    thousandths = max(0, int(seconds * 1000))
    whole, rest = divmod(thousandths, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:03d}"


def is_position(text: str) -> bool:
    """Whether a text names a frame of a film as ``FilmTimes.frame_of`` reads it."""
    text = text.strip()
    return bool(
        re.fullmatch("[0-9]{1,12}", text) or _TIME.fullmatch(text) or _TIMECODE.fullmatch(text)
    )


@dataclass(frozen=True, eq=False)
class FilmTimes:
    """The timestamps of an input's frames.

    Attributes:
        pts: int64 [N], ascending, in units of ``time_base``.
        time_base: Seconds.
        rate: Frames per second; the average where the timing varies.
    """

    pts: npt.NDArray[np.int64]
    time_base: Fraction
    rate: Fraction

    @classmethod
    def at_rate(cls, frames: int, rate: Fraction) -> FilmTimes:
        """``frames`` frames at a constant rate."""
        return cls(np.arange(frames, dtype=np.int64), 1 / rate, rate)

    @property
    def frames(self) -> int:
        """The number of frames."""
        return len(self.pts)

    @cached_property
    def constant(self) -> bool:
        """Whether each frame is where ``rate`` puts it, but for the rounding of timestamps."""
        if self.frames < 2:
            return True
        ticks = self.pts - self.pts[0]
        total = int(ticks[-1])
        stated = float((self.frames - 1) / (self.rate * self.time_base))
        if abs(total - stated) > max(1.0, _SAME_RATE * stated):
            return False
        even = np.arange(self.frames) * (total / (self.frames - 1))
        # Both ends and the timestamp itself are rounded, to half a unit each.
        return bool(np.abs(ticks - even).max() <= 1.0 + 1e-6 * total)

    def start(self, frame: int) -> Fraction:
        """The timestamp of a frame, seconds."""
        return int(self.pts[frame]) * self.time_base

    def seconds(self, frame: int) -> Fraction:
        """The time from the first frame to ``frame``; of the frame after the last one, the length
        of the film."""
        if not self.frames:
            return Fraction(0)
        if frame < self.frames:
            return self.start(max(0, frame)) - self.start(0)
        return self.start(self.frames - 1) - self.start(0) + (frame - self.frames + 1) / self.rate

    def first_at(self, seconds: Fraction) -> int:
        """The first frame at ``seconds`` from the first one, or later; ``frames`` where there is
        none."""
        ticks = seconds / self.time_base + int(self.pts[0])
        return int(np.searchsorted(self.pts, -(-ticks.numerator // ticks.denominator)))

    def shown_at(self, seconds: float) -> int:
        """The frame on the screen ``seconds`` after the first one appears."""
        ticks = seconds / float(self.time_base) + int(self.pts[0])
        return max(0, int(np.searchsorted(self.pts, ticks + 1e-6, side="right")) - 1)

    @property
    def length(self) -> str:
        """How long the film is, as ``timecode`` writes it."""
        return self.timecode(self.frames)

    def timecode(self, frame: int) -> str:
        """SMPTE timecode; ``HH:MM:SS.mmm`` where the timing varies."""
        if self.constant:
            return to_timecode(frame, self.rate)
        return to_clock(self.seconds(frame))

    def frame_of(self, text: str) -> int:
        """The frame that a position names. It may lie behind the last one.

        Args:
            text: A frame number from 0, SMPTE timecode ``HH:MM:SS:FF``, or a time
                ``HH:MM:SS.mmm``, which is that of the first frame then or later. Times count from
                the first frame.

        Raises:
            ValueError: It is none of these.
        """
        text = text.strip()
        if re.fullmatch("[0-9]{1,12}", text):
            return int(text)
        if (found := _TIME.fullmatch(text)) is not None:
            hours, minutes, seconds = int(found[1]), int(found[2]), Fraction(found[3])
            at = (hours * 60 + minutes) * 60 + seconds
            return self.first_at(at) if at <= self.seconds(self.frames) else self._behind(at)
        if not _TIMECODE.fullmatch(text):
            raise ValueError(
                f"a position is a frame number, as 250, or a timecode, as 00:00:10:00 or"
                f" 00:00:10.5; {text[:60]!r} is none of these"
            )
        number = from_timecode(text, self.rate)
        if self.constant:
            return number
        return self.frame_of(to_clock(Fraction(number, nominal_rate(self.rate))))

    def _behind(self, seconds: Fraction) -> int:
        return self.frames + int((seconds - self.seconds(self.frames)) * self.rate)
