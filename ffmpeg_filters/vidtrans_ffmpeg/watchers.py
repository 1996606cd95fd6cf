"""Was the last frame whole? FFmpeg's demuxers drop what is left of a frame without a word, so
the bytes are followed."""

from __future__ import annotations

from dataclasses import dataclass

from vidtrans_ffmpeg.pipes import Watcher

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_OPENED = (_SEGMENT, _CLUSTER)
"""Matroska elements that are looked into; all others are passed over by their size."""


class RawWatcher(Watcher):
    """Frames of one size, one after the other."""

    def __init__(self, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self._seen = 0

    def feed(self, data: bytes) -> None:
        self._seen += len(data)

    def missing(self) -> str | None:
        rest = self._seen % self._frame_bytes
        return f"its last frame has {rest} bytes of {self._frame_bytes}" if rest else None


class Y4mWatcher(Watcher):
    """A header line; then for each frame a line and ``frame_bytes`` (set once the header is
    understood)."""

    def __init__(self) -> None:
        self.frame_bytes = 0
        self._line = b""
        self._seen_header = False
        self._left = 0
        self._waiting: list[bytes] = []

    def feed(self, data: bytes) -> None:
        if not self.frame_bytes:
            self._waiting.append(data)
            return
        for part in (*self._waiting, data):
            self._walk(part)
        self._waiting.clear()

    def _walk(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                return
            self._line = b""
            at = end + 1
            if self._seen_header:
                self._left = self.frame_bytes
            self._seen_header = True

    def missing(self) -> str | None:
        self.feed(b"")
        if self._left:
            return f"its last frame has {self.frame_bytes - self._left} bytes of {self.frame_bytes}"
        return "it ends within a header" if self._line else None


class EbmlWatcher(Watcher):
    """Matroska and WebM: every element but the last must be there to its end (RFC 8794)."""

    def __init__(self) -> None:
        self._left = 0
        self._head = b""

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            self._head += data[at : at + 1]
            at += 1
            self._open_element()

    def _open_element(self) -> None:
        """Once an element's id and size are there: pass over it, or look into it."""
        id_length = 9 - self._head[0].bit_length() if self._head[0] else 1
        if len(self._head) <= id_length:
            return
        first = self._head[id_length]
        size_length = 9 - first.bit_length() if first else 1
        if len(self._head) < id_length + size_length:
            return
        identity = int.from_bytes(self._head[:id_length], "big")
        mask = (1 << (7 * size_length)) - 1
        size = int.from_bytes(self._head[id_length:], "big") & mask
        self._head = b""
        # A size of all ones is unknown: the element ends where the next one of its level begins.
        self._left = 0 if identity in _OPENED or size == mask else size

    def missing(self) -> str | None:
        return "it ends within a frame" if self._left or self._head else None


_CODED_PTS, _STREAM_ID, _SIZE_MSB, _CHECKSUM, _RESERVED = 8, 16, 32, 64, 128
_HEADER_IDX, _MATCH_TIME, _CODED, _INVALID = 1 << 10, 1 << 11, 1 << 12, 1 << 13
_MAIN = b"NMzV\x1f_\x04\xad"
_LONGEST_HEAD = 4096


class _MoreBytes(Exception):
    """A head is not all there yet."""


class _Numbers:
    """NUT's numbers out of bytes that may end too early."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def unsigned(self) -> int:
        value = 0
        while True:
            if self.at >= len(self.data):
                raise _MoreBytes
            byte = self.data[self.at]
            self.at += 1
            value = (value << 7) | (byte & 127)
            if not byte & 128:
                return value

    def skip(self, size: int) -> None:
        if self.at + size > len(self.data):
            raise _MoreBytes
        self.at += size


@dataclass(frozen=True, slots=True)
class _FrameCode:
    flags: int
    size_mul: int
    size_lsb: int
    reserved: int
    header: int


class NutWatcher(Watcher):
    """NUT: packets that say their length, and frames whose length the main header's table of frame
    codes tells.

    A stream that this cannot follow is left to the decoders.
    """

    def __init__(self) -> None:
        self._head = b""
        self._left = len(b"nut/multimedia container\0")
        self._codes: list[_FrameCode] = []
        self._elided: list[int] = [0]
        self._lost = False

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self._lost:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            known = len(self._head)
            self._head += data[at : at + _LONGEST_HEAD]
            try:
                used = self._open(self._head)
            except _MoreBytes:
                self._lost = len(self._head) > 2 * _LONGEST_HEAD
                at += _LONGEST_HEAD
                continue
            except (IndexError, ValueError):
                self._lost = True
                return
            at += used - known
            self._head = b""

    def _open(self, head: bytes) -> int:
        """Take the head of a packet or frame; the bytes that it used. What follows it is in
        ``_left`` then."""
        numbers = _Numbers(head)
        if head[:1] == b"N":
            numbers.skip(8)
            length = numbers.unsigned()
            if head[:8] == _MAIN:
                end = numbers.at + length
                if end > len(head):
                    raise _MoreBytes
                self._read_main(_Numbers(head[:end], numbers.at))
                return end
            self._left = length + (4 if length > 4096 else 0)
            return numbers.at
        numbers.skip(1)
        code = self._codes[head[0]]
        flags = code.flags
        if flags & _INVALID:
            raise ValueError("no frame code")
        if flags & _CODED:
            flags ^= numbers.unsigned()
        if flags & _STREAM_ID:
            numbers.unsigned()
        if flags & _CODED_PTS:
            numbers.unsigned()
        size = code.size_lsb
        if flags & _SIZE_MSB:
            size += code.size_mul * numbers.unsigned()
        if flags & _MATCH_TIME:
            numbers.unsigned()
        header = numbers.unsigned() if flags & _HEADER_IDX else code.header
        for _ in range(numbers.unsigned() if flags & _RESERVED else code.reserved):
            numbers.unsigned()
        if flags & _CHECKSUM:
            numbers.skip(4)
        self._left = size - (self._elided[header] if size <= 4096 else 0)
        return numbers.at

    def _read_main(self, numbers: _Numbers) -> None:
        """The table of frame codes and the lengths of elided headers (NUT specification,
        "main_header")."""
        version = numbers.unsigned()
        if version > 3:
            numbers.unsigned()
        numbers.unsigned()  # streams
        numbers.unsigned()  # max_distance
        for _ in range(numbers.unsigned()):
            numbers.unsigned()
            numbers.unsigned()
        codes: list[_FrameCode] = []
        size_mul, header = 1, 0
        while len(codes) < 256:
            flags = numbers.unsigned()
            fields = numbers.unsigned()
            values = [numbers.unsigned() for _ in range(fields)]
            size_mul = values[1] if fields > 1 else size_mul
            size = values[3] if fields > 3 else 0
            reserved = values[4] if fields > 4 else 0
            count = values[5] if fields > 5 else size_mul - size
            header = values[7] if fields > 7 else header
            lsb = size
            while count and len(codes) < 256:
                if len(codes) == ord("N"):
                    codes.append(_FrameCode(_INVALID, 0, 0, 0, 0))
                    continue
                codes.append(_FrameCode(flags, size_mul, lsb, reserved, header))
                lsb += 1
                count -= 1
        self._codes = codes
        self._elided = [0]
        for _ in range(numbers.unsigned()):
            length = numbers.unsigned()
            numbers.skip(length)
            self._elided.append(length)

    def missing(self) -> str | None:
        if self._lost:
            return None
        return "it ends within a frame" if self._left or self._head else None
