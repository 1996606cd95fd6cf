"""What outlives a window: copies of unsaved work, and the list of files opened last. No Qt here."""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from vidtrans.atomic_write import whole_file
from vidtrans.errors import InputError, OutputError
from vidtrans_gui.project import Project, as_text, from_data, read_json, to_data, unversioned


@dataclass(frozen=True)
class Recovered:
    """A project that a crashed window left. ``path``: the file that it was saved to, if ever;
    ``saved_at``: Unix time."""

    project: Project
    path: Path | None
    saved_at: float
    file: Path


class Recovery:
    """Copies of unsaved projects, written while a window works, found again after a crash.

    One file for each running window, in ``folder``, and beside it a lock that the system lets go of
    however the window ends. Any thread may call.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._file = self._folder / f"{uuid.uuid4().hex}.json"
        self._lock: IO[str] | None = None
        self._turn = threading.Lock()

    def autosave(self, project: Project, path: Path | None) -> None:
        """Keep ``project`` (of file ``path``, None: never saved). Raises OutputError."""
        with self._turn:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                if self._lock is None:
                    self._lock = self._file.with_suffix(".lock").open("w")
                    _try_lock(self._lock)
            except OSError as error:
                raise OutputError(
                    f"no copy can be kept here: {error.strerror or error}.", where=self._folder
                ) from error
            # Absolute paths: the copy does not lie where the project does.
            folder, saved = (
                self._folder.absolute(),
                None if path is None else str(Path(path).absolute()),
            )
            data = {
                "path": saved,
                "saved_at": time.time(),
                "folder": str(folder),
                "project": to_data(project, folder),
            }
            with whole_file(self._file, what="the copy of unsaved work") as draft:
                draft.write_text(as_text(data), encoding="utf-8")

    def forget(self) -> None:
        """The project is saved or given up: remove this window's copy."""
        with self._turn:
            self._file.unlink(missing_ok=True)
            if self._lock is not None:
                self._lock.close()
                self._lock = None
                self._file.with_suffix(".lock").unlink(missing_ok=True)

    def left_behind(self) -> tuple[Recovered, ...]:
        """Copies of windows that no longer run, newest first."""
        found = []
        for file in self._folder.glob("*.json"):
            if file == self._file or _is_running(file.with_suffix(".lock")):
                continue
            with suppress(InputError, KeyError, TypeError, ValueError):
                data = read_json(file, "this copy")
                path = data["path"]
                project = from_data(
                    unversioned(data["project"]), Path(data["folder"]), str(file), []
                )
                found.append(
                    Recovered(
                        project, None if path is None else Path(path), float(data["saved_at"]), file
                    )
                )
        return tuple(sorted(found, key=lambda one: -one.saved_at))

    def discard(self, recovered: Recovered) -> None:
        """Remove a copy: it was taken up, or nobody wants it."""
        recovered.file.unlink(missing_ok=True)
        recovered.file.with_suffix(".lock").unlink(missing_ok=True)


def _try_lock(file: IO[str]) -> bool:
    """Hold ``file`` until it is closed; False where another process holds it."""
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:
        return False


def _is_running(lock: Path) -> bool:
    try:
        with lock.open("r+") as file:
            return not _try_lock(file)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)


class RecentFiles:
    """The last files opened, newest first, kept in a JSON file; files that are gone stay in the
    list (a disk may come back).

    Any thread may call.
    """

    def __init__(self, file: str | Path, *, limit: int = 12) -> None:
        self._file = Path(file)
        self._limit = limit
        self._turn = threading.Lock()

    def paths(self) -> tuple[Path, ...]:
        try:
            listed = read_json(self._file, "the list of recent files")
        except InputError:
            return ()
        return (
            tuple(Path(entry) for entry in listed if isinstance(entry, str))
            if isinstance(listed, list)
            else ()
        )

    def add(self, path: str | Path) -> None:
        """``path`` is the newest now."""
        new = Path(path).absolute()
        with self._turn:
            self._write([new, *(old for old in self.paths() if old != new)][: self._limit])

    def remove(self, path: str | Path) -> None:
        with self._turn:
            self._write([old for old in self.paths() if old != Path(path).absolute()])

    def clear(self) -> None:
        self._write([])

    def _write(self, paths: list[Path]) -> None:
        # A list that cannot be kept is no reason to disturb anybody.
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._file, what="the list of recent files") as draft:
                draft.write_text(
                    json.dumps([str(path) for path in paths], indent=1), encoding="utf-8"
                )
