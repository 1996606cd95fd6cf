"""Muxes pictures onto stdout; each one is written before the next is taken."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import av
import av.error
import numpy as np
from av.packet import Packet
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from vidtrans.errors import OutputError, UsageError
from vidtrans.frame import FrameTime, Ids
from vidtrans.media.encoders import Encoding, choose_encoding
from vidtrans.media.encoding import (
    PictureEncoder,
    add_encoder,
    open_container,
    open_encoder,
    write_header,
)
from vidtrans.media.pixels import MATRICES, can_be_written, usual_matrix
from vidtrans_ffmpeg.held_frame import HeldFrame
from vidtrans_ffmpeg.matroska_aspect import AspectWriter
from vidtrans_ffmpeg.nut import NutHeaders, NutStream, frame_header, with_aspect
from vidtrans_ffmpeg.pipes import OutputPipe

_NUT_INDEX = bytes.fromhex("4e58dd672f23e64e")

_log = logging.getLogger(__name__)

_Y4M = {
    "yuv420p": "420mpeg2 XYSCSS=420MPEG2",
    "yuv422p": "422 XYSCSS=422",
    "yuv444p": "444 XYSCSS=444",
    "gray": "mono",
    "gray16le": "mono16",
}


AS_DECODED = frozenset(
    {
        "gray",
        "gray16le",
        "gray16be",
        "rgb24",
        "bgr24",
        "rgba",
        "bgra",
        "yuv420p",
        "yuv422p",
        "yuv444p",
        "nv12",
    }
)
"""Pixel formats whose frames can be copied plane by plane into NUT. Matrix and range are lost, as
with every NUT."""

Picture = Ids | av.VideoFrame
"""uint8 RGB [H,W,3], uint8 or uint16 grey [H,W], or a decoded frame whose planes are copied."""


def can_pass_through(container: str, pixel_format: str) -> bool:
    """Whether a container takes frames of a pixel format without conversion.

    Args:
        container: One of ``vidtrans_ffmpeg.demuxing.FORMATS``.
        pixel_format: FFmpeg's name.
    """
    formats = {
        "y4m": _Y4M,
        "nut": AS_DECODED,
        "rawvideo": {"gray", "gray16le", "rgb24"},
        "matroska": (),
    }
    return pixel_format in formats[container]


@dataclass(frozen=True, slots=True)
class MuxerSettings:
    """The stream that goes out.

    Attributes:
        container: One of ``vidtrans_ffmpeg.demuxing.FORMATS``.
        kind: What arrays ``Muxer.write`` gets: ``rgb`` uint8 [H,W,3], ``grey8`` uint8 [H,W] or
            ``grey16`` uint16 [H,W].
        size_hw: Height and width of the pictures.
        rate: Average frames a second.
        time_base: The unit of the timestamps, in seconds.
        sample_aspect: Width of a pixel over its height.
        pixel_format: FFmpeg's name; None for the container's usual one.
        matrix: Of YUV; None for the one that players assume.
        full_range: Of YUV.
    """

    container: str
    kind: Literal["rgb", "grey8", "grey16"]
    size_hw: tuple[int, int]
    rate: Fraction
    time_base: Fraction
    sample_aspect: Fraction = Fraction(1)
    pixel_format: str | None = None
    matrix: Literal["bt709", "bt601"] | None = None
    full_range: bool = False

    @property
    def stored(self) -> str:
        """FFmpeg's name for the arrays' pixel format."""
        return {"rgb": "rgb24", "grey8": "gray", "grey16": "gray16le"}[self.kind]


class Muxer(Protocol):
    """Writes pictures, in order, of the settings' size and kind."""

    def write(self, pixels: Picture, time: FrameTime) -> None:
        """Write one picture with its timestamp. Raises ReaderGone and OutputError."""
        ...

    def finish(self) -> None:
        """Write what the container has after the last frame."""
        ...


def open_muxer(pipe: OutputPipe, settings: MuxerSettings) -> Muxer:
    """Open the muxer of ``settings.container``. It writes nothing before the first picture.

    Raises:
        UsageError: The container has no such pixel format.
    """
    if settings.container == "y4m":
        return Y4mMuxer(pipe, settings)
    if settings.container == "rawvideo":
        return RawVideoMuxer(pipe, settings)
    if settings.container == "nut":
        return NutMuxer(pipe, settings)
    return MatroskaMuxer(pipe, settings)


class _PlaneConverter:
    """Converts arrays to the planes of a pixel format."""

    def __init__(self, settings: MuxerSettings, pixel_format: str) -> None:
        self._stored = settings.stored
        self._format = pixel_format
        self._full = settings.full_range or not _is_yuv(pixel_format)
        self._matrix = MATRICES[settings.matrix or usual_matrix(settings.size_hw[0])]
        self._scaler = VideoReformatter()
        if not can_be_written(pixel_format):
            raise UsageError(
                f"FFmpeg converts no picture to the pixel format {pixel_format!r}.",
                hint="rgb24, yuv420p and gray are some that it does.",
            )

    def planes(self, pixels: Picture) -> list[memoryview]:
        """The picture's planes, without padding between their lines."""
        if isinstance(pixels, av.VideoFrame):
            assert pixels.format.name == self._format
            return _planes(pixels)
        if self._format == self._stored:
            return [_bytes(pixels)]
        frame = self._scaler.reformat(
            av.VideoFrame.from_numpy_buffer(_contiguous(pixels), format=self._stored),
            format=self._format,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG if self._full else ColorRange.MPEG,
            dst_colorspace=self._matrix if _is_yuv(self._format) else None,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
            threads=1,
        )
        return _planes(frame)


