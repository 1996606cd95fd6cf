"""Follows the framing of a container while its bytes pass through a pipe, to know whether the last
frame is truncated. FFmpeg's demuxers drop an incomplete frame and report a plain end of file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from vidtrans.media.ebml import ElementId, read_element
from vidtrans_ffmpeg.nut import FieldReader, Incomplete

_OPENED = (ElementId.SEGMENT, ElementId.CLUSTER)
"""Matroska's elements that are parsed further; all others are passed over by their size."""


class FramingParser(ABC):
    """Follows the bytes of one container from its first byte on."""

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""

    @abstractmethod
    def incomplete(self) -> str | None:
        """At the end of the stream: what is incomplete, for an error's sentence, or None."""


class RawVideoFraming(FramingParser):
    """rawvideo: frames of one size, one after the other.

    Args:
        frame_bytes: The size of a frame.
    """

    def __init__(self, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self._seen = 0

    def feed(self, data: bytes) -> None:
        self._seen += len(data)

    def incomplete(self) -> str | None:
        rest = self._seen % self._frame_bytes
        return f"its last frame has {rest} bytes of {self._frame_bytes}" if rest else None


class Y4mFraming(FramingParser):
    """YUV4MPEG2: a header line, then for each frame a line and its planes.

    Attributes:
        frame_bytes: The size of a frame's planes. Bytes wait until it is set, which the demuxer
            knows once it has read the header.
    """

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

    def incomplete(self) -> str | None:
        self.feed(b"")
        if self._left:
            return f"its last frame has {self.frame_bytes - self._left} bytes of {self.frame_bytes}"
        return "it ends within a header" if self._line else None


class MatroskaFraming(FramingParser):
    """Matroska and WebM: elements that say their size (RFC 8794)."""

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
        """Once an element's header is complete: pass over its content, or parse it further."""
        element = read_element(self._head)
        if element is None:
            return
        self._head = b""
        self._left = 0 if element.id in _OPENED or element.size is None else element.size

    def incomplete(self) -> str | None:
        return "it ends within a frame" if self._left or self._head else None


# Flags of a frame, and the main header's startcode (NUT specification).
_CODED_PTS, _STREAM_ID, _SIZE_MSB, _CHECKSUM, _RESERVED = 8, 16, 32, 64, 128
_HEADER_IDX, _MATCH_TIME, _CODED, _INVALID = 1 << 10, 1 << 11, 1 << 12, 1 << 13
_MAIN = b"NMzV\x1f_\x04\xad"
_LONGEST_HEAD = 4096
"""Bytes in which every header must end; libavformat's main header has about 100."""


@dataclass(frozen=True, slots=True)
class _FrameCode:
    flags: int
    size_mul: int
    size_lsb: int
    reserved: int
    header: int


class NutFraming(FramingParser):
    """NUT: packets that say their length, and frames whose length follows from their frame code,
    by the table in the main header (NUT specification, "frame" and "main_header").

    A stream that cannot be followed counts as complete: what is wrong with it, the decoder reports.
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
            except Incomplete:
                self._lost = len(self._head) > 2 * _LONGEST_HEAD
                at += _LONGEST_HEAD
                continue
            except (IndexError, ValueError):
                self._lost = True
                return
            at += used - known
            self._head = b""

    def _open(self, head: bytes) -> int:
        """Parse the header of a packet or frame and set ``_left`` to the bytes that follow it; the
        header's length."""
        reader = FieldReader(head)
        if head[:1] == b"N":
            reader.skip(8)
            length = reader.varint()
            if head[:8] == _MAIN:
                end = reader.at + length
                if end > len(head):
                    raise Incomplete
                self._read_main(FieldReader(head[:end], reader.at))
                return end
            self._left = length + (4 if length > 4096 else 0)
            return reader.at
        reader.skip(1)
        code = self._codes[head[0]]
        flags = code.flags
        if flags & _INVALID:
            raise ValueError("no frame code")
        if flags & _CODED:
            flags ^= reader.varint()
        if flags & _STREAM_ID:
            reader.varint()
        if flags & _CODED_PTS:
            reader.varint()
        size = code.size_lsb
        if flags & _SIZE_MSB:
            size += code.size_mul * reader.varint()
        if flags & _MATCH_TIME:
            reader.varint()
        header = reader.varint() if flags & _HEADER_IDX else code.header
        for _ in range(reader.varint() if flags & _RESERVED else code.reserved):
            reader.varint()
        if flags & _CHECKSUM:
            reader.skip(4)
        self._left = size - (self._elided[header] if size <= 4096 else 0)
        return reader.at

    def _read_main(self, reader: FieldReader) -> None:
        """Read the table of frame codes and the lengths of elided headers from the main header."""
        version = reader.varint()
        if version > 3:
            reader.varint()
        reader.varint()  # streams
        reader.varint()  # max_distance
        for _ in range(reader.varint()):
            reader.varint()
            reader.varint()
        codes: list[_FrameCode] = []
        size_mul, header = 1, 0
        while len(codes) < 256:
            flags = reader.varint()
            fields = reader.varint()
            values = [reader.varint() for _ in range(fields)]
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
        for _ in range(reader.varint()):
            length = reader.varint()
            reader.skip(length)
            self._elided.append(length)

    def incomplete(self) -> str | None:
        if self._lost:
            return None
        return "it ends within a frame" if self._left or self._head else None
