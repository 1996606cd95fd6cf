"""Reads image sequences: every file decoded to the samples that it stores."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from vidtrans.errors import InputError
from vidtrans.frame import Frame, FrameTime, VideoInfo
from vidtrans.media.damage import DamageError
from vidtrans.media.ffmpeg_errors import cannot_read
from vidtrans.media.naming import ImageSequence
from vidtrans.media.pixels import PixelReader, kind_of
from vidtrans.media.times import FilmTimes

_PNM = {b"1": "pbm", b"2": "pgm", b"3": "ppm", b"4": "pbm", b"5": "pgm", b"6": "ppm", b"7": "pam"}
_PNG_HEAD = 24


def _codec_of(data: bytes, path: Path) -> str:
    """FFmpeg's name of the decoder, by the file's first bytes: suffixes may be wrong.

    Raises InputError for an empty file and for what is no image.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8"):
        return "mjpeg"
    if data.startswith(b"BM"):
        return "bmp"
    if data.startswith((b"II*\0", b"MM\0*")):
        return "tiff"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(b"P") and data[1:2] in _PNM:
        return _PNM[data[1:2]]
    if not data:
        raise DamageError("is empty.", where=path)
    raise InputError("is not an image that can be read.", where=path)


class ImageReader:
    """A ``Reader`` of image files. See ``vidtrans.media.reader.open_reader``.

    Args:
        sequences: The sequences, read one after the other.
        source: What the user named, for messages.
        labels: Keep grey and palette samples as ids.
        max_side: The greatest height and width that are read.
        rate: Frames a second; None for 25.
        skip_damaged: Give the image before in place of a damaged one, instead of an error.

    Raises:
        InputError: The first image cannot be read, or the PNGs differ in size.
    """

    def __init__(
        self,
        sequences: Sequence[ImageSequence],
        *,
        source: str,
        labels: bool,
        max_side: int,
        rate: Fraction | None = None,
        skip_damaged: bool = False,
    ) -> None:
        self._files = tuple(path for sequence in sequences for path in sequence.files)
        self._max_side = max_side
        self._contexts: dict[str, VideoCodecContext] = {}
        self._pixels = PixelReader(labels=labels, shared=False, source=source)
        self._closed = threading.Event()
        self._index = 0
        self._skip_damaged = skip_damaged
        self._good: tuple[int, av.VideoFrame] | None = None
        self._lossy = False
        self.stems: Sequence[str] | None = tuple(path.stem for path in self._files)
        starts = list(accumulate(len(sequence.files) for sequence in sequences))
        self.sequence_starts = frozenset(starts[:-1])
        ahead = self._read(0)
        self._decoded: tuple[av.VideoFrame, bool] | None = ahead
        first = ahead[0]
        self.info = self._describe(first, source, rate or Fraction(25))
        self._kind = kind_of(first.format.name)
        self._check_sizes(first)

    def _read(self, index: int) -> tuple[av.VideoFrame, bool]:
        """The picture of an image; where damaged images are skipped, another's in place of a
        damaged one. Also whether it is another's."""
        try:
            picture = self._decode(index)
        except DamageError:
            if not self._skip_damaged:
                raise
            return self._nearest(index), True
        if self._skip_damaged:
            self._good = index, picture
        return picture, False

    def _nearest(self, index: int) -> av.VideoFrame:
        """The last good image before a damaged one; the next one where there is none."""
        damage: DamageError | None = None
        for other in (*range(index - 1, -1, -1), *range(index + 1, len(self._files))):
            if self._good is not None and self._good[0] == other:
                return self._good[1]
            try:
                return self._decode(other)
            except DamageError as error:
                damage = error
        raise damage or DamageError("is truncated or damaged.", where=self._files[index])

    def _decode(self, index: int) -> av.VideoFrame:
        path = self._files[index]
        try:
            if path.stat().st_size > 16 * self._max_side * self._max_side:
                raise InputError(
                    "is far larger than an image of the greatest size that is read.",
                    where=path,
                    frame=index,
                )
            data = path.read_bytes()
        except OSError as error:
            raise InputError(cannot_read(error), where=path, frame=index) from error
        codec = _codec_of(data, path)
        if codec == "png" and len(data) >= _PNG_HEAD:
            width, height = struct.unpack(">II", data[16:_PNG_HEAD])
            self._check_side(width, height, path)
        context = self._contexts.get(codec)
        if context is None:
            context = self._contexts[codec] = av.CodecContext.create(codec, "r")  # type: ignore[assignment]
            assert context is not None
            context.options = {
                "max_pixels": str(self._max_side * self._max_side),
                "err_detect": "crccheck+explode",
            }
        packet = Packet(data)
        # Without this FFmpeg's PNG decoder takes every image after the first for a difference to
        # the one before.
        packet.is_keyframe = True
        try:
            # For a truncated file a decoder may return no frame and raise nothing.
            pictures = context.decode(packet)
        except av.error.FFmpegError as error:
            del self._contexts[codec]
            raise DamageError("is truncated or damaged.", where=path, frame=index) from error
        if not pictures or pictures[0].is_corrupt:
            raise DamageError("is truncated or damaged.", where=path, frame=index)
        self._check_side(pictures[0].width, pictures[0].height, path)
        self._lossy |= codec == "mjpeg" or (codec == "webp" and data[12:16] != b"VP8L")
        self._codec = codec
        return pictures[0]

    def _check_side(self, width: int, height: int, path: Path) -> None:
        if max(width, height) > self._max_side:
            raise InputError(
                f"is {width}x{height} pixels; at most {self._max_side} on a side are read.",
                where=path,
            )

    def _describe(self, first: av.VideoFrame, source: str, rate: Fraction) -> VideoInfo:
        height, width = first.height, first.width
        if first.rotation % 180 == 90:
            height, width = width, height
        return VideoInfo(
            source=source,
            size_hw=(height, width),
            rate=rate,
            time_base=1 / rate,
            frames=len(self._files),
            kind=kind_of(first.format.name) if self._pixels.labels else "rgb",
            codec=self._codec,
            lossy=self._lossy,
            duration_s=float(len(self._files) / rate),
            rotation=first.rotation,
            limited_range=self._pixels.limited_range(first),
        )

    def _check_sizes(self, first: av.VideoFrame) -> None:
        """Refuse PNGs of several sizes before any work is done: their size stands in the first 24
        bytes."""
        for index, path in enumerate(self._files[1:], start=1):
            try:
                with path.open("rb") as file:
                    head = file.read(_PNG_HEAD)
            except OSError as error:
                raise InputError(cannot_read(error), where=path, frame=index) from error
            if head.startswith(b"\x89PNG") and len(head) == _PNG_HEAD:
                width, height = struct.unpack(">II", head[16:])
                if (width, height) != (first.width, first.height):
                    raise self._other_size(index, width, height)

    def _other_size(self, index: int, width: int, height: int) -> InputError:
        was = self.info.size_hw
        return InputError(
            f"is {width}x{height}, while the images before it are {was[1]}x{was[0]}; one size is"
            " expected throughout.",
            where=self._files[index],
            frame=index,
        )

    def __iter__(self) -> Iterator[Frame]:
        while self._index < len(self._files) and not self._closed.is_set():
            index = self._index
            # The first image was decoded for `info`; it is handed out without decoding it again.
            ahead, self._decoded = self._decoded, None
            picture, damaged = ahead if ahead is not None and index == 0 else self._read(index)
            kind = kind_of(picture.format.name)
            if self._pixels.labels and kind != self._kind:
                raise InputError(
                    f"holds {kind} pixels, while the images before it hold {self._kind}.",
                    where=self._files[index],
                    frame=index,
                )
            pixels, palette = self._pixels.read(picture)
            if pixels.shape[:2] != self.info.size_hw:
                raise self._other_size(index, pixels.shape[1], pixels.shape[0])
            self._index += 1
            time = FrameTime(pts=index, time_base=self.info.time_base, duration=1)
            yield Frame(
                index=index,
                pixels=pixels,
                time=time,
                palette=palette,
                source=str(self._files[index]),
                damaged=damaged,
            )

    def as_pictures(self) -> None:
        """See ``Reader.as_pictures``."""
        self._pixels.labels = False
        self.info = replace(self.info, kind="rgb")

    def seek(self, index: int, time: FrameTime | None = None) -> None:
        """See ``Reader.seek``."""
        if not 0 <= index <= len(self._files):
            raise InputError(
                f"holds {len(self._files)} images; frame {index} is asked for.",
                where=self.info.source,
            )
        self._index = index

    def count(self) -> int:
        """See ``Reader.count``."""
        return len(self._files)

    def times(self) -> FilmTimes:
        """See ``Reader.times``."""
        return FilmTimes.at_rate(len(self._files), self.info.rate)

    def close(self) -> None:
        """See ``Reader.close``."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
