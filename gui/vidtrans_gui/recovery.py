"""Recovery copies of unsaved work, and the list of recent files. Does not depend on Qt."""

from __future__ import annotations

import hashlib
import json
import os
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
from vidtrans_gui.project import ANY, Project, as_text, from_data, read_json, to_data, unversioned


@dataclass(frozen=True)
class Recovered:
    """A recovery copy of a crashed window.

    Attributes:
        project: The project.
        path: The project's file; None if it was never saved.
        saved_at: When the copy was written, Unix time in seconds.
        file: The copy.
        digest: Of what the project's file held as the window knew it, see ``file_digest``.
    """

    project: Project
    path: Path | None
    saved_at: float
    file: Path
    digest: str | None = ANY


class Recovery:
    """Recovery copies of unsaved projects.

    Each running window has a file in ``folder`` and next to it a lock, which the operating system
    releases however the window ends. Methods may be called from any thread.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._file = self._folder / f"{uuid.uuid4().hex}.json"
        self._lock: IO[str] | None = None
        self._mutex = threading.Lock()

    def autosave(self, project: Project, path: Path | None, digest: str | None = ANY) -> None:
        """Write this window's copy.

        Args:
            project: The project.
            path: Its file; None if it was never saved.
            digest: Of what the file held as this window knows it.

        Raises:
            OutputError: The copy cannot be written.
        """
        with self._mutex:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                if self._lock is None:
                    self._lock = self._file.with_suffix(".lock").open("w")
                    try_lock(self._lock)
            except OSError as error:
                raise OutputError(
                    f"no copy can be kept here: {error.strerror or error}.", where=self._folder
                ) from error
            # Absolute paths, because the copy is in another folder than the project.
            folder, saved = (
                self._folder.absolute(),
                None if path is None else str(Path(path).absolute()),
            )
            data = {
                "path": saved,
                "saved_at": time.time(),
                "digest": digest,
                "folder": str(folder),
                "project": to_data(project, folder),
            }
            with whole_file(self._file, what="the copy of unsaved work") as draft:
                draft.write_text(as_text(data), encoding="utf-8")

    def forget(self) -> None:
        """Remove this window's copy: the project was saved or discarded."""
        with self._mutex:
            self._file.unlink(missing_ok=True)
            if self._lock is not None:
                self._lock.close()
                self._lock = None
                self._file.with_suffix(".lock").unlink(missing_ok=True)

    def left_behind(self) -> tuple[Recovered, ...]:
        """The copies of windows that no longer run, newest first."""
        found = []
        for file in self._folder.glob("*.json"):
            if file == self._file or is_running(file.with_suffix(".lock")):
                continue
            with suppress(InputError, KeyError, TypeError, ValueError):
                data = read_json(file, "this copy")
                path = data["path"]
                project = from_data(
                    unversioned(data["project"]), Path(data["folder"]), str(file), []
                )
                found.append(
                    Recovered(
                        project,
                        None if path is None else Path(path),
                        float(data["saved_at"]),
                        file,
                        data.get("digest", ANY),
                    )
                )
        return tuple(sorted(found, key=lambda one: -one.saved_at))

    def discard(self, recovered: Recovered) -> None:
        """Remove a copy that was recovered or discarded."""
        recovered.file.unlink(missing_ok=True)
        recovered.file.with_suffix(".lock").unlink(missing_ok=True)


def try_lock(file: IO[str]) -> bool:
    """Lock ``file`` until it is closed; False where another process has locked it."""
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:
        return False


def is_running(lock: Path) -> bool:
    """Whether the process that locked a file still runs."""
    try:
        with lock.open("r+") as file:
            return not try_lock(file)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)


class ProjectLock:
    """Tells other windows of this user which project is open here.

    The lock is a file in ``folder`` whose name is a digest of the project's path; the operating
    system releases it however the window ends. Methods may be called from any thread.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._held: tuple[Path, IO[str]] | None = None
        self._mutex = threading.Lock()

    def acquire(self, project: Path) -> bool:
        """Lock a project instead of the one before. False where another window has it open."""
        with self._mutex:
            file = self._file(project)
            if self._held is not None and self._held[0] == file:
                return True
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                lock = file.open("a")
            except OSError:
                self._release()
                return True  # without a folder for locks nothing is known of other windows
            if not try_lock(lock):
                lock.close()
                return False
            self._release()
            self._held = file, lock
            return True

    def release(self) -> None:
        """Unlock."""
        with self._mutex:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            # The file stays: another window may be about to lock it.
            held[1].close()

    def _file(self, project: Path) -> Path:
        name = os.fsencode(Path(project).resolve())
        return self._folder / f"{hashlib.blake2b(name, digest_size=12).hexdigest()}.lock"


class RecentFiles:
    """The files opened last, newest first, in a JSON file.

    Files that do not exist stay in the list, since a disk may be mounted again. Methods may be
    called from any thread.
    """

    def __init__(self, file: str | Path, *, limit: int = 12) -> None:
        self._file = Path(file)
        self._limit = limit
        self._mutex = threading.Lock()

    def paths(self) -> tuple[Path, ...]:
        """The files, newest first; empty where the list cannot be read."""
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
        """Put ``path`` first."""
        new = Path(path).absolute()
        with self._mutex:
            self._write([new, *(old for old in self.paths() if old != new)][: self._limit])

    def remove(self, path: str | Path) -> None:
        """Remove ``path`` from the list."""
        with self._mutex:
            self._write([old for old in self.paths() if old != Path(path).absolute()])

    def clear(self) -> None:
        """Empty the list."""
        self._write([])

    def _write(self, paths: list[Path]) -> None:
        # Not worth an error: only the list of recent files is lost.
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._file, what="the list of recent files") as draft:
                draft.write_text(
                    json.dumps([str(path) for path in paths], indent=1), encoding="utf-8"
                )
