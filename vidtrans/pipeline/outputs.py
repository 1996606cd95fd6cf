"""The encode thread's work: pictures into a film or a folder, in spans that a broken run can be
taken up from.

A film is encoded in segments of a length that depends on nothing but the settings, so that a run
that was interrupted and resumed writes the same film, bit for bit, as one that was not. The
pictures of the segment that is not yet full are held in memory; where a full segment takes long (a
slow model), or the run is interrupted, they are put on the disk as they are and encoded again when
the run is resumed.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from vidtrans.errors import OutputError, Remedy
from vidtrans.frame import Bytes, Frame, FrameTime
from vidtrans.media.pngs import FolderWriter
from vidtrans.media.writer import SegmentWriter
from vidtrans.pipeline.runfolder import RunFolder, Span, written
from vidtrans.sequence.state import State

STASH_BYTES = 256 << 20
"""Pictures of one segment held in memory, at most."""
SNAPSHOT_SECONDS = 30.0
"""Work that a power cut may cost, at most (or one frame's, where that is more)."""


def segment_frames(size_hw: tuple[int, int]) -> int:
    """Frames of a segment at this picture size: 5 s of film, less where the pictures are large."""
    return max(8, min(120, STASH_BYTES // (3 * size_hw[0] * size_hw[1])))


def checksum(frame: Frame) -> int:
    """CRC-32 of a decoded frame, to know it again."""
    return zlib.crc32(np.ascontiguousarray(frame.pixels).data)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A finished picture, and what is needed to go on after it."""

    picture: Bytes
    time: FrameTime
    frame: Frame
    state: State


class Output(Protocol):
    """Takes the pictures of a run in order. Leaving it without ``finish`` drops what is not
    kept."""

    def write(self, made: Made) -> None: ...
    def keep(self) -> None:
        """Put all that is written so far on the disk, so that the run can be taken up after its
        last picture."""
        ...

    def finish(self) -> Path:
        """The last picture is written: make the output whole under its name."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class FilmOutput:
    """A film, from segments."""

    def __init__(
        self,
        run: RunFolder,
        segments: SegmentWriter,
        join: Callable[[tuple[Path, ...]], Path],
        frames_each: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._segments = segments
        self._join = join
        self._frames_each = frames_each
        self._clock = clock
        self._first = run.rests[0].first if run.rests else run.frames
        self._pictures: list[Bytes] = []  # of the open segment, those that are not on the disk
        self._times: list[FrameTime] = []
        self._last: Made | None = None
        self._kept_at = clock()
        for rest in run.rests:
            for picture, shown in zip(
                _load(run.folder / str(rest.file), rest), rest.times, strict=True
            ):
                segments.write(picture, shown)
                self._times.append(shown)

    def write(self, made: Made) -> None:
        self._segments.write(made.picture, made.time)
        self._pictures.append(made.picture)
        self._times.append(made.time)
        self._last = made
        if len(self._times) == self._frames_each:
            self._close_segment()
        elif self._clock() - self._kept_at >= SNAPSHOT_SECONDS:
            self.keep()

    def keep(self) -> None:
        if self._last is None or not self._pictures:
            return
        end = self._first + len(self._times)
        first = end - len(self._pictures)
        path = self._run.path_for("rest", first, ".npy")
        with written(path), path.open("wb") as file:
            for picture in self._pictures:
                np.save(file, picture, allow_pickle=False)
        times = tuple(self._times[-len(self._pictures) :])
        self._run.keep(
            Span("rest", first, end, checksum(self._last.frame), times, path.name),
            self._last.state.save,
        )
        self._pictures = []
        self._kept_at = self._clock()

    def finish(self) -> Path:
        if self._times:
            self._close_segment()
        return self._join(self._run.parts)

    def _close_segment(self) -> None:
        path = self._segments.close_segment()
        end = self._first + len(self._times)
        if self._last is not None:
            span = Span(
                "part", self._first, end, checksum(self._last.frame), (self._times[-1],), path.name
            )
            self._run.keep(span, self._last.state.save)
        else:  # nothing but kept rests, at the input's very end
            rest = self._run.rests[-1]
            span = Span("part", self._first, end, rest.checksum, (self._times[-1],), path.name)
            self._run.keep(span, State.load(self._run.state_file).save)
        self._first, self._pictures, self._times = end, [], []
        self._kept_at = self._clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._segments.abort()


class FolderOutput:
    """A folder of PNGs: each is whole as soon as it is there, so only the state needs keeping.

    A run that fails before it has kept anything leaves none of its PNGs behind.
    """

    def __init__(
        self,
        run: RunFolder,
        writer: FolderWriter,
        frames_each: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._writer = writer
        self._frames_each = frames_each
        self._clock = clock
        self._first = run.frames
        self._times: list[FrameTime] = []
        self._last: Made | None = None
        self._whole: Path | None = None
        self._kept_at = clock()

    def write(self, made: Made) -> None:
        self._writer.write(made.picture, made.time)
        self._times.append(made.time)
        self._last = made
        if (
            len(self._times) >= self._frames_each
            or self._clock() - self._kept_at >= SNAPSHOT_SECONDS
        ):
            self.keep()

    def keep(self) -> None:
        if self._last is None or not self._times:
            return
        self._writer.sync()
        end = self._first + len(self._times)
        span = Span("part", self._first, end, checksum(self._last.frame), (self._last.time,))
        self._run.keep(span, self._last.state.save)
        self._first, self._times = end, []
        self._kept_at = self._clock()

    def finish(self) -> Path:
        self._whole = self._writer.finish()
        return self._whole

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._whole is None and not self._run.frames and not self._run.overwrite:
            for index in range(len(self._times) + 1):
                self._writer.path_of(index).unlink(missing_ok=True)
        self._writer.abort()


def _load(path: Path, rest: Span) -> list[Bytes]:
    """The pictures of a rest. Raises OutputError where the file is not what was written."""
    try:
        with path.open("rb") as file:
            return [np.load(file, allow_pickle=False) for _ in range(rest.end - rest.first)]
    except (OSError, ValueError, EOFError) as error:
        raise OutputError(
            f"the pictures kept of the interrupted run cannot be read ({error}).",
            where=path,
            remedy=Remedy("Give {overwrite} without {resume} to start anew."),
        ) from error
