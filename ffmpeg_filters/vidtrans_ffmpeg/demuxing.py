"""The container that comes in: probed by its first bytes, and opened with a check of its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from av.video.format import VideoFormat
from av.video.stream import VideoStream

from vidtrans.errors import InputError, UsageError
from vidtrans.media.damage import DamageError
from vidtrans.media.films import FilmReader
from vidtrans.media.pixels import ColourTags
from vidtrans.media.truncation import frame_bytes
from vidtrans_ffmpeg.framing import (
    FramingParser,
    MatroskaFraming,
    NutFraming,
    RawVideoFraming,
    Y4mFraming,
)
from vidtrans_ffmpeg.pipes import CancelEvent, InputPipe
from vidtrans_ffmpeg.plain_frames import PlainFrames

FORMATS = ("y4m", "nut", "matroska", "rawvideo")
_DEMUXERS = {"y4m": "yuv4mpegpipe", "nut": "nut", "matroska": "matroska", "rawvideo": "rawvideo"}
_FIRST_BYTES = {
    "y4m": b"YUV4MPEG2 ",
    "nut": b"nut/multimedia container\0",
    "matroska": b"\x1aE\xdf\xa3",
}
_FRAMINGS: dict[str, Callable[[], FramingParser]] = {
    "y4m": Y4mFraming,
    "nut": NutFraming,
    "matroska": MatroskaFraming,
}
# No frames are buffered to estimate the rate: FFmpeg would hold two dozen back.
_LOW_LATENCY = {"fpsprobesize": "0"}


@dataclass(frozen=True, slots=True)
class RawVideoFormat:
    """The format of rawvideo, which has no header.

    Attributes:
        size_hw: Height and width of the frames.
        pixel_format: FFmpeg's name of the pixel format.
        rate: Frames a second.
    """

    size_hw: tuple[int, int]
    pixel_format: str
    rate: Fraction


def probe_container(pipe: InputPipe) -> str:
    """Tell the container by its first bytes.

    Returns:
        ``y4m``, ``nut`` or ``matroska``.

    Raises:
        InputError: Nothing came in, or another format.
    """
    longest = max(map(len, _FIRST_BYTES.values()))
    head = pipe.peek(4)
    if not head:
        raise InputError(
            "nothing came in: the command before the pipe wrote no frame.", where=pipe.name
        )
    for name, magic in _FIRST_BYTES.items():
        if head == magic[:4]:
            head = pipe.peek(longest if name == "nut" else len(magic))
            if head.startswith(magic):
                return name
    raise InputError(
        f"is neither y4m nor NUT nor Matroska (it begins with {head[:12]!r}).",
        where=pipe.name,
        hint=(
            "Let ffmpeg write -f nut -c:v rawvideo; for bare pixels give --format rawvideo with"
            " their size, format and rate."
        ),
    )


def open_input(
    pipe: InputPipe,
    cancel: CancelEvent,
    name: str,
    *,
    max_side: int,
    raw: RawVideoFormat | None,
    tags: ColourTags,
    skip_damaged: bool = False,
    stream: int | None = None,
) -> FilmReader:
    """Open a reader of the pipe that reports a truncated last frame.

    Args:
        pipe: The input.
        cancel: The event that ends its reads.
        name: The container, one of ``FORMATS``.
        max_side: The greatest height and width that are read.
        raw: The format of rawvideo; None for the other containers.
        tags: Replaces what the stream says of its YUV.
        skip_damaged: Give the frame before in place of a damaged one.
        stream: Which of several video streams is read, from 0.

    Raises:
        InputError: The stream cannot be read.
        UsageError: ``raw`` names no pixel format.
    """
    options = dict(_LOW_LATENCY)
    if name == "rawvideo":
        assert raw is not None
        height, width = raw.size_hw
        options |= {
            "video_size": f"{width}x{height}",
            "pixel_format": raw.pixel_format,
            "framerate": str(raw.rate),
        }
        framing: FramingParser = RawVideoFraming(_raw_bytes(raw))
    else:
        framing = _FRAMINGS[name]()
    pipe.framing = framing
    packets = None
    if isinstance(framing, NutFraming) and not skip_damaged:
        packets = PlainFrames(pipe, framing)
    reader = FilmReader(
        pipe,  # type: ignore[arg-type]
        labels=True,
        max_side=max_side,
        container_format=_DEMUXERS[name],
        container_options=options,
        low_latency=True,
        truncation=FramingCheck(pipe, framing, cancel),
        tags=tags,
        skip_damaged=skip_damaged,
        stream=stream,
        packets=packets,
    )
    if isinstance(framing, Y4mFraming):
        height, width = reader.info.size_hw
        framing.frame_bytes = frame_bytes(VideoFormat(reader.pixel_format, width, height))
    return reader


@dataclass(frozen=True, slots=True)
class FramingCheck:
    """The ``TruncationCheck`` of a pipe, by its container's framing.

    Attributes:
        pipe: The input.
        framing: Was fed the bytes that were read from it.
        cancel: Where it is set, the end of the pipe says nothing.
    """

    pipe: InputPipe
    framing: FramingParser
    cancel: CancelEvent

    @property
    def at_eof(self) -> bool:
        return self.pipe.at_eof

    def check(self, stream: VideoStream, frames: int) -> None:
        if self.cancel.is_set():
            return  # the end of file is the cancellation's
        if isinstance(self.framing, Y4mFraming):
            # A stream of one frame ends before its reader is open.
            self.framing.frame_bytes = frame_bytes(stream.format)
        said = self.framing.incomplete()
        if said is not None:
            raise DamageError(f"is truncated: {said}.", where=self.pipe.name, frame=frames)


def _raw_bytes(raw: RawVideoFormat) -> int:
    height, width = raw.size_hw
    try:
        form = VideoFormat(raw.pixel_format, width, height)
    except ValueError:
        raise UsageError(f"there is no pixel format {raw.pixel_format!r}.") from None
    return frame_bytes(form)
