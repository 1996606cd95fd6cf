"""Standard input and output as file objects for PyAV, without read-ahead and interruptible.

A ``read`` that waits for a frame which never comes would keep the process from ending. So the input
waits in ``poll`` for its own file and for a second pipe, into which ``CancelEvent.set`` writes (the
self-pipe trick). Windows cannot poll pipes: there a read ends when ffmpeg, which Ctrl-C reaches as
well, closes its end.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from vidtrans.atomic_write import cannot_write
from vidtrans.errors import OutputError, ReaderGone
from vidtrans.media.films import AVIO_BUFFER_BYTES
from vidtrans_ffmpeg.framing import FramingParser

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIPE_BYTES = 1 << 18
"""The capacity asked for a pipe whose bytes are copied. The usual 64 KiB mean a hundred context
switches for each frame of 1920x1080; the pages of 1 MiB, the most that Linux gives an unprivileged
process, no longer stay in a core's cache together with what is copied."""
BUFFER_BYTES = 1 << 13
"""The most that is read ahead, beside what ``InputPipe.peek`` was asked for."""

# Windows answers EINVAL where a pipe's reader has gone.
_READER_GONE = {errno.EPIPE, errno.EINVAL} if sys.platform == "win32" else {errno.EPIPE}


def enlarge(fd: int, size: int = PIPE_BYTES) -> bool:
    """Ask for a pipe's capacity in bytes; False where it is not to be had."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # not a pipe, or a limit of the system
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)
            return True
    return False


def _write_some(fd: int, views: Sequence[memoryview]) -> int:
    """Write from the front of ``views`` with one call; the number of bytes that were taken."""
    if sys.platform == "win32":
        return os.write(fd, views[0])
    return os.writev(fd, views)


class CancelEvent:
    """Like ``threading.Event``, and it ends the waits of the pipes that share it.

    ``set`` may be called from any thread and from signal handlers. It takes no lock: the lock of a
    ``threading.Event`` would wait for ever in a handler that interrupts another ``set`` of the same
    thread.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._set = False

    def is_set(self) -> bool:
        """Whether the run is to stop."""
        return self._set

    def set(self) -> None:
        """Ask the run to stop, and end all waits."""
        if not self._set:
            self._set = True
            os.write(self._write, b"!")

    def readable_waiter(self, fd: int) -> Callable[[], bool]:
        """A function that waits until ``fd`` can be read or has ended; it gives False where the
        event is set."""
        if sys.platform == "win32":
            return lambda: not self._set
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(self._read, select.POLLIN)
        return lambda: all(ready != self._read for ready, _ in poll.poll())

    def close(self) -> None:
        """Close the pipe behind the event."""
        os.close(self._read)
        os.close(self._write)


class _CancellableFile(io.RawIOBase):
    """A file whose reads give what has come, and the end of file once ``wait`` gives False."""

    def __init__(self, fd: int, wait: Callable[[], bool]) -> None:
        self._file = io.FileIO(fd, closefd=False)
        self._wait = wait

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        return self._file.readinto(buffer) if self._wait() else 0


