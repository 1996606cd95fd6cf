"""The worker threads of PyTorch's operations on a CPU."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

_HARD = 2
"""``omp_pause_hard``: everything that the runtime holds is freed."""


def end_idle_workers() -> None:
    """End the workers that GNU's OpenMP runtime keeps for the calling thread; its next parallel
    operation starts new ones.

    Each thread that computes has workers of its own. While all of them together are more than the
    processor's cores, those that wait for work sleep at once in place of waiting awake, and each
    operation first wakes them: a frame of the embedded model takes 60 ms in place of 40 where the
    thread that loaded it keeps its workers beside those of the thread that paints. Does nothing
    where PyTorch has another runtime, or this one is older than OpenMP 5.0.
    """
    pause = getattr(_runtime(), "omp_pause_resource_all", None)
    if pause is not None:
        pause(_HARD)


def _runtime() -> ctypes.CDLL | None:
    """GNU's OpenMP runtime as this process has loaded it."""
    try:
        found = re.search(r"/\S*/libgomp\S*\.so[.\d]*$", Path("/proc/self/maps").read_text(), re.M)
        return ctypes.CDLL(found[0]) if found else None
    except OSError:  # another system, or a library that was replaced since
        return None
