"""The time from the start of a process to its first picture."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from vidtrans.errors import InputError

FIRST_PICTURE_S = 1.5
"""The goal for the time from the start of a process to its first picture, on two idle cores."""
_WRITTEN = '"event": "progress"'


@dataclass(frozen=True)
class Start:
    """One start.

    Attributes:
        wall_s: Seconds from the start of the process to the line that tells of the first picture.
        cpu_s: Processor seconds of the process until then, of all its threads.
    """

    wall_s: float
    cpu_s: float


def measure_convert(
    source: str, folder: Path, *, rounds: int, options: Sequence[str] = ()
) -> dict[str, Any]:
    """Start ``vidtrans convert`` until its first picture is given to the encoder.

    Args:
        source: The input.
        folder: For the output.
        rounds: Starts that count, after one that fills the system's cache of files.
        options: More options of ``convert``.

    Returns:
        See `measure_starts`, which says too what it raises.
    """
    target = str(folder / "start.mp4")
    command = [sys.executable, "-m", "vidtrans", "convert", source, target, "--overwrite"]
    return measure_starts(
        [*command, "--progress", "json", *options], lambda line: _WRITTEN in line, rounds=rounds
    )


def measure_starts(
    command: Sequence[str],
    is_first_picture: Callable[[str], bool],
    *,
    rounds: int,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Start a process again and again, each time until its first picture.

    It starts as it does where pip has installed it, which compiles modules to bytecode: the first
    start writes what bytecode is missing, also where PYTHONDONTWRITEBYTECODE is set.

    Args:
        command: The process. It is killed after its first picture.
        is_first_picture: Whether a line of its standard output tells of the first picture.
        rounds: Starts that count, after one that writes bytecode and fills the system's cache of
            files.
        environment: Its environment; None for that of this process.

    Returns:
        Plain values for JSON: medians, least and spread of wall seconds and processor seconds.

    Raises:
        InputError: The process ended without a picture.
    """
    given = os.environ if environment is None else environment
    own = {name: value for name, value in given.items() if name != "PYTHONDONTWRITEBYTECODE"}
    starts = [_start(command, is_first_picture, own) for _ in range(rounds + 1)][1:]
    figures: dict[str, Any] = {"rounds": rounds, "goal_wall_s": FIRST_PICTURE_S}
    for name in ("wall_s", "cpu_s"):
        values = [getattr(start, name) for start in starts]
        figures |= {
            name: round(statistics.median(values), 3),
            f"least_{name}": round(min(values), 3),
            f"spread_{name}": round(max(values) - min(values), 3),
        }
    return figures


def _start(
    command: Sequence[str],
    is_first_picture: Callable[[str], bool],
    environment: Mapping[str, str],
) -> Start:
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if is_first_picture(line):
                wall_s = time.perf_counter() - began
                used = psutil.Process(process.pid).cpu_times()
                process.kill()
                return Start(wall_s, used.user + used.system)
        said = process.stderr.read().strip()
    raise InputError(f"the measured process ended without a picture ({said or 'no message'}).")
