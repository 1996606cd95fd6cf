"""The export queue: a thread that runs conversions in order. It does not depend on Qt."""

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

_REPORT_EVERY_S = 0.1
"""Seconds between two progress reports: more than ten updates a second cannot be read."""


@dataclass(frozen=True)
class Job:
    """An export and its progress, as a value.

    Attributes:
        id: Its number in the queue.
        settings: What is exported and how.
        state: ``waiting``, ``running``, ``paused``, ``done``, ``failed`` or ``cancelled``.
        done: Finished frames.
        total: All frames; None where the number is not known.
        fps: Frames per second.
        seconds_left: The estimated remaining time; None where it is not known.
        message: One sentence about a failure.
        details: The traceback of an unexpected failure.
        seconds: The time that it has run, over all attempts.
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
        """Progress from 0 to 1; None where the number of frames is not known."""
        if self.state == "done":
            return 1.0
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def output(self) -> Path:
        """The file or folder that it writes."""
        return Path(self.settings.output)

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")


class ExportQueue:
    """Runs jobs in order in one thread."""

    def __init__(
        self, on_change: Callable[[Job], None], *, word: WordSetting = python_words
    ) -> None:
        """Start the thread.

        Args:
            on_change: Called with each changed job, from the queue's thread or the caller's.
            word: Names the settings in the message of a failed job.
        """
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

    def add(self, settings: ConvertSettings, *, held: bool = False) -> Job:
        """Queue an export; ``held``: paused, until it is resumed."""
        with self._changed:
            state: JobState = "paused" if held else "waiting"
            job = Job(max(self._jobs, default=0) + 1, settings, state)
            self._jobs[job.id] = job
            self._changed.notify_all()
        self._on_change(job)
        return job

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, in the order of the queue."""
        with self._changed:
            return tuple(self._jobs.values())

    def move(self, job: int, by: int) -> None:
        """Move a job ``by`` places towards the end of the queue; negative towards its front."""
        with self._changed:
            order = list(self._jobs)
            if job not in order:
                return
            place = order.index(job)
            order.insert(min(max(0, place + by), len(order) - 1), order.pop(place))
            self._jobs = {number: self._jobs[number] for number in order}
            self._changed.notify_all()

    def change(self, job: int, settings: ConvertSettings) -> None:
        """Give a job that has not begun other settings."""
        with self._changed:
            found = self._jobs.get(job)
            if found is None or found.state not in ("waiting", "paused") or job in self._begun:
                return
            changed = self._jobs[job] = replace(found, settings=settings)
        self._on_change(changed)

    def pause(self, job: int) -> None:
        """Stop a running job after its current frame, or hold a waiting one; the next job runs.

        Finished frames are kept for ``resume``.
        """
        self._halt(job, "paused", ("waiting",))

    def resume(self, job: int) -> None:
        """Queue a paused job again; it continues after its last finished frame."""
        self._queue_again(job, ("paused",))

    def cancel(self, job: int) -> None:
        """Stop a job and remove its finished frames."""
        self._halt(job, "cancelled", ("waiting", "paused"))

    def retry(self, job: int) -> None:
        """Queue a failed or cancelled job again; it resumes from kept frames."""
        self._queue_again(job, ("failed", "cancelled"))

    def remove(self, job: int) -> None:
        """Remove an ended job from the list."""
        with self._changed:
            if job in self._jobs and self._jobs[job].ended:
                del self._jobs[job]
                self._begun.pop(job, None)
                self._kept.pop(job, None)

    def close(self, timeout_s: float = 60.0) -> bool:
        """Stop after the current frame and join the thread.

        The frames finished so far are kept; ``resume`` of the settings continues after them.

        Args:
            timeout_s: Seconds to wait.

        Returns:
            Whether the thread has ended.
        """
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
        last_report = 0.0

        def seconds() -> float:
            return before + time.monotonic() - began

        def progress(now: Progress) -> None:
            nonlocal last_report
            if time.monotonic() - last_report >= _REPORT_EVERY_S:
                last_report = time.monotonic()
                self._change(job.id, _figures(now) | {"seconds": seconds()})

        self._change(job.id, {"state": "running", "message": "", "details": ""})
        try:
            summary = convert(settings, on_progress=progress, cancel=self._stop)
        except Interrupted as error:
            self._note_kept_run(job, error)
            if self._intent == "cancelled":
                self._clear(job)
            self._change(
                job.id,
                {"state": self._intent, "seconds_left": None, "fps": 0.0, "seconds": seconds()},
            )
        except VidtransError as error:
            self._note_kept_run(job, error)
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

    def _halt(self, number: int, state: JobState, states: tuple[JobState, ...]) -> None:
        with self._changed:
            job = self._jobs.get(number)
            if job is None:
                return
            if self._running == number:
                self._intent = state
                self._stop.set()
                return
            if job.state not in states:
                return
            # Under the lock, so that the thread cannot start the job meanwhile.
            job = self._jobs[number] = replace(job, state=state, seconds_left=None)
        if state == "cancelled":
            self._clear(job)
        self._on_change(job)

    def _queue_again(self, number: int, states: tuple[JobState, ...]) -> None:
        with self._changed:
            job = self._jobs.get(number)
            if job is None or job.state not in states:
                return
            job = self._jobs[number] = replace(
                job, state="waiting", message="", details="", seconds_left=None
            )
            self._changed.notify_all()
        self._on_change(job)

    def _clear(self, job: Job) -> None:
        """Remove the files of a cancelled job: its run folder, and the PNGs of a folder it made.

        Files of another run with the same output stay.
        """
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

    def _note_kept_run(self, job: Job, error: VidtransError) -> None:
        if error.kept_run is not None:
            self._kept[job.id] = error.kept_run


def _figures(now: Progress) -> dict[str, Any]:
    return {"done": now.done, "total": now.total, "fps": now.fps, "seconds_left": now.seconds_left}
