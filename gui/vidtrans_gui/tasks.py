"""Slow work beside the window: one thread for each piece, its outcome as plain values in the
window's thread."""

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

Tell = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class _Calls:
    done: Callable[[Any], None]
    failed: Callable[[str, str], None]
    progressed: Callable[[float, str], None] | None


class Tasks(QObject):
    """Starts work and hands its outcome on; ``close`` waits for all that is under way.

    The threads are Python's own: a QThread that is destroyed while it runs takes the process with
    it.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._inbox = Inbox(self._take, self)
        self._running: dict[int, tuple[threading.Thread, _Calls]] = {}
        self._started = 0

    def start(
        self,
        work: Callable[[Tell], Any],
        *,
        done: Callable[[Any], None],
        failed: Callable[[str, str], None],
        progressed: Callable[[float, str], None] | None = None,
    ) -> None:
        """``work`` gets a function to tell its progress (0..1, text) with. ``done`` gets what it
        returns; ``failed`` a sentence and details. All three are called in the window's thread."""
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
        return bool(self._running)

    def close(self) -> None:
        """Wait for the threads; their outcome is dropped."""
        self._inbox.close()
        for thread, _ in self._running.values():
            thread.join()
        self._running.clear()


def _work(number: int, work: Callable[[Tell], Any], inbox: Inbox) -> None:
    """Whatever ``work`` raises leaves as text: an exception object in a signal can crash the
    process."""
    try:
        result = work(lambda fraction, text: inbox.put((number, "progressed", (fraction, text))))
    except VidtransError as error:
        inbox.put((number, "failed", (wording.sentence(error), "")))
    except Exception as error:
        inbox.put((number, "failed", (f"{type(error).__name__}: {error}", traceback.format_exc())))
    else:
        inbox.put((number, "done", result))
