"""``vidtrans bench suite``: the embedded and the published architectures at several sizes."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, pairwise
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from vidtrans.assets.demo_clip import demo_labels
from vidtrans.cli.machine import peak_memory_mib
from vidtrans.cli.measure import matrix_product
from vidtrans.errors import UsageError
from vidtrans.frame import Bytes, FrameTime, LabelFrame
from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import load_scheme
from vidtrans.media.reader import open_reader
from vidtrans.model.card import Card
from vidtrans.model.networks import empty
from vidtrans.nets.inference_layers import plain_networks
from vidtrans.pipeline.settings import format_size
from vidtrans.sequence.allocator import keep_freed_memory
from vidtrans.sequence.device import Precision, device_module, settle
from vidtrans.sequence.loading import load_model
from vidtrans.sequence.model import Model
from vidtrans.sequence.state import State
from vidtrans.sequence.transfer import DeviceFrame

STREET = "street"
"""The embedded model, with its own weights; the others have random ones."""
_VID2VID = {"channels": 128, "use_instance": True, "foreground": True}
ARCHITECTURES: dict[str, Card | None] = {
    STREET: None,
    "pix2pix": Card(system="pix2pix", generator={}),
    "pix2pixhd_512": Card(system="pix2pixhd", generator={}),
    "pix2pixhd_1024": Card(system="pix2pixhd", generator={"channels": 32, "local_enhancers": 1}),
    "label2city_512": Card(system="vid2vid", generator=_VID2VID | {"scales": 1}),
    "label2city_1024_g1": Card(
        system="vid2vid", generator=_VID2VID | {"scales": 3, "downsamplings": 2}
    ),
    "label2city_2048": Card(system="vid2vid", generator=_VID2VID | {"scales": 3}),
}
"""Architectures by name; the published ones are those of the published scripts of these names."""
SIZES = ((256, 512), (512, 1024), (1024, 2048))
"""Heights and widths that are measured unless others are asked for."""
_LEAST_FRAMES, _MOST_FRAMES = 3, 100
_STAGES = ("upload", "generator", "download", "frame")
_CLIP = 8  # label frames, painted in turns


@dataclass(frozen=True)
class Row:
    """What is measured: one architecture at one size.

    Attributes:
        name: Of `ARCHITECTURES`.
        size_hw: Height and width of the frames.
        device: As in ``convert``.
        precision: As in ``convert``.
        seconds: Time for the frames that are timed, after the first ones.
        plain: Whether `plain_networks` are measured too.
    """

    name: str
    size_hw: tuple[int, int]
    device: str
    precision: Precision
    seconds: float
    plain: bool = False


def measure_suite(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Measure each row in a process of its own, so that its peak of memory is its own, and one that
    does not fit into memory ends alone.

    Yields:
        Plain values for JSON: the row's ``model`` and ``size``, and either its figures (see
        `measure_row`) or an ``error``.
    """
    context = multiprocessing.get_context("spawn")
    for row in rows:
        figures: dict[str, Any]
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                figures = pool.submit(measure_row, row).result()
            except BrokenProcessPool:
                figures = {"error": "the process was ended, probably for want of memory"}
            except (MemoryError, torch.OutOfMemoryError):
                figures = {"error": "out of memory"}
        yield {"model": row.name, "size": format_size(row.size_hw)} | figures


