"""Frames of a NUT stream, written straight from the array that holds the picture.

libavformat writes the headers, so the pixel format's tag, the aspect and the times' unit are
FFmpeg's own. Frame by frame it would copy each picture three times more on its way to the pipe, a
third of the filter's whole work at 1920x1080; what stands before a frame of bare pixels is only a
syncpoint and a few numbers (NUT specification, "frame").
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

_SYNCPOINT = 0x4E4BE4ADEECA4569
_STREAM = 0x4E5311405BF2F9DB
_KEY, _CODED_PTS, _SIZE, _CHECKSUM = 1, 8, 32, 64
_CODED_FLAGS = 1
"""In FFmpeg's table the frame code 1 says: the flags follow, stream 0, the size as it is."""


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
    """CRC-32 with the polynomial 0x04C11DB7 from zero, most significant bit first, as NUT has
    it."""
    value = 0
    for byte in data:
        value = ((value << 8) & 0xFFFFFFFF) ^ _CRC[(value >> 24) ^ byte]
    return value.to_bytes(4, "big")


def varint(value: int) -> bytes:
    """NUT's v: seven bits a byte, the most significant first."""
    groups = [value & 127]
    while value := value >> 7:
        groups.append(128 | (value & 127))
    return bytes(reversed(groups))


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while True:
        value = (value << 7) | (data[at] & 127)
        at += 1
        if not data[at - 1] & 128:
            return value, at


@dataclass(frozen=True, slots=True)
class NutHeaders:
    """What a stream of one video track begins with. ``shift``: its msb_pts_shift, above which
    full times are coded."""

    data: bytes
    shift: int


def with_aspect(headers: bytes, aspect: Fraction) -> NutHeaders:
    """``headers`` as libavformat wrote them, with the width and height of a pixel put in, which
    PyAV has no way to tell it."""
    start = headers.index(_STREAM.to_bytes(8, "big")) + 8
    forward, body = _read_varint(headers, start)
    end = body + forward - 4  # the checksum comes last
    _stream, at = _read_varint(headers, body)
    _class, at = _read_varint(headers, at)
    length, at = _read_varint(headers, at)
    _time_base, at = _read_varint(headers, at + length)
    shift, at = _read_varint(headers, at)
    for _ in ("max_pts_distance", "decode_delay", "flags"):
        _value, at = _read_varint(headers, at)
    length, at = _read_varint(headers, at)
    _width, at = _read_varint(headers, at + length)
    _height, at = _read_varint(headers, at)
    _sample_width, rest = _read_varint(headers, at)
    _sample_height, rest = _read_varint(headers, rest)
    fields = (
        headers[body:at] + varint(aspect.numerator) + varint(aspect.denominator) + headers[rest:end]
    )
    packet = varint(len(fields) + 4) + fields + checksum(fields)
    return NutHeaders(headers[:start] + packet + headers[end + 4 :], shift)


def frame_head(pts: int, size: int, shift: int) -> bytes:
    """What stands before ``size`` bytes of a key frame at ``pts`` (in the stream's time base,
    not negative)."""
    # Every frame is a key frame, so every syncpoint points back at itself.
    place = varint(pts) + varint(0)
    syncpoint = _SYNCPOINT.to_bytes(8, "big") + varint(len(place) + 4) + place + checksum(place)
    flags = _KEY | _CODED_PTS | _SIZE | _CHECKSUM
    head = bytes([_CODED_FLAGS]) + varint(flags) + varint(pts + (1 << shift)) + varint(size)
    return syncpoint + head + checksum(head)
