"""The export queue on disk, where it survives the window, and as a manifest of ``vidtrans batch``.

Does not depend on Qt.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from vidtrans.atomic_write import whole_file
from vidtrans.batches.manifest import manifest_text, row_of
from vidtrans.errors import VidtransError
from vidtrans.media.writer import is_folder_target, parts_folder
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.untrusted import json_text
from vidtrans_gui.export_queue import Job
from vidtrans_gui.project import read_json
from vidtrans_gui.recovery import is_running, try_lock

_VERSION = 1


@dataclass(frozen=True)
class Left:
    """The exports that a window which no longer runs did not finish.

    Attributes:
        exports: Their settings, in the order of the queue. Where frames are kept, ``resume`` is
            set.
        file: The file that held them.
    """

    exports: tuple[ConvertSettings, ...]
    file: Path


class ExportStore:
    """The queues of running windows, a file in ``folder`` each, and next to it a lock that the
    operating system releases however the window ends. Methods may be called from any thread."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._file = self._folder / f"{uuid.uuid4().hex}.json"
        self._lock: IO[str] | None = None
        self._mutex = threading.Lock()

    def save(self, jobs: Sequence[Job]) -> None:
        """Write the jobs that are not done; without any the file is removed.

        Raises:
            OutputError: The file cannot be written.
        """
        rows = [_entry(job) for job in jobs if job.state not in ("done", "cancelled")]
        with self._mutex:
            if not rows:
                self._remove()
                return
            with suppress(OSError):  # told by the writing
                self._folder.mkdir(parents=True, exist_ok=True)
                if self._lock is None:
                    self._lock = self._file.with_suffix(".lock").open("w")
                    try_lock(self._lock)
            with whole_file(self._file, what="the list of exports") as draft:
                draft.write_text(json_text({"version": _VERSION, "exports": rows}), "utf-8")

    def release(self) -> None:
        """Let another window take the list over: this one closes."""
        with self._mutex:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def left_behind(self) -> tuple[Left, ...]:
        """The lists of windows that no longer run; exports that cannot be read are left out."""
        found = []
        for file in sorted(self._folder.glob("*.json")):
            if file == self._file or is_running(file.with_suffix(".lock")):
                continue
            try:
                entries = read_json(file, "this list of exports")["exports"]
            except (VidtransError, KeyError, TypeError):
                continue
            exports = []
            for entry in entries if isinstance(entries, list) else ():
                with suppress(VidtransError, KeyError, TypeError, ValueError):
                    settings = _settings(entry)
                    if not _is_done(settings):
                        exports.append(settings)
            if exports:
                found.append(Left(tuple(exports), file))
        return tuple(found)

    def discard(self, left: Left) -> None:
        """Remove a list that was taken over or given up."""
        left.file.unlink(missing_ok=True)
        left.file.with_suffix(".lock").unlink(missing_ok=True)

    def _remove(self) -> None:
        self._file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            self._file.with_suffix(".lock").unlink(missing_ok=True)


def manifest(jobs: Sequence[Job]) -> tuple[str, Path]:
    """The jobs as a manifest of ``vidtrans batch``.

    Args:
        jobs: At least one.

    Returns:
        JSON lines, whose outputs are relative to a folder, and that folder.
    """
    outputs = [job.output.absolute() for job in jobs]
    folder = Path(os.path.commonpath([output.parent for output in outputs]))
    rows = []
    for job, output in zip(jobs, outputs, strict=True):
        name = output.relative_to(folder).as_posix()
        is_folder = is_folder_target(job.settings.output)
        rows.append(row_of(job.settings, output=f"{name}/" if is_folder else name))
    return manifest_text(rows), folder


def _entry(job: Job) -> dict[str, Any]:
    return {"row": row_of(job.settings), "overwrite": job.settings.overwrite, "state": job.state}


def _settings(entry: dict[str, Any]) -> ConvertSettings:
    row = dict(entry["row"])
    begun = parts_folder(row["output"]).is_dir()
    return ConvertSettings.from_options(**row, overwrite=bool(entry["overwrite"]), resume=begun)


def _is_done(settings: ConvertSettings) -> bool:
    """Whether the output is there, and nothing is kept to go on with: the window died before it
    could note so."""
    there = Path(settings.output)
    return there.is_file() and not settings.resume and not settings.overwrite
