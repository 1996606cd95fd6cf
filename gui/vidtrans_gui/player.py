"""Playing: which frame is due when.

It waits for pictures that are being painted, and keeps real time where they are cached.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

from PySide6.QtCore import QObject, Qt, QTimer, Signal

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
        self._frames, self._rate = 0, Fraction(25)
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
        """Multiple of the film's rate; negative backwards, 0 while paused."""
        return self._speed

    @property
    def playing(self) -> bool:
        """Whether it is playing."""
        return self._speed != 0

    def set_film(self, frames: int, rate: Fraction) -> None:
        """Begin with another film of ``frames`` frames at ``rate`` frames per second."""
        self.pause()
        self._frames, self._rate = frames, max(rate, Fraction(1, 100))
        self._frame, self._pending = 0, False
        self._first, self._stop = 0, frames

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
        """Play at a multiple of the film's rate; negative plays backwards."""
        if self._frames < 2:
            return
        low, high = self._ends()
        if not self.loop and speed > 0 and self._frame >= high - 1:
            self._request(low)
        elif not self.loop and speed < 0 and self._frame <= low:
            self._request(high - 1)
        self._speed = speed
        self._due = self._clock() + float(1 / (self._rate * abs(speed)))
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
        period = float(1 / self._rate)
        direction = 1 if self._speed > 0 else -1
        due = 1 + int((now - self._due) / period * abs(self._speed)) if not self._late else 1
        steps = max(due, abs(self._speed) if self._late else 1)
        # Late: the clock restarts with every picture. In time: it continues, so that rounding
        # errors do not add up.
        spent = period * steps / abs(self._speed)
        self._due = max(self._due + spent, now) if not self._late else max(now, self._due + spent)
        low, high = self._ends()
        target = self._frame + direction * steps
        if low <= target < high:
            self._request(target)
        elif self.loop:
            self._request(low if direction > 0 else high - 1)
        else:
            last = high - 1 if direction > 0 else low
            if last != self._frame:
                self._request(last)
            self.pause()
