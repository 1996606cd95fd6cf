"""Two runs of ``vidtrans bench`` or ``vidtrans bench suite`` compared: ratios, and what got slower
by more than noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidtrans.errors import InputError

_SAME = ("model", "size", "device", "precision")
"""What two measurements must share, or their ratio tells nothing."""
_SUITE_STAGES = ("upload", "generator", "download", "frame")
_ONCE = ("load", "first_frame")
"""Times that a process has once, so that their noise is not known: they have a ratio only."""
_MACHINE = ("cpu", "cores", "gpu", "torch_threads", "versions")
"""What of two machines may change times."""

Figures = Mapping[str, Any]


def earlier_figures(path: Path, kind: str) -> dict[str, Any]:
    """Read the figures of an earlier run.

    Args:
        path: What ``vidtrans bench`` or ``vidtrans bench suite`` printed, or a file of several
            benchmarks by their names, as ``docs/benchmarks`` holds.
        kind: ``bench`` or ``suite``.

    Returns:
        The figures of this kind.

    Raises:
        InputError: The file cannot be read, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read as JSON: {error}", where=str(path)) from error
    figures = found.get(kind, found) if isinstance(found, dict) else found
    key = {"bench": "ms_per_frame", "suite": "rows"}[kind]
    if not isinstance(figures, dict) or key not in figures:
        command = {"bench": "vidtrans bench", "suite": "vidtrans bench suite"}[kind]
        raise InputError(f"holds no figures of {command} (there is no {key!r}).", where=str(path))
    return figures


def compare_bench(old: Figures, new: Figures) -> dict[str, Any]:
    """Compare two runs of ``vidtrans bench``.

    A stage is slower where its median grew by more than the rounds of both runs spread together:
    a change within that is one that repeated rounds show without any.

    Args:
        old: The figures before.
        new: The figures now.

    Returns:
        Plain values for JSON: ``ratio``, new to old milliseconds by stage; ``slower``, the stages
        that got slower by more than noise; ``other_machine``, what differs between the machines.

    Raises:
        ValueError: ``old`` has no times of these stages, or is of another model, size, device or
            precision.
    """
    for name in _SAME:
        if old.get(name) != new[name]:
            raise ValueError(f"it has the {name} {old.get(name)!r}, and this run {new[name]!r}")
    return _compared(
        {
            stage: (_number(old, "ms_per_frame", stage), ms)
            for stage, ms in new["ms_per_frame"].items()
        },
        {
            stage: _number(old, "spread_ms", stage) + new["spread_ms"][stage]
            for stage in new["ms_per_frame"]
        },
    ) | _other_machine(old, new)


def compare_suites(old: Figures, new: Figures) -> dict[str, Any]:
    """Compare two runs of ``vidtrans bench suite``, row by row.

    Rows belong together where model, size, device and precision are the same. Noise is what the
    thirds of both rows' frames spread; the times to load a model and to its first frame, which a
    row has once, have a ratio only.

    Args:
        old: The figures before.
        new: The figures now.

    Returns:
        Plain values for JSON: ``rows``, each with its ``ratio`` and what is ``slower``, as
        `compare_bench` gives them; ``not_compared``, rows of ``new`` without a partner or with an
        error; ``other_machine``.

    Raises:
        ValueError: ``old`` has no times of a row, or no row belongs to one of ``new``.
    """
    rows = old["rows"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("its rows are no list of figures")
    before = {_key(row): row for row in rows if "error" not in row}
    compared, alone = [], []
    for row in new["rows"]:
        partner = None if "error" in row else before.get(_key(row))
        named = {name: row.get(name) for name in _SAME}
        if partner is None:
            alone.append(named | {"error": row.get("error", "the earlier run has no such row")})
            continue
        times = {
            stage: (_number(partner, f"{stage}_ms"), row[f"{stage}_ms"])
            for stage in (*_ONCE, *_SUITE_STAGES)
        }
        noise = {
            stage: _number(partner, "spread_ms", stage) + row["spread_ms"][stage]
            for stage in _SUITE_STAGES
        }
        compared.append(named | _compared(times, noise))
    if not compared:
        raise ValueError("it has no row of a model, size, device and precision of this run")
    return {"rows": compared, "not_compared": alone} | _other_machine(old, new)


def sentences(compared: Figures, path: Path) -> list[str]:
    """What people are told of a comparison: what got slower by more than noise, and what makes the
    runs hard to compare."""
    told = []
    for row in compared.get("rows", [compared]):
        slower = [f"{stage} ({row['ratio'][stage]} times)" for stage in row["slower"]]
        name = f"{row['model']} {row['size']}: " if "model" in row else ""
        told.append(
            f"{name}slower than in {path} by more than noise: {', '.join(slower) or 'none'}"
        )
    for row in compared.get("not_compared", []):
        told.append(f"{row['model']} {row['size']}: not compared ({row['error']})")
    for name, (then, now) in compared["other_machine"].items():
        told.append(f"the runs differ in {name}: {then} then, {now} now")
    return told


def _compared(
    times: Mapping[str, tuple[float, float]], noise: Mapping[str, float]
) -> dict[str, Any]:
    return {
        "ratio": {
            stage: round(now / before, 3) if before else None
            for stage, (before, now) in times.items()
        },
        "slower": [
            stage
            for stage, (before, now) in times.items()
            if stage in noise and now - before > noise[stage]
        ],
    }


def _other_machine(old: Figures, new: Figures) -> dict[str, Any]:
    then, now = (run.get("machine") or {} for run in (old, new))
    differing = {}
    if isinstance(then, dict) and then and now:
        for name in _MACHINE:
            if then.get(name) != now.get(name):
                differing[name] = [then.get(name), now.get(name)]
    return {"other_machine": differing}


def _key(row: Figures) -> tuple[str, ...]:
    return tuple(str(row.get(name)) for name in _SAME)


def _number(figures: Figures, *path: str) -> float:
    value: Any = figures
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"it has no number {'.'.join(path)}")
    return float(value)