def measure_row(row: Row) -> dict[str, Any]:
    """Measure one architecture at one size.

    Returns:
        Milliseconds to load the model, to its first picture on the host (all that happens once
        included), and, as medians of frames with a full history, of upload, generator, download and
        all three; how far the medians of three parts of the frames spread; frames a second, on a
        GPU with the next frame begun before the last picture is waited for; GFLOP of a frame as
        executed, and the share of a matrix product's rate that they are computed at; peaks of
        memory. Where ``row`` asks for it, the generator's time with `plain_networks` in memory that
        is taken from the system for each plane, as PyTorch does by itself; how many times longer it
        is; and the largest difference of the two pictures, in [-1,1]. The first picture then is no
        longer the process's first.
    """
    began = time.perf_counter()
    model = make_model(row)
    settle(model.device)
    loaded = time.perf_counter()
    plain = _measure_plain(model, row) if row.plain else None
    if model.device.type == "cpu":
        keep_freed_memory()
    frames = cycle(_clip(row.size_hw, model))
    first = next(frames)  # read before the clock starts
    asked = time.perf_counter()
    state, _ = _frame(model, model.start(row.size_hw), first)
    painted = time.perf_counter()
    state, times = _timed(model, state, frames, row.seconds)
    upload, generator, download, whole = (
        statistics.median(column) for column in zip(*times, strict=True)
    )
    per_frame = whole
    if model.device.type != "cpu":
        state, per_frame = _streamed(model, state, frames, len(times))
    gpu = device_module(model.device)
    gpu_peak = None if gpu is None else gpu.max_memory_allocated(model.device)
    flop = _flop(model.eager(), state, model.upload(next(frames)))
    product = matrix_product(model.device, model.precision)
    figures = {
        "device": str(model.device),
        "precision": model.precision,
        "parameters_m": round(_parameters(model) / 1e6, 1),
        "frames": len(times),
        "load_ms": round((loaded - began) * 1000),
        "first_frame_ms": round((painted - asked) * 1000, 1),
        "upload_ms": round(upload * 1000, 2),
        "generator_ms": round(generator * 1000, 2),
        "download_ms": round(download * 1000, 2),
        "frame_ms": round(whole * 1000, 2),
        "spread_ms": _spread(times),
        "fps": round(1 / per_frame, 2),
        "gflop_per_frame": round(flop / 1e9, 1),
        "share_of_matrix_product": round(flop / generator / product, 3),
        "peak_memory_mib": round(peak_memory_mib()),
    }
    if plain is not None:
        figures["plain_ms"] = round(plain.seconds * 1000, 2)
        figures["times_plain"] = round(plain.seconds / generator, 2)
        figures["plain_difference"] = float((plain.picture - _second(model, row)).abs().max())
    if gpu_peak is not None:
        figures["peak_gpu_memory_mib"] = round(gpu_peak / 2**20)
    return figures


@dataclass(frozen=True, eq=False)
class _Plain:
    """What `plain_networks` do: median seconds of a frame with a full history, and the second
    picture of the clip."""

    seconds: float
    picture: Tensor


def _measure_plain(model: Model, row: Row) -> _Plain:
    with plain_networks():
        picture = _second(model, row)
        frames = cycle(_clip(row.size_hw, model))
        _, times = _timed(model, model.start(row.size_hw), frames, row.seconds)
    generator = statistics.median(spent[_STAGES.index("generator")] for spent in times)
    return _Plain(generator, picture)


def _timed(
    model: Model, state: State, frames: Iterator[LabelFrame], seconds: float
) -> tuple[State, list[tuple[float, ...]]]:
    """Fill the history, then time frames for ``seconds``: the state after them, and the seconds of
    each in `_STAGES`."""
    for _ in range(model.n_frames):
        state, _ = _frame(model, state, next(frames))
    times: list[tuple[float, ...]] = []
    until = time.perf_counter() + seconds
    while len(times) < _LEAST_FRAMES or (len(times) < _MOST_FRAMES and time.perf_counter() < until):
        state, spent = _frame(model, state, next(frames))
        times.append((*spent, sum(spent)))
    return state, times


def _second(model: Model, row: Row) -> Tensor:
    """The second picture of the clip, where the first one showed the labels' colours. (A picture of
    one colour has no variance, which norms divide by.)"""
    first, second = _clip(row.size_hw, model)[:2]
    colours = np.asarray(colourise(first.ids, load_scheme("cityscapes")), np.uint8)
    state, _ = model.step(model.start(row.size_hw, first_frames=colours), first)
    _, painting = model.step(state, second)
    return painting.picture.float().cpu()


