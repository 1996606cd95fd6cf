"""Background work: a thread for each task, and its outcome as a value in the window's thread."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject

from vidtrans.errors import VidtransError
from vidtrans_gui import wording
from vidtrans_gui.inbox import Inbox

Report = Callable[[float, str], None]
"""Reports progress, 0 to 1, and a text."""


@dataclass(frozen=True, eq=False)
class _Calls:
    done: Callable[[Any], None]
    failed: Callable[[str, str], None]
    progressed: Callable[[float, str], None] | None


class Tasks(QObject):
    """Runs tasks in threads and passes their outcome on.

    The threads are Python's own: destroying a QThread while it runs ends the process.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._inbox = Inbox(self._take, self)
        self._running: dict[int, tuple[threading.Thread, _Calls]] = {}
        self._started = 0

    def start(
        self,
        work: Callable[[Report], Any],
        *,
        done: Callable[[Any], None],
        failed: Callable[[str, str], None],
        progressed: Callable[[float, str], None] | None = None,
    ) -> None:
        """Start a task. All callbacks are called in the window's thread.

        Args:
            work: The task, called in a thread with a function that reports progress.
            done: Called with what ``work`` returned.
            failed: Called with a sentence and details if ``work`` raised.
            progressed: Called with each reported progress.
        """
        self._started += 1
        number = self._started
        thread = threading.Thread(
            target=_work, args=(number, work, self._inbox), name=f"vidtrans-task-{number}"
        )
        self._running[number] = thread, _Calls(done, failed, progressed)
        thread.start()

    def _take(self, report: tuple[int, str, Any]) -> None:
        number, kind, value = report
        if number not in self._running:
            return
        thread, calls = self._running[number]
        if kind == "progressed":
            if calls.progressed is not None:
                calls.progressed(*value)
            return
        thread.join()
        del self._running[number]
        if kind == "done":
            calls.done(value)
        else:
            calls.failed(*value)

    @property
    def busy(self) -> bool:
        """Whether tasks are running."""
        return bool(self._running)

    def close(self) -> None:
        """Wait for all tasks and drop their outcome."""
        self._inbox.close()
        for thread, _ in self._running.values():
            thread.join()
        self._running.clear()


def _work(number: int, work: Callable[[Report], Any], inbox: Inbox) -> None:
    """Run ``work`` and post its outcome; exceptions as text, since they hold references to Qt."""
    try:
        result = work(lambda fraction, text: inbox.put((number, "progressed", (fraction, text))))
    except VidtransError as error:
        inbox.put((number, "failed", (wording.sentence(error), "")))
    except Exception as error:
        inbox.put((number, "failed", (f"{type(error).__name__}: {error}", traceback.format_exc())))
    else:
        inbox.put((number, "done", result))
