"""Progress and notes of a running command, and its interruption by signals.

Progress is a bar on a terminal, or JSON lines for programs, or nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from vidtrans.pipeline.progress import Progress


class ProgressMode(StrEnum):
    """``--progress``."""

    auto = "auto"
    none = "none"
    json = "json"


class Summary(Protocol):
    """The results of a finished run."""

    @property
    def output(self) -> Path: ...
    @property
    def frames(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def fps(self) -> float: ...


class Shown(Protocol):
    """The display of a run's progress."""

    def note(self, sentence: str) -> None:
        """Show a note, such as how the labels are read."""
        ...

    def warn(self, sentence: str) -> None:
        """Show a warning."""
        ...

    def update(self, progress: Progress) -> None:
        """Show the progress after a frame."""
        ...

    def done(self, summary: Summary) -> None:
        """Show the results."""
        ...


class Silence:
    """Shows warnings only, on stderr: where stderr is no terminal, or progress is off."""

    def note(self, sentence: str) -> None:
        """Nothing."""

    def warn(self, sentence: str) -> None:
        print(f"vidtrans: {sentence}", file=sys.stderr, flush=True)

    def update(self, progress: Progress) -> None:
        """Nothing."""

    def done(self, summary: Summary) -> None:
        """Nothing."""


class JsonLines:
    """One JSON object a line on stdout: ``{"event": "note"|"warning"|"progress"|"done", ...}``."""

    def note(self, sentence: str) -> None:
        self._line("note", text=sentence)

    def warn(self, sentence: str) -> None:
        self._line("warning", text=sentence)

    def update(self, progress: Progress) -> None:
        left = progress.seconds_left
        self._line(
            "progress",
            frame=progress.done,
            frames=progress.total,
            fps=round(progress.fps, 3),
            seconds_left=None if left is None else round(left, 1),
        )

    def done(self, summary: Summary) -> None:
        self._line(
            "done",
            output=str(summary.output),
            frames=summary.frames,
            seconds=round(summary.seconds, 3),
            fps=round(summary.fps, 3),
        )

    def _line(self, event: str, **values: Any) -> None:
        print(json.dumps({"event": event, **values}), flush=True)


class Bar:
    """A progress bar on the terminal.

    Args:
        title: Text before the bar.
    """

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[left]}"),
            console=self._console,
        )
        self._task = self._bar.add_task(title, total=None, speed="", left="")

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def note(self, sentence: str) -> None:
        self._console.print(sentence, style="dim", highlight=False, markup=False)

    def warn(self, sentence: str) -> None:
        self._console.print(sentence, style="yellow", highlight=False, markup=False)

    def update(self, progress: Progress) -> None:
        left = "" if progress.seconds_left is None else f"{clock(progress.seconds_left)} left"
        self._bar.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            speed=f"{progress.fps:.1f} frames/s",
            left=left,
        )

    def done(self, summary: Summary) -> None:
        self._bar.update(self._task, completed=summary.frames, total=summary.frames, left="")
        self._bar.stop()
        self._console.print(
            f"{summary.output}: {summary.frames} frames in {clock(summary.seconds)}"
            f" ({summary.fps:.1f} frames/s)",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def clock(seconds: float) -> str:
    """A duration in seconds as minutes or hours: ``75`` is ``1:15``, ``3675`` is ``1:01:15``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def progress_shown(mode: ProgressMode, title: str) -> Iterator[Shown]:
    """The display of progress for a mode; a bar only where stderr is a terminal.

    Args:
        mode: The value of ``--progress``.
        title: Text before the bar.
    """
    if mode is ProgressMode.json:
        yield JsonLines()
    elif mode is ProgressMode.auto and sys.stderr.isatty():
        with Bar(title) as bar:
            yield bar
    else:
        yield Silence()


class StopFlag:
    """Whether a run is asked to stop.

    ``set`` takes no lock, so that a signal handler may call it. ``threading.Event.set`` takes one:
    a second signal that arrives while a handler holds it waits for the lock in the thread that
    would have to release it.
    """

    def __init__(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True


@contextmanager
def interruptible() -> Iterator[StopFlag]:
    """A flag that SIGINT (Ctrl-C) or SIGTERM sets; a second one ends the process at once."""
    cancel = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return

    def asked(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        if sys.stderr.isatty():
            # Not print: the handler may have interrupted a write to the same buffer.
            os.write(sys.stderr.fileno(), b"\nFinishing the frame; Ctrl-C again stops at once.\n")

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