class InputPipe:
    """A pipe to read from, as a file object for PyAV. It cannot seek.

    Args:
        fd: The pipe's file descriptor.
        cancel: Ends every read.

    Attributes:
        fd: The pipe's file descriptor.
        framing: Is fed all bytes that are read.
        at_eof: Whether the pipe has ended.
    """

    name = "<stdin>"

    def __init__(self, fd: int, cancel: CancelEvent) -> None:
        enlarge(fd)
        self.fd = fd
        self._wait = cancel.readable_waiter(fd)
        self._file = io.BufferedReader(_CancellableFile(fd, self._wait), BUFFER_BYTES)
        self._head = b""
        self.framing: FramingParser | None = None
        self.at_eof = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def peek(self, size: int) -> bytes:
        """The first ``size`` bytes, or all where the pipe ends before. They stay to be read."""
        self._head += self._file.read(size - len(self._head))
        return self._head

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes, and none only at the end.

        A read of more than FFmpeg's buffer is one of a frame's data: it waits for all of them.
        Smaller ones give what has come, so that no frame waits for the next.
        """
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._file.read(size) if size > AVIO_BUFFER_BYTES else self._file.read1(size)
        self.at_eof = len(data) < size if size > AVIO_BUFFER_BYTES else not data
        if self.framing is not None:
            self.framing.feed(data)
        return data

    def readinto(self, view: memoryview) -> bool:
        """Fill ``view``, without a copy in between; False where the pipe ends before."""
        filled = min(len(self._head), len(view))
        view[:filled] = self._head[:filled]
        self._head = self._head[filled:]
        if filled < len(view):
            filled += self._file.readinto(view[filled:])
        self.at_eof = filled < len(view)
        if self.framing is not None:
            self.framing.feed(view[:filled])
        return not self.at_eof

    def read_buffered(self) -> bytes:
        """Read what is in memory after ``peek`` and FFmpeg's reads, else at most
        ``BUFFER_BYTES``; none only at the end. Nothing is left in memory."""
        data, self._head = self._head + self._file.read1(BUFFER_BYTES), b""
        self.at_eof = not data
        if self.framing is not None:
            self.framing.feed(data)
        return data

    def splice(self, pipe: int, size: int) -> int:
        """Move ``size`` bytes of a frame into another pipe, or as many as there is room for.

        Nothing may be left in memory: call ``read_buffered`` before.

        Args:
            pipe: The end to write into.
            size: The most bytes to move.

        Returns:
            The number of bytes. It is less than ``size`` where ``pipe`` is full, and where the
            input ends, as ``at_eof`` tells.
        """
        if sys.platform != "linux":
            raise NotImplementedError("only Linux moves pages between pipes")
        moved = 0
        with contextlib.suppress(BlockingIOError):  # the input can be read, so the pipe is full
            while moved < size:
                now = 0
                if self._wait():
                    now = os.splice(self.fd, pipe, size - moved, flags=os.SPLICE_F_NONBLOCK)
                if not now:
                    self.at_eof = True
                    break
                moved += now
        if self.framing is not None:
            self.framing.feed_unseen(moved)
        return moved


class OutputPipe:
    """A pipe to write to, as a file object for PyAV. Writes are not buffered.

    Args:
        fd: The pipe's file descriptor.

    Attributes:
        fd: The pipe's file descriptor.
        writing: Whether a write is under way, which may wait for a reader that has stalled. A
            signal handler raises then, since nothing else ends that wait.
        error: The first failure of ``write``. FFmpeg forgets it.
        closed: Set it, and PyAV writes no trailer when a container on this pipe is collected.
    """

    name = "<stdout>"

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.writing = False
        self.error: ReaderGone | OutputError | None = None
        self.closed = False
        enlarge(fd)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, *parts: bytes | memoryview) -> int:
        """Write ``parts`` one after the other with as few calls as the pipe allows.

        Returns:
            The number of bytes, which is that of all parts.

        Raises:
            ReaderGone: The reader has closed its end.
            OutputError: The write fails otherwise; stdout may be a file on a full disk.
        """
        views = [view for part in parts if (view := memoryview(part).cast("B"))]
        size = sum(map(len, views))
        with self._write():
            while views:
                taken = _write_some(self.fd, views)
                while views and taken >= len(views[0]):
                    taken -= len(views.pop(0))
                if taken:
                    views[0] = views[0][taken:]
        return size

    def splice(self, pipe: int, size: int) -> None:
        """Move ``size`` bytes here from another pipe, which holds them. Raises as ``write``."""
        if sys.platform != "linux":
            raise NotImplementedError("only Linux moves pages between pipes")
        with self._write():
            while size:
                size -= os.splice(pipe, self.fd, size)

    @contextlib.contextmanager
    def _write(self) -> Iterator[None]:
        """Around the calls that write. Raises ReaderGone and OutputError in place of OSError."""
        try:
            self.writing = True
            yield
        except OSError as error:
            if error.errno in _READER_GONE:
                self.error = self.error or ReaderGone("the reader of the output has closed it.")
            else:
                self.error = self.error or OutputError(cannot_write(error), where=self.name)
            raise self.error from error
        finally:
            self.writing = False
