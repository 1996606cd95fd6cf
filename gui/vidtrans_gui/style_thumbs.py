"""Thumbnails of a class or an instance in each style of the model. No widgets."""

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
    """A thumbnail.

    Attributes:
        style: The number of the style, from 0.
        picture: The part of the frame around the target, uint8 RGB [h,w,3].
    """

    style: int
    picture: Bytes


def around(
    mask: npt.NDArray[np.bool_], *, margin: float = 0.25, least: int = 48
) -> tuple[slice, slice]:
    """The box around a mask.

    Args:
        mask: bool [H,W].
        margin: What is added on each side, as a share of the mask's extent.
        least: The smallest extent of the box, in pixels.

    Returns:
        Rows and columns of the box; the whole frame where the mask is empty.
    """
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
    """Paint a target in each style, with a preview of its own.

    Each style begins ``WARM_UP_FRAMES`` earlier, after a reset, because a recurrent model carries
    pictures of the previous style over.

    Args:
        settings: The film and the model.
        edits: The other edits.
        frame: The frame to paint.
        target: A class's name or an instance's id.
        count: The number of styles.
        box: Rows and columns of the thumbnails.
        stop: Ends the painting once set.
        engine: Makes the preview.

    Yields:
        The thumbnails in the order of styles.

    Raises:
        VidtransError: The film cannot be opened, or the model has no such styles.
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
