"""Playing: which frame is due when. It waits for slow pictures and keeps real time where
pictures are at hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

from PySide6.QtCore import QObject, Qt, QTimer, Signal

SPEEDS = (1, 2, 4, 8)


class Player(QObject):
    """Asks for frames by ``wanted`` and goes on when ``arrived`` says that one is shown.

    A recurrent generator paints every frame on the way, so skipping frames saves it nothing: while
    pictures must be painted first, each of them is shown as it comes, and only what is at hand
    already is skipped to keep real time.
    """

    wanted = Signal(int)
    changed = Signal()

    def __init__(
        self, parent: QObject | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
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
        return self._frame

    @property
    def speed(self) -> int:
        """Times the film's own rate, negative backwards, 0 while it stands."""
        return self._speed

    @property
    def playing(self) -> bool:
        return self._speed != 0

    def set_film(self, frames: int, rate: Fraction) -> None:
        self.pause()
        self._frames, self._rate = frames, max(rate, Fraction(1, 100))
        self._frame, self._pending = 0, False
        self._first, self._stop = 0, frames

    def set_range(self, first: int, stop: int) -> None:
        """In and out: where playing ends, or begins again with ``loop``."""
        self._first, self._stop = first, stop

    def at(self, frame: int) -> None:
        """The playhead was moved by hand."""
        self._frame = frame
        self._due = self._clock()
        self._pending = False

    def arrived(self, frame: int, *, at_hand: bool = False) -> None:
        """``frame`` is shown, exactly; ``at_hand``: nobody had to wait for it."""
        if frame == self._frame:
            self._pending = False
            self._late = not at_hand
            if self.playing:
                self._schedule()

    def play(self, speed: int = 1) -> None:
        if self._frames < 2:
            return
        low, high = self._ends()
        if not self.loop and speed > 0 and self._frame >= high - 1:
            self._ask(low)
        elif not self.loop and speed < 0 and self._frame <= low:
            self._ask(high - 1)
        self._speed = speed
        self._due = self._clock() + float(1 / (self._rate * abs(speed)))
        self._late = True  # until a picture proves to be at hand
        self._schedule()
        self.changed.emit()

    def pause(self) -> None:
        self._timer.stop()
        self._pending = False
        if self._speed:
            self._speed = 0
            self.changed.emit()

    def toggle(self) -> None:
        self.pause() if self.playing else self.play()

    def faster(self, direction: int) -> None:
        """J and L: start in that direction, then twice as fast with every press; the other
        direction turns round."""
        if self._speed * direction > 0:
            place = SPEEDS.index(abs(self._speed))
            self.play(direction * SPEEDS[min(place + 1, len(SPEEDS) - 1)])
        else:
            self.play(direction)

    def _ends(self) -> tuple[int, int]:
        if self._first <= self._frame < self._stop:
            return self._first, self._stop
        return 0, self._frames

    def _schedule(self) -> None:
        self._timer.start(max(1, round((self._due - self._clock()) * 1000)))

    def _ask(self, frame: int) -> None:
        self._frame = frame
        self._pending = True
        self.wanted.emit(frame)

    def tick(self) -> None:
        """Ask for the frame that is due, if there is one and the last one has come."""
        self._timer.stop()
        now = self._clock()
        if not self.playing or self._pending:
            return  # ``arrived`` goes on
        if now < self._due:
            self._schedule()
            return
        period = float(1 / self._rate)
        direction = 1 if self._speed > 0 else -1
        due = 1 + int((now - self._due) / period * abs(self._speed)) if not self._late else 1
        steps = max(due, abs(self._speed) if self._late else 1)
        # Late: the clock starts anew with every picture. In time: it goes on, so that no rounding
        # adds up.
        spent = period * steps / abs(self._speed)
        self._due = max(self._due + spent, now) if not self._late else max(now, self._due + spent)
        low, high = self._ends()
        target = self._frame + direction * steps
        if low <= target < high:
            self._ask(target)
        elif self.loop:
            self._ask(low if direction > 0 else high - 1)
        else:
            last = high - 1 if direction > 0 else low
            if last != self._frame:
                self._ask(last)
            self.pause()
