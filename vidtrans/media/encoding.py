"""Pictures to packets: one encoder, one scaler, and every picture's own timestamp."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import CudaContext
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream

from vidtrans.atomic_write import cannot_write
from vidtrans.errors import OutputError, Remedy
from vidtrans.frame import Bytes, FrameTime
from vidtrans.media.encoders import NV12_MATRIX, Encoding

_DLPACK_CUDA = 2
_RGB_MATRIX = 0  # AVCOL_SPC_RGB
_FLAGS = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
_SINK_BUFFER = 1 << 20


def open_container(sink: Any, encoding: Encoding, target: Path) -> OutputContainer:
    """Open a muxer that writes into a file object.

    Args:
        sink: A file object as ``av.open`` takes it.
        encoding: Names the muxer and its options.
        target: The output, for messages.

    Raises:
        OutputError: The muxer cannot be opened.
    """
    try:
        return av.open(
            sink,
            "w",
            format=encoding.container,
            container_options=dict(encoding.container_options),
            buffer_size=_SINK_BUFFER,
        )
    except (av.error.FFmpegError, OSError) as error:
        raise OutputError(cannot_write(error), where=target) from error


def add_encoder(container: OutputContainer, encoding: Encoding, target: Path) -> VideoStream:
    """Add a video stream with an encoder that is set up but not open.

    Raises:
        OutputError: The encoder is not usable on this machine, or the container cannot hold its
            packets.
    """
    height, width = encoding.size_hw
    try:
        stream = container.add_stream(
            encoding.codec,
            rate=encoding.rate,
            options=dict(encoding.options),
            width=width,
            height=height,
            pix_fmt=encoding.pixel_format,
            time_base=encoding.time_base,
            hwaccel=_gpu(encoding.codec),
        )
    except av.error.FFmpegError as error:
        raise OutputError(
            f"the encoder {encoding.codec} cannot be used on this machine.",
            where=target,
            remedy=Remedy("Choose another ({codec})."),
        ) from error
    except ValueError:
        raise OutputError(
            f"a {encoding.container} file cannot hold what {encoding.codec} makes.",
            where=target,
            hint="Choose another suffix.",
        ) from None
    assert isinstance(stream, VideoStream)
    stream.time_base = encoding.time_base
    context = stream.codec_context
    if encoding.sample_aspect != 1:
        context.sample_aspect_ratio = encoding.sample_aspect
    context.flags |= int(Flags.frame_duration)
    context.color_range = ColorRange.JPEG if encoding.full_range else ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    if encoding.is_rgb:
        context.colorspace = _RGB_MATRIX
        context.color_trc = ColorTrc.IEC61966_2_1
    else:
        context.colorspace = encoding.matrix
        context.color_trc = ColorTrc.BT709
    return stream


def _packed(picture: Bytes) -> Bytes:
    """``picture`` [H,W,3] with the strides that PyAV expects. NumPy takes an array with a side of
    one pixel for contiguous whatever that side's stride is; PyAV does not."""
    return picture if picture.strides == (picture.shape[1] * 3, 3, 1) else picture.copy()


def _gpu(codec: str) -> HWAccel | None:
    """The device of NVENC: the primary CUDA context, which torch uses too, so that frames pass
    from one to the other without a copy."""
    return HWAccel("cuda", options={"primary_ctx": "1"}) if codec.endswith("_nvenc") else None


def open_encoder(stream: VideoStream, encoding: Encoding, target: Path) -> None:
    """Open the encoder. Raises OutputError where it refuses its settings."""
    try:
        with _usual_scheduling():
            stream.codec_context.open()
    except (av.error.FFmpegError, ValueError) as error:
        given = " ".join(f"{name}={value}" for name, value in encoding.options.items())
        size = f"{encoding.size_hw[1]}x{encoding.size_hw[0]}"
        raise OutputError(
            f"the encoder {encoding.codec} refuses {encoding.pixel_format} {size} with the options"
            f" {given or '(none)'}.",
            where=target,
        ) from error


@contextmanager
def _usual_scheduling() -> Iterator[None]:
    """Threads that are started within are scheduled as the calling one is, and that one as before.

    SVT-AV1 makes its threads, and the one that opens it, real-time threads (SCHED_FIFO) where the
    process may, as root may in a container. They come before all other work of the machine; and
    PyTorch's threads, which inherit that and wait for one another awake, would never end.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters, before = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        for thread in (0, *(_threads() - before)):
            with suppress(OSError):  # a thread that has ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    """The system's numbers of this process's threads."""
    return {int(entry.name) for entry in Path("/proc/self/task").iterdir()}


def write_header(container: OutputContainer, target: Path) -> None:
    """Write the container's header. Raises OutputError where the disk or the container refuses."""
    try:
        container.start_encoding()
    except av.error.ArgumentError as error:
        raise OutputError(
            f"a {container.format.name} file cannot hold these tracks together.", where=target
        ) from error
    except (av.error.FFmpegError, OSError) as error:
        raise OutputError(cannot_write(error), where=target) from error


