"""Playing: which frame is due when.

It waits for pictures that are being painted, and keeps real time where they are cached.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from vidtrans.media.times import FilmTimes

SPEEDS = (1, 2, 4, 8)


class Player(QObject):
    """Requests frames one by one; ``arrived`` continues.

    A recurrent generator must paint every frame, so skipping frames saves no time: while pictures
    are painted each is shown as it comes, and only cached ones are skipped to keep real time.

    Signals:
        wanted(frame): This frame shall be shown.
        changed(): Playing has started or stopped, or has another speed.
    """

    wanted = Signal(int)
    changed = Signal()

    def __init__(
        self, parent: QObject | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make a player without a film; ``clock`` returns seconds."""
        super().__init__(parent)
        self._clock = clock
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._frames = 0
        self._seconds: npt.NDArray[np.float64] = np.zeros(0)
        self._period = 0.04
        self._first, self._stop = 0, 0
        self._frame = 0
        self._speed = 0
        self._due = 0.0
        self._pending = False
        self._late = False
        self.loop = False

    @property
    def frame(self) -> int:
        """The frame that was requested last."""
        return self._frame

    @property
    def speed(self) -> int:
        """Multiple of the film's own speed; negative backwards, 0 while paused."""
        return self._speed

    @property
    def playing(self) -> bool:
        """Whether it is playing."""
        return self._speed != 0

    def set_film(self, times: FilmTimes) -> None:
        """Begin with another film, whose frames are shown at ``times``."""
        self.pause()
        self._frames = times.frames
        ticks = times.pts - times.pts[:1] if times.frames else times.pts
        self._seconds = np.asarray(ticks * float(times.time_base), np.float64)
        self._period = float(1 / max(times.rate, Fraction(1, 100)))
        self._frame, self._pending = 0, False
        self._first, self._stop = 0, self._frames

    def set_range(self, first: int, stop: int) -> None:
        """Set in and out points, where playing ends, or begins again with ``loop``."""
        self._first, self._stop = first, stop

    def set_frame(self, frame: int) -> None:
        """Note that the playhead was moved to ``frame`` by other means."""
        self._frame = frame
        self._due = self._clock()
        self._pending = False

    def arrived(self, frame: int, *, cached: bool = False) -> None:
        """Note that the exact picture of ``frame`` is shown; ``cached``: without painting."""
        if frame == self._frame:
            self._pending = False
            self._late = not cached
            if self.playing:
                self._schedule()

    def play(self, speed: int = 1) -> None:
        """Play at a multiple of the film's speed; negative plays backwards."""
        if self._frames < 2:
            return
        low, high = self._ends()
        if not self.loop and speed > 0 and self._frame >= high - 1:
            self._request(low)
        elif not self.loop and speed < 0 and self._frame <= low:
            self._request(high - 1)
        self._speed = speed
        self._due = self._clock() + self._between(self._frame, self._next()) / abs(speed)
        self._late = True  # until a picture comes from the cache
        self._schedule()
        self.changed.emit()

    def pause(self) -> None:
        """Stop playing."""
        self._timer.stop()
        self._pending = False
        if self._speed:
            self._speed = 0
            self.changed.emit()

    def toggle(self) -> None:
        """Play or pause."""
        self.pause() if self.playing else self.play()

    def faster(self, direction: int) -> None:
        """Play in ``direction`` (1 or -1), at twice the speed with every further call."""
        if self._speed * direction > 0:
            step = SPEEDS.index(abs(self._speed))
            self.play(direction * SPEEDS[min(step + 1, len(SPEEDS) - 1)])
        else:
            self.play(direction)

    def _next(self) -> int:
        return self._frame + (1 if self._speed > 0 else -1)

    def _at(self, frame: int) -> float:
        """When a frame is shown, seconds; beyond the ends as if the film went on at its rate."""
        kept = min(max(0, frame), self._frames - 1)
        return float(self._seconds[kept]) + (frame - kept) * self._period

    def _between(self, frame: int, other: int) -> float:
        return abs(self._at(other) - self._at(frame))

    def _due_now(self, late_s: float) -> int:
        """The frame that is due ``late_s`` film seconds after the next one was."""
        following = self._next()
        if not 0 <= following < self._frames:
            return following
        if self._speed > 0:
            at = self._at(following) + late_s + 1e-9
            return int(np.searchsorted(self._seconds, at, side="right")) - 1
        at = self._at(following) - late_s - 1e-9
        return int(np.searchsorted(self._seconds, at, side="left"))

    def _ends(self) -> tuple[int, int]:
        if self._first <= self._frame < self._stop:
            return self._first, self._stop
        return 0, self._frames

    def _schedule(self) -> None:
        self._timer.start(max(1, round((self._due - self._clock()) * 1000)))

    def _request(self, frame: int) -> None:
        self._frame = frame
        self._pending = True
        self.wanted.emit(frame)

    def tick(self) -> None:
        """Request the frame that is due, unless the last one has not come yet."""
        self._timer.stop()
        now = self._clock()
        if not self.playing or self._pending:
            return  # ``arrived`` continues
        if now < self._due:
            self._schedule()
            return
        direction = 1 if self._speed > 0 else -1
        following = self._next()
        if self._late:
            target = self._frame + self._speed
        else:
            target = self._due_now((now - self._due) * abs(self._speed))
        # Late: the clock restarts with every picture. In time: it continues, so that rounding
        # errors do not add up.
        spent = self._between(following, target + direction) / abs(self._speed)
        self._due = max(self._due + spent, now)
        low, high = self._ends()
        if low <= target < high:
            self._request(target)
        elif self.loop:
            self._request(low if direction > 0 else high - 1)
        else:
            last = high - 1 if direction > 0 else low
            if last != self._frame:
                self._request(last)
            self.pause()