def _spread(times: Sequence[tuple[float, ...]]) -> dict[str, float]:
    """How far the medians of three parts of the frames lie apart, in milliseconds, for upload,
    generator, download and all three: the noise of a median, drifts of the machine included."""
    ends = [round(len(times) * third / 3) for third in range(4)]
    medians = [
        [statistics.median(column) for column in zip(*times[first:end], strict=True)]
        for first, end in pairwise(ends)
    ]
    return {
        stage: round((max(column) - min(column)) * 1000, 2)
        for stage, column in zip(_STAGES, zip(*medians, strict=True), strict=True)
    }


def make_model(row: Row) -> Model:
    """The embedded model, or one of random weights.

    Raises:
        UsageError: There is no architecture of this name.
    """
    if row.name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(f"there is no architecture {row.name!r}.", hint=f"There are {known}.")
    card = ARCHITECTURES[row.name]
    if card is None:
        return load_model(row.name, device=row.device, precision=row.precision)
    torch.manual_seed(0)
    networks = empty(card, row.name)
    for module in networks.modules():
        module.requires_grad_(False)
    return Model(networks, device=row.device, precision=row.precision)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """What `measure_suite` gives as a table in Markdown."""
    columns = {
        "model": "model",
        "size": "size",
        "precision": "type",
        "first_frame_ms": "first frame ms",
        "upload_ms": "upload ms",
        "generator_ms": "generator ms",
        "download_ms": "download ms",
        "plain_ms": "plain ms",
        "times_plain": "times plain",
        "fps": "frames/s",
        "gflop_per_frame": "GFLOP",
        "share_of_matrix_product": "of a matrix product's rate",
        "peak_memory_mib": "memory MiB",
        "peak_gpu_memory_mib": "GPU memory MiB",
    }
    for name in ("peak_gpu_memory_mib", "plain_ms", "times_plain"):
        if not any(name in row for row in rows):
            del columns[name]
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [str(row.get(name, "")) for name in columns]
        if "error" in row:
            cells[2] = row["error"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _clip(size_hw: tuple[int, int], model: Model) -> list[LabelFrame]:
    """The demo clip's first frames at ``size_hw``: labels, or coloured labels as pictures."""
    scheme = load_scheme("cityscapes")
    made = []
    with open_reader(str(demo_labels())) as reader:
        for index, frame in zip(range(_CLIP), reader, strict=False):
            pixels = np.asarray(frame.pixels, dtype=np.uint8)
            ids: Bytes = np.asarray(
                cv2.resize(pixels, size_hw[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
            )
            made.append(
                LabelFrame(
                    index=index,
                    ids=ids,
                    time=FrameTime(index, Fraction(1, 25)),
                    instances=ids.astype(np.int32) if model.uses_instances else None,
                    image=None if model.label_nc else np.ascontiguousarray(colourise(ids, scheme)),
                )
            )
    return made


def _frame(model: Model, state: State, frame: LabelFrame) -> tuple[State, tuple[float, ...]]:
    """Paint a frame; seconds of upload, generator and download, one after the other."""
    marks = [time.perf_counter()]

    def mark() -> None:
        settle(model.device)
        marks.append(time.perf_counter())

    uploaded = model.upload(frame)
    mark()
    state, painting = model.step(state, uploaded)
    mark()
    model.download(painting.picture).wait()
    mark()
    return state, tuple(after - before for before, after in pairwise(marks))


def _streamed(
    model: Model, state: State, frames: Iterator[LabelFrame], count: int
) -> tuple[State, float]:
    """Paint ``count`` frames as the pipeline does, each begun before the last one's picture is
    waited for; seconds a frame."""
    wait: Callable[[], Bytes] | None = None
    began = time.perf_counter()
    for _ in range(count):
        state, painting = model.step(state, model.upload(next(frames)))
        pending = model.download(painting.picture)
        if wait is not None:
            wait()
        wait = pending.wait
    if wait is not None:
        wait()
    return state, (time.perf_counter() - began) / count


def _parameters(model: Model) -> int:
    return sum(p.numel() for module in model.networks.modules() for p in module.parameters())


def _flop(model: Model, state: State, frame: DeviceFrame) -> int:
    with FlopCounterMode(display=False) as counter:
        model.step(state, frame)
    return int(counter.get_total_flops())
