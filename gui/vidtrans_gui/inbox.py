"""A queue from other threads into the window's, emptied by the event loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot


class Inbox(QObject):
    """A queue of values, delivered in order in the thread that made it.

    The signal carries no value: values wait in a deque, so that no Python object passes through
    Qt's event queue.
    """

    _arrived = Signal()

    def __init__(self, take: Callable[[Any], None], parent: QObject | None = None) -> None:
        """Make the queue.

        Args:
            take: Called with each value in the thread that makes the queue.
            parent: The owner.
        """
        super().__init__(parent)
        self._values: deque[Any] = deque()
        self._take = take
        self._open = True
        self._mutex = threading.Lock()
        self._arrived.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    def put(self, value: Any) -> None:
        """Add a value, from any thread; it is dropped after ``close``."""
        with self._mutex:
            if self._open:
                self._values.append(value)
                self._arrived.emit()

    def close(self) -> None:
        """Drop all waiting and later values.

        When it returns no thread is inside ``put``; call it before the inbox is destroyed.
        """
        with self._mutex:
            self._open = False
            self._values.clear()

    @Slot()
    def _drain(self) -> None:
        # One value for each signal, so that other events are handled in between.
        if self._values:
            self._take(self._values.popleft())
