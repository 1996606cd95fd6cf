"""The machine and the versions with which a benchmark was measured."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil


def describe_machine(device: str) -> dict[str, Any]:
    """Describe processor, memory, load, versions and the time, as plain values for JSON.

    Args:
        device: The device that was measured: ``cpu``, ``cuda`` or ``cuda:N``.
    """
    import torch

    facts: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": _cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min": round(psutil.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "torch_threads": torch.get_num_threads(),
        "versions": {
            name: version(name) for name in ("vidtrans", "torch", "av", "numpy", "opencv-python")
        },
    }
    if torch.device(device).type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
        facts["cuda"] = torch.version.cuda
    return facts


def peak_memory_mib() -> float:
    """The most resident memory that this process has had, in MiB."""
    if sys.platform == "win32":
        peak: int = psutil.Process().memory_info().peak_wset
        return peak / 2**20
    import resource

    # In KiB, on macOS in bytes (getrusage(2)).
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def resident_mib() -> float:
    """Resident memory of this process now, in MiB."""
    return psutil.Process().memory_info().rss / 2**20


def _cores() -> int | None:
    """The cores that this process may use."""
    if sys.platform == "darwin":  # it has no affinity
        return os.cpu_count()
    return len(psutil.Process().cpu_affinity())


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
