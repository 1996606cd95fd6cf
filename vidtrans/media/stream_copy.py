"""The input's other streams in the output: audio, subtitles, attachments, chapters and metadata.

They are copied without encoding them again, all of the film or a span of it. Audio is encoded anew
where a codec is named that it does not have.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from vidtrans.errors import InputError, UsageError
from vidtrans.media.ffmpeg_errors import cannot_read

_log = logging.getLogger(__name__)

_COPIED = ("audio", "subtitle", "attachment")
_CONTAINERS_OWN = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
_PICTURES_OWN = {"encoder", "rotate", "duration", "handler_name", "vendor_id"}
_STATISTICS = ("_statistics", "bps", "number_of_", "duration-")
COPY = "copy"
"""The audio codec that stands for the input's own."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A part of a film, in seconds of the film's clock.

    Attributes:
        start: Where it begins; None for the beginning, whatever lies there.
        end: Where it ends; None for the end.
        shift: How much earlier it is shown in the output.
    """

    start: Fraction | None = None
    end: Fraction | None = None
    shift: Fraction = Fraction(0)


WHOLE = TimeSpan()
"""A whole film, at its own times."""


def check_audio_codec(name: str, container: str | None) -> None:
    """Refuse what is neither ``copy`` nor an encoder of audio for a container.

    Args:
        name: The encoder.
        container: FFmpeg's name of the muxer; None where there is none yet.

    Raises:
        UsageError: This FFmpeg has no such encoder, or the container does not hold its sound.
    """
    if name == COPY:
        return
    hint = "Examples are aac, libopus and flac; copy keeps the input's sound."
    try:
        if av.Codec(name, "w").type != "audio":
            raise ValueError
    except (ValueError, av.error.FFmpegError):
        raise UsageError(f"{name!r} is no encoder of sound in this FFmpeg.", hint=hint) from None
    if container is None:
        return
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream(name, rate=48000)
            trial.start_encoding()
    except (ValueError, OSError, av.error.FFmpegError):
        raise UsageError(
            f"a {container} file does not hold sound of the encoder {name}.", hint=hint
        ) from None


def _is_encoded(stream: Stream, audio_codec: str) -> bool:
    """Whether a stream is encoded anew."""
    if stream.type != "audio" or audio_codec == COPY or stream.codec_context is None:
        return False
    return stream.codec_context.codec.canonical_name != av.Codec(audio_codec, "w").canonical_name


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


def tracks_left_out(source: Path, container: str, audio_codec: str = COPY) -> list[str]:
    """A sentence for each track of a film that a container cannot hold.

    Args:
        source: The film.
        container: FFmpeg's name of the muxer.
        audio_codec: The encoder of sound that is not in this codec; ``copy`` keeps the input's.

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
            if stream.type in _COPIED
            and not _is_encoded(stream, audio_codec)
            and not _fits(stream, container)
        ]


class _AudioEncoder:
    """Decodes the packets of an audio stream and encodes them into one of the output."""

    def __init__(self, stream: AudioStream, output: OutputContainer, codec: str) -> None:
        encoder = av.Codec(codec, "w")
        rates = encoder.audio_rates or [stream.rate]
        rate = min(rates, key=lambda each: (abs(each - stream.rate), -each))
        made = output.add_stream(codec, rate=rate)
        assert isinstance(made, AudioStream)
        # Not every encoder has every layout; these all have.
        channels = stream.layout.nb_channels
        made.codec_context.layout = {1: "mono", 6: "5.1", 8: "7.1"}.get(channels, "stereo")
        self.stream = made

    def packets(self, packet: Packet[Any] | None) -> Iterator[Packet[Any]]:
        """The encoded packets of one more packet; None flushes decoder and encoder."""
        for frame in packet.decode() if packet is not None else ():
            assert isinstance(frame, av.AudioFrame)
            yield from self.stream.encode(frame)
        if packet is None:
            yield from self.stream.encode(None)


