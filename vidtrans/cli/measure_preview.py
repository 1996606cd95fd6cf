"""The latency of scrubbing a long film: of cached frames and of frames painted again."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from vidtrans.errors import UsageError, VidtransError
from vidtrans.frame import Bytes
from vidtrans.media.reader import open_reader
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.preview import Answer, Budgets, Event, Failed, Opened, PreviewEngine, Request

RATE = 17
SCENE_FRAMES = 20 * RATE
CACHED_MS = 16.0
"""The goal for a cached picture: within one refresh of a 60 Hz screen."""
OVERHEAD_MS = 50.0
"""The goal for a seek, on top of painting the frames since the last snapshot."""
_PATIENCE_S = 600.0


def measure_preview(
    settings: ConvertSettings,
    *,
    play: int,
    seeks: int,
    seed: int = 1,
    budgets: Budgets | None = None,
) -> dict[str, Any]:
    """Play the first frames of a film, then seek at random.

    Args:
        settings: The film and the model.
        play: Frames to play.
        seeks: Seeks among the played frames.
        seed: Of the random frames.
        budgets: The memory that the preview may take; None for its defaults.

    Returns:
        Plain values for JSON, among them the latencies of three kinds of seeks. ``cached``: to a
        played frame. ``replayed``: to a played frame after the finished pictures were dropped, so
        that it is painted from the last snapshot; ``over_ms`` is the time beyond painting these
        frames one after the other. ``unseen``: to frames that were not played: first an
        approximation, then the exact frame, painted from the beginning of its scene.
    """
    inbox = _Inbox()
    draw = random.Random(seed)
    engine = PreviewEngine(inbox.put, budgets=budgets)
    try:
        began = time.perf_counter()
        engine.open(settings)
        opened = inbox.wait(lambda event: event if isinstance(event, Opened) else None)
        open_s = time.perf_counter() - began
        play = min(play, opened.frames)
        requests = _Requests(engine, inbox)
        began = time.perf_counter()
        for frame in range(play):
            requests.seek(frame)
        play_ms = (time.perf_counter() - began) * 1000 / play
        seen = _spread(draw, range(play), seeks)
        cached = [requests.seek(frame).seconds * 1000 for frame in seen if requests.at_hand(frame)]
        status_ms = _median_ms(engine.status, 20)
        status = engine.status()
        engine.forget_pictures()
        over, replays, slowest = [], [], 0.0
        for frame in seen:
            answer = requests.seek(frame, approximate=False)
            over.append((answer.seconds - answer.painting_s) * 1000)
            replays.append(answer.replayed)
            slowest = max(slowest, answer.seconds * 1000)
            engine.forget_pictures()
        unseen = [
            requests.first_and_last(frame)
            for frame in _spread(draw, range(play, opened.frames), max(1, seeks // 20))
        ]
        figures: dict[str, Any] = {
            "frames": opened.frames,
            "minutes": round(opened.frames / float(opened.info.rate) / 60, 2),
            "size": f"{opened.size_hw[1]}x{opened.size_hw[0]}",
            "model": opened.card.name or settings.render.model,
            "device": opened.device,
            "precision": opened.precision,
            "open_s": round(open_s, 3),
            "play": {
                "frames": play,
                "ms_a_frame": round(play_ms, 2),
                "fps": round(1000 / play_ms, 1),
            },
            "cached": _summary(cached)
            | {"goal_ms": CACHED_MS, "met": bool(cached) and max(cached) <= CACHED_MS},
            "replayed": {
                "frames_mean": round(statistics.fmean(replays), 1),
                "frames_max": max(replays),
                "slowest_ms": round(slowest, 1),
                "over_ms": _summary(over),
                "goal_over_ms": OVERHEAD_MS,
                "met_share": round(sum(value <= OVERHEAD_MS for value in over) / len(over), 4),
            },
            "status_ms": round(status_ms, 3),
            "snapshots": len(status.snapshots),
            "picture_mib": round(status.picture_bytes / 2**20, 1),
            "snapshot_mib": round(status.snapshot_bytes / 2**20, 1),
        }
        if unseen:
            figures["unseen"] = {
                "first_ms": _summary([first for first, _ in unseen]),
                "exact_ms": _summary([last for _, last in unseen]),
            }
        return figures
    finally:
        engine.close()


def write_scenes(
    path: Path, settings: ConvertSettings, frames: int, size_hw: tuple[int, int]
) -> None:
    """Write a long label film of scenes of 20 s.

    It repeats the input's first 100 frames forwards and backwards. Each scene permutes the classes,
    which makes a cut.

    Raises:
        UsageError: The input is no film of 8-bit grey ids.
    """
    with open_reader(settings.input) as reader:
        if reader.info.kind != "grey8":
            raise UsageError("bench preview takes a film of 8-bit grey ids.", where=settings.input)
        pictures: list[Bytes] = []
        for frame in reader:
            small = cv2.resize(frame.pixels, size_hw[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            pictures.append(np.asarray(small, dtype=np.uint8))
            if len(pictures) == 100:
                break
    used = np.unique(np.stack(pictures))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(RATE))
        stream.height, stream.width = size_hw
        stream.pix_fmt = "gray"
        for index, picture in zip(range(frames), cycle(pictures + pictures[-2:0:-1]), strict=False):
            table = np.arange(256, dtype=np.uint8)
            table[used] = np.roll(used, index // SCENE_FRAMES)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.asarray(table[picture]), format="gray"))
            )
        container.mux(stream.encode())


class _Inbox:
    """A queue of the engine's events."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._more = threading.Condition()

    def put(self, event: Event) -> None:
        with self._more:
            self._events.append(event)
            self._more.notify_all()

    def wait(self, wanted: Callable[[Event], Any]) -> Any:
        """Wait for an event and drop those before it.

        Args:
            wanted: Gives a result for the event that is waited for, and None for others.

        Returns:
            The result of ``wanted``.

        Raises:
            VidtransError: The engine failed, or gave no such event in time.
        """
        with self._more:
            while True:
                for event in self._events:
                    if isinstance(event, Failed):
                        raise event.error()
                    if (found := wanted(event)) is not None:
                        self._events.clear()
                        return found
                self._events.clear()
                if not self._more.wait(_PATIENCE_S):
                    raise VidtransError(f"the preview gave no answer in {_PATIENCE_S:.0f} s.")


