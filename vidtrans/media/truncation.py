"""Checks before any work is done that a file is as long as its container says.

FFmpeg's demuxers report the end of a truncated file like the end of a whole one; a run over half a
film must not look like a run over the whole film.
"""

from __future__ import annotations

from pathlib import Path

from av.container import InputContainer
from av.video.format import VideoFormat
from av.video.stream import VideoStream

from vidtrans.media.damage import DamageError
from vidtrans.media.ebml import ElementId, read_element

_INDEX_TAIL = 20_000
"""Index entries that are checked, from the end: samples lie in order, and a film of several days
should open at once."""


def check_whole(path: Path, container: InputContainer, stream: VideoStream) -> None:
    """Check that a file is not truncated.

    Args:
        path: The file.
        container: The demuxer that reads it.
        stream: Its video stream.

    Raises:
        DamageError: The file ends before what its container says it holds.
    """
    names = set(container.format.name.split(","))
    size = path.stat().st_size
    if "mp4" in names:
        _check_mp4(path, stream, size)
    elif "matroska" in names:
        missing = matroska_bytes_missing(path, size)
        if missing:
            raise DamageError(f"is truncated: the last {missing} bytes are missing.", where=path)
    elif "yuv4mpegpipe" in names:
        whole = len(b"FRAME\n") + frame_bytes(stream.format)
        extra = (size - _y4m_header(path)) % whole
        if extra:
            raise DamageError(
                f"is truncated: its last frame has {extra} bytes, not {whole}.", where=path
            )


def frame_bytes(form: VideoFormat) -> int:
    """Bytes of one uncompressed frame of this format and size, without padding between lines."""
    parts = form.components
    if len({part.plane for part in parts}) == 1:
        # Each line begins with a byte of its own.
        return form.height * ((form.width * form.padded_bits_per_pixel + 7) // 8)
    return sum(part.width * part.height * ((part.bits + 7) // 8) for part in parts)


def _check_mp4(path: Path, stream: VideoStream, size: int) -> None:
    entries = stream.index_entries
    count = len(entries)
    for number in range(max(0, count - _INDEX_TAIL), count):
        entry = entries[number]
        if entry.pos + entry.size > size:
            raise DamageError(f"is truncated: it ends in frame {number} of {count}.", where=path)


def _y4m_header(path: Path) -> int:
    with path.open("rb") as file:
        return len(file.readline(4096))


def matroska_bytes_missing(path: Path, size: int) -> int:
    """Bytes that a Matroska or WebM file of ``size`` bytes lacks according to its Segment.

    0 where it is whole, or where the writer did not know the size (a stream).
    """
    with path.open("rb") as file:
        head = file.read(4096)
    header = read_element(head)
    if header is None or header.id != ElementId.EBML or header.size is None:
        return 0
    segment = read_element(head, header.end)
    if segment is None or segment.id != ElementId.SEGMENT or segment.size is None:
        return 0
    return max(0, segment.end - size)