def _planes(frame: av.VideoFrame) -> list[memoryview]:
    found = []
    widths = _plane_bytes(frame.format.name, frame.width, frame.height)
    for plane, width in zip(frame.planes, widths, strict=True):
        whole = memoryview(plane).cast("B")
        if plane.line_size == width:
            found.append(whole[: width * plane.height])
        else:
            rows = np.frombuffer(whole, np.uint8)[: plane.line_size * plane.height].reshape(
                plane.height, plane.line_size
            )
            found.append(_bytes(rows[:, :width]))
    return found


def _contiguous(pixels: Ids) -> Ids:
    array: Ids = np.ascontiguousarray(pixels)  # type: ignore[assignment]
    return array


def _bytes(pixels: Ids) -> memoryview:
    """An array's bytes, without a copy where it is contiguous."""
    return memoryview(_contiguous(pixels)).cast("B")  # type: ignore[arg-type]


def _is_yuv(name: str) -> bool:
    return name.startswith(("yuv", "nv"))


@cache
def _plane_bytes(pixel_format: str, width: int, height: int) -> list[int]:
    """Bytes of one line of each plane."""
    form = VideoFormat(pixel_format, width, height)
    planes = sorted({part.plane for part in form.components})
    if len(planes) == 1:
        return [(form.width * form.padded_bits_per_pixel + 7) // 8]  # 1 bit a pixel: monow
    return [
        sum(part.width * ((part.bits + 7) // 8) for part in form.components if part.plane == plane)
        for plane in planes
    ]


class Y4mMuxer:
    """YUV4MPEG2: a header line, then ``FRAME`` and the planes of each frame.

    The container holds a constant rate, the pixel aspect and the range; it has no timestamps.
    """

    def __init__(self, pipe: OutputPipe, settings: MuxerSettings) -> None:
        self._pipe = pipe
        name = (
            settings.pixel_format
            or {"rgb": "yuv420p", "grey8": "gray", "grey16": "gray16le"}[settings.kind]
        )
        if name not in _Y4M:
            raise UsageError(
                f"y4m has no pixel format {name!r}.", hint=f"It has {', '.join(_Y4M)}."
            )
        self._converter = _PlaneConverter(settings, name)
        height, width = settings.size_hw
        rate, aspect = settings.rate, settings.sample_aspect
        full = settings.full_range or not _is_yuv(name)
        self._header = (
            f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip"
            f" A{aspect.numerator}:{aspect.denominator} C{_Y4M[name]}"
            f" XCOLORRANGE={'FULL' if full else 'LIMITED'}\n"
        ).encode()
        self._rate = rate
        self._first: Fraction | None = None
        self._count = 0
        self._uneven = False

    def write(self, pixels: Picture, time: FrameTime) -> None:
        self._check(time)
        parts: list[bytes | memoryview] = [
            self._header,
            b"FRAME\n",
            *self._converter.planes(pixels),
        ]
        self._header = b""
        self._pipe.write(*parts)
        self._count += 1

    def _check(self, time: FrameTime) -> None:
        shown = time.pts * time.time_base
        if self._first is None:
            self._first = shown
        if (
            not self._uneven
            and abs(shown - self._first - self._count / self._rate) > Fraction(1, 2) / self._rate
        ):
            self._uneven = True
            _log.warning(
                "frame %d: y4m cannot say when a frame is shown, "
                "and these do not come %s a second. "
                "Give --output-format nut to keep their times.", self._count,
                f"{float(self._rate):g}",
            )  # fmt: skip

    def finish(self) -> None:
        """See ``Muxer.finish``: y4m has no trailer."""


class RawVideoMuxer:
    """rawvideo: the planes of each frame and nothing else."""

    def __init__(self, pipe: OutputPipe, settings: MuxerSettings) -> None:
        self._pipe = pipe
        name = settings.pixel_format or settings.stored
        try:
            VideoFormat(name)
        except ValueError:
            raise UsageError(f"there is no pixel format {name!r}.") from None
        self._converter = _PlaneConverter(settings, name)

    def write(self, pixels: Picture, time: FrameTime) -> None:
        self._pipe.write(*self._converter.planes(pixels))

    def finish(self) -> None:
        """See ``Muxer.finish``: rawvideo has no trailer."""


def _encoding(
    settings: MuxerSettings, codec: str, container: str, pixel_format: str | None
) -> Encoding:
    return choose_encoding(
        Path("<stdout>"),
        size_hw=settings.size_hw,
        rate=settings.rate,
        time_base=settings.time_base,
        codec=codec,
        pixel_format=pixel_format,
        sample_aspect=settings.sample_aspect,
        container_format=container,
    )


class NutMuxer:
    """NUT with uncompressed frames: exact timestamps, and RGB without conversion."""

    def __init__(self, pipe: OutputPipe, settings: MuxerSettings) -> None:
        self._pipe = pipe
        encoding = _encoding(settings, "rawvideo", "nut", settings.pixel_format or settings.stored)
        self._converter = _PlaneConverter(settings, encoding.pixel_format)
        headers, self._time_base = _nut_headers(encoding)
        self._head, self._stream = headers.data, headers.stream
        self._earliest: int | None = None

    def write(self, pixels: Picture, time: FrameTime) -> None:
        planes = self._converter.planes(pixels)
        self._pipe.write(self._header(time, sum(map(len, planes))), *planes)

    def pass_on(self, held: HeldFrame, time: FrameTime) -> None:
        """Write a frame as it came, of a stream that ``takes_frames_of`` knows. Raises as
        ``write`` does."""
        held.send(self._pipe, self._header(time, held.size))

    def _header(self, time: FrameTime, size: int) -> bytes:
        """What precedes the bytes of a frame: at first the stream's headers too."""
        pts = time.pts
        if time.time_base != self._time_base:
            pts = round(pts * time.time_base / self._time_base)
        if self._earliest is None:
            self._earliest = min(
                pts, 0
            )  # NUT has no negative timestamps: a film that begins before 0 is shifted
        before, self._head = self._head, b""
        return before + frame_header(pts - self._earliest, size, self._stream.shift)

    def takes_frames_of(self, stream: NutStream | None) -> bool:
        """Whether the bytes of frames of another stream mean the same in this one, whose pixel
        format is the same: its tag may still tell of another order of planes."""
        return stream is not None and not stream.extra and stream.tag == self._stream.tag

    def finish(self) -> None:
        """See ``Muxer.finish``: in a pipe an index is of no use."""


def _nut_headers(encoding: Encoding) -> tuple[NutHeaders, Fraction]:
    """The headers of a NUT stream, as libavformat writes them, and the stream's time base."""
    headers = io.BytesIO()
    target = Path("<stdout>")
    container = open_container(headers, encoding, target)
    stream = add_encoder(container, encoding, target)
    open_encoder(stream, encoding, target)
    write_header(container, target)
    time_base = stream.time_base
    assert time_base is not None
    container.close()
    data = headers.getvalue()
    index = data.find(_NUT_INDEX)  # closing the container wrote it, behind the headers
    data = data[:index] if index >= 0 else data
    return with_aspect(data, encoding.sample_aspect), Fraction(time_base)


class MatroskaMuxer:
    """Matroska with FFV1, which is lossless: Matroska has no uncompressed RGB."""

    def __init__(self, pipe: OutputPipe, settings: MuxerSettings) -> None:
        self._pipe = pipe
        encoding = _encoding(
            settings, "ffv1", "matroska", settings.pixel_format or _FFV1[settings.kind]
        )
        # No checksum of the header, into which the aspect is put afterwards. A cluster for each
        # frame, since a cluster is written when the next one begins, by default after five seconds.
        self._encoding = replace(
            encoding, container_options={"write_crc32": "0", "cluster_size_limit": "1"}
        )
        self._grey = None if settings.kind == "rgb" else settings.stored
        self._target = Path(pipe.name)
        self._container: av.container.OutputContainer | None = None

    def write(self, pixels: Picture, time: FrameTime) -> None:
        if self._container is None:
            pipe = AspectWriter(self._pipe, self._encoding.sample_aspect)
            self._container = open_container(pipe, self._encoding, self._target)
            self._stream = add_encoder(self._container, self._encoding, self._target)
            open_encoder(self._stream, self._encoding, self._target)
            self._pictures = PictureEncoder(self._stream, self._encoding, self._target)
            write_header(self._container, self._target)
        assert not isinstance(pixels, av.VideoFrame)
        if self._grey is None:
            packets = self._pictures.encode(pixels, time)  # type: ignore[arg-type]
        else:
            frame = av.VideoFrame.from_ndarray(pixels, format=self._grey)
            frame.pts, frame.time_base = time.pts, time.time_base
            packets = list(self._stream.encode(frame))
        _mux(self._pipe, self._container, packets)

    def finish(self) -> None:
        if self._container is not None:
            _mux(self._pipe, self._container, self._stream.encode(None))
            _close(self._pipe, self._container)


_FFV1 = {"rgb": None, "grey8": "gray", "grey16": "gray16le"}


def _mux(pipe: OutputPipe, container: av.container.OutputContainer, packets: list[Packet]) -> None:  # type: ignore[type-arg]
    try:
        container.mux(packets)
    except (av.error.FFmpegError, OSError) as error:
        raise pipe.error or OutputError(f"cannot be written: {error}.", where=pipe.name) from error
    if pipe.error is not None:
        raise pipe.error


def _close(pipe: OutputPipe, container: av.container.OutputContainer) -> None:
    try:
        container.close()
    except (av.error.FFmpegError, OSError) as error:
        raise pipe.error or OutputError(f"cannot be written: {error}.", where=pipe.name) from error
