"""Python's cycles are collected in the window's thread alone.

The collector runs in whichever thread happens to allocate. When that is the preview's, it would
destroy widgets and their connections there, which Qt does not survive. So automatic collection is
off while the window lives, and a timer does it.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer


class Garbage(QObject):
    """Collects a generation when as many objects have come together as Python itself would wait
    for."""

    def __init__(self, parent: QObject | None = None, *, interval_ms: int = 500) -> None:
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        self._was_on = gc.isenabled()
        gc.disable()
        # Libraries stay for good: left out, a full collection takes a few milliseconds instead of
        # hundreds.
        gc.collect()
        gc.freeze()
        self._timer = QTimer(self, interval=interval_ms)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """The oldest generation that is due, if any is."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > self._thresholds[generation]:
                gc.collect(generation)
                return

    def close(self) -> None:
        """As it was before."""
        self._timer.stop()
        gc.unfreeze()
        if self._was_on:
            gc.enable()
