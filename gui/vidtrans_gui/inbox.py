"""The one way from other threads into the window's: values in order, taken out by the event
loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot


class Inbox(QObject):
    """``put`` from any thread; ``take`` is called with each value in the thread that made the
    inbox.

    The signal itself carries nothing: values wait in a deque, so that no Python object crosses Qt's
    queue.
    """

    _arrived = Signal()

    def __init__(self, take: Callable[[Any], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values: deque[Any] = deque()
        self._take = take
        self._open = True
        self._turn = threading.Lock()
        self._arrived.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    def put(self, value: Any) -> None:
        with self._turn:
            if self._open:
                self._values.append(value)
                self._arrived.emit()

    def close(self) -> None:
        """Take no more values; those that wait are dropped. Call it before the inbox is destroyed:
        no thread is inside ``put`` any more when this returns."""
        with self._turn:
            self._open = False
            self._values.clear()

    @Slot()
    def _drain(self) -> None:
        # One value for each signal: other events get their turn in between.
        if self._values:
            self._take(self._values.popleft())
