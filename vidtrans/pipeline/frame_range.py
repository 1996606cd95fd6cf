"""The part of a film that is written, and the frames that are painted before it.

A picture depends on those before it. So that the pictures of a part are those of the whole film,
painting begins where the history does: at the last reset that is known before any frame is read (an
edit, a cut that was given, another sequence), else at the first frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import TypeVar

from vidtrans.errors import Remedy, UsageError
from vidtrans.frame import FrameTime
from vidtrans.labels.edit import EditList, FirstFrame, ResetAt
from vidtrans.media.reader import Reader
from vidtrans.media.stream_copy import WHOLE, TimeSpan
from vidtrans.media.times import FilmTimes
from vidtrans.pipeline.settings import ConvertSettings, Position
from vidtrans.pipeline.stream import Painter

Item = TypeVar("Item")


@dataclass(frozen=True)
class FrameRange:
    """The frames of an input that are written. Frame numbers are those of the input.

    Attributes:
        first: The first frame that is written.
        end: The frame after the last one; None for all to the end of the input.
        origin: The first frame that is painted, at most ``first``.
        shift: How much earlier the pictures are shown in the output, seconds: the first one has the
            time of the input's first.
        span: What part of the other streams belongs to it.
        stems: The names of its pictures; None where all of the input is written, or it has none.
    """

    first: int = 0
    end: int | None = None
    origin: int = 0
    shift: Fraction = Fraction(0)
    span: TimeSpan = WHOLE
    stems: tuple[str, ...] | None = None

    @property
    def history(self) -> int:
        """The number of frames that are painted and not written."""
        return self.first - self.origin

    def in_output(self, time: FrameTime) -> FrameTime:
        """When a picture of the input's ``time`` is shown in the output."""
        return self._moved(time, -self.shift)

    def in_input(self, time: FrameTime) -> FrameTime:
        """The inverse of ``in_output``."""
        return self._moved(time, self.shift)

    def up_to_end(self, frames: Iterable[Item], at: int) -> Iterator[Item]:
        """``frames``, which begin with frame ``at``, without those after the range."""
        return iter(frames) if self.end is None else islice(frames, self.end - at)

    @staticmethod
    def _moved(time: FrameTime, seconds: Fraction) -> FrameTime:
        return replace(time, pts=time.pts + round(seconds / time.time_base)) if seconds else time


def frame_range(settings: ConvertSettings, reader: Reader, painter: Painter) -> FrameRange:
    """The range that ``settings`` ask for.

    Args:
        settings: ``start`` and ``end``; both None for all of the input.
        reader: The open input. Where a range is asked for, its frames are counted.
        painter: Paints them; it tells the resets that are known.

    Raises:
        UsageError: The range lies outside of the input, or holds no frame.
        InputError: The input's frames cannot be counted.
    """
    if settings.start is None and settings.end is None:
        return FrameRange()
    times = reader.times()
    first, end = written_frames(settings, times, reader.info.source)
    shift = times.start(first) - times.start(0)
    stems: Sequence[str] | None = reader.stems
    if stems is None or len(set(stems)) < len(stems):
        stems = [f"{frame:06d}" for frame in range(times.frames)]
    return FrameRange(
        first=first,
        end=None if end == times.frames else end,
        origin=_origin(first, painter, settings.render.edits),
        shift=shift,
        span=TimeSpan(
            start=times.start(first) if first else None,
            end=times.start(end) if end < times.frames else None,
            shift=shift,
        ),
        stems=tuple(stems[first:end]),
    )


def written_frames(settings: ConvertSettings, times: FilmTimes, source: str) -> tuple[int, int]:
    """The first frame that ``settings`` write, and the one after the last.

    Args:
        settings: ``start`` and ``end``.
        times: Those of the input.
        source: The input, for messages.

    Raises:
        UsageError: The range lies outside of the input, or holds no frame.
    """
    first = 0 if settings.start is None else _frame_of(settings.start, times, "start")
    end = times.frames if settings.end is None else _frame_of(settings.end, times, "end")
    _check(first, end, times, source)
    return first, end


def _frame_of(position: Position, times: FilmTimes, setting: str) -> int:
    try:
        return times.frame_of(str(position))
    except ValueError as error:
        raise UsageError(f"{setting}: {error}.") from error


def _check(first: int, end: int, times: FilmTimes, source: str) -> None:
    count = times.frames
    last = f"its last is frame {count - 1} ({times.timecode(count - 1)})"
    if first >= count:
        raise UsageError(
            f"has {count} frames, and {last}; the range begins with frame {first}.",
            where=source,
            remedy=Remedy("Give an earlier {start}."),
        )
    if end > count:
        raise UsageError(
            f"has {count} frames, and {last}; the range goes up to frame {end}, without it.",
            where=source,
            remedy=Remedy("Give {end:{count}} or none.", {"count": str(count)}),
        )
    if first >= end:
        raise UsageError(
            f"the range from frame {first} up to frame {end} holds no frame.",
            where=source,
            remedy=Remedy("Give an {end} that comes after {start}."),
        )


def _origin(first: int, painter: Painter, edits: EditList) -> int:
    """The last frame up to ``first`` whose history is known to be empty."""
    if painter.model.n_frames == 1:
        return first
    resets = {0}
    resets |= {edit.start for edit in edits.edits if isinstance(edit, FirstFrame | ResetAt)}
    if painter.cuts != "off":
        resets |= painter.sequence_starts
    if isinstance(painter.cuts, tuple):
        resets |= set(painter.cuts)
    return max(reset for reset in resets if reset <= first)
