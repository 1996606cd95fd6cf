"""Standard input and output as the byte streams of a filter: never waiting for more than there is,
and interruptible.

A thread that waits in ``read`` for a frame that never comes would keep the process from ending, so
both ends wait in ``poll`` for their own file or for the wake-up, whichever comes first. Windows
cannot wait for a pipe and something else: there a read ends when ffmpeg, which Ctrl-C reaches too,
closes its end.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidtrans.atomic_write import cannot_write
from vidtrans.errors import OutputError, ReaderGone
from vidtrans.media.films import AVIO_BUFFER_BYTES

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIPE_BYTES = 1 << 20
"""A pipe of the size that an unprivileged process may have; the usual 64 KiB means a hundred
switches for each frame."""

# Windows answers EINVAL where a pipe's reader has gone.
_READER_GONE = {errno.EPIPE, errno.EINVAL} if sys.platform == "win32" else {errno.EPIPE}


def _widen(fd: int) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # not a pipe
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _write_some(fd: int, views: Sequence[memoryview]) -> int:
    """Write from the front of ``views`` with one call; the number of bytes that were taken."""
    if sys.platform == "win32":
        return os.write(fd, views[0])
    return os.writev(fd, views)


class Wake:
    """Ends every wait of the pipes that share it, from a signal handler or another thread.

    ``set`` takes no lock: the lock of a ``threading.Event`` would wait for ever in a handler that
    interrupts another ``set`` of the same thread.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        if not self._set:
            self._set = True
            os.write(self._write, b"!")

    def wait_readable(self, fd: int) -> bool:
        """Wait until ``fd`` can be read; False when woken instead."""
        if sys.platform == "win32":
            return not self._set
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(self._read, select.POLLIN)
        ready = [ready_fd for ready_fd, _ in poll.poll()]
        return self._read not in ready

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


class _Waiting(io.RawIOBase):
    """The bare file: a read gives what there is, and nothing once woken."""

    def __init__(self, fd: int, wake: Wake) -> None:
        self._file = io.FileIO(fd, closefd=False)
        self._wake = wake

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        if not self._wake.wait_readable(self._file.fileno()):
            return 0
        return self._file.readinto(buffer)


class InputPipe:
    """A file object for PyAV over a pipe: reads onwards only, waits for no more than there must be,
    and counts.

    ``peek`` looks at the first bytes without taking them. ``watch`` is told all bytes as they pass.
    ``at_eof``: all came.
    """

    name = "<stdin>"

    def __init__(self, fd: int, wake: Wake) -> None:
        _widen(fd)
        self._file = io.BufferedReader(_Waiting(fd, wake), 1 << 13)
        self._head = b""
        self.watch: Watcher | None = None
        self.at_eof = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def peek(self, size: int) -> bytes:
        """The first ``size`` bytes, or all that come before the end."""
        self._head += self._file.read(size - len(self._head))
        return self._head

    def read(self, size: int) -> bytes:
        """At least one byte before the end. FFmpeg asks for more than its own buffer only within a
        frame: then for all of it, in one piece."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._file.read(size) if size > AVIO_BUFFER_BYTES else self._file.read1(size)
        self.at_eof = len(data) < size if size > AVIO_BUFFER_BYTES else not data
        if self.watch is not None:
            self.watch.feed(data)
        return data


class Watcher:
    """Follows the bytes of a container; ``missing`` says, at the end, what is wrong with the
    last of them (or None)."""

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def missing(self) -> str | None:
        raise NotImplementedError


class OutputPipe:
    """A file object for PyAV over a pipe: every write is out before it returns.

    Raises ReaderGone when nobody reads any more, OutputError when stdout is a full disk.
    ``writing`` is True while a write may be waiting for a reader that has stalled: a signal handler
    raises then, since nothing else ends that wait. ``closed``: set it, and PyAV leaves out the
    trailer that it would write whenever its container is collected.
    """

    name = "<stdout>"

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.writing = False
        self.error: ReaderGone | OutputError | None = None
        self.closed = False
        _widen(fd)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, *parts: bytes | memoryview) -> int:
        """Write ``parts`` one after the other, as few calls as the pipe allows; the number of
        bytes."""
        views = [view for part in parts if (view := memoryview(part).cast("B"))]
        size = sum(map(len, views))
        try:
            self.writing = True
            while views:
                taken = _write_some(self._fd, views)
                while views and taken >= len(views[0]):
                    taken -= len(views.pop(0))
                if taken:
                    views[0] = views[0][taken:]
        except OSError as error:
            if error.errno in _READER_GONE:
                self.error = self.error or ReaderGone("whoever read the pictures has gone.")
            else:
                self.error = self.error or OutputError(cannot_write(error), where=self.name)
            raise self.error from error
        finally:
            self.writing = False
        return size
