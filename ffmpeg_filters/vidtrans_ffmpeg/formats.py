"""Which container comes in, and what goes out: told by the first bytes, or by the user."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from av.video.format import VideoFormat
from av.video.stream import VideoStream

from vidtrans.errors import InputError, UsageError
from vidtrans.media.films import FilmReader
from vidtrans.media.pixels import ColourTags
from vidtrans.media.truncation import frame_bytes
from vidtrans_ffmpeg.pipes import InputPipe, Wake, Watcher
from vidtrans_ffmpeg.watchers import EbmlWatcher, NutWatcher, RawWatcher, Y4mWatcher

FORMATS = ("y4m", "nut", "matroska", "rawvideo")
_DEMUXERS = {"y4m": "yuv4mpegpipe", "nut": "nut", "matroska": "matroska", "rawvideo": "rawvideo"}
_FIRST_BYTES = {
    "y4m": b"YUV4MPEG2 ",
    "nut": b"nut/multimedia container\0",
    "matroska": b"\x1aE\xdf\xa3",
}
# Frames come out as they come in: FFmpeg would otherwise hold two dozen back to measure the rate.
_NO_WAITING = {"fpsprobesize": "0"}


@dataclass(frozen=True, slots=True)
class RawVideo:
    """What rawvideo does not say of itself."""

    size_hw: tuple[int, int]
    pixel_format: str
    rate: Fraction


def sniff(pipe: InputPipe) -> str:
    """The container by its first bytes. Raises InputError for nothing, and for what is none of
    them."""
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
    wake: Wake,
    name: str,
    *,
    labels: bool,
    max_side: int,
    raw: RawVideo | None,
    tags: ColourTags,
) -> FilmReader:
    """A reader of the pipe whose end is checked. Raises InputError, UsageError for a wrong
    geometry."""
    options = dict(_NO_WAITING)
    if name == "rawvideo":
        assert raw is not None
        height, width = raw.size_hw
        options |= {
            "video_size": f"{width}x{height}",
            "pixel_format": raw.pixel_format,
            "framerate": str(raw.rate),
        }
        pipe.watch = RawWatcher(_raw_bytes(raw))
    else:
        pipe.watch = {"y4m": Y4mWatcher, "nut": NutWatcher, "matroska": EbmlWatcher}[name]()
    return FilmReader(
        pipe,  # type: ignore[arg-type]
        labels=labels,
        max_side=max_side,
        container_format=_DEMUXERS[name],
        container_options=options,
        low_latency=True,
        truncation=WatchedEnd(pipe, pipe.watch, wake),
        tags=tags,
    )


@dataclass(frozen=True, slots=True)
class WatchedEnd:
    """``TruncationCheck`` of a pipe whose bytes were followed."""

    pipe: InputPipe
    watcher: Watcher
    wake: Wake

    @property
    def at_eof(self) -> bool:
        return self.pipe.at_eof

    def check(self, stream: VideoStream, frames: int) -> None:
        if self.wake.is_set():
            return  # it was we who stopped
        if isinstance(self.watcher, Y4mWatcher):
            self.watcher.frame_bytes = frame_bytes(stream.format)
        said = self.watcher.missing()
        if said is not None:
            raise InputError(f"is truncated: {said}.", where=self.pipe.name, frame=frames)


def _raw_bytes(raw: RawVideo) -> int:
    height, width = raw.size_hw
    try:
        form = VideoFormat(raw.pixel_format, width, height)
    except ValueError:
        raise UsageError(f"there is no pixel format {raw.pixel_format!r}.") from None
    return frame_bytes(form)
