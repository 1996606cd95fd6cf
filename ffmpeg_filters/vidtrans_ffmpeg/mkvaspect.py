"""The pixel aspect in a Matroska header: PyAV cannot tell it to the muxer, and bare FFV1 does
not carry it itself."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from vidtrans_ffmpeg.pipes import OutputPipe

_EBML, _SEGMENT, _TRACKS, _ENTRY, _VIDEO = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_PIXEL_WIDTH, _PIXEL_HEIGHT, _DISPLAY_WIDTH, _DISPLAY_HEIGHT = 0xB0, 0xBA, 0x54B0, 0x54BA
_DISPLAY_UNIT, _ASPECT_RATIO = 0x54B2, 3


class AspectPipe:
    """A file object for PyAV that puts the display size into the header on its way to ``pipe``."""

    def __init__(self, pipe: OutputPipe, aspect: Fraction) -> None:
        self._pipe = pipe
        self._aspect = aspect
        self._head: bytes | None = b"" if aspect != 1 else None
        self.name = pipe.name

    @property
    def closed(self) -> bool:
        return self._pipe.closed

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:
        if self._head is None:
            return self._pipe.write(data)
        self._head += data
        patched = with_display_size(self._head, self._aspect)
        if patched is not None:
            self._pipe.write(patched)
            self._head = None
        return len(data)


def _number(data: bytes, at: int, *, identity: bool) -> tuple[int, int]:
    """An EBML id or size at ``at`` and where it ends. Raises IndexError where the bytes are not
    all there."""
    length = 9 - data[at].bit_length()
    if at + length > len(data):
        raise IndexError
    value = int.from_bytes(data[at : at + length], "big")
    return (value if identity else value & ((1 << (7 * length)) - 1)), at + length


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(id, begin, begin of the content, end) of each element."""
    while at < end:
        identity, size_at = _number(data, at, identity=True)
        size, content = _number(data, size_at, identity=False)
        yield identity, at, content, content + size
        at = content + size


def _element(identity: int, content: bytes) -> bytes:
    size = (len(content) | 1 << 28).to_bytes(4, "big")
    return identity.to_bytes((identity.bit_length() + 7) // 8, "big") + size + content


def with_display_size(head: bytes, aspect: Fraction) -> bytes | None:
    """``head`` with the aspect of the display in its video track; None while its Tracks are not
    all there."""
    try:
        _identity, at = _number(head, 0, identity=True)
        size, at = _number(head, at, identity=False)
        _identity, at = _number(head, at + size, identity=True)
        _size, at = _number(head, at, identity=False)
        for identity, begin, content, end in _elements(head, at, len(head)):
            if identity == _TRACKS:
                if end > len(head):
                    return None
                return head[:begin] + _rebuilt(head, identity, content, end, aspect) + head[end:]
    except IndexError:
        return None
    return None


def _rebuilt(data: bytes, identity: int, content: int, end: int, aspect: Fraction) -> bytes:
    parts = []
    sides: dict[int, int] = {}
    for child, begin, inside, stop in _elements(data, content, end):
        if (identity, child) in ((_TRACKS, _ENTRY), (_ENTRY, _VIDEO)):
            parts.append(_rebuilt(data, child, inside, stop, aspect))
        elif child not in (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT):
            parts.append(data[begin:stop])
            sides[child] = int.from_bytes(data[inside:stop], "big")
    if identity == _VIDEO:
        shape = sides[_PIXEL_WIDTH] * aspect / sides[_PIXEL_HEIGHT]
        values = {
            _DISPLAY_WIDTH: shape.numerator,
            _DISPLAY_HEIGHT: shape.denominator,
            _DISPLAY_UNIT: _ASPECT_RATIO,
        }
        parts.extend(_element(field, value.to_bytes(4, "big")) for field, value in values.items())
    return _element(identity, b"".join(parts))
