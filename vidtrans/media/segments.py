"""Segments of a film, encoded apart and muxed into one file without encoding again.

A segment's file holds the packets as the encoder gave them: timestamps, durations and data are
exact for every codec, which no container promises (Matroska rounds to milliseconds, NUT loses the
reordering of H.264). To join them, the same encoder is opened once more for its header, and the
packets of all segments are muxed. Every segment has an encoder of its own, so it starts with a
keyframe and does not depend on those before it: an interrupted and resumed run gives the same bits
as one without a break.
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from vidtrans.atomic_write import PARTIAL_SUFFIX, PartialFile, cannot_write
from vidtrans.errors import OutputError
from vidtrans.frame import Bytes, FrameTime, Nv12
from vidtrans.media.encoders import Encoding
from vidtrans.media.encoding import PictureEncoder, add_encoder, open_container, open_encoder
from vidtrans.media.ffmpeg_errors import cannot_read
from vidtrans.media.filmwriter import FilmMuxer, try_film
from vidtrans.media.stream_copy import COPY, WHOLE, TimeSpan

_MAGIC = b"vidtrans packets 1\n"
_PACKET = struct.Struct("<qqqBI")  # pts, dts, duration, key frame, bytes
_END = struct.Struct("<qqqBI").pack(0, 0, 0, 255, 0)


class _NullFile:
    """A file object that drops what a muxer writes. An encoder needs a container; its packets go
    into the segment's file."""

    name = "segment"

    def write(self, data: bytes) -> int:
        return len(data)


def _header(encoding: Encoding) -> bytes:
    fields = {
        key: str(value) if isinstance(value, Fraction) else value
        for key, value in asdict(encoding).items()
    }
    return _MAGIC + json.dumps(fields, sort_keys=True).encode() + b"\n"


