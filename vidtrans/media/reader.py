"""Reads frames from films, image folders, patterns and pipes through one interface.

    with open_reader("labels.mkv") as reader:
        print(reader.info)
        for frame in reader:
            ...

The pixel format decides what a frame holds. Grey stays grey: 8 or 16 bit ids as they were stored,
without range conversion. A palette picture stays indices with its palette. Everything else becomes
RGB, with the matrix and range that the stream is tagged with; untagged YUV counts as limited range,
BT.709 from 720 lines up and BT.601 below, as in players. A label stream in YUV is therefore read as
*colours*; ids belong in a grey stream.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Protocol, Self

from vidtrans.errors import InputError, Remedy
from vidtrans.frame import Frame, FrameTime, VideoInfo
from vidtrans.media.films import FilmReader
from vidtrans.media.images import ImageReader
from vidtrans.media.naming import (
    FrameKey,
    ImageSequence,
    exists,
    is_pattern,
    names_pictures,
    other_format,
    resolve,
)
from vidtrans.media.times import FilmTimes

MAX_SIDE = 16384
"""Pictures wider or higher than this are refused before memory is taken for them. It is x264's
limit, so no larger picture could be written by default."""

HwAccel = Literal["auto", "none"]


__all__ = ["MAX_SIDE", "HwAccel", "ImageSequence", "Reader", "open_reader"]


class Reader(Protocol):
    """An open input, iterated once for its frames, in order.

    Iteration raises ``InputError`` with the file and the frame's number. One thread iterates;
    ``close`` may be called from any.

    Attributes:
        info: What is known of the input.
        stems: File names without suffix, one for each frame, of an image sequence; else None.
        keys: What tells each frame of an image sequence from all others, by its name; None for
            films, and where names do not.
        sequence_starts: Frames that begin another sequence (Cityscapes names in one folder), other
            than frame 0. Each is a cut, whatever the pictures look like.
    """

    info: VideoInfo
    stems: Sequence[str] | None
    keys: Sequence[FrameKey] | None
    sequence_starts: frozenset[int]

    def __iter__(self) -> Iterator[Frame]: ...
    def as_pictures(self) -> None:
        """From the next frame on, every frame is uint8 RGB [H,W,3], as with ``labels=False``."""
        ...

    def seek(self, index: int, time: FrameTime | None = None) -> None:
        """Let iteration go on with a frame, without decoding those before it where the container
        allows.

        Args:
            index: The frame's number from 0.
            time: The frame's timestamp where the caller knows it, which saves a pass over the
                packets.

        Raises:
            InputError: The input ends before, or is a pipe that has passed the frame.
        """
        ...

    def count(self) -> int:
        """Count the frames exactly: where the container does not say, by a pass over the packets
        without decoding them. Raises InputError for a pipe."""
        ...

    def times(self) -> FilmTimes:
        """The timestamp of every frame, by a pass over the packets without decoding them. Raises
        InputError for a pipe."""
        ...

    def close(self) -> None:
        """Close the input, from any thread. Safe to call twice."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def _check_protocol(address: str, allowed: Collection[str]) -> None:
    """Raises InputError for an address of a protocol that is not allowed."""
    protocol = address.partition("://")[0]
    if protocol.lower() not in {each.strip().lower() for each in allowed}:
        known = re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,20}", protocol)
        raise InputError(
            "is an address, and only files are read unless its protocol is allowed.",
            where=address,
            remedy=(
                Remedy("Where you trust it: {allow_protocols:{name}}.", {"name": protocol.lower()})
                if known
                else None
            ),
        )


def open_reader(
    source: str | Path | BinaryIO,
    *,
    labels: bool = True,
    container_format: str | None = None,
    hwaccel: HwAccel = "auto",
    rate: Fraction | None = None,
    protocols: Collection[str] = (),
    allow_gaps: bool = False,
    skip_damaged: bool = False,
    stream: int | None = None,
    max_side: int = MAX_SIDE,
    low_latency: bool = False,
) -> Reader:
    """Open an input. Its first frame is decoded, so that ``info`` tells what is really there.

    Args:
        source: A film, an image, a folder of images, a printf (``frame_%06d.png``) or glob
            (``*_labelIds.png``) pattern, a URL, or a file object (a pipe, which cannot seek).
        labels: Keep grey and palette samples as ids; False: every frame is uint8 RGB [H,W,3].
        container_format: FFmpeg's name of a demuxer; None to probe the input.
        hwaccel: ``auto`` decodes on the GPU where that works, ``none`` on the CPU.
        rate: Frames a second of an image sequence, 25 where None. A film has timestamps.
        protocols: Network protocols that an address may have (``https``). None by default: a
            project or a manifest of a stranger would connect to what it names.
        allow_gaps: Read a numbered image sequence although numbers are missing.
        skip_damaged: Give the frame before in place of a damaged one (``Frame.damaged``), instead
            of an error.
        stream: Which of a film's video streams is read, from 0; None for the one that FFmpeg takes.
        max_side: The greatest height and width that are read.
        low_latency: Give every frame before the next one is read (pipes).

    Raises:
        InputError: The input is missing, unreadable, truncated, empty or too large, an image
            sequence has a gap, or images differ in size.
    """
    if not isinstance(source, (str, Path)):
        return FilmReader(
            source,
            labels=labels,
            max_side=max_side,
            container_format=container_format,
            hwaccel=False,
            low_latency=low_latency,
            skip_damaged=skip_damaged,
            stream=stream,
        )
    path = Path(source)
    text = str(source)
    if not exists(path) and "://" in text:
        _check_protocol(text, protocols)
        return FilmReader(
            text,
            labels=labels,
            max_side=max_side,
            container_format=container_format,
            hwaccel=False,
            skip_damaged=skip_damaged,
            stream=stream,
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
    if not pattern and path.is_file() and (what := other_format(path)) is not None:
        raise InputError(
            f"holds {what} ({path.suffix.lower()}), which are not read.",
            where=text,
            hint="Write each frame as a PNG of 8 or 16 bits, whose values stay as they are.",
        )
    if names_pictures(text) and not (container_format is not None and path.is_file()):
        if stream:
            raise InputError(
                f"holds pictures, which have one stream; stream {stream} is asked for.", where=text
            )
        sequences = resolve(source, allow_gaps=allow_gaps)
        return ImageReader(
            sequences,
            source=text,
            labels=labels,
            max_side=max_side,
            rate=rate,
            skip_damaged=skip_damaged,
        )
    return FilmReader(
        path,
        labels=labels,
        max_side=max_side,
        container_format=container_format,
        hwaccel=hwaccel == "auto",
        low_latency=low_latency,
        skip_damaged=skip_damaged,
        stream=stream,
    )