class StreamCopier:
    """Copies the streams of a film that are no video.

    It adds the streams to the output, whose header must not be written yet, and then muxes their
    packets interleaved with the pictures'. A stream that the container cannot hold is left out;
    ``tracks_left_out`` names these.

    Args:
        source: The film to copy from.
        container: The output.
        pictures: The output's video stream, which takes the input stream's metadata.
        span: The part of the film that is copied. A packet of sound is copied where it begins in
            the part; a subtitle, where it is shown in it.
        audio_codec: The encoder of sound that is not in this codec; ``copy`` keeps the input's.

    Raises:
        InputError: ``source`` cannot be opened.
    """

    def __init__(
        self,
        source: Path,
        container: OutputContainer,
        pictures: VideoStream,
        *,
        span: TimeSpan = WHOLE,
        audio_codec: str = COPY,
    ) -> None:
        self._source = source
        self._output = container
        self._span = span
        self._audio_codec = audio_codec
        try:
            self._input = av.open(f"file:{source.absolute()}", "r", metadata_errors="replace")
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(cannot_read(error), where=source) from error
        self._streams: dict[int, Any] = {}
        self._encoders: dict[int, _AudioEncoder] = {}
        container.metadata.update(
            {k: v for k, v in self._input.metadata.items() if k.lower() not in _CONTAINERS_OWN}
        )
        container.set_chapters(_chapters(self._input.chapters(), span))
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
        if isinstance(stream, AudioStream) and _is_encoded(stream, self._audio_codec):
            encoder = _AudioEncoder(stream, self._output, self._audio_codec)
            self._encoders[stream.index] = encoder
            self._describe(stream, encoder.stream)
            return
        if not _fits(stream, self._output.format.name):
            return  # `tracks_left_out` has told it
        copy = self._output.add_stream_from_template(stream, opaque=True)
        if stream.type != "attachment":
            copy.time_base = stream.time_base
        self._describe(stream, copy)

    def _describe(self, stream: Stream, copy: Any) -> None:
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
            encoder = self._encoders.get(packet.stream.index)
            if encoder is not None:
                self._encode(encoder, packet)
                continue
            packet.stream = self._streams[packet.stream.index]
            self._output.mux(packet)
        if seconds is None:
            for encoder in self._encoders.values():
                self._encode(encoder, None)

    def _encode(self, encoder: _AudioEncoder, packet: Packet[Any] | None) -> None:
        with self._reading():
            encoded = list(encoder.packets(packet))
        for each in encoded:
            self._output.mux(each)

    def _read(self) -> Packet[Stream] | None:
        with self._reading():
            return next(
                (packet for packet in self._packets if packet.size and _placed(packet, self._span)),
                None,
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except av.error.FFmpegError as error:
            raise InputError(
                "its audio or subtitles cannot be read: the file is damaged.", where=self._source
            ) from error

    def close(self) -> None:
        """Close the input."""
        self._packets = iter(())
        self._input.close()


def _placed(packet: Packet[Any], span: TimeSpan) -> bool:
    """Move a packet to its time in the output. Returns whether it belongs to ``span``."""
    at = packet.pts if packet.pts is not None else packet.dts
    base = packet.time_base
    if span == WHOLE or at is None or base is None:
        return True
    begins = at * base
    late = Fraction(0)  # how much of a subtitle is shown before the span
    if span.start is not None and begins < span.start:
        ends = begins + (packet.duration or 0) * base
        if packet.stream.type != "subtitle" or ends <= span.start:
            return False
        late = span.start - begins
    if span.end is not None and begins >= span.end:
        return False
    moved = round((late - span.shift) / base)
    if packet.pts is not None:
        packet.pts += moved
    if packet.dts is not None:
        packet.dts += moved
    if packet.stream.type == "subtitle" and packet.duration:
        last = begins + packet.duration * base
        shown = (last if span.end is None else min(last, span.end)) - begins - late
        packet.duration = max(1, round(shown / base))
    return True


def _chapters(chapters: list[Any], span: TimeSpan) -> list[Any]:
    """The chapters of a span, at their times in the output."""
    if span == WHOLE:
        return chapters
    found = []
    for chapter in chapters:
        base = chapter["time_base"] or Fraction(1, av.time_base)
        begins, ends = chapter["start"] * base, chapter["end"] * base
        begins = begins if span.start is None else max(begins, span.start)
        ends = ends if span.end is None else min(ends, span.end)
        if begins < ends:
            own = {
                "start": round((begins - span.shift) / base),
                "end": round((ends - span.shift) / base),
            }
            found.append(chapter | own)
    return found