class PacketSegments:
    """A ``SegmentWriter`` of packets. See ``vidtrans.media.writer.open_segments``."""

    def __init__(
        self,
        parts: Path,
        encoding: Encoding,
        target: Path,
        *,
        first_segment: int = 0,
        copy_from: Path | None = None,
    ) -> None:
        self._parts = parts
        self._encoding = encoding
        self._number = first_segment
        self._file: PartialFile | None = None
        self._pictures: PictureEncoder | None = None
        self._container: OutputContainer | None = None
        try_film(encoding, target, copy_from=copy_from)
        try:
            parts.mkdir(exist_ok=True)
            for stale in parts.iterdir():
                # Segments after the last one that counts are of the interrupted run.
                numbered = (
                    stale.suffix == ".packets"
                    and stale.stem.isdigit()
                    and int(stale.stem) >= first_segment
                )
                if numbered or stale.name.endswith(PARTIAL_SUFFIX):
                    stale.unlink()
        except OSError as error:
            raise OutputError(cannot_write(error), where=parts) from error

    @property
    def nv12(self) -> Nv12 | None:
        """See ``SegmentWriter.nv12``."""
        return self._encoding.nv12

    def _encoder(self, target: Path) -> PictureEncoder:
        self._free_encoder()
        self._container = open_container(_NullFile(), self._encoding, target)
        stream = add_encoder(self._container, self._encoding, target)
        open_encoder(stream, self._encoding, target)
        return PictureEncoder(stream, self._encoding, target)

    def _free_encoder(self) -> None:
        """Free the encoder now: it and its container refer to each other, and a megabyte for each
        segment adds up until Python collects such cycles."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def path_of(self, number: int) -> Path:
        """The file of segment ``number``."""
        return self._parts / f"{number:06d}.packets"

    def write(self, picture: Bytes, time: FrameTime) -> None:
        """See ``Writer.write``."""
        if self._file is None or self._pictures is None:
            path = self.path_of(self._number)
            self._file = PartialFile(path, overwrite=True)
            self._pictures = self._encoder(path)
            self._store(self._file, _header(self._encoding))
        self._pack(self._file, self._pictures.encode(picture, time))

    def _pack(self, file: PartialFile, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            pts = 0 if packet.pts is None else packet.pts
            dts = pts if packet.dts is None else packet.dts
            head = _PACKET.pack(pts, dts, packet.duration or 0, packet.is_keyframe, packet.size)
            self._store(file, head + bytes(packet))

    def _store(self, file: PartialFile, data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:
            self.abort()
            raise OutputError(cannot_write(error), where=file.target) from error

    def close_segment(self) -> Path:
        """See ``SegmentWriter.close_segment``."""
        file, pictures = self._file, self._pictures
        if file is None or pictures is None:
            raise OutputError(
                "a segment without a picture cannot be closed.", where=self.path_of(self._number)
            )
        self._pack(file, pictures.flush())
        self._store(file, _END)
        self._file = self._pictures = None
        self._free_encoder()
        path = file.commit()
        self._number += 1
        return path

    def abort(self) -> None:
        """See ``SegmentWriter.abort``."""
        file, self._file = self._file, None
        self._pictures = None
        self._free_encoder()
        if file is not None:
            file.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


def _read_header(file: BinaryIO, path: Path) -> Encoding:
    if file.readline() != _MAGIC:
        raise OutputError("is no segment of a film.", where=path)
    fields = json.loads(file.readline())
    for name in ("rate", "time_base", "sample_aspect"):
        fields[name] = Fraction(fields[name])
    fields["size_hw"] = tuple(fields["size_hw"])
    return Encoding(**fields)


def _packets(
    file: BinaryIO, path: Path, stream: Stream, time_base: Fraction
) -> Iterator[Packet[Any]]:
    while True:
        head = file.read(_PACKET.size)
        if len(head) < _PACKET.size:
            raise OutputError(
                "this segment is truncated.", where=path, hint="Remove it and resume again."
            )
        pts, dts, duration, key, size = _PACKET.unpack(head)
        if head == _END:
            return
        data = file.read(size)
        if len(data) < size:
            raise OutputError(
                "this segment is truncated.", where=path, hint="Remove it and resume again."
            )
        packet: Packet[Any] = Packet(data)
        packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, duration, bool(key)
        packet.time_base = time_base
        packet.stream = stream
        yield packet


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """One segment's file. A film of hours has more segments than a process may open files, so they
    are opened one at a time."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(cannot_read(error), where=path) from error


def _common_encoding(parts: Sequence[Path]) -> Encoding:
    """The encoding of all segments. Raises OutputError where one has another."""
    first: Encoding | None = None
    for path in parts:
        with _opened(path) as file:
            encoding = _read_header(file, path)
        first = first or encoding
        if encoding != first:
            raise OutputError(
                "this segment was encoded with other settings than the first.", where=path
            )
    assert first is not None
    return first


def join(
    parts: Sequence[Path],
    target: Path,
    *,
    overwrite: bool = False,
    copy_from: Path | None = None,
    copy_span: TimeSpan = WHOLE,
    audio_codec: str = COPY,
) -> Path:
    """See ``vidtrans.media.writer.join_segments``."""
    if not parts:
        raise OutputError("there are no segments to join.", where=target)
    encoding = _common_encoding(parts)
    muxer = FilmMuxer(
        encoding,
        target,
        overwrite=overwrite,
        copy_from=copy_from,
        copy_span=copy_span,
        audio_codec=audio_codec,
    )
    try:
        last: int | None = None
        for path in parts:
            with _opened(path) as file:
                _read_header(file, path)
                for packet in _packets(file, path, muxer.stream, encoding.time_base):
                    if last is not None and packet.dts is not None and packet.dts <= last:
                        # An encoder's first DTS lies before its first PTS, to leave room for
                        # reordering, and so before the last DTS of the segment before.
                        packet.dts = last + 1
                    last = packet.dts
                    muxer.mux([packet])
        return muxer.commit()
    finally:
        muxer.discard()  # does nothing after commit
