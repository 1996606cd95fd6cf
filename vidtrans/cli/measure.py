"""Speed of the stages, each alone and all together, taken in the same run and in turns, so that
a busy moment hits all."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from vidtrans.cli.machine import resident_mib
from vidtrans.errors import Interrupted
from vidtrans.frame import Bytes, Frame
from vidtrans.labels.report import ReportBuilder
from vidtrans.media.reader import open_reader
from vidtrans.media.writer import open_writer
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.progress import Progress
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.setup import Render, open_input
from vidtrans.pipeline.stream import Painted, Read, read_labels, translate_stream
from vidtrans.pipeline.threads import in_thread
from vidtrans.sequence.device import settle
from vidtrans.sequence.openmp import end_idle_workers

T = TypeVar("T")

SETTLED_AFTER = 200
"""Frames after which memory has to be flat: every buffer, queue and cache has been filled once."""
FLAT_MIB = 16.0
"""Growth over the rest of the film that counts as none: allocators breathe."""


@dataclass(frozen=True)
class StageTimes:
    """Medians over the rounds, milliseconds a frame."""

    decode: float
    labels: float
    generator: float
    encode: float
    end_to_end: float

    def rounded(self) -> dict[str, float]:
        """Plain values for JSON, by stage."""
        return {stage: round(value, 3) for stage, value in asdict(self).items()}

    @property
    def slowest(self) -> float:
        """Of the stages alone: no pipeline can be faster."""
        return max(self.decode, self.labels, self.generator, self.encode)

    @property
    def ratio(self) -> float:
        """1 would be a pipeline that costs nothing; 1.15 is this project's limit on an idle
        machine."""
        return self.end_to_end / self.slowest


def measure(settings: ConvertSettings, *, frames: int, rounds: int) -> dict[str, Any]:
    """All figures of ``vidtrans bench``, plain values for JSON. ``settings.output`` is ignored."""
    with (
        tempfile.TemporaryDirectory(prefix="vidtrans-bench-") as folder,
        open_input(settings) as render,
    ):
        end_idle_workers()  # of this thread, which has loaded the model; see `_alone`
        decoded = list(islice(render.frames, frames))
        model = render.painter.model
        reads = _reads(render, decoded)
        pictures = _alone(lambda: _paint(render, reads))
        taken: list[tuple[Spent, ...]] = []
        firsts, latencies = [], []
        for number in range(rounds):
            alone, whole = (Path(folder) / f"{name}{number}.mp4" for name in ("alone", "whole"))
            end_to_end, first_ms = _end_to_end(settings, len(decoded), whole)
            firsts.append(first_ms)
            latencies.append(_latency(render, decoded))
            taken.append(
                (
                    _per_frame(len(decoded), lambda: _decode(settings, len(decoded))),
                    _per_frame(len(decoded), lambda: _reads(render, decoded)),
                    _per_frame(len(decoded), lambda: _paint(render, reads)),
                    _encode(settings, render, reads, pictures, alone),
                    end_to_end,
                )
            )
        flop = _alone(lambda: _flop(render, reads))
        product = _alone(lambda: matrix_product(model.device, model.precision))
        size = render.painter.sizing.scaled_hw
    columns = [[spent.wall_ms for spent in column] for column in zip(*taken, strict=True)]
    times = StageTimes(*(statistics.median(column) for column in columns))
    spread = StageTimes(*(max(column) - min(column) for column in columns))
    processor = StageTimes(
        *(
            statistics.median(spent.cpu_ms for spent in column)
            for column in zip(*taken, strict=True)
        )
    )
    rate = flop / (times.generator / 1000)
    return {
        "input": settings.input,
        "size": f"{size[1]}x{size[0]}",
        "frames": len(decoded),
        "rounds": rounds,
        "model": settings.render.model,
        "device": str(model.device),
        "precision": model.precision,
        "ms_per_frame": times.rounded(),
        "spread_ms": spread.rounded(),
        "cpu_ms_per_frame": processor.rounded(),
        "fps": round(1000 / times.end_to_end, 2),
        "first_frame_ms": round(statistics.median(firsts), 1),
        "latency_ms": round(statistics.median(latencies), 1),
        "ratio_end_to_end_to_slowest_stage": round(times.ratio, 3),
        "generator_gflop_per_frame": round(flop / 1e9, 3),
        "generator_gflop_per_s": round(rate / 1e9, 1),
        "matrix_product_gflop_per_s": round(product / 1e9, 1),
        "share_of_matrix_product": round(rate / product, 3),
    }


def _alone(work: Callable[[], T]) -> T:
    """``work()`` in a thread of its own that then ends, as the pipeline's threads do.

    Torch's CPU workers belong to the thread that calls them; a second set of idle ones slows the
    first down.
    """
    with in_thread((job() for job in (work,)), name="vidtrans-bench") as done:
        return next(done)


@dataclass(frozen=True)
class Spent:
    """What a frame took.

    Attributes:
        wall_ms: Milliseconds.
        cpu_ms: Milliseconds of processor time, of all the process's threads. Other work on the
            machine changes it little.
    """

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Instant:
    """Seconds of the clock and of this process's processor time."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Instant:
        return cls(time.perf_counter(), time.process_time())

    def since(self, earlier: Instant, frames: int) -> Spent:
        """What each of ``frames`` took from ``earlier`` to this instant."""
        each = 1000 / frames
        return Spent((self.wall - earlier.wall) * each, (self.cpu - earlier.cpu) * each)


def _per_frame(frames: int, work: Callable[[], object]) -> Spent:
    began = Instant.now()
    _alone(work)
    return Instant.now().since(began, frames)


