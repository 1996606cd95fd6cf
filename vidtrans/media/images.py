"""Reads image sequences: every file decoded to the samples that it stores."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from vidtrans.errors import InputError
from vidtrans.frame import Frame, FrameTime, VideoInfo
from vidtrans.media.damage import DamageError
from vidtrans.media.ffmpeg_errors import cannot_read
from vidtrans.media.naming import FrameKey, ImageSequence, stamps_of
from vidtrans.media.pixels import PixelReader, kind_of, too_large
from vidtrans.media.tiff import readable_tiff, refused_tiff
from vidtrans.media.times import FilmTimes

_PNM = {b"1": "pbm", b"2": "pgm", b"3": "ppm", b"4": "pbm", b"5": "pgm", b"6": "ppm", b"7": "pam"}
_PNG_HEAD = 26
_STAMP_BASE = Fraction(1, 90_000)
"""The unit of times that come from names, in seconds: MPEG's, which every container holds; it is
off by 6 us at most."""
_NAMED = 3
"""Sequences that a sentence names."""


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
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(b"P") and data[1:2] in _PNM:
        return _PNM[data[1:2]]
    if not data:
        raise DamageError("is empty.", where=path)
    raise InputError("is not an image that can be read.", where=path)


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """A decoded image.

    Attributes:
        picture: What FFmpeg gives.
        scale: What FFmpeg has multiplied grey samples with: PNG's of 2 and 4 bits become 8 bits.
        damaged: Whether the picture is another image's.
    """

    picture: av.VideoFrame
    scale: int = 1
    damaged: bool = False


def _keys(sequences: Sequence[ImageSequence]) -> tuple[FrameKey, ...] | None:
    """What tells each image from all others; None where names do not."""
    keys = [key for sequence in sequences for key in sequence.keys]
    known = tuple(key for key in keys if key is not None)
    every = sum(len(sequence.files) for sequence in sequences)
    return known if len(set(known)) == len(keys) == every else None


def _several(sequences: Sequence[ImageSequence]) -> str:
    names = [Path(sequence.name).name.strip("_-. ") or "..." for sequence in sequences[:_NAMED]]
    more = ", ..." if len(sequences) > _NAMED else ""
    return (
        f"{sequences[0].files[0].parent}: {len(sequences)} sequences are read one after the other"
        f" ({', '.join(names)}{more}); the past is forgotten where one begins."
    )


def _grey_scale(png: bytes) -> int:
    """See ``_Image.scale``."""
    depth, colour_type = png[24:26]
    return 255 // ((1 << depth) - 1) if colour_type == 0 and depth in (2, 4) else 1


class ImageReader:
    """A ``Reader`` of image files. See ``vidtrans.media.reader.open_reader``.

    Args:
        sequences: The sequences, read one after the other.
        source: What the user named, for messages.
        labels: Keep grey and palette samples as ids.
        max_side: The greatest height and width that are read.
        rate: Frames a second; None for the times that the names tell, if they are time stamps, else
            25.
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
        self._good: tuple[int, _Image] | None = None
        self._lossy = False
        self.stems: Sequence[str] | None = tuple(path.stem for path in self._files)
        self.keys: Sequence[FrameKey] | None = _keys(sequences)
        starts = list(accumulate(len(sequence.files) for sequence in sequences))
        self.sequence_starts = frozenset(starts[:-1])
        ahead = self._read(0)
        self._decoded: _Image | None = ahead
        first = ahead.picture
        stamps = stamps_of(sequences) if rate is None else None
        self._pts = None if stamps is None else tuple(round(at / _STAMP_BASE) for at in stamps)
        self.info = self._describe(first, source, rate)
        if len(sequences) > 1:
            self._remark(_several(sequences))
        self._kind = kind_of(first.format.name)
        self._check_sizes(first)

    def _read(self, index: int) -> _Image:
        """An image; where damaged ones are skipped, another in place of a damaged one."""
        try:
            image = self._decode(index)
        except DamageError:
            if not self._skip_damaged:
                raise
            return replace(self._nearest(index), damaged=True)
        if self._skip_damaged:
            self._good = index, image
        return image

    def _nearest(self, index: int) -> _Image:
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

    def _decode(self, index: int) -> _Image:
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
            width, height = struct.unpack(">II", data[16:24])
            self._check_side(width, height, path)
        if codec == "tiff":
            if (refused := refused_tiff(data)) is not None:
                raise InputError(
                    refused,
                    where=path,
                    frame=index,
                    hint="Convert it to PNG of 8 or 16 bits, one picture in each file.",
                )
            readable = readable_tiff(data)
            if readable is None:
                raise DamageError("is truncated or damaged.", where=path, frame=index)
            data = readable
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
        return _Image(pictures[0], _grey_scale(data) if codec == "png" else 1)

    def _check_side(self, width: int, height: int, path: Path) -> None:
        if (reason := too_large(width, height, self._max_side)) is not None:
            raise InputError(reason, where=path)

    def _describe(self, first: av.VideoFrame, source: str, rate: Fraction | None) -> VideoInfo:
        height, width = first.height, first.width
        if first.rotation % 180 == 90:
            height, width = width, height
        rate = rate or Fraction(25)
        base = 1 / rate
        remarks: tuple[str, ...] = ()
        if self._pts is not None:
            steps = sorted(b - a for a, b in pairwise(self._pts))
            base, rate = _STAMP_BASE, 1 / (steps[len(steps) // 2] * _STAMP_BASE)
            remarks = (
                f"{source}: the names are time stamps, which give the times"
                f" ({float(rate):.4g} frames a second); with a rate they are passed over.",
            )
        return VideoInfo(
            source=source,
            size_hw=(height, width),
            rate=rate,
            time_base=base,
            remarks=remarks,
            frames=len(self._files),
            kind=kind_of(first.format.name) if self._pixels.labels else "rgb",
            codec=self._codec,
            lossy=self._lossy,
            duration_s=float(self._end(len(self._files) - 1) * base)
            if self._pts is not None
            else float(len(self._files) / rate),
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
                width, height = struct.unpack(">II", head[16:24])
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
            image = ahead if ahead is not None and index == 0 else self._read(index)
            picture = image.picture
            kind = kind_of(picture.format.name)
            if self._pixels.labels and kind != self._kind:
                raise InputError(
                    f"holds {kind} pixels, while the images before it hold {self._kind}.",
                    where=self._files[index],
                    frame=index,
                )
            pixels, palette = self._pixels.read(picture)
            if self._pixels.labels and image.scale > 1:
                pixels = (pixels // image.scale).astype(np.uint8)
            if pixels.shape[:2] != self.info.size_hw:
                raise self._other_size(index, pixels.shape[1], pixels.shape[0])
            self._index += 1
            time = FrameTime(index, self.info.time_base, 1)
            if self._pts is not None:
                pts = self._pts[index]
                time = FrameTime(pts, self.info.time_base, self._end(index) - pts)
            yield Frame(
                index=index,
                pixels=pixels,
                time=time,
                palette=palette,
                source=str(self._files[index]),
                damaged=image.damaged,
                alpha=self._pixels.alpha(picture),
            )

    def _end(self, index: int) -> int:
        """When the next frame is shown, where names are time stamps."""
        assert self._pts is not None
        if index + 1 < len(self._pts):
            return self._pts[index + 1]
        return 2 * self._pts[index] - self._pts[index - 1]

    def _remark(self, sentence: str) -> None:
        self.info = replace(self.info, remarks=(*self.info.remarks, sentence))

    def select(self, indices: Sequence[int]) -> None:
        """Read these images alone, in this order. Nothing has been read yet.

        Args:
            indices: Places of images in the sequence.
        """
        if list(indices) == list(range(len(self._files))):
            return
        self._files = tuple(self._files[index] for index in indices)
        self.stems = tuple(path.stem for path in self._files)
        self.keys = None if self.keys is None else tuple(self.keys[index] for index in indices)
        self._pts, self._decoded, self._good = None, None, None
        self.sequence_starts = frozenset()
        self.info = replace(self.info, frames=len(self._files))

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
        if self._pts is None:
            return FilmTimes.at_rate(len(self._files), self.info.rate)
        return FilmTimes(np.asarray(self._pts, np.int64), self.info.time_base, self.info.rate)

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
