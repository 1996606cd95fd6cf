"""Reads films, pipes and URLs: demuxed and decoded by PyAV."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import av
import av.error
import av.logging
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from vidtrans.errors import InputError, Note, Remedy
from vidtrans.frame import Frame, FrameTime, VideoInfo
from vidtrans.media.damage import DamageError, Decoded, HeldFrames
from vidtrans.media.ffmpeg_errors import cannot_read
from vidtrans.media.ffv1_crc import Ffv1Check
from vidtrans.media.h264_sps import read_sps
from vidtrans.media.hardware import cuda_decodes
from vidtrans.media.lossy import is_lossy
from vidtrans.media.naming import FrameKey
from vidtrans.media.pixels import ColourTags, PixelReader, kind_of, refused_format, too_large
from vidtrans.media.times import FilmTimes
from vidtrans.media.truncation import check_whole

_log = logging.getLogger(__name__)

_NOT_FILMS = {"tty"}  # FFmpeg "plays" any text file with a suffix like .txt as an ANSI film
_PLAYLISTS = frozenset(
    {"hls", "applehttp", "concat", "concatf", "dash", "imf", "webm_dash_manifest", "sdp", "rtsp"}
)
"""Demuxers whose files name other files or addresses, which FFmpeg would open."""
_NETWORK_SECONDS = 20.0
"""Longer than any server needs for its next bytes. Without a limit a silent server holds the
process for ever, and no signal ends it."""
_BETWEEN = {"nut": 1024, "matroska,webm": 64}
"""The most bytes between the data of two frames in a file of one stream. NUT: a frame's header, a
syncpoint, the headers again; Matroska: the headers of a cluster and of a block."""
_BEHIND: dict[str, tuple[bytes, ...]] = {
    "nut": (b"N",),
    "matroska,webm": (
        b"\x1c\x53\xbb\x6b",  # cues
        b"\x12\x54\xc3\x67",  # tags
        b"\x11\x4d\x9b\x74",  # seek head
        b"\x10\x43\xa7\x70",  # chapters
        b"\x19\x41\xa4\x69",  # attachments
        b"\xec",  # void
        b"\xbf",  # checksum
        b"\x9b",  # of the block's group: duration, references, padding, additions
        b"\xfb",
        b"\x75",
    ),
}
"""How what follows the last frame begins in a whole file of one stream."""
_DAMAGED = "its data are damaged here."
AVIO_BUFFER_BYTES = 1 << 16
"""Bytes of the buffer between a file object and its demuxer. Larger reads, of a frame's data,
bypass it in one call."""


@cache
def _allowed_demuxers() -> tuple[str, ...]:
    """All demuxers but those of playlists."""
    found = (name for name in av.formats_available if av.ContainerFormat(name).is_input)
    return tuple(sorted(name for name in found if not _PLAYLISTS & set(name.split(","))))


def _protocols(address: Any) -> tuple[str, ...]:
    """The protocols that reading an address needs: its own, and those that it is made of."""
    scheme = str(address).partition("://")[0].lower()
    return (scheme, *_MADE_OF.get(scheme, ()))


_MADE_OF = {"https": ("tls", "tcp", "crypto"), "http": ("tcp",), "rtmp": ("tcp",), "ftp": ("tcp",)}


def _is_playlist(path: Path | None) -> bool:
    """Whether a file begins as a playlist does. For some of them FFmpeg's refusal would not tell
    the reason."""
    if path is None:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return False
    is_dash = head.startswith(b"<") and b"<MPD" in head
    return is_dash or head.startswith((b"#EXTM3U", b"ffconcat", b"v=0"))


class TruncationCheck(Protocol):
    """Knows whether a pipe ended with a whole frame, which demuxers do not report."""

    @property
    def at_eof(self) -> bool:
        """Whether the pipe has ended: no more bytes will come."""
        ...

    def check(self, stream: VideoStream, frames: int) -> None:
        """Check the end of the pipe, once it has come.

        Args:
            stream: The video stream.
            frames: Frames that were decoded before.

        Raises:
            InputError: The last frame is truncated.
        """
        ...


class PacketSource(Protocol):
    """Gives the packets of a stream, some of which it may read without the demuxer."""

    def __call__(
        self, stream: VideoStream, demuxed: Iterator[Packet[VideoStream]], /
    ) -> Iterator[Packet[VideoStream]]:
        """Give the packets to decode.

        Args:
            stream: The video stream.
            demuxed: The demuxer's packets of it.
        """
        ...


class FilmReader:
    """A ``Reader`` of everything that PyAV opens. See ``vidtrans.media.reader.open_reader``.

    Args:
        source: A file, a URL, or a file object (a pipe).
        labels: Keep grey and palette samples as ids.
        max_side: The greatest height and width that are read.
        hwaccel: Decode on the GPU where that works.
        container_format: FFmpeg's name of a demuxer; None to probe the input.
        container_options: The demuxer's options.
        low_latency: Decode every packet before the next one is read.
        truncation: Tells whether a pipe was truncated.
        tags: Replaces what the stream says of its YUV.
        skip_damaged: Give another frame's picture for each damaged frame, instead of an error.
        stream: Which of several video streams is read, from 0; None for the one that FFmpeg takes.
        packets: Gives the packets to decode; None for the demuxer's.

    Attributes:
        info: See ``Reader.info``.
        pixel_format: FFmpeg's name of the first frame's pixel format.

    Raises:
        InputError: The input cannot be opened, is truncated, or holds no frame.
    """

    stems: Sequence[str] | None = None
    keys: Sequence[FrameKey] | None = None
    sequence_starts: frozenset[int] = frozenset()

    def __init__(
        self,
        source: Path | str | BinaryIO,
        *,
        labels: bool,
        max_side: int,
        hwaccel: bool = True,
        container_format: str | None = None,
        container_options: dict[str, str] | None = None,
        low_latency: bool = False,
        truncation: TruncationCheck | None = None,
        tags: ColourTags | None = None,
        skip_damaged: bool = False,
        stream: int | None = None,
        packets: PacketSource | None = None,
    ) -> None:
        self.packet_source = packets
        self._source = source
        self._wanted_stream = stream
        self._path = source if isinstance(source, Path) else None
        self._name = str(
            source if isinstance(source, (str, Path)) else getattr(source, "name", "the pipe")
        )
        self._format = container_format
        self._options = dict(container_options or {})
        self._low_latency = low_latency
        self._truncation = truncation
        self._max_side = max_side
        self._skip_damaged = skip_damaged
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._container: InputContainer | None = None
        self._times: list[int] | None = None
        self._use_gpu = False
        self._open()
        try:
            self._use_gpu = (
                hwaccel and self._path is not None and self._worth_the_gpu() and cuda_decodes()
            )
            if self._use_gpu:
                self._reopen()
            self._check_size(self._stream.codec_context.width, self._stream.codec_context.height)
            if self._path is not None:
                self._check_whole(self._path)
            decoded = self._decode_one()
            if decoded is None:
                raise InputError("holds no frames.", where=self._name)
            self._waiting.appendleft(decoded)
            self._decoded = 0
            self._first_pts = decoded.pts
            first = decoded.picture
            codec = self._stream.codec_context.codec
            self._sps = (
                read_sps(self._stream.codec_context.extradata)
                if codec.canonical_name == "h264"
                else None
            )
            self._monochrome = self._sps is not None and self._sps.chroma_format == 0
            self._pixels = PixelReader(
                labels=labels,
                shared=not self._independent,
                source=self._name,
                monochrome=self._monochrome,
                tags=tags,
            )
            self.info = self._describe(first, labels=labels)
            self.pixel_format = first.format.name
            self._check_turned(first)
        except BaseException:
            self.close()
            raise

    # -- opening -----------------------------------------------------------------------------------

    def _open(self, accelerator: HWAccel | None = None) -> None:
        # "file:" keeps FFmpeg from taking a name like "a:b.mkv" or "-" for a protocol or an option.
        target: Any = f"file:{self._path.absolute()}" if self._path is not None else self._source
        if _is_playlist(self._path):
            raise InputError(
                "is a list of other files or addresses, which are not opened.",
                where=self._name,
                hint="Name the film itself.",
            )
        is_address = isinstance(self._source, str)
        # What a file may open beside itself: nothing.
        protocols = ",".join(_protocols(self._source)) if is_address else "file"
        restricted = {
            "protocol_whitelist": protocols,
            "format_whitelist": ",".join(_allowed_demuxers()),
        }
        limit = str(self._max_side * self._max_side)

        def opened() -> InputContainer:
            container: InputContainer = av.open(
                target,
                "r",
                format=self._format,
                options={"max_pixels": limit},
                container_options=restricted | self._options,
                timeout=_NETWORK_SECONDS if is_address else None,
                metadata_errors="replace",
                buffer_size=AVIO_BUFFER_BYTES,
                hwaccel=accelerator,
            )
            return container

        try:
            container = _in_another_thread(opened) if is_address else opened()
        except ValueError as error:
            if isinstance(error, av.error.FFmpegError):
                raise InputError(cannot_read(error), where=self._name) from error
            raise InputError(f"cannot be read: {error}.", where=self._name) from error
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(cannot_read(error), where=self._name) from error
        self._container = container
        self._stream = self._choose(container)
        context = self._stream.codec_context
        context.options = {"max_pixels": limit}
        if context.codec.lossless and not context.codec.lossy:
            # These carry checksums, which FFmpeg mentions in its log only. Ids that are wrong must
            # not pass.
            context.options["err_detect"] = "crccheck+explode"
        self._held = HeldFrames() if self._skip_damaged else None
        # With threads for frames, an error comes with a later packet than its own.
        in_order = self._low_latency or self._skip_damaged
        self._stream.thread_type = "SLICE" if in_order else "AUTO"
        self._packets: Iterator[Packet[VideoStream]] = container.demux(self._stream)
        if self.packet_source is not None:
            self._packets = self.packet_source(self._stream, self._packets)
        self._next_packet: Packet[VideoStream] | None = None
        self._ended = False
        self._sent: int | None = 0
        self._waiting: deque[Decoded] = deque()
        self._index = 0
        self._decoded = 0
        self._last_pts: int | None = None
        is_ffv1 = context.codec.canonical_name == "ffv1"
        # FFV1 counts as intra coding, but its frames share the coder's contexts up to a key frame.
        self._independent = context.codec.intra_only and not is_ffv1
        self._ffv1 = Ffv1Check() if is_ffv1 else None
        alone = len(container.streams) == 1
        self._between = _BETWEEN.get(container.format.name) if alone else None
        self._packet_end: int | None = None

    def _reopen(self) -> None:
        self._opened().close()
        self._open(HWAccel("cuda", allow_software_fallback=True) if self._use_gpu else None)

    def _choose(self, container: InputContainer) -> VideoStream:
        films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not films or container.format.name in _NOT_FILMS:
            container.close()
            raise InputError("holds no moving or still picture.", where=self._name)
        best = container.streams.best("video")
        chosen = best if best in films else films[0]
        if self._wanted_stream is not None:
            if not 0 <= self._wanted_stream < len(films):
                container.close()
                raise InputError(
                    f"holds {len(films)} video stream{'s' * (len(films) > 1)}, numbered from 0;"
                    f" stream {self._wanted_stream} is asked for.",
                    where=self._name,
                )
            chosen = films[self._wanted_stream]
        self._remarks = () if self._wanted_stream is not None else self._others(films, chosen)
        assert isinstance(chosen, VideoStream)
        if chosen.codec_context is None:
            container.close()
            raise InputError(
                "its pictures are in a codec that this build of FFmpeg cannot decode.",
                where=self._name,
            )
        refused = refused_format(chosen.codec_context.pix_fmt)
        if refused is not None:
            container.close()
            raise InputError(
                refused,
                where=self._name,
                hint="Convert it first, for example: ffmpeg -i IN -pix_fmt rgb24 -c:v ffv1 OUT.mkv",
            )
        return chosen

    def _others(self, films: Sequence[VideoStream], chosen: VideoStream) -> tuple[str, ...]:
        if len(films) < 2:
            return ()
        listed = ", ".join(
            f"{number}: {stream.width}x{stream.height} {stream.codec_context.name}"
            for number, stream in enumerate(films)
            if stream.codec_context is not None
        )
        text = (
            f"{self._name}: holds {len(films)} video streams ({listed}), of which"
            f" {films.index(chosen)} is read."
        )
        return (Note(text, Remedy("Another is chosen by {stream}.")),)

    def _check_whole(self, path: Path) -> None:
        try:
            check_whole(path, self._opened(), self._stream)
        except DamageError as error:
            if not self._skip_damaged:
                raise
            _log.warning("%s", error.description)

    def _opened(self) -> InputContainer:
        assert self._container is not None
        return self._container

    def _worth_the_gpu(self) -> bool:
        context = self._stream.codec_context
        return (context.pix_fmt or "").startswith("yuv420p") and any(
            config.device_type.name == "cuda" and config.is_supported
            for config in context.codec.hardware_configs
        )

    def _check_size(self, width: int, height: int) -> None:
        if (reason := too_large(width, height, self._max_side)) is not None:
            raise InputError(reason, where=self._name)

    def _describe(self, first: av.VideoFrame, *, labels: bool) -> VideoInfo:
        stream, container = self._stream, self._opened()
        height, width = first.height, first.width
        aspect = (
            stream.codec_context.sample_aspect_ratio or stream.sample_aspect_ratio or Fraction(1)
        )
        aspect = aspect if aspect > 0 else Fraction(1)
        if first.rotation % 180 == 90:
            height, width, aspect = width, height, 1 / aspect
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate or Fraction(25)
        time_base = stream.time_base or 1 / rate
        duration = None
        if stream.duration:
            duration = float(stream.duration * time_base)
        elif container.duration:
            duration = container.duration / av.time_base
        return VideoInfo(
            source=self._name,
            size_hw=(height, width),
            rate=Fraction(rate),
            time_base=Fraction(time_base),
            frames=stream.frames or None,
            kind=kind_of(first.format.name, monochrome=self._monochrome) if labels else "rgb",
            codec=stream.codec_context.codec.canonical_name,
            lossy=is_lossy(stream, first.format, self._sps),
            sample_aspect=aspect,
            duration_s=duration,
            rotation=first.rotation,
            limited_range=self._pixels.limited_range(first),
            remarks=self._remarks,
        )

    def _check_turned(self, first: av.VideoFrame) -> None:
        if first.rotation % 90:
            _log.warning(
                "%s: is turned by %d degrees, which only a player undoes; read as stored",
                self._name,
                first.rotation,
            )

    def as_pictures(self) -> None:
        """See ``Reader.as_pictures``."""
        self._pixels.labels = False
        self.info = replace(self.info, kind="rgb")

    # -- reading -----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Frame]:
        while (found := self._next()) is not None:
            decoded, time = found
            pixels, palette = self._pixels.read(decoded.picture)
            self._check_same(pixels.shape[1], pixels.shape[0])
            yield Frame(
                index=self._index - 1,
                pixels=pixels,
                time=time,
                palette=palette,
                source=self._name,
                damaged=decoded.damaged,
                alpha=self._pixels.alpha(decoded.picture),
            )

    def pictures(self) -> Iterator[tuple[av.VideoFrame, FrameTime]]:
        """Iterate over the frames as FFmpeg decoded them, with their timestamps, for callers that
        pass frames on without converting them."""
        while (found := self._next()) is not None:
            yield found[0].picture, found[1]

    def _next(self) -> tuple[Decoded, FrameTime] | None:
        with self._lock:
            try:
                if self._closed.is_set():
                    return None
                decoded = self._decode_one()
                if decoded is None or self._closed.is_set():
                    return None
                width, height = decoded.picture.width, decoded.picture.height
                self._check_same(
                    *((height, width) if self.info.rotation % 180 == 90 else (width, height))
                )
                time = self._time(decoded)
                self._index += 1
                return decoded, time
            finally:
                if self._closed.is_set():
                    self._shut()

    def _check_same(self, width: int, height: int) -> None:
        was = self.info.size_hw
        if (height, width) != was:
            raise InputError(
                f"the size changes from {was[1]}x{was[0]} to {width}x{height}; one size is expected"
                " throughout.",
                where=self._name,
                frame=self._decoded - 1,
                hint="Cut the film there, or scale it to one size first.",
            )

    def count_taken(self, pts: int) -> FrameTime:
        """Count a frame that ``packet_source`` took past this reader, after the last one it gave.

        Args:
            pts: The timestamp in the stream's time base.

        Returns:
            When the frame is shown, as for frames of the reader's own.
        """
        with self._lock:
            self._index += 1
            self._decoded += 1
            if self._sent is not None:
                self._sent += 1
            return self._time_of(pts, self.info.time_base, None)

    def _time(self, decoded: Decoded) -> FrameTime:
        picture = decoded.picture
        base = picture.time_base or self.info.time_base
        return self._time_of(decoded.pts, base, picture.duration or None)

    def _time_of(self, pts: int | None, base: Fraction, duration: int | None) -> FrameTime:
        if pts is None:  # raw elementary streams carry no times
            step = max(1, round(1 / (self.info.rate * base)))
            pts = 0 if self._last_pts is None else self._last_pts + step
        elif self._last_pts is not None and pts <= self._last_pts:
            _log.warning(
                "%s, frame %d: its time does not come after the one before; moved",
                self._name,
                self._index,
            )
            pts = self._last_pts + 1
        self._last_pts = pts
        return FrameTime(pts=pts, time_base=Fraction(base), duration=duration)

    def _decode_one(self) -> Decoded | None:
        """The next frame that FFmpeg decodes, or None at the end."""
        while not self._waiting and not self._ended:
            try:
                self._decode_packet()
            except av.error.EOFError:
                self._ended = True
            except av.error.FFmpegError as error:
                raise DamageError(
                    "cannot be decoded: the data are truncated or damaged.",
                    where=self._name,
                    frame=self._decoded,
                ) from error
        if not self._waiting:
            return None
        decoded = self._waiting.popleft()
        picture = decoded.picture
        if picture.is_corrupt:
            raise DamageError("its data are damaged.", where=self._name, frame=self._decoded)
        if (refused := refused_format(picture.format.name)) is not None:
            raise InputError(refused, where=self._name, frame=self._decoded)
        self._check_size(picture.width, picture.height)
        self._decoded += 1
        return decoded

    def _decode_packet(self) -> None:
        """Decode the next packet into ``_waiting``."""
        packet = self._read_packet()
        if packet is None:
            self._ended = True
            if self._held is not None:
                self._waiting.extend(self._held.rest())
            return
        damage = self._damage_of(packet)
        after_gap = self._follows_gap(packet)
        held = self._held
        if held is None:
            if damage is not None or after_gap:
                raise DamageError(damage or _DAMAGED, where=self._name, frame=self._frame_sent())
            if self._sent is not None and packet.size:
                self._sent += 1
            self._waiting.extend(Decoded(picture, picture.pts) for picture in packet.decode())
            return
        held.packet(packet, damaged=damage is not None, after_gap=after_gap)
        if damage is not None:
            return
        try:
            pictures = packet.decode()
        except av.error.EOFError:
            raise
        except av.error.FFmpegError:
            held.failed(packet)
            return
        for picture in pictures:
            self._waiting.extend(held.decoded(picture, independent=self._independent))

    def _frame_sent(self) -> int:
        """The frame of the packet that is sent to the decoder next, which may hold back some."""
        reorders = self._stream.codec_context.has_b_frames
        return self._decoded if self._sent is None or reorders else self._sent

    def _read_packet(self) -> Packet[VideoStream] | None:
        """The next packet; None at the end."""
        try:
            packet, self._next_packet = self._next_packet or next(self._packets, None), None
            if packet is None:
                if self._truncation is not None:
                    self._truncation.check(self._stream, self._decoded)
                self._check_end()
                return None
            if self._truncation is not None and self._truncation.at_eof:
                # All bytes are there, so the demuxer can tell which packet is the last one. That
                # one must be whole.
                self._next_packet = next(self._packets, None)
                if packet.size and (self._next_packet is None or not self._next_packet.size):
                    self._truncation.check(self._stream, self._decoded)
        except av.error.EOFError:
            raise
        except (DamageError, av.error.FFmpegError):
            if self._held is None:
                raise
            _log.warning("%s: ends in damaged data, after %d frames", self._name, self._decoded)
            return None
        return packet

    def _damage_of(self, packet: Packet[VideoStream]) -> str | None:
        """What is wrong with a packet, as FFmpeg does not report."""
        if packet.is_corrupt:
            return "is truncated or damaged here."
        if packet.size and self._ffv1 is not None and self._ffv1.is_damaged(bytes(packet)):
            return _DAMAGED
        return None

    def _check_end(self) -> None:
        """Raises InputError where a file goes on behind the last packet as no such file does: its
        demuxer has given up there."""
        if self._path is None or self._between is None or self._packet_end is None:
            return
        try:
            with self._path.open("rb") as file:
                # Matroska's position is that of the block, whose data follow 4 bytes of its own.
                in_block = 4 if self._opened().format.name == "matroska,webm" else 0
                file.seek(self._packet_end + in_block)
                head = file.read(4)
        except OSError as error:
            raise InputError(cannot_read(error), where=self._name) from error
        if head and not head.startswith(_BEHIND[self._opened().format.name]):
            raise DamageError(_DAMAGED, where=self._name, frame=self._decoded)

    def _follows_gap(self, packet: Packet[VideoStream]) -> bool:
        """Whether bytes before a packet are no headers: after damage some demuxers skip bytes up to
        the next header, frames and all."""
        if not packet.size or self._between is None or packet.pos is None or packet.pos < 0:
            return False
        end, self._packet_end = self._packet_end, packet.pos + packet.size
        return end is not None and packet.pos - end > self._between

    # -- seeking -----------------------------------------------------------------------------------

    def seek(self, index: int, time: FrameTime | None = None) -> None:
        """See ``Reader.seek``."""
        with self._lock:
            if index == self._index:
                return
            if self._path is not None and not self._jump(index, time):
                self._reopen()
            if index < self._index:
                raise InputError(f"is a pipe that is past frame {index} already.", where=self._name)
            while self._index < index:
                decoded = self._decode_one()
                if decoded is None:
                    raise InputError(
                        f"ends after {self._index} frames; frame {index} is asked for.",
                        where=self._name,
                    )
                self._time(decoded)
                self._index += 1

    def _jump(self, index: int, time: FrameTime | None) -> bool:
        """Seek by timestamp to a keyframe and decode from there; False where the frame cannot be
        told exactly."""
        if index == 0 or self._skip_damaged:
            return False
        if time is not None:
            exact = time.pts * time.time_base / self.info.time_base
            wanted = int(exact) if exact.denominator == 1 else None
        else:
            times = self._packet_times()
            if times is not None and index >= len(times):
                raise InputError(
                    f"holds {len(times)} frames; frame {index} is asked for.", where=self._name
                )
            wanted = None if times is None else times[index]
        if wanted is None:
            return False
        container = self._opened()
        try:
            container.seek(wanted, stream=self._stream, backward=True)
        except av.error.FFmpegError:
            return False
        self._packets = container.demux(self._stream)
        self._next_packet = None
        self._packet_end = None
        self._ended = False
        self._sent = None
        self._waiting.clear()
        while (
            (decoded := self._decode_one()) is not None
            and decoded.pts is not None
            and decoded.pts < wanted
        ):
            pass
        if decoded is None or decoded.pts != wanted:
            return False
        self._waiting.appendleft(decoded)
        self._index = self._decoded = index
        self._last_pts = None
        return True

    def _packet_times(self) -> list[int] | None:
        """Every frame's timestamp, from the packets alone; None where they have none."""
        if self._skip_damaged:
            return None
        if self._times is None and self._path is not None:
            with av.open(
                f"file:{self._path.absolute()}", "r", format=self._format, metadata_errors="replace"
            ) as container:
                stream = container.streams[self._stream.index]
                stream.codec_context.options = {}
                found = [p.pts for p in container.demux(stream) if p.size and not p.is_discard]
            known = sorted(pts for pts in found if pts is not None)
            if len(known) < len(found) or self._first_pts not in known:
                return None
            # What lies before the first frame that decodes (an edit list, a broken group of
            # pictures) is no frame.
            self._times = known[known.index(self._first_pts) :]
        return self._times

    def count(self) -> int:
        """See ``Reader.count``."""
        if self._path is None:
            raise InputError(
                "is a pipe: its frames cannot be counted before they are read.", where=self._name
            )
        times = self._packet_times()
        if times is not None:
            return len(times)
        with self._another(self._path) as other:
            total = 0
            while other._decode_one() is not None:
                total += 1
            return total

    def times(self) -> FilmTimes:
        """See ``Reader.times``."""
        base, rate = self.info.time_base, self.info.rate
        times: Sequence[int] | None
        if self._skip_damaged and self._path is not None:
            # Which frames are lost, and so filled in, is known after decoding all.
            with self._another(self._path) as other:
                times = [time.pts for _, time in other.pictures()]
            frames = len(times)
        else:
            frames, times = self.count(), self._packet_times()
        if times is None:  # as ``_time`` numbers the frames of a raw stream
            pts = np.arange(frames, dtype=np.int64) * max(1, round(1 / (rate * base)))
        else:
            pts = np.asarray(times, dtype=np.int64)
        return FilmTimes(pts, base, rate)

    def _another(self, path: Path) -> FilmReader:
        """The same film, opened once more."""
        return FilmReader(
            path,
            labels=True,
            max_side=self._max_side,
            container_format=self._format,
            skip_damaged=self._skip_damaged,
            stream=self._wanted_stream,
        )

    # -- closing -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the input, from any thread.

        A thread that is reading meanwhile ends with the frame that it is at, and closes the file.
        """
        self._closed.set()
        if self._lock.acquire(blocking=False):
            try:
                self._shut()
            finally:
                self._lock.release()

    def _shut(self) -> None:
        container, self._container = self._container, None
        self._waiting.clear()
        if container is not None:
            self._packets = iter(())
            container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _in_another_thread(opened: Callable[[], InputContainer]) -> InputContainer:
    """Open an address that may not answer. Python handles signals between two steps of the main
    thread, which FFmpeg would hold up to its time limit: Ctrl-C would have to wait."""
    done: list[InputContainer] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            done.append(opened())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="vidtrans-open", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(timeout=0.1)
    if failed:
        raise failed[0]
    return done[0]
