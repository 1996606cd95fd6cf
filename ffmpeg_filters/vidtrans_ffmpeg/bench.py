"""Measures the throughput of the filter against that of a plain pipe.

``python -m vidtrans_ffmpeg.bench`` prints JSON. It runs by turns ``ffmpeg | cat | ffmpeg``, the
same with pipes as large as the filter asks for, and the same with ``vidtrans-filter --model
identity`` in the place of ``cat``; both ends read and write raw video. The clock starts when the
first picture waits for the last ``ffmpeg``, so that the start of the processes does not count;
``start_s`` is that time. ``cpu_ms`` is the processor time of all three processes for a frame, which
other work on the machine does not change. Where all cores are busy, the ratio of the rates is the
inverse ratio of these.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidtrans.cli.machine import describe_machine
from vidtrans_ffmpeg.muxing import AS_DECODED
from vidtrans_ffmpeg.pipes import PIPE_BYTES

FORMATS = tuple(sorted(AS_DECODED))
"""The pixel formats that the filter passes through in NUT."""
_CLIP = 20
"""Frames of the clip that is sent again and again."""


def _clip(folder: Path, size: str, pixel_format: str) -> Path:
    path = folder / f"{pixel_format}.nut"
    source = f"testsrc2=s={size}:r=25:d={_CLIP / 25}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source]
    subprocess.run(
        [*command, "-c:v", "rawvideo", "-pix_fmt", pixel_format, "-f", "nut", str(path)], check=True
    )
    return path


@dataclass(frozen=True, slots=True)
class Run:
    """The times of one run.

    Attributes:
        start_s: Seconds until the first picture is there.
        rest_s: Seconds from then to the end.
        cpu_s: Processor seconds of all processes.
    """

    start_s: float
    rest_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Middle:
    """What stands between the two ffmpegs.

    Attributes:
        command: The process.
        pipe_bytes: Capacity of the pipes on both sides; -1 for the system's.
    """

    command: Sequence[str]
    pipe_bytes: int = -1


def _run(clip: Path, frames: int, middle: Middle) -> Run:
    """``ffmpeg | middle | ffmpeg`` over ``frames`` frames. Raises CalledProcessError where one
    of them fails."""
    if sys.platform == "win32":
        sys.exit("vidtrans_ffmpeg.bench needs poll and wait4, which Windows does not have.")
    ends = ["ffmpeg", "-v", "error", "-nostdin"]
    send = [
        *ends,
        "-stream_loop",
        "-1",
        "-i",
        str(clip),
        "-frames:v",
        str(frames),
        "-c:v",
        "rawvideo",
        "-f",
        "nut",
        "-",
    ]
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no cat")
    began = time.perf_counter()
    first = subprocess.Popen(
        send, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pipesize=middle.pipe_bytes
    )
    second = subprocess.Popen(
        middle.command, stdin=first.stdout, stdout=subprocess.PIPE, pipesize=middle.pipe_bytes
    )
    assert first.stdout is not None
    assert second.stdout is not None
    first.stdout.close()  # a pipe that is held here too would never end
    arrived = select.poll()
    arrived.register(second.stdout, select.POLLIN)
    arrived.poll()
    there = time.perf_counter()
    third = subprocess.Popen([*ends, "-i", "-", "-f", "null", "-"], stdin=second.stdout)
    second.stdout.close()
    cpu = 0.0
    for process in (third, second, first):
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu += used.ru_utime + used.ru_stime
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
    return Run(there - began, time.perf_counter() - there, cpu)


def measure(
    *,
    size: str = "1920x1080",
    frames: int = 300,
    rounds: int = 3,
    formats: Sequence[str] = FORMATS,
) -> dict[str, Any]:
    """Measure the three pipes.

    Args:
        size: ``WxH`` of the frames.
        frames: Frames of each run.
        rounds: Runs of each pipe; figures are medians.
        formats: FFmpeg's names of the pixel formats to measure.

    Returns:
        For each pixel format, by ``formats``, the figures of the three pipes, and the ratio of the
        filter's rate to that of ``cat`` and of ``cat`` with large pipes, medians of the rounds'
        ratios; as plain values for JSON.
    """
    itself = [sys.executable, "-m", "vidtrans_ffmpeg", "--model", "identity"]
    middles = {
        "cat": Middle(["cat"]),
        "cat_large_pipes": Middle(["cat"], PIPE_BYTES),
        "filter": Middle(itself),
    }
    figures: dict[str, Any] = {
        "size": size,
        "frames": frames,
        "rounds": rounds,
        "formats": {},
        "machine": describe_machine("cpu"),
    }
    shared_memory = Path("/dev/shm")  # noqa: S108  # a disk would be measured instead of a pipe
    with tempfile.TemporaryDirectory(
        dir=shared_memory if shared_memory.is_dir() else None
    ) as folder:
        for form in formats:
            clip = _clip(Path(folder), size, form)
            alone = {
                name: min(_run(clip, 1, middle).cpu_s for _ in range(2))
                for name, middle in middles.items()
            }
            runs: dict[str, list[Run]] = {name: [] for name in middles}
            for _ in range(rounds):
                for name, middle in middles.items():
                    runs[name].append(_run(clip, frames, middle))
            fps = {
                name: frames / statistics.median(run.rest_s for run in found)
                for name, found in runs.items()
            }
            figures["formats"][form] = {
                "ratio": _ratio(runs["filter"], runs["cat"]),
                "ratio_large_pipes": _ratio(runs["filter"], runs["cat_large_pipes"]),
            }
            for name, found in runs.items():
                cpu = (statistics.median(run.cpu_s for run in found) - alone[name]) / (frames - 1)
                start = statistics.median(run.start_s for run in found)
                figures["formats"][form][name] = {
                    "fps": round(fps[name], 1),
                    "cpu_ms": round(1000 * cpu, 2),
                    "start_s": round(start, 2),
                }
    return figures


def _ratio(runs: Sequence[Run], to: Sequence[Run]) -> float:
    """The rate of ``runs`` to that of ``to``, the median over the rounds."""
    pairs = zip(runs, to, strict=True)
    return round(statistics.median(other.rest_s / run.rest_s for run, other in pairs), 3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vidtrans_ffmpeg.bench", description=__doc__)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", default=",".join(FORMATS))
    given = parser.parse_args()
    if sys.platform == "win32":
        parser.error("compares with cat, which Windows does not have.")
    figures = measure(
        size=given.size, frames=given.frames, rounds=given.rounds, formats=given.formats.split(",")
    )
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