class _Requests:
    """Requests frames one after the other, and waits for each."""

    def __init__(self, engine: PreviewEngine, inbox: _Inbox) -> None:
        self._engine = engine
        self._inbox = inbox
        self._id = 0

    def at_hand(self, frame: int) -> bool:
        return any(
            first <= frame < end for first, end in self._engine.status().cached.get("final", ())
        )

    def seek(self, frame: int, *, approximate: bool = False) -> Answer:
        """Request a frame and wait for its exact picture."""
        self._id += 1
        self._engine.submit(Request(self._id, frame, approximate=approximate))
        answer = self._inbox.wait(lambda event: event if self._is_exact(event) else None)
        assert isinstance(answer, Answer)
        return answer

    def first_and_last(self, frame: int) -> tuple[float, float]:
        """Milliseconds until the first answer, and until the exact picture."""
        self._id += 1
        self._engine.submit(Request(self._id, frame))
        first = self._inbox.wait(lambda event: event if isinstance(event, Answer) else None)
        last = (
            first
            if self._is_exact(first)
            else self._inbox.wait(lambda event: event if self._is_exact(event) else None)
        )
        return first.seconds * 1000, last.seconds * 1000

    def _is_exact(self, event: Event) -> bool:
        return (
            isinstance(event, Answer)
            and event.request.id == self._id
            and event.approximation is None
        )


def _spread(draw: random.Random, frames: range, count: int) -> list[int]:
    """Up to ``count`` of ``frames``, drawn at random."""
    return draw.sample(frames, min(count, len(frames)))


def _median_ms(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _summary(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    middle, late = (
        statistics.median(ordered),
        ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
    )
    return {
        "count": len(ordered),
        "median": round(middle, 3),
        "p95": round(late, 3),
        "max": round(ordered[-1], 3),
    }
