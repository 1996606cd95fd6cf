"""A worker: a process that runs the jobs that it is given, ``python -m vidtrans.batches.worker``.

Orders come as JSON lines on standard input, events leave as JSON lines on standard output. When
standard input ends, as it does when the batch's own process is killed, the worker keeps the frames
that are finished and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

_EVERY_S = 0.5
"""Seconds between two lines of progress."""


def main() -> int:
    """Run the orders of standard input until it ends.

    The one argument is a JSON object: ``ledger``, the record's folder; ``device``; ``threads``;
    ``together``, the number of jobs at a time.
    """
    settings = json.loads(sys.argv[1])
    # Ctrl-C is the business of the process that gives the orders.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = _events()
    from vidtrans.batches.owners import Owner
    from vidtrans.batches.runner import JobRunner

    with Owner(Path(settings["ledger"])) as owner:
        runner = JobRunner(
            device=settings["device"], threads=settings["threads"], together=settings["together"]
        )
        worker = _Worker(runner, events, settings["together"])
        events_line(events, "ready", owner=owner.id)
        worker.serve(sys.stdin)
    return 0


def _events() -> IO[str]:
    """Standard output for events alone: what libraries print goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8", errors="surrogateescape")


_writing = threading.Lock()


def events_line(events: IO[str], event: str, **values: Any) -> None:
    """Write an event. A reader that is gone is noticed at the end of standard input."""
    line = json.dumps({"event": event, **values}) + "\n"
    with _writing, contextlib.suppress(OSError):
        events.write(line)
        events.flush()


class _Worker:
    """Orders in, events out.

    Args:
        runner: Runs the jobs.
        events: Where events go.
        together: Jobs at a time.
    """

    def __init__(self, runner: Any, events: IO[str], together: int) -> None:
        self._runner = runner
        self._together = together
        self._events = events
        self._orders: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._cancel = threading.Event()

    def serve(self, orders: IO[str]) -> None:
        """Run the orders until they end."""
        threading.Thread(target=self._read, args=(orders,), daemon=True).start()
        others = [threading.Thread(target=self._work) for _ in range(self._together - 1)]
        for thread in others:
            thread.start()
        self._work()
        for thread in others:
            thread.join()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            self._do(order)
        self._orders.put(None)  # for the other threads

    def _read(self, orders: IO[str]) -> None:
        for line in orders:
            order = json.loads(line)
            if order["do"] == "stop":
                self._cancel.set()
            else:
                self._orders.put(order)
        self._cancel.set()
        self._orders.put(None)

    def _do(self, values: dict[str, Any]) -> None:
        from vidtrans.batches.runner import Order

        last = 0.0
        order = Order.from_json(values["order"])
        job = order.job.name

        def progress(now: Any) -> None:
            nonlocal last
            if time.monotonic() - last >= _EVERY_S:
                last = time.monotonic()
                events_line(
                    self._events, "progress", job=job, done=now.done, frames=now.total, fps=now.fps
                )

        outcome = self._runner.run(
            order,
            on_progress=progress,
            on_note=lambda text: events_line(self._events, "note", job=job, text=text),
            cancel=self._cancel,
        )
        events_line(self._events, "end", job=job, **asdict(outcome))


if __name__ == "__main__":
    raise SystemExit(main())
