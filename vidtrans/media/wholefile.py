"""A file that appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from vidtrans.errors import OutputError, Remedy
from vidtrans.media.faults import cannot_write


def check_free(target: Path, *, overwrite: bool) -> None:
    """Raise OutputError where ``target`` may not be written: there already, a folder, or without
    a folder to lie in."""
    if target.is_dir():
        raise OutputError("is a folder, not a film.", where=target, hint="Name a file in it.")
    if target.exists() and not overwrite:
        raise OutputError(
            "exists already.",
            where=target,
            remedy=Remedy("Choose another name, or overwrite it ({overwrite})."),
        )
    if not target.parent.is_dir():
        raise OutputError("cannot be written: its folder does not exist.", where=target)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    with contextlib.suppress(OSError):  # some network file systems cannot sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class PartialFile:
    """A binary file under a temporary name beside ``target``; ``commit`` gives it its name,
    ``discard`` removes it.

    ``write`` takes all bytes or raises, and the first failure is kept in ``error``: FFmpeg forgets
    some of them.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        check_free(target, overwrite=overwrite)
        self.target = target
        self.error: OSError | None = None
        self._overwrite = overwrite
        self._path = target.with_name(f".{target.name}.{os.getpid()}.partial")
        self.name = str(self._path)
        try:
            self._file = self._path.open("w+b", buffering=0)
        except OSError as error:
            raise OutputError(cannot_write(error), where=target) from error

    @property
    def closed(self) -> bool:
        return self._file.closed

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self.error = self.error or error
            raise
        return len(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()

    def commit(self) -> Path:
        """Sync and rename. Raises OutputError (and removes what was written) where that fails."""
        try:
            if self.error is not None:
                raise self.error
            os.fsync(self._file.fileno())
            self._file.close()
            check_free(
                self.target, overwrite=self._overwrite
            )  # somebody may have made it meanwhile
            self._path.replace(self.target)
        except OSError as error:
            self.discard()
            if isinstance(error, OutputError):
                raise
            raise OutputError(cannot_write(error), where=self.target) from error
        sync_folder(self.target.parent)
        return self.target

    def discard(self) -> None:
        self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
