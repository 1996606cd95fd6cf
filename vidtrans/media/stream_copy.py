"""Stream copy: audio, subtitles, attachments, chapters and metadata of the input, without encoding
them again."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from vidtrans.errors import InputError
from vidtrans.media.ffmpeg_errors import cannot_read

_log = logging.getLogger(__name__)

_COPIED = ("audio", "subtitle", "attachment")
_CONTAINERS_OWN = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
_PICTURES_OWN = {"encoder", "rotate", "duration", "handler_name", "vendor_id"}
_STATISTICS = ("_statistics", "bps", "number_of_", "duration-")


def _fits(stream: Stream, container: str) -> bool:
    """Whether a container takes a stream's packets as they are, found by writing a header with that
    stream alone. Some muxers refuse a codec (FLAC in MOV) only then."""
    if stream.type == "attachment":
        return container == "matroska"
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (ValueError, OSError, av.error.FFmpegError):
        return False
    return True


def _left_out(stream: Stream, source: Path, container: str) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    return (
        f"{source}: its {stream.type} track ({codec}) does not fit into a {container} file without"
        " encoding it again; left out"
    )


def tracks_left_out(source: Path, container: str) -> list[str]:
    """A sentence for each track of a film that cannot be copied into a container.

    Args:
        source: The film.
        container: FFmpeg's name of the muxer.

    Raises:
        InputError: ``source`` cannot be opened.
    """
    try:
        film = av.open(f"file:{source.absolute()}", "r", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(cannot_read(error), where=source) from error
    with film:
        return [
            _left_out(stream, source, container)
            for stream in film.streams
            if stream.type in _COPIED and not _fits(stream, container)
        ]


class StreamCopier:
    """Copies the streams of a film that are no video.

    It adds the streams to the output, whose header must not be written yet, and then muxes their
    packets interleaved with the pictures'. A stream that the container cannot hold is left out;
    ``tracks_left_out`` names these.

    Args:
        source: The film to copy from.
        container: The output.
        pictures: The output's video stream, which takes the input stream's metadata.

    Raises:
        InputError: ``source`` cannot be opened.
    """

    def __init__(self, source: Path, container: OutputContainer, pictures: VideoStream) -> None:
        self._source = source
        self._output = container
        try:
            self._input = av.open(f"file:{source.absolute()}", "r", metadata_errors="replace")
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(cannot_read(error), where=source) from error
        self._streams: dict[int, Any] = {}
        container.metadata.update(
            {k: v for k, v in self._input.metadata.items() if k.lower() not in _CONTAINERS_OWN}
        )
        container.set_chapters(self._input.chapters())
        for stream in self._input.streams:
            if stream.type in _COPIED:
                self._add(stream)
            elif stream.type != "video":
                _log.info("%s: its %s track is not copied", source, stream.type)
        best = self._input.streams.best("video")
        if best is not None:
            kept = {k: v for k, v in best.metadata.items() if k.lower() not in _PICTURES_OWN}
            pictures.metadata.update(
                {k: v for k, v in kept.items() if not k.lower().startswith(_STATISTICS)}
            )
        moving = [
            stream
            for stream in self._input.streams
            if stream.index in self._streams and stream.type != "attachment"
        ]
        self._packets: Iterator[Packet[Stream]] = self._input.demux(moving) if moving else iter(())
        self._held: Packet[Stream] | None = None

    def _add(self, stream: Stream) -> None:
        if not _fits(stream, self._output.format.name):
            _log.warning("%s", _left_out(stream, self._source, self._output.format.name))
            return
        copy = self._output.add_stream_from_template(stream, opaque=True)
        if stream.type != "attachment":
            copy.time_base = stream.time_base
        copy.metadata.update(
            {k: v for k, v in stream.metadata.items() if not k.lower().startswith(_STATISTICS)}
        )
        copy.disposition = stream.disposition
        self._streams[stream.index] = copy

    def copy_until(self, seconds: Fraction | None) -> None:
        """Mux the packets up to a time, so that the output is interleaved.

        Args:
            seconds: The time of the next picture; None for all packets that are left.

        Raises:
            InputError: The input is damaged.
        """
        while (packet := self._held or self._read()) is not None:
            at = packet.dts if packet.dts is not None else packet.pts
            if seconds is not None and at is not None and at * packet.time_base > seconds:
                self._held = packet
                return
            self._held = None
            packet.stream = self._streams[packet.stream.index]
            self._output.mux(packet)

    def _read(self) -> Packet[Stream] | None:
        try:
            return next((packet for packet in self._packets if packet.size), None)
        except av.error.FFmpegError as error:
            raise InputError(
                "its audio or subtitles cannot be read: the file is damaged.", where=self._source
            ) from error

    def close(self) -> None:
        """Close the input."""
        self._packets = iter(())
        self._input.close()
