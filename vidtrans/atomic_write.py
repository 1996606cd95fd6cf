"""Files that appear under their name only when they are whole: written beside it, synced, renamed.

    with whole_file("run/checkpoint.pt", what="the checkpoint") as temporary:
        torch.save(state, temporary)

A file under its final name is always a whole one: the old content until the rename, the new content
after it, also across a power cut. All of vidtrans writes its files through this module.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil

from vidtrans.errors import OutputError, Remedy

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "PARTIAL_SUFFIX",
    "PartialFile",
    "cannot_write",
    "check_free",
    "check_writable",
    "discard_file",
    "discard_folder",
    "error_text",
    "remove_orphans",
    "replaced_file",
    "sync_file",
    "sync_folder",
    "whole_file",
]

_log = logging.getLogger(__name__)

PARTIAL_SUFFIX = ".partial"
"""Ends the name of every file that is not yet whole: ``.NAME.PID-RANDOM.partial``, where PID is the
process that writes it."""

_NAME_BYTES = 200
"""Bytes of the target's name that a partial file's name holds: with process and suffix it stays
below the 255 bytes that file systems take."""

_NO_FOLDER_SYNC = {
    errno.EINVAL,  # CIFS, WSL and several FUSE file systems
    errno.EBADF,  # others that want a file open for writing
    errno.ENOTSUP,
    errno.ENOSYS,
    errno.EACCES,  # Windows opens no folder; a folder may be writable and not readable
    errno.EPERM,
}

_REASONS = {
    errno.ENOSPC: "there is no space left on the disk.",
    errno.EDQUOT: "your disk quota is used up.",
    errno.EFBIG: "the file would be larger than this system allows.",
    errno.EACCES: "permission denied.",
    errno.EPERM: "permission denied.",
    errno.EROFS: "the disk is read-only.",
    errno.ENOENT: "its folder does not exist.",
    errno.ENOTDIR: "its folder is a file.",
    errno.EIO: "the medium or the connection failed.",
    errno.ENAMETOOLONG: "its name is too long.",
}


class NumberedError(Protocol):
    """An error with an error number: ``OSError``, and PyAV's ``FFmpegError``."""

    @property
    def errno(self) -> int | None: ...
    @property
    def strerror(self) -> str | None: ...


def cannot_write(error: NumberedError) -> str:
    """Say why an output cannot be written, for ``OutputError(..., where=path)``."""
    reason = _REASONS.get(error.errno or 0)
    return f"cannot be written: {reason or error_text(error) + '.'}"


def error_text(error: NumberedError) -> str:
    """The system's words for ``error``, without a full stop."""
    code = error.errno or 0
    try:
        # FFmpeg's own codes are far above the system's.
        known = os.strerror(code) if 0 < code < 4096 else ""
    except ValueError:
        known = ""
    return (known or error.strerror or str(error) or type(error).__name__).rstrip(".").lower()


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk. Raises OSError."""
    with path.open("r+b") as file:  # Windows syncs only what is open for writing
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, so that a rename survives a power cut.

    Where a file system cannot do this, a warning is logged once: there a power cut may undo the
    rename. Raises OSError where the disk fails.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        if os.name != "nt":  # Windows never can, and its file systems keep a log of renames
            _warn_of_no_sync(folder.absolute(), error_text(error))


@cache
def _warn_of_no_sync(folder: Path, why: str) -> None:
    _log.warning(
        "%s: its file system cannot sync a folder (%s), so a power cut may lose a new file's name",
        folder,
        why,
    )


def discard_file(path: Path) -> None:
    """Remove a file that is not needed any more.

    Some file systems (read-only snapshots, a file that another program holds open on a network
    share) refuse to. That is only a warning, logged once for a folder.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _warn_of_remains(path.parent.absolute(), error_text(error))


def discard_folder(path: Path) -> None:
    """Remove a folder that is not needed any more, as ``discard_file`` does a file."""

    def failed(_: object, __: str, error: BaseException) -> None:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            _warn_of_remains(path.parent.absolute(), error_text(error))

    with contextlib.suppress(FileNotFoundError):
        if sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=failed)
        else:
            shutil.rmtree(path, onerror=lambda call, name, found: failed(call, name, found[1]))


@cache
def _warn_of_remains(folder: Path, why: str) -> None:
    _log.warning("%s: files that are not needed any more cannot be removed (%s)", folder, why)


def remove_orphans(folder: Path, name: str | None = None) -> None:
    """Remove the partial files that processes left which were killed.

    Args:
        folder: Where to look.
        name: Only the partial files of the file with this name; None for all in ``folder``.
    """
    ours = None if name is None else _partial_name(name)
    try:
        found = [entry.name for entry in os.scandir(folder) if entry.name.endswith(PARTIAL_SUFFIX)]
    except OSError:
        return
    for each in found:
        match = _PARTIAL.fullmatch(each)
        if match is None or (ours is not None and match["name"] != ours):
            continue
        if not psutil.pid_exists(int(match["pid"])):
            _remove(folder / each)


