"""Follows the framing of a container while its bytes pass through a pipe, to know whether the last
frame is truncated. FFmpeg's demuxers drop an incomplete frame and report a plain end of file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from vidtrans.media.ebml import ElementId, read_element
from vidtrans_ffmpeg.nut import (
    STREAM,
    SYNCPOINT,
    FieldReader,
    Incomplete,
    NutStream,
    checksum,
    read_stream,
)

_OPENED = (ElementId.SEGMENT, ElementId.CLUSTER)
"""Matroska's elements that are parsed further; all others are passed over by their size."""


class FramingParser(ABC):
    """Follows the bytes of one container from its first byte on."""

    @abstractmethod
    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the stream, and keep no reference to ``data``."""

    def feed_unseen(self, size: int) -> None:
        """Take the next ``size`` bytes, which belong to the data of one frame and are not looked
        at."""
        raise NotImplementedError

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

    def feed(self, data: bytes | memoryview) -> None:
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

    def feed(self, data: bytes | memoryview) -> None:
        if not self.frame_bytes:
            self._waiting.append(bytes(data))
            return
        for part in (*self._waiting, bytes(data)):
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

    def feed(self, data: bytes | memoryview) -> None:
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
_KEY, _END_OF_RELEVANCE, _SIDE_DATA = 1, 2, 256
_CODED_PTS, _STREAM_ID, _SIZE_MSB, _CHECKSUM, _RESERVED = 8, 16, 32, 64, 128
_HEADER_IDX, _MATCH_TIME, _CODED, _INVALID = 1 << 10, 1 << 11, 1 << 12, 1 << 13
_MAIN = b"NMzV\x1f_\x04\xad"
_LONGEST_HEAD = 4096
"""Bytes in which every header must end; libavformat's main header has about 100."""


@dataclass(frozen=True, slots=True)
class _FrameCode:
    flags: int
    pts_delta: int
    size_mul: int
    stream: int
    size_lsb: int
    reserved: int
    header: int


@dataclass(frozen=True, slots=True)
class _FrameHead:
    flags: int
    stream: int
    pts_delta: int
    coded_pts: int | None
    size: int
    header: int


@dataclass(frozen=True, slots=True)
class NutFrame:
    """A keyframe of the only stream, which a syncpoint precedes.

    Attributes:
        head_bytes: Bytes of the syncpoint and the frame's header.
        size: Bytes of the frame's data.
        pts: The timestamp in the stream's time base.
    """

    head_bytes: int
    size: int
    pts: int


