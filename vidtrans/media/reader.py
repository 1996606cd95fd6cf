"""Frames in: films, image folders, patterns and pipes, all behind one small interface.

    with open_reader("labels.mkv") as reader:
        print(reader.info)
        for frame in reader:
            ...

What a frame holds follows from the file, never from a guess: grey stays grey (8 or 16 bit ids, the
plane as it was stored, no range conversion), a palette picture stays indices with its palette,
everything else becomes RGB with the matrix and range that the stream is tagged with (untagged:
BT.709 from 720 lines up, BT.601 below; limited range, as players do). A label stream in YUV is
therefore read as *colours*; ids belong in a grey stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Protocol, Self

from vidtrans.errors import InputError
from vidtrans.frame import Frame, FrameTime, VideoInfo
from vidtrans.media.films import FilmReader
from vidtrans.media.images import ImageReader
from vidtrans.media.naming import (
    ImageSequence,
    exists,
    is_pattern,
    list_sequences,
    names_pictures,
    resolve,
)

MAX_SIDE = 16384
"""Pictures wider or higher than this are refused before memory is taken for them."""

HwAccel = Literal["auto", "none"]


__all__ = ["MAX_SIDE", "HwAccel", "ImageSequence", "Reader", "list_sequences", "open_reader"]


class Reader(Protocol):
    """An open input: iterate it once for its frames, in order, each with its own time.

    Errors while iterating are ``InputError`` with the file and the frame's number. One thread
    iterates; ``close`` may be called from any.
    """

    info: VideoInfo
    stems: Sequence[str] | None
    """File names without suffix, one for each frame, of an image sequence (a folder of PNGs is
    named after them)."""
    sequence_starts: frozenset[int]
    """Frames that begin another sequence (Cityscapes names in one folder): a cut, whatever the
    pictures look like. Frame 0 is not among them."""

    def __iter__(self) -> Iterator[Frame]: ...
    def seek(self, index: int, time: FrameTime | None = None) -> None:
        """The next frame is number ``index`` (0-based), without decoding what lies before it where
        the container allows.

        ``time`` is that frame's time where the caller knows it (a snapshot does), which spares a
        pass over the packets. Raises InputError when the input ends before, or is a pipe that has
        passed it.
        """
        ...

    def count(self) -> int:
        """The exact number of frames (a pass over the packets, not the pixels, where the
        container does not say)."""
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_reader(
    source: str | Path | BinaryIO,
    *,
    labels: bool = True,
    container_format: str | None = None,
    hwaccel: HwAccel = "auto",
    rate: Fraction | None = None,
    allow_gaps: bool = False,
    max_side: int = MAX_SIDE,
    low_latency: bool = False,
) -> Reader:
    """Open a film, an image, a folder of images, a printf (``frame_%06d.png``) or glob
    (``*_labelIds.png``) pattern, or a file object (a pipe: no seeking).

    ``labels``: keep grey and palette pixels as ids (see the module); False: every frame is uint8
    RGB [H,W,3]. ``hwaccel``: "auto" decodes on the GPU where this build and machine can, and falls
    back by itself. ``rate``: frames a second of an image sequence (25 where not given); a film
    keeps its own times. ``allow_gaps``: read a numbered image sequence although numbers are
    missing. ``low_latency``: hand each frame over before the next one is read (pipes).

    The first frame is decoded here, so that ``info`` tells what is really there. Raises InputError
    with one sentence for what is missing, unreadable, truncated, empty, too large, has a hole or
    mixed sizes.
    """
    if not isinstance(source, (str, Path)):
        return FilmReader(
            source,
            labels=labels,
            max_side=max_side,
            container_format=container_format,
            hwaccel=False,
            low_latency=low_latency,
        )
    path = Path(source)
    text = str(source)
    if not exists(path) and "://" in text:
        return FilmReader(
            text, labels=labels, max_side=max_side, container_format=container_format, hwaccel=False
        )
    pattern = is_pattern(text)
    if not pattern and not exists(path):
        raise InputError("does not exist.", where=text)
    if not pattern and not path.is_file() and not path.is_dir():
        # Inputs are opened more than once: the second time a pipe would be empty, or never open.
        raise InputError(
            "is a pipe or a device, not a file.",
            where=text,
            hint="Pipes are read by vidtrans-filter.",
        )
    if names_pictures(text) and not (container_format is not None and path.is_file()):
        sequences = resolve(source, allow_gaps=allow_gaps)
        return ImageReader(sequences, source=text, labels=labels, max_side=max_side, rate=rate)
    return FilmReader(
        path,
        labels=labels,
        max_side=max_side,
        container_format=container_format,
        hwaccel=hwaccel == "auto",
        low_latency=low_latency,
    )