_PARTIAL = re.compile(
    r"\.(?P<name>.*)\.(?P<pid>\d{1,9})-[0-9a-f]{8}" + re.escape(PARTIAL_SUFFIX), re.DOTALL
)


def _partial_name(name: str) -> str:
    """The part of a partial file's name that tells its target."""
    return os.fsencode(name)[:_NAME_BYTES].decode("utf-8", "ignore")


def _partial_path(target: Path) -> Path:
    """A unique name beside ``target`` for its unfinished content."""
    name = _partial_name(target.name)
    return target.with_name(f".{name}.{os.getpid()}-{secrets.token_hex(4)}{PARTIAL_SUFFIX}")


def _remove(partial: Path) -> None:
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Check that files can be made in ``folder``, by making one. Raises OSError."""
    probe = _partial_path(folder / "probe")
    probe.touch(exist_ok=False)
    probe.unlink()


@contextmanager
def replaced_file(target: Path, *, sync_name: bool = True) -> Iterator[Path]:
    """``whole_file`` for callers that word their own errors.

    Args:
        target: The file's final name.
        sync_name: Wait until the new name is on the disk as well. False for one of many files in a
            folder, which the caller syncs once (``sync_folder``).

    Yields:
        An empty file beside ``target`` to write into.

    Raises:
        OSError: It cannot be written. Nothing is left behind, and ``target`` is as it was.
    """
    partial = _partial_path(target)
    partial.touch(exist_ok=False)  # with the permissions of any new file, unlike mkstemp's
    try:
        yield partial
        sync_file(partial)
        partial.replace(target)
    except BaseException:
        _remove(partial)
        raise
    if sync_name:
        sync_folder(target.parent)


@contextmanager
def whole_file(path: str | PathLike[str], *, what: str) -> Iterator[Path]:
    """Write a file that is there whole or not at all.

    Args:
        path: The file's final name. What is there before stays until the new content is whole.
        what: What is written, for the error's sentence: ``"the checkpoint"``.

    Yields:
        An empty file beside ``path`` to write into. It is synced and renamed to ``path`` when the
        block ends, and removed when the block raises.

    Raises:
        OutputError: It cannot be written.

    Example:
        >>> with whole_file("notes.txt", what="the notes") as temporary:
        ...     _ = temporary.write_text("whole")
    """
    target = Path(path)
    remove_orphans(target.parent, target.name)
    try:
        with replaced_file(target) as temporary:
            yield temporary
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{what} {cannot_write(error)}", where=target) from error


def check_free(target: Path, *, overwrite: bool) -> None:
    """Check that a file may be written under a name.

    Raises:
        OutputError: ``target`` exists and ``overwrite`` is False, is a folder, or lies in a folder
            that does not exist.
    """
    if target.is_dir():
        raise OutputError("is a folder, not a file.", where=target, hint="Name a file in it.")
    if target.exists() and not overwrite:
        raise OutputError(
            "exists already.",
            where=target,
            remedy=Remedy("Choose another name, or overwrite it ({overwrite})."),
        )
    if not target.parent.is_dir():
        raise OutputError("cannot be written: its folder does not exist.", where=target)


class PartialFile(io.FileIO):
    """A raw file for muxers that becomes ``target`` with ``commit``.

    It lies beside ``target`` under a temporary name. ``write`` takes all bytes or raises.

    Attributes:
        target: The file's final name.
        error: The first failure of ``write``. A muxer may forget it; ``commit`` does not.

    Args:
        target: The file's final name.
        overwrite: Whether ``commit`` may replace an existing file.

    Raises:
        OutputError: ``target`` may not be replaced, or no file can be made beside it.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        check_free(target, overwrite=overwrite)
        self.target = target
        self.error: OSError | None = None
        self._overwrite = overwrite
        self._partial = _partial_path(target)
        try:
            super().__init__(self._partial, "x+")
        except OSError as error:
            raise OutputError(cannot_write(error), where=target) from error

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of ``data``; its length in bytes. Raises OSError."""
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while view:
                view = view[super().write(view) or 0 :]
        except OSError as error:
            self.error = self.error or error
            raise
        return size

    def commit(self) -> Path:
        """Sync the file and give it its name.

        Raises:
            OutputError: That fails, or a write has failed before. What was written is removed.
        """
        try:
            if self.error is not None:
                raise self.error
            os.fsync(self.fileno())
            self.close()
            # Somebody may have made the target meanwhile.
            check_free(self.target, overwrite=self._overwrite)
            self._partial.replace(self.target)
            sync_folder(self.target.parent)
        except OSError as error:
            self.discard()
            if isinstance(error, OutputError):
                raise
            raise OutputError(cannot_write(error), where=self.target) from error
        return self.target

    def discard(self) -> None:
        """Remove what was written. Safe to call after ``commit``."""
        with contextlib.suppress(OSError):
            self.close()
        _remove(self._partial)
