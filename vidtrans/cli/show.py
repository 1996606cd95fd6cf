"""What a command says while it runs: to a person on a terminal, to a program as JSON lines, else
nothing."""

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
    """What is told of a run that is done."""

    @property
    def output(self) -> Path: ...
    @property
    def frames(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def fps(self) -> float: ...


class Shown(Protocol):
    """Where a run's progress goes."""

    def note(self, sentence: str) -> None: ...
    def warn(self, sentence: str) -> None: ...
    def update(self, progress: Progress) -> None: ...
    def done(self, summary: Summary) -> None: ...


class Silence:
    """Not a terminal: nothing but warnings and errors."""

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
    """A progress bar on a terminal."""

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
    """``75`` as ``1:15``, ``3675`` as ``1:01:15``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def progress_shown(mode: ProgressMode, title: str) -> Iterator[Shown]:
    """How progress is shown in this mode, on this stderr."""
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
