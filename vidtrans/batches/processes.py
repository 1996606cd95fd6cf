"""Worker processes: started, given orders, listened to, and always ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidtrans.batches.runner import Order
from vidtrans.errors import OutputError

_SIGKILL = 9
"""By number: Windows has no such signal."""
_END_S = 20.0
"""How long a worker may take to finish the frame at work and keep what it has."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """How a worker is started.

    Attributes:
        device: For jobs that name none.
        threads: Of the CPU.
        together: Jobs that it does at the same time, see ``vidtrans.sequence.together``.
    """

    device: str
    threads: int
    together: int = 1


class WorkerProcess:
    """A worker and what is known of it.

    Args:
        number: From 1, for its log.
        plan: How it is started.
        folder: The folder of the record.
        events: Receives ``(worker, event)``; the last event is ``gone``.

    Raises:
        OutputError: Its log cannot be written.
    """

    def __init__(
        self,
        number: int,
        plan: WorkerPlan,
        folder: Path,
        events: queue.Queue[tuple[WorkerProcess, dict[str, Any]]],
    ) -> None:
        self.number = number
        self.plan = plan
        self.owner = ""
        """Its lock among ``owners``; empty until it is ready."""
        self.log = folder / f"worker-{number}.log"
        self._events = events
        settings = {"ledger": str(folder), **asdict(plan)}
        words = [sys.executable, "-P", "-m", "vidtrans.batches.worker", json.dumps(settings)]
        # OpenMP and MKL read it as torch is loaded.
        env = os.environ | {"OMP_NUM_THREADS": str(plan.threads)}
        try:
            with self.log.open("w", encoding="utf-8") as log:
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=env,
                    text=True,
                    encoding="utf-8",
                    # Ctrl-C of the terminal goes to this process alone, which lets workers finish.
                    start_new_session=True,
                )
        except OSError as error:
            raise OutputError(
                f"a worker cannot be started: {error.strerror}.", where=folder
            ) from error
        threading.Thread(target=self._listen, daemon=True, name=f"worker-{number}").start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, order: Order) -> None:
        """Give it a job. A worker that is gone says so by its last event."""
        self._write({"do": "job", "order": order.to_json()})

    def stop(self) -> None:
        """Let it keep the frames of the jobs at work and end them."""
        self._write({"do": "stop"})

    def ended_by(self) -> str:
        """How the process ended, as part of a sentence."""
        code = self._process.wait(_END_S)
        if code == -_SIGKILL:
            return "was killed (signal 9), which a system does when memory runs out"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def last_words(self) -> str:
        """The last line of its log."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    def close(self) -> None:
        """End it: it keeps what is finished first."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):
            if self.log.stat().st_size == 0:
                self.log.unlink()

    def _write(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self._process.stdout:
                self._events.put((self, json.loads(line)))
        self._process.stdout.close()
        self._events.put((self, {"event": "gone"}))