class PictureEncoder:
    """Feeds one encoder; the packets carry the pictures' own timestamps and durations.

    Args:
        stream: A stream of ``add_encoder``, opened with ``open_encoder``.
        encoding: What the stream was made from.
        target: The output, for messages.
    """

    def __init__(self, stream: VideoStream, encoding: Encoding, target: Path) -> None:
        self._stream = stream
        self._encoding = encoding
        self._target = target
        self._scaler = VideoReformatter()
        self._durations: dict[int, int] = {}
        self._last: int | None = None
        self._count = 0
        self._cuda: CudaContext | None = None

    def encode(self, picture: Bytes, time: FrameTime) -> list[Packet[Any]]:
        """Encode one picture; the packets that are ready.

        Args:
            picture: uint8 RGB [H,W,3] of ``encoding.size_hw``; or NV12 planes uint8 [3H/2,W], see
                `vidtrans.frame.Nv12`; or, for NVENC, a pair of CUDA arrays with NV12 planes: y
                uint8 [H,W] and uv uint8 [H/2,W/2,2].
            time: The picture's timestamp, later than the one before.

        Raises:
            OutputError: A wrong shape or type, or a timestamp that does not grow.
        """
        frame = (
            self._device_frame(picture)
            if not isinstance(picture, np.ndarray)
            else self._frame(picture)
        )
        base = self._encoding.time_base
        pts = time.pts if time.time_base == base else round(time.pts * time.time_base / base)
        if self._last is not None and pts <= self._last:
            raise OutputError(
                "two pictures have the same time.", where=self._target, frame=self._count
            )
        if time.duration:
            self._durations[pts] = max(1, round(time.duration * time.time_base / base))
        self._last = pts
        self._count += 1
        frame.pts = pts
        frame.time_base = base
        return list(self._timed(self._stream.encode(frame)))

    def flush(self) -> list[Packet[Any]]:
        """End the stream; the packets that the encoder still held."""
        packets = list(self._timed(self._stream.encode(None)))
        if self._count == 1:
            # x265 leaves the decoding time of a single picture to what lies in memory.
            for packet in packets:
                packet.dts = packet.pts
        return packets

    def _timed(self, packets: list[Packet[Any]]) -> Iterator[Packet[Any]]:
        usual = max(1, round(1 / (self._encoding.rate * self._encoding.time_base)))
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, usual)
            yield packet

    def _frame(self, picture: Bytes) -> av.VideoFrame:
        height, width = self._encoding.size_hw
        shapes = ((height, width, 3), (height * 3 // 2, width))
        if picture.shape not in shapes or picture.dtype != np.uint8:
            raise OutputError(
                f"a picture of {picture.dtype} {picture.shape} was made; uint8"
                f" {(*self._encoding.size_hw, 3)} was announced.",
                where=self._target,
                frame=self._count,
            )
        if picture.ndim == 2:
            return self._nv12_frame(picture)
        name = self._encoding.pixel_format
        if name == "rgb24":
            return av.VideoFrame.from_ndarray(_packed(picture), format="rgb24")
        source = av.VideoFrame.from_numpy_buffer(_packed(picture), format="rgb24")
        return self._scaler.reformat(
            source,
            format=name,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG if self._encoding.full_range else ColorRange.MPEG,
            dst_colorspace=None if self._encoding.is_rgb else self._encoding.matrix,
            interpolation=_FLAGS,
            threads=1,
        )

    def _nv12_frame(self, planes: Bytes) -> av.VideoFrame:
        # A copy: an encoder may hold on to its pictures.
        frame = av.VideoFrame.from_ndarray(planes, format="nv12")
        frame.colorspace, frame.color_range = NV12_MATRIX, ColorRange.MPEG
        if self._encoding.pixel_format == "nv12":
            return frame
        return self._scaler.reformat(
            frame,
            format=self._encoding.pixel_format,
            dst_color_range=ColorRange.JPEG if self._encoding.full_range else ColorRange.MPEG,
            dst_colorspace=None if self._encoding.is_rgb else self._encoding.matrix,
            interpolation=_FLAGS,
            threads=1,
        )

    def _device_frame(self, planes: Any) -> av.VideoFrame:
        """NV12 planes (y uint8 [H,W], uv uint8 [H/2,W/2,2]) of a CUDA device as a frame, by DLPack
        and without a copy to the host."""
        y, uv = planes
        height, width = self._encoding.size_hw
        kind, device = y.__dlpack_device__()
        if kind != _DLPACK_CUDA:
            raise OutputError(
                "NV12 planes are taken from a CUDA device only.",
                where=self._target,
                frame=self._count,
            )
        if self._cuda is None:
            self._cuda = CudaContext(device_id=device, primary_ctx=True)
        frame = av.VideoFrame.from_dlpack(
            (y, uv), format="nv12", width=width, height=height, cuda_context=self._cuda
        )
        frame.colorspace, frame.color_range = NV12_MATRIX, ColorRange.MPEG
        return frame
