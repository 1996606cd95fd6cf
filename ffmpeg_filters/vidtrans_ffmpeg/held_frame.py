"""A frame on its way from one pipe into another, whose memory pages are moved and not copied.

``splice`` moves pages between pipes. Moved straight from the input to the output, a truncated last
frame would go out in part. So a frame is moved into pipes of our own first, and from there into the
output once it is whole.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys

from vidtrans_ffmpeg.pipes import InputPipe, OutputPipe, enlarge

MOVING_PIPE_BYTES = 1 << 20
"""The capacity of pipes whose pages are moved: the most that Linux gives an unprivileged process,
unless its administrator says otherwise. The source fills and the reader empties so much of a frame
while this process deals with the other one."""
_MOST_PIPES = 48
"""Below the 64 MiB that one user's pipes may have before each new one is made small."""


class HeldFrame:
    """Holds one frame after the other, without a copy where its pages can be moved.

    Pipes hold pages, and a source that writes a few bytes at a time fills few of each. What does
    not fit into the pipes is read into memory.

    Args:
        size: Bytes of a frame, more than ``AVIO_BUFFER_BYTES``.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pipes: list[tuple[int, int]] = []
        self._filled: list[int] = []
        self._first = b""
        self._rest = memoryview(b"")
        # One more than a frame fills, since its first and last pages are not full.
        with contextlib.suppress(OSError):  # a limit of the system: what there is will do
            for _ in range(min(size // MOVING_PIPE_BYTES + 2, _MOST_PIPES)):
                self._pipes.append(os.pipe())
                if not enlarge(self._pipes[-1][1], MOVING_PIPE_BYTES):
                    break

    @property
    def moves_pages(self) -> bool:
        """Whether there is a pipe, so that not all is read into memory."""
        return bool(self._pipes)

    def fill(self, source: InputPipe) -> bool:
        """Take the next frame's bytes from ``source``; False where it ends before."""
        self._first = source.read_buffered()
        self._filled = []
        left = self.size - len(self._first)
        if not self._first:
            return False
        for _, write in self._pipes:
            moved = source.splice(write, left)
            self._filled.append(moved)
            left -= moved
            if not left or source.at_eof:
                break
        self._rest = memoryview(bytearray(0 if source.at_eof else left))
        return not source.at_eof and (not left or source.readinto(self._rest))

    def send(self, target: OutputPipe, head: bytes) -> None:
        """Write ``head`` and the frame's bytes. Raises as ``OutputPipe.write`` does."""
        target.write(head, self._first)
        for (read, _), size in zip(self._pipes, self._filled, strict=False):
            target.splice(read, size)
        target.write(self._rest)

    def close(self) -> None:
        """Close the pipes."""
        for pair in self._pipes:
            for fd in pair:
                os.close(fd)
        self._pipes = []


def can_hold(source: InputPipe, target: OutputPipe) -> bool:
    """Whether pages can be moved from ``source`` to ``target``: both are pipes, on Linux."""
    return sys.platform == "linux" and all(
        stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (source.fd, target.fd)
    )