class NutFraming(FramingParser):
    """NUT: packets that say their length, and frames whose length follows from their frame code,
    by the table in the main header (NUT specification, "frame" and "main_header").

    A stream that cannot be followed counts as complete: what is wrong with it, the decoder reports.

    Attributes:
        frames: Frames whose header was seen.
        stream: The header of the last stream; None before one, and where it is damaged.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._head = b""
        self._left = len(b"nut/multimedia container\0")
        self._codes: list[_FrameCode] = []
        self._elided: list[int] = [0]
        self._plain_times = False
        self.stream: NutStream | None = None
        self._lost = False

    @property
    def between_frames(self) -> bool:
        """Whether all bytes that were fed belong to whole packets and frames."""
        return not (self._lost or self._left or self._head)

    def next_frame(self, head: bytes) -> NutFrame | None:
        """Parse a syncpoint and the frame's header that follows it.

        Args:
            head: The bytes that come next. They are not taken; feed them afterwards.

        Returns:
            The frame. None where something else follows, where a checksum is wrong, and for a
            stream with more than one time base, more than one stream or no syncpoints (NUT 4).
        """
        if not self._plain_times or self.stream is None or not head.startswith(SYNCPOINT):
            return None
        reader = FieldReader(head, len(SYNCPOINT))
        try:
            length = reader.varint()
            body = reader.at
            sync_pts = reader.varint()
            end = body + length
            if length < 4 or head[end - 4 : end] != checksum(head[body : end - 4]):
                return None
            reader = FieldReader(head, end)
            found = self._read_frame_head(reader)
        except (Incomplete, IndexError, ValueError):
            return None
        if found.stream or found.flags & (_KEY | _END_OF_RELEVANCE | _SIDE_DATA) != _KEY:
            return None
        if not found.flags & _CHECKSUM or head[reader.at - 4 : reader.at] != checksum(
            head[end : reader.at - 4]
        ):
            return None
        pts = sync_pts + found.pts_delta
        if found.coded_pts is not None:
            pts = _whole_pts(found.coded_pts, sync_pts, self.stream.shift)
        if not 0 <= pts < 1 << 62:  # libavformat's limit is 63 bits
            return None
        return NutFrame(reader.at, found.size, pts)

    def feed_unseen(self, size: int) -> None:
        assert size <= self._left
        self._left -= size

    def feed(self, data: bytes | memoryview) -> None:
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
            if head[:8] == STREAM and length <= _LONGEST_HEAD:
                end = reader.at + length
                if end > len(head):
                    raise Incomplete
                self.stream = _stream(head[reader.at : end])
                return end
            self._left = length + (4 if length > 4096 else 0)
            return reader.at
        found = self._read_frame_head(reader)
        self._left = found.size - (self._elided[found.header] if found.size <= 4096 else 0)
        self.frames += 1
        return reader.at

    def _read_frame_head(self, reader: FieldReader) -> _FrameHead:
        """Read a frame's header. Raises Incomplete, ValueError and IndexError."""
        at = reader.at
        reader.skip(1)
        code = self._codes[reader.data[at]]
        flags, stream, coded_pts = code.flags, code.stream, None
        if flags & _INVALID:
            raise ValueError("no frame code")
        if flags & _CODED:
            flags ^= reader.varint()
        if flags & _STREAM_ID:
            stream = reader.varint()
        if flags & _CODED_PTS:
            coded_pts = reader.varint()
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
        return _FrameHead(flags, stream, code.pts_delta, coded_pts, size, header)

    def _read_main(self, reader: FieldReader) -> None:
        """Read the table of frame codes and the lengths of elided headers from the main header."""
        version = reader.varint()
        if version > 3:
            reader.varint()
        streams = reader.varint()
        reader.varint()  # max_distance
        time_bases = reader.varint()
        for _ in range(time_bases):
            reader.varint()
            reader.varint()
        self._plain_times = version <= 3 and streams == 1 and time_bases == 1
        codes: list[_FrameCode] = []
        pts_delta, size_mul, stream, header = 0, 1, 0, 0
        while len(codes) < 256:
            flags = reader.varint()
            fields = reader.varint()
            values = [reader.varint() for _ in range(fields)]
            pts_delta = _signed(values[0]) if fields > 0 else pts_delta
            size_mul = values[1] if fields > 1 else size_mul
            stream = values[2] if fields > 2 else stream
            size = values[3] if fields > 3 else 0
            reserved = values[4] if fields > 4 else 0
            count = values[5] if fields > 5 else size_mul - size
            header = values[7] if fields > 7 else header
            lsb = size
            while count and len(codes) < 256:
                if len(codes) == ord("N"):
                    codes.append(_FrameCode(_INVALID, 0, 0, 0, 0, 0, 0))
                    continue
                codes.append(_FrameCode(flags, pts_delta, size_mul, stream, lsb, reserved, header))
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


def _signed(value: int) -> int:
    """An s, NUT's signed integer, whose bits were read as a v: 0, 1, -1, 2, -2 and so on."""
    value += 1
    return -(value >> 1) if value & 1 else value >> 1


def _stream(fields: bytes) -> NutStream | None:
    """Read a stream's header; None where it is damaged."""
    try:
        found = read_stream(FieldReader(fields))
    except Incomplete:
        return None
    return found if found.shift <= 16 else None  # libavformat's limit


def _whole_pts(coded: int, last_pts: int, shift: int) -> int:
    """The timestamp of a frame whose last bits may be all that is coded (NUT specification,
    "coded_pts")."""
    if coded >= 1 << shift:
        return coded - (1 << shift)
    mask = (1 << shift) - 1
    delta = last_pts - mask // 2
    return ((coded - delta) & mask) + delta
