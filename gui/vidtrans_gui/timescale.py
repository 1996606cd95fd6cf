"""Which frames a timeline shows and where: frames to pixels and back, no widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from vidtrans_gui.timecode import nominal_rate

LABEL_WIDTH = 96
"""Pixels that a written timecode needs, with room around it."""


@dataclass(frozen=True)
class TimeScale:
    """A film of ``frames`` frames on ``width`` pixels; ``first`` (fractional) is the frame at
    the left edge."""

    frames: int
    width: float
    per_frame: float = 1.0
    first: float = 0.0

    @classmethod
    def whole(cls, frames: int, width: float) -> TimeScale:
        """The scale that shows all of the film."""
        return cls(frames, width, max(1.0, width) / max(1, frames))

    @property
    def smallest(self) -> float:
        return max(1.0, self.width) / max(1, self.frames)

    @property
    def shown(self) -> float:
        """How many frames fit."""
        return self.width / self.per_frame

    @property
    def is_whole(self) -> bool:
        return self.per_frame <= self.smallest * 1.0001

    def x(self, frame: float) -> float:
        """The left edge of ``frame``."""
        return (frame - self.first) * self.per_frame

    def frame(self, x: float) -> int:
        """The frame under pixel ``x``, kept within the film."""
        return min(max(0, int(self.first + x / self.per_frame)), max(0, self.frames - 1))

    def resized(self, width: float) -> TimeScale:
        if self.is_whole:
            return TimeScale.whole(self.frames, width)
        return replace(self, width=width)._kept()

    def zoomed(self, factor: float, x: float) -> TimeScale:
        """Larger by ``factor``, with what is under pixel ``x`` staying there; never smaller than
        the whole film."""
        at = self.first + x / self.per_frame
        per_frame = min(
            max(self.per_frame * factor, self.smallest),
            48.0 if self.smallest < 48 else self.smallest,
        )
        return replace(self, per_frame=per_frame, first=at - x / per_frame)._kept()

    def scrolled(self, first: float) -> TimeScale:
        return replace(self, first=first)._kept()

    def showing(self, frame: int) -> TimeScale:
        """Scrolled by a page where ``frame`` is out of sight."""
        if self.first <= frame and self.x(frame + 1) <= self.width + 0.5:
            return self
        return self.scrolled(frame - self.shown * 0.1)

    def _kept(self) -> TimeScale:
        return replace(self, first=min(max(0.0, self.first), max(0.0, self.frames - self.shown)))

    def ticks(self, rate: Fraction) -> tuple[int, int]:
        """Frames between written ticks, and between fine ones, so that timecodes do not touch."""
        second = nominal_rate(rate)
        steps = [step for step in range(1, second) if second % step == 0]
        steps += [second * n for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)]
        large = next((step for step in steps if step * self.per_frame >= LABEL_WIDTH), steps[-1])
        fine = [step for step in steps if large % step == 0 and step * self.per_frame >= 6]
        return large, fine[0] if fine else large