def _decode(settings: ConvertSettings, frames: int) -> None:
    with open_reader(settings.input, rate=settings.render.rate) as reader:
        for _ in islice(reader, frames):
            pass


def _reads(render: Render, frames: list[Frame]) -> list[Read]:
    report = ReportBuilder(render.label_reader.scheme, render.label_reader.encoding)
    return list(read_labels(frames, render.label_reader, render.painter, report=report))


def _paint(render: Render, reads: list[Read]) -> list[Bytes]:
    """The pictures of all frames. As in the pipeline, a frame is begun before the picture of the
    one before is waited for, and nothing but the pictures is kept."""
    state = render.start()
    pictures: list[Bytes] = []
    last: Painted | None = None
    for read in reads:
        painted = render.painter.paint(state, read)
        state = painted.state
        if last is not None:
            pictures.append(last.translation().picture)
        last = painted
    if last is not None:
        pictures.append(last.translation().picture)
    return pictures


def _encode(
    settings: ConvertSettings, render: Render, reads: list[Read], pictures: list[Bytes], path: Path
) -> Spent:
    began = Instant.now()
    with open_writer(
        path,
        size_hw=(pictures[0].shape[0], pictures[0].shape[1]),
        rate=render.info.rate,
        time_base=render.info.time_base,
        codec=settings.codec,
        encoder_options=settings.encoder_options,
        pixel_format=settings.pixel_format,
    ) as writer:
        for read, picture in zip(reads, pictures, strict=True):
            writer.write(picture, read.frame.time)
        writer.finish()
    return Instant.now().since(began, len(pictures))


def _latency(render: Render, frames: list[Frame]) -> float:
    """Milliseconds from a decoded frame to its picture where frames come one at a time, as from a
    live source that is slower than the generator; the median, once the history is full."""
    arrived: list[float] = []
    times: list[float] = []
    wanted = threading.Semaphore()

    def one_by_one() -> Iterator[Frame]:
        for frame in frames:
            wanted.acquire()
            arrived.append(time.perf_counter())
            yield frame

    translations = translate_stream(
        one_by_one(), render.label_reader, render.painter, state=render.start()
    )
    for _ in translations:
        times.append(time.perf_counter() - arrived[-1])
        wanted.release()
    return statistics.median(times[render.painter.model.n_frames :]) * 1000


def _end_to_end(settings: ConvertSettings, frames: int, path: Path) -> tuple[Spent, float]:
    """Convert; what a frame takes from the first written frame to the whole film, or, where the
    input is longer, to the last frame that counts; and milliseconds to the first written frame,
    the opening of input and model included."""
    marks: list[Instant] = []
    enough = threading.Event()

    def written(progress: Progress) -> None:
        marks.append(Instant.now())
        if len(marks) == frames:
            enough.set()

    whole = settings.model_copy(update={"output": str(path), "resume": False, "overwrite": True})
    began = Instant.now()
    try:
        convert(whole, on_progress=written, cancel=enough)
        ended = Instant.now()
    except Interrupted:
        ended = marks[frames - 1]
    return ended.since(marks[0], frames - 1), marks[0].since(began, 1).wall_ms


def _flop(render: Render, reads: list[Read]) -> int:
    """Multiplications and additions of one step with a full history, as they are really
    executed."""
    painter = render.painter
    state = render.start()
    for read in reads[: painter.model.n_frames]:
        state = painter.paint(state, read).state
    with FlopCounterMode(display=False) as counter:
        painter.model.eager().step(state, reads[painter.model.n_frames].uploaded)
    return int(counter.get_total_flops())


def matrix_product(device: torch.device, precision: str) -> float:
    """FLOP/s of a large matrix product of the same type on the same device: what the hardware
    gives on its best day."""
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    n = 1536 if device.type == "cpu" else 8192
    a, b = (torch.randn(n, n, device=device, dtype=torch.float32).to(kind) for _ in range(2))
    seconds = []
    for _ in range(7):
        settle(device)
        began = time.perf_counter()
        torch.mm(a, b)
        settle(device)
        seconds.append(time.perf_counter() - began)
    return 2 * n**3 / statistics.median(seconds)


def measure_memory(settings: ConvertSettings, *, frames: int, every: int) -> dict[str, Any]:
    """Resident memory while a whole film goes through the pipeline: it must not grow with the
    film's length."""
    series: list[tuple[int, float]] = []

    def written(progress: Progress) -> None:
        if progress.done % every == 0:
            series.append((progress.done, round(resident_mib(), 1)))

    with tempfile.TemporaryDirectory(prefix="vidtrans-bench-") as folder:
        summary = convert(
            settings.model_copy(update={"output": str(Path(folder) / "film.mp4")}),
            on_progress=written,
        )
    settled = [(frame, mib) for frame, mib in series if frame >= SETTLED_AFTER]
    count, mib = (np.array(column, dtype=np.float64) for column in zip(*settled, strict=True))
    slope = float(np.polyfit(count, mib, 1)[0])
    growth = float(mib.max() - mib[0])
    return {
        "frames": summary.frames,
        "fps": round(summary.fps, 1),
        "rss_mib": [[frame, value] for frame, value in series],
        "settled_after_frames": SETTLED_AFTER,
        "growth_mib_after_settling": round(growth, 1),
        "slope_kib_per_1000_frames": round(slope * 1024 * 1000, 1),
        "flat": growth <= FLAT_MIB,
        "flat_means_growth_at_most_mib": FLAT_MIB,
    }
