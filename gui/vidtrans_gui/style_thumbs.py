"""What a class or an instance looks like in each style of the model, painted by a preview of its
own. No widgets."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vidtrans.frame import Bytes
from vidtrans.labels.edit import EditList, ResetAt, StyleClass, StyleInstance
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.preview import Answer, Failed, PreviewEngine, Request
from vidtrans.styles.sheet import WARM_UP_FRAMES


@dataclass(frozen=True, eq=False)
class Thumb:
    """``picture``: uint8 RGB [h,w,3], the part of the frame around what is styled, in style
    number ``style`` (from 0)."""

    style: int
    picture: Bytes


def around(
    mask: npt.NDArray[np.bool_], *, margin: float = 0.25, least: int = 48
) -> tuple[slice, slice]:
    """Rows and columns of the box around ``mask`` [H,W], with a margin; the whole frame where it
    is empty."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, height), slice(0, width)

    def widened(first: int, last: int, limit: int) -> slice:
        grow = max(round((last - first + 1) * margin), (least - (last - first + 1)) // 2)
        return slice(max(0, first - grow), min(limit, last + 1 + grow))

    return widened(int(rows[0]), int(rows[-1]), height), widened(
        int(columns[0]), int(columns[-1]), width
    )


def paint_styles(
    settings: ConvertSettings,
    edits: EditList,
    frame: int,
    target: str | int,
    count: int,
    box: tuple[slice, slice],
    *,
    stop: threading.Event,
    engine: Callable[[Callable[[Any], None]], Any] = PreviewEngine,
) -> Iterator[Thumb]:
    """Frame ``frame`` with ``target`` (a class's name or an instance's id) in each of ``count``
    styles, cut to ``box``.

    The style begins a few frames before with a history of its own, for a model with a memory
    carries the old paint over. Ends early once ``stop`` is set. Raises VidtransError where the
    model cannot do it.
    """
    events: queue.Queue[Any] = queue.Queue()
    preview = engine(events.put)
    try:
        preview.open(settings, edits)
        for style in range(count):
            begin = max(frame - WARM_UP_FRAMES, 0)
            edit = (
                StyleClass(target, style, begin, frame + 1)
                if isinstance(target, str)
                else StyleInstance(target, style, begin, frame + 1)
            )
            preview.edit(edits.added(ResetAt(begin)).added(edit))
            preview.submit(Request(style + 1, frame, approximate=False))
            while not stop.is_set():
                try:
                    event = events.get(timeout=0.1)
                except queue.Empty:
                    continue
                if isinstance(event, Failed):
                    raise event.error()
                if (
                    isinstance(event, Answer)
                    and event.request.id == style + 1
                    and event.approximation is None
                ):
                    yield Thumb(style, event.pictures["final"][box].copy())
                    break
            if stop.is_set():
                return
    finally:
        preview.close()
