"""The progress of a run: frames done, speed and time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a run after a frame was written.

    Attributes:
        done: Frames written, including those of an earlier run that is resumed, and frames that
            were painted for the history of a range.
        total: Frames of the input, or of the range and its history; None where the container does
            not say.
        fps: Frames a second, averaged over the last seconds.
        seconds_left: Estimated time to the end; None where ``total`` is unknown.
    """

    done: int
    total: int | None
    fps: float
    seconds_left: float | None


OnProgress = Callable[[Progress], None]


class ProgressMeter:
    """Counts written frames and measures their rate over a sliding window.

    Args:
        total: Frames of the input; None where unknown.
        done: Frames that an earlier run has written.
        window_s: Length of the window, seconds.
        clock: Gives the time in seconds.
    """

    def __init__(
        self,
        total: int | None,
        *,
        done: int = 0,
        window_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._done = done
        self._window_s = window_s
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque([(clock(), done)])

    def frame(self) -> Progress:
        """Count one more written frame."""
        now = self._clock()
        self._done += 1
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[1][0] >= self._window_s:
            self._marks.popleft()
        since, done_then = self._marks[0]
        fps = (self._done - done_then) / (now - since) if now > since else 0.0
        left = None
        if self._total is not None and fps > 0:
            left = max(self._total - self._done, 0) / fps
        return Progress(self._done, self._total, fps, left)
