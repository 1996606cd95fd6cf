"""EBML, the nested elements that Matroska and WebM files are made of (RFC 8794).

libavformat reads and writes these files. This module serves what it does not do: it follows a
stream as it passes, checks that a file is whole, and puts into a header what PyAV cannot set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class ElementId(IntEnum):
    """Elements of Matroska (RFC 9559, section 27), with the length marker that RFC 8794 counts as
    part of an id."""

    EBML = 0x1A45DFA3
    SEGMENT = 0x18538067
    CLUSTER = 0x1F43B675
    TRACKS = 0x1654AE6B
    TRACK_ENTRY = 0xAE
    VIDEO = 0xE0
    PIXEL_WIDTH = 0xB0
    PIXEL_HEIGHT = 0xBA
    DISPLAY_WIDTH = 0x54B0
    DISPLAY_HEIGHT = 0x54BA
    DISPLAY_UNIT = 0x54B2


@dataclass(frozen=True, slots=True)
class Element:
    """The header of an element.

    Attributes:
        id: One of ``ElementId``, or any other element's.
        start: Where its header begins.
        content: Where its content begins.
        size: Bytes of its content; None where the writer did not know it (a stream): the element
            ends where the next one of its level begins.
    """

    id: int
    start: int
    content: int
    size: int | None

    @property
    def end(self) -> int:
        """Where the element ends, of one whose size is known."""
        assert self.size is not None
        return self.content + self.size


def _length(data: bytes, at: int) -> int | None:
    """Bytes of the variable-size integer at ``at`` (RFC 8794, section 4); None where it has not
    come yet.

    A first byte of 0 announces more than the 8 bytes that EBML allows. It counts as one byte, so
    that a parser goes on through a damaged stream.
    """
    if at >= len(data):
        return None
    length = 9 - data[at].bit_length() if data[at] else 1
    return length if at + length <= len(data) else None


def read_element(data: bytes, at: int = 0) -> Element | None:
    """Read the header of the element at ``at``; None where ``data`` ends within it."""
    id_length = _length(data, at)
    if id_length is None:
        return None
    size_at = at + id_length
    size_length = _length(data, size_at)
    if size_length is None:
        return None
    content = size_at + size_length
    mask = (1 << (7 * size_length)) - 1
    size = int.from_bytes(data[size_at:content], "big") & mask
    # All ones say that the size is unknown (RFC 8794, section 6.2).
    identity = int.from_bytes(data[at:size_at], "big")
    return Element(identity, at, content, None if size == mask else size)


def elements(data: bytes, at: int, end: int) -> Iterator[Element]:
    """The headers of the elements that begin from ``at`` to before ``end``, one level of them.

    Stops at an element whose header is not all there, and after one of unknown size.
    """
    while at < end and (element := read_element(data, at)) is not None:
        yield element
        if element.size is None:
            return
        at = element.end


def make_element(identity: int, content: bytes) -> bytes:
    """An element with a size of four bytes, whatever its content."""
    size = (len(content) | 1 << 28).to_bytes(4, "big")
    return identity.to_bytes((identity.bit_length() + 7) // 8, "big") + size + content
