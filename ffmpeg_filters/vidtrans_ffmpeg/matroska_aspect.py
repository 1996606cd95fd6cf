"""Puts the sample aspect ratio into a Matroska header: PyAV cannot set it on the muxer's stream,
and FFV1 does not hold it itself.
"""

from __future__ import annotations

from fractions import Fraction

from vidtrans.media.ebml import Element, ElementId, elements, make_element, read_element
from vidtrans_ffmpeg.pipes import OutputPipe

_PATH = (
    (ElementId.TRACKS, ElementId.TRACK_ENTRY),
    (ElementId.TRACK_ENTRY, ElementId.VIDEO),
)
_DISPLAY = (ElementId.DISPLAY_WIDTH, ElementId.DISPLAY_HEIGHT, ElementId.DISPLAY_UNIT)
_UNIT_ASPECT_RATIO = 3
"""DisplayUnit's value for a display size that is only an aspect (RFC 9559, 5.1.4.1.28.14)."""


class AspectWriter:
    """A file object for PyAV that puts the display size into the header on its way to a pipe.

    Args:
        pipe: Where all bytes go.
        aspect: Width of a pixel over its height.
    """

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


def with_display_size(head: bytes, aspect: Fraction) -> bytes | None:
    """Put the aspect of the display into the video track of a Matroska header.

    Args:
        head: The first bytes of a Matroska stream.
        aspect: Width of a pixel over its height.

    Returns:
        ``head`` with the aspect; None while its Tracks element is not all there.
    """
    header = read_element(head)
    if header is None:
        return None
    segment = read_element(head, header.end)
    if segment is None:
        return None
    for element in elements(head, segment.content, len(head)):
        if element.id == ElementId.TRACKS:
            if element.end > len(head):
                return None
            return head[: element.start] + _rebuilt(head, element, aspect) + head[element.end :]
    return None


def _rebuilt(data: bytes, element: Element, aspect: Fraction) -> bytes:
    """``element`` (Tracks, or an element around the track's Video) with the display's size."""
    parts = []
    sides: dict[int, int] = {}
    for child in elements(data, element.content, element.end):
        if (element.id, child.id) in _PATH:
            parts.append(_rebuilt(data, child, aspect))
        elif child.id not in _DISPLAY:
            parts.append(data[child.start : child.end])
            sides[child.id] = int.from_bytes(data[child.content : child.end], "big")
    if element.id == ElementId.VIDEO:
        shape = sides[ElementId.PIXEL_WIDTH] * aspect / sides[ElementId.PIXEL_HEIGHT]
        values = (shape.numerator, shape.denominator, _UNIT_ASPECT_RATIO)
        parts.extend(
            make_element(identity, value.to_bytes(4, "big"))
            for identity, value in zip(_DISPLAY, values, strict=True)
        )
    return make_element(element.id, b"".join(parts))
