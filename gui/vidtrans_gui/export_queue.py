"""The export queue: conversions one after the other in a thread, paused, cancelled, tried again.
No Qt here."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vidtrans.errors import Interrupted, VidtransError, WordSetting, python_words
from vidtrans.media.writer import parts_folder
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.progress import Progress
from vidtrans.pipeline.runfolder import RunFolder
from vidtrans.pipeline.settings import ConvertSettings

JobState = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]

_TELL_EVERY_S = 0.1
"""Seconds between two progress reports: a fast model writes more frames a second than a label can
show."""


@dataclass(frozen=True)
class Job:
    """One export, as a value.

    ``fraction``: 0..1, None where the length is not known. ``message``: one sentence about a
    failure; ``details``: the rest.
    """

    id: int
    settings: ConvertSettings
    state: JobState = "waiting"
    done: int = 0
    total: int | None = None
    fps: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    details: str = ""
    seconds: float = 0.0

    @property
    def fraction(self) -> float | None:
        if self.state == "done":
            return 1.0
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def output(self) -> Path:
        return Path(self.settings.output)

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class ExportQueue:
    """Runs jobs in order in one thread. ``on_change`` is called with the changed job, from that
    thread or the caller's. ``word`` names the settings in a failed job's message."""

    def __init__(
        self, on_change: Callable[[Job], None], *, word: WordSetting = python_words
    ) -> None:
        self._on_change = on_change
        self._word = word
        self._changed = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._begun: dict[
            int, bool
        ] = {}  # jobs that have run, and whether their output was there before
        self._kept: dict[
            int, str
        ] = {}  # jobs that keep finished frames, and the run that made them
        self._running: int | None = None
        self._stop = threading.Event()
        self._intent: JobState = "paused"
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="vidtrans-export", daemon=True)
        self._thread.start()

    def add(self, settings: ConvertSettings) -> Job:
        """Queue an export."""
        with self._changed:
            job = Job(max(self._jobs, default=0) + 1, settings)
            self._jobs[job.id] = job
            self._changed.notify_all()
        self._on_change(job)
        return job

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, in the order of the queue."""
        with self._changed:
            return tuple(self._jobs.values())

    def pause(self, job: int) -> None:
        """Stop a running or waiting job after its frame; what is done is kept, and the next job
        goes on."""
        self._halt(job, "paused", ("waiting",))

    def resume(self, job: int) -> None:
        """Let a paused job go on where it stopped."""
        self._queue_again(job, ("paused",))

    def cancel(self, job: int) -> None:
        """Give up a job and remove what it kept."""
        self._halt(job, "cancelled", ("waiting", "paused"))

    def retry(self, job: int) -> None:
        """Queue a failed or cancelled job again; it takes up what an interrupted run kept."""
        self._queue_again(job, ("failed", "cancelled"))

    def remove(self, job: int) -> None:
        """Take an ended job from the list."""
        with self._changed:
            if job in self._jobs and self._jobs[job].ended:
                del self._jobs[job]
                self._begun.pop(job, None)
                self._kept.pop(job, None)

    def close(self, timeout_s: float = 60.0) -> bool:
        """Stop after the frame at work (which is kept for ``convert --resume``) and join the
        thread."""
        with self._changed:
            self._closing = True
            self._intent = "paused"
            self._stop.set()
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- the thread --------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._next() is not None)
                job = self._next()
                if self._closing or job is None:
                    return
                self._running = job.id
                self._stop.clear()
                self._intent = "paused"
            self._run(job)
            with self._changed:
                self._running = None

    def _next(self) -> Job | None:
        return next((job for job in self._jobs.values() if job.state == "waiting"), None)

    def _run(self, job: Job) -> None:
        settings = job.settings
        if job.id in self._begun and parts_folder(job.output).is_dir():
            settings = settings.model_copy(update={"resume": True})
        self._begun.setdefault(job.id, job.output.exists())
        began, before = time.monotonic(), job.seconds
        told = 0.0

        def seconds() -> float:
            return before + time.monotonic() - began

        def progress(now: Progress) -> None:
            nonlocal told
            if time.monotonic() - told >= _TELL_EVERY_S:
                told = time.monotonic()
                self._change(job.id, _figures(now) | {"seconds": seconds()})

        self._change(job.id, {"state": "running", "message": "", "details": ""})
        try:
            summary = convert(settings, on_progress=progress, cancel=self._stop)
        except Interrupted as error:
            self._note_what_is_kept(job, error)
            if self._intent == "cancelled":
                self._clear(job)
            self._change(
                job.id,
                {"state": self._intent, "seconds_left": None, "fps": 0.0, "seconds": seconds()},
            )
        except VidtransError as error:
            self._note_what_is_kept(job, error)
            self._change(
                job.id,
                {
                    "state": "failed",
                    "message": error.sentence(self._word),
                    "seconds_left": None,
                    "seconds": seconds(),
                },
            )
        except Exception as error:
            message = f"The export failed unexpectedly: {type(error).__name__}: {error}"
            details = "".join(traceback.format_exception(error))
            self._change(
                job.id,
                {"state": "failed", "message": message, "details": details, "seconds_left": None},
            )
        else:
            done = {
                "state": "done",
                "done": summary.frames,
                "total": summary.frames,
                "seconds_left": 0.0,
            }
            self._change(job.id, done | {"seconds": seconds(), "fps": summary.fps})

    # -- shared ------------------------------------------------------------------------------------

    def _change(self, job: int, values: dict[str, Any]) -> None:
        with self._changed:
            if job not in self._jobs:
                return
            changed = self._jobs[job] = replace(self._jobs[job], **values)
        self._on_change(changed)

    def _halt(self, number: int, state: JobState, resting: tuple[JobState, ...]) -> None:
        with self._changed:
            job = self._jobs.get(number)
            if job is None:
                return
            if self._running == number:
                self._intent = state
                self._stop.set()
                return
            if job.state not in resting:
                return
            # At once, so that the thread cannot take it meanwhile.
            job = self._jobs[number] = replace(job, state=state, seconds_left=None)
        if state == "cancelled":
            self._clear(job)
        self._on_change(job)

    def _queue_again(self, number: int, resting: tuple[JobState, ...]) -> None:
        with self._changed:
            job = self._jobs.get(number)
            if job is None or job.state not in resting:
                return
            job = self._jobs[number] = replace(
                job, state="waiting", message="", details="", seconds_left=None
            )
            self._changed.notify_all()
        self._on_change(job)

    def _clear(self, job: Job) -> None:
        """Remove what a cancelled job left: the parts beside its output, and the PNGs of a
        folder that it made. What belongs to another run of the same output stays."""
        was_there = self._begun.pop(job.id, True)
        run_id = self._kept.pop(job.id, None)
        run = None if run_id is None else RunFolder.reopen(job.output, run_id)
        if run is None:
            return
        with run:
            if job.output.is_dir() and not was_there:
                with suppress(OSError):
                    for picture in job.output.glob("*.png"):
                        picture.unlink()
                    job.output.rmdir()
            run.remove()

    def _note_what_is_kept(self, job: Job, error: VidtransError) -> None:
        if error.kept_run is not None:
            self._kept[job.id] = error.kept_run


def _figures(now: Progress) -> dict[str, Any]:
    return {"done": now.done, "total": now.total, "fps": now.fps, "seconds_left": now.seconds_left}
