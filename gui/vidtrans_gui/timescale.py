"""The scale of a timeline: frames to pixels and back. No widgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from vidtrans.media.times import nominal_rate

LABEL_WIDTH = 96
"""Pixels for a written timecode with its margins."""


@dataclass(frozen=True)
class TimeScale:
    """The visible part of a film.

    Attributes:
        frames: The film's number of frames.
        width: The timeline's width in pixels.
        per_frame: Pixels per frame.
        first: The frame at the left edge; may be fractional.
    """

    frames: int
    width: float
    per_frame: float = 1.0
    first: float = 0.0

    @classmethod
    def whole(cls, frames: int, width: float) -> TimeScale:
        """The scale that shows the whole film."""
        return cls(frames, width, max(1.0, width) / max(1, frames))

    @property
    def smallest(self) -> float:
        """Pixels per frame at which the whole film is visible."""
        return max(1.0, self.width) / max(1, self.frames)

    @property
    def shown(self) -> float:
        """The number of frames that are visible."""
        return self.width / self.per_frame

    @property
    def is_whole(self) -> bool:
        """Whether the whole film is visible."""
        return self.per_frame <= self.smallest * 1.0001

    def x(self, frame: float) -> float:
        """The left edge of ``frame`` in pixels."""
        return (frame - self.first) * self.per_frame

    def frame(self, x: float) -> int:
        """The frame under pixel ``x``, kept within the film."""
        return min(max(0, int(self.first + x / self.per_frame)), max(0, self.frames - 1))

    def resized(self, width: float) -> TimeScale:
        """The scale for another width; a film that was wholly visible remains so."""
        if self.is_whole:
            return TimeScale.whole(self.frames, width)
        return replace(self, width=width)._clamped()

    def zoomed(self, factor: float, x: float) -> TimeScale:
        """Zoomed by ``factor`` around pixel ``x``, at most out to the whole film."""
        at = self.first + x / self.per_frame
        per_frame = min(
            max(self.per_frame * factor, self.smallest),
            48.0 if self.smallest < 48 else self.smallest,
        )
        return replace(self, per_frame=per_frame, first=at - x / per_frame)._clamped()

    def scrolled(self, first: float) -> TimeScale:
        """Scrolled so that ``first`` is at the left edge, as far as possible."""
        return replace(self, first=first)._clamped()

    def showing(self, frame: int) -> TimeScale:
        """Scrolled so that ``frame`` is visible."""
        if self.first <= frame and self.x(frame + 1) <= self.width + 0.5:
            return self
        return self.scrolled(frame - self.shown * 0.1)

    def _clamped(self) -> TimeScale:
        return replace(self, first=min(max(0.0, self.first), max(0.0, self.frames - self.shown)))

    def ticks(self, rate: Fraction) -> tuple[int, int]:
        """Frames between ticks with a timecode, and between fine ticks."""
        second = nominal_rate(rate)
        steps = [step for step in range(1, second) if second % step == 0]
        steps += [second * n for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)]
        large = next((step for step in steps if step * self.per_frame >= LABEL_WIDTH), steps[-1])
        fine = [step for step in steps if large % step == 0 and step * self.per_frame >= 6]
        return large, fine[0] if fine else large
