"""Standard input and output as the byte streams of a filter: never waiting for more than there is,
and interruptible.

A thread that waits in ``read`` for a frame that never comes would keep the process from ending, so
both ends wait in ``poll`` for their own file or for the wake-up, whichever comes first.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import io
import os
import select

from vidtrans.errors import OutputError, ReaderGone
from vidtrans.media.films import PIPE_BUFFER

_PIPE_BYTES = 1 << 20
"""A pipe of the size that an unprivileged process may have; the usual 64 KiB means a hundred
switches for each frame."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def _widen(fd: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not a pipe, or not Linux
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def keep_memory() -> None:
    """Let glibc keep the memory of a frame for the next one.

    Blocks of megabytes it would otherwise take from the system and give back, frame by frame: at
    1920x1080 a page fault for every 4 KiB of every copy, a third of the time that the filter spends
    in the kernel.
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc has no such knob
        libc = ctypes.CDLL(None)
        for option in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            libc.mallopt(option, 1 << 30)


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

    def wait_for(self, fd: int, events: int) -> bool:
        """Wait until ``fd`` is ready; False when woken instead."""
        poll = select.poll()
        poll.register(fd, events)
        poll.register(self._read, select.POLLIN)
        ready = [ready_fd for ready_fd, _ in poll.poll()]
        return self._read not in ready

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


class _Waiting(io.RawIOBase):
    """The bare file: a read gives what there is, and nothing once woken."""

    def __init__(self, fd: int, wake: Wake) -> None:
        self._fd = fd
        self._wake = wake

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._wake.wait_for(self._fd, select.POLLIN):
            return 0
        return os.readv(self._fd, [buffer])


class InputPipe:
    """A file object for PyAV over a pipe: reads onwards only, waits for no more than there must be,
    and counts.

    ``peek`` looks at the first bytes without taking them. ``watch`` is told all bytes as they pass.
    ``ended``: all came.
    """

    name = "<stdin>"

    def __init__(self, fd: int, wake: Wake) -> None:
        _widen(fd)
        self._file = io.BufferedReader(_Waiting(fd, wake), 1 << 13)
        self._head = b""
        self.watch: Watcher | None = None
        self.ended = False

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
            data = self._file.read(size) if size > PIPE_BUFFER else self._file.read1(size)
        self.ended = len(data) < size if size > PIPE_BUFFER else not data
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
                taken = os.writev(self._fd, views)
                while views and taken >= len(views[0]):
                    taken -= len(views.pop(0))
                if taken:
                    views[0] = views[0][taken:]
        except BrokenPipeError as error:
            self.error = self.error or ReaderGone("whoever read the pictures has gone.")
            raise self.error from error
        except OSError as error:
            self.error = self.error or OutputError(
                f"cannot be written: {error.strerror}.", where=self.name
            )
            raise self.error from error
        finally:
            self.writing = False
        return size
