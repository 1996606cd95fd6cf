"""Writing pictures to a film or a folder, in spans after which a run can be resumed.

A film is encoded in segments whose length depends only on the settings, so that an interrupted and
resumed run writes the same film, bit for bit, as an uninterrupted one. The pictures of an
incomplete segment are held in memory. Where a segment takes longer than ``SNAPSHOT_SECONDS``, or
the run is interrupted, they are saved unencoded and encoded again when the run is resumed.
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
from vidtrans.frame import Bytes, Frame, FrameTime, Nv12
from vidtrans.media.pngs import FolderWriter
from vidtrans.media.writer import SegmentWriter
from vidtrans.pipeline.runfolder import RunFolder, Span, write_errors
from vidtrans.sequence.state import State

STASH_BYTES = 256 << 20
"""The most memory for the pictures of one segment, bytes: 43 frames of 1920x1080."""
SNAPSHOT_SECONDS = 30.0
"""The most work that a power cut can cost, unless one frame takes longer."""


def segment_frames(size_hw: tuple[int, int]) -> int:
    """The number of frames of a segment.

    120 frames, 5 s at 24 frames a second; fewer where the pictures of a segment would take more
    than ``STASH_BYTES``, but at least 8, since each segment begins with a key frame.

    Args:
        size_hw: Height and width of the pictures.
    """
    return max(8, min(120, STASH_BYTES // (3 * size_hw[0] * size_hw[1])))


def checksum(frame: Frame) -> int:
    """CRC-32 of a decoded frame, which identifies it when a run is resumed."""
    return zlib.crc32(np.ascontiguousarray(frame.pixels).data)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A finished picture and what a resumed run needs to continue after it.

    Attributes:
        picture: uint8 RGB [H,W,3], or NV12 planes where the output's ``nv12`` asks for them.
        time: When it is shown.
        frame: The input frame.
        state: The generator's state after it.
    """

    picture: Bytes
    time: FrameTime
    frame: Frame
    state: State


class Output(Protocol):
    """Takes the pictures of a run in order.

    Leaving the context without ``finish`` drops the pictures that are not kept.
    """

    @property
    def nv12(self) -> Nv12 | None:
        """The NV12 planes that can take the place of RGB pictures; None where there are none."""
        ...

    def write(self, made: Made) -> None:
        """Append a picture."""
        ...

    def keep(self) -> None:
        """Save all pictures written so far, so that the run can be resumed after the last one."""
        ...

    def finish(self) -> Path:
        """Complete the output under its own name, after the last picture; gives its path."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class FilmOutput:
    """A film, joined from encoded segments.

    Args:
        run: The folder that holds the segments.
        segments: Encodes them.
        join: Makes the film from the segments, in order; gives its path.
        frames_each: Frames of a segment.
        clock: Gives the time in seconds.
    """

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

    @property
    def nv12(self) -> Nv12 | None:
        return self._segments.nv12

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
        with write_errors(path), path.open("wb") as file:
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
        else:  # the resumed run added no picture: its saved pictures end the film
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
    """A folder of PNGs.

    Each file is complete as soon as it exists, so ``keep`` saves only the state. A run that fails
    before the first ``keep`` removes its PNGs.

    Args:
        run: The folder that holds the state.
        writer: Writes the PNGs.
        frames_each: Frames after which the state is saved.
        clock: Gives the time in seconds.
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

    @property
    def nv12(self) -> Nv12 | None:
        return None

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
    """The saved pictures of a ``rest`` span.

    Raises:
        OutputError: The file is incomplete or damaged.
    """
    try:
        with path.open("rb") as file:
            return [np.load(file, allow_pickle=False) for _ in range(rest.end - rest.first)]
    except (OSError, ValueError, EOFError) as error:
        raise OutputError(
            f"the pictures kept of the interrupted run cannot be read ({error}).",
            where=path,
            remedy=Remedy("Give {overwrite} without {resume} to start anew."),
        ) from error
