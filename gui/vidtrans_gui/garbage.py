"""Garbage collection in the window's thread only.

Python's collector runs in the thread that happens to allocate. In the preview's thread it would
destroy widgets and their connections, which crashes Qt. So automatic collection is off while the
window lives, and a timer of the window's thread collects.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer


class Garbage(QObject):
    """Collects on a timer, with the thresholds of Python's own collector."""

    def __init__(self, parent: QObject | None = None, *, interval_ms: int = 500) -> None:
        """Turn automatic collection off and start the timer.

        Args:
            parent: The owner.
            interval_ms: Milliseconds between two checks.
        """
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        self._was_on = gc.isenabled()
        gc.disable()
        # Objects of imported libraries live as long as the program. Without them a full collection
        # takes a few milliseconds instead of hundreds.
        gc.collect()
        gc.freeze()
        self._timer = QTimer(self, interval=interval_ms)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """Collect the oldest generation whose threshold is exceeded, if there is one."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > self._thresholds[generation]:
                gc.collect(generation)
                return

    def close(self) -> None:
        """Stop the timer and restore automatic collection."""
        self._timer.stop()
        gc.unfreeze()
        if self._was_on:
            gc.enable()
