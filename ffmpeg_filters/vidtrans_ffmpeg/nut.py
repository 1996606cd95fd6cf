"""NUT's fields and frame headers (NUT Open Container Format).

libavformat writes a stream's headers, so that the pixel format's tag and the time base are
FFmpeg's own. Frames are written from the array that holds the picture: libavformat would copy each
one three times more on its way to the pipe, a third of the filter's whole work at 1920x1080. What
precedes an uncompressed frame is a syncpoint and a few numbers (NUT specification, "frame").
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

SYNCPOINT = bytes.fromhex("4e4be4adeeca4569")
STREAM = bytes.fromhex("4e5311405bf2f9db")
_KEY, _CODED_PTS, _SIZE, _CHECKSUM = 1, 8, 32, 64
_CODED_FLAGS = 1
"""The frame code of FFmpeg's table that means: flags follow, stream 0, the whole size is coded."""


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_CRC = _crc_table()


def checksum(data: bytes) -> bytes:
    """NUT's checksum: CRC-32 with the polynomial 0x04C11DB7, initial value 0, most significant bit
    first."""
    value = 0
    for byte in data:
        value = ((value << 8) & 0xFFFFFFFF) ^ _CRC[(value >> 24) ^ byte]
    return value.to_bytes(4, "big")


def varint(value: int) -> bytes:
    """Encode a v, NUT's unsigned integer: seven bits a byte, the most significant first."""
    groups = [value & 127]
    while value := value >> 7:
        groups.append(128 | (value & 127))
    return bytes(reversed(groups))


class Incomplete(Exception):
    """The bytes end within a field."""


class FieldReader:
    """Reads the fields of a NUT packet, one after the other.

    Attributes:
        data: The bytes.
        at: Where the next field begins.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def varint(self) -> int:
        """Read a v, an unsigned integer. Raises Incomplete."""
        value = 0
        while True:
            if self.at >= len(self.data):
                raise Incomplete
            byte = self.data[self.at]
            self.at += 1
            value = (value << 7) | (byte & 127)
            if not byte & 128:
                return value

    def bytes(self) -> bytes:
        """Read a vb, bytes behind their number. Raises Incomplete."""
        size = self.varint()
        at = self.at
        self.skip(size)
        return self.data[at : self.at]

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes. Raises Incomplete."""
        if self.at + size > len(self.data):
            raise Incomplete
        self.at += size


@dataclass(frozen=True, slots=True)
class NutStream:
    """What a stream's header tells (NUT specification, "stream_header").

    Attributes:
        tag: The fourcc, which tells how an uncompressed frame's bytes lie.
        shift: The msb_pts_shift: a coded pts of at least ``1 << shift`` is the whole pts, plus
            ``1 << shift``.
        extra: The codec_specific_data.
    """

    tag: bytes
    shift: int
    extra: bytes


@dataclass(frozen=True, slots=True)
class NutHeaders:
    """The headers of a NUT with one video stream.

    Attributes:
        data: The bytes from the file id string to the last header.
        stream: The stream's header.
    """

    data: bytes
    stream: NutStream


def read_stream(reader: FieldReader) -> NutStream:
    """Read a stream's header up to the codec_specific_data. Raises Incomplete."""
    for _ in ("stream_id", "stream_class"):
        reader.varint()
    tag = reader.bytes()
    reader.varint()  # time_base_id
    shift = reader.varint()
    for _ in ("max_pts_distance", "decode_delay", "stream_flags"):
        reader.varint()
    return NutStream(tag, shift, reader.bytes())


def with_aspect(headers: bytes, aspect: Fraction) -> NutHeaders:
    """Put the sample aspect ratio into the stream header, which PyAV cannot set on the muxer.

    Args:
        headers: The headers as libavformat wrote them.
        aspect: Width of a pixel over its height.
    """
    start = headers.index(STREAM) + len(STREAM)
    reader = FieldReader(headers, start)
    forward = reader.varint()
    body = reader.at
    end = body + forward - 4  # the checksum comes last
    stream = read_stream(reader)
    for _ in ("width", "height"):
        reader.varint()
    before = reader.at
    for _ in ("sample_width", "sample_height"):
        reader.varint()
    shape = varint(aspect.numerator) + varint(aspect.denominator)
    fields = headers[body:before] + shape + headers[reader.at : end]
    packet = varint(len(fields) + 4) + fields + checksum(fields)
    return NutHeaders(headers[:start] + packet + headers[end + 4 :], stream)


def frame_header(pts: int, size: int, shift: int) -> bytes:
    """The syncpoint and the header of a keyframe.

    Args:
        pts: The timestamp in the stream's time base, not negative.
        size: Bytes of the frame.
        shift: ``NutStream.shift``.
    """
    # Every frame is a keyframe, so every syncpoint's back_ptr points at itself.
    place = varint(pts) + varint(0)
    syncpoint = SYNCPOINT + varint(len(place) + 4) + place + checksum(place)
    flags = _KEY | _CODED_PTS | _SIZE | _CHECKSUM
    head = bytes([_CODED_FLAGS]) + varint(flags) + varint(pts + (1 << shift)) + varint(size)
    return syncpoint + head + checksum(head)
