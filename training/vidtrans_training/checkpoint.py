"""Checkpoints: all that a run needs to go on exactly where it was, each a file that is there whole
or not at all."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidtrans.atomic_write import whole_file
from vidtrans.errors import ModelError, OutputError

FORMAT = 2
"""1 was that of the street trainer of version 0.1."""

_NAME = re.compile(r"step_(\d+)\.pt")


def write_checkpoint(folder: Path, step: int, state: Mapping[str, Any], *, keep: int) -> Path:
    """Writes ``step_{step}.pt``, then removes all but the newest ``keep``.

    Args:
        folder: Made where it is missing.
        step: Steps done.
        state: Tensors, numbers and texts in mappings, lists and tuples.
        keep: How many stay; the older ones are only removed once the new one is whole.

    Raises:
        OutputError: It cannot be written; the older ones are still there.
    """
    path = folder / f"step_{step:08d}.pt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder of checkpoints cannot be made: {error.strerror}.", where=folder
        ) from error
    with whole_file(path, what="the checkpoint") as temporary:
        try:
            torch.save({"format": FORMAT, "step": step, **state}, temporary)
        except RuntimeError as error:  # torch's own writer reports a full disk so
            raise OutputError(f"the checkpoint cannot be written: {error}.", where=path) from error
    for old in checkpoints(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, oldest first."""
    found = {path: _NAME.fullmatch(path.name) for path in folder.glob("step_*.pt")}
    numbered = [(int(match[1]), path) for path, match in found.items() if match]
    return [path for _, path in sorted(numbered)]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A whole checkpoint, on the CPU. Nothing in the file is run.

    Raises:
        ModelError: The file is cut off or damaged, or no checkpoint of a run, or of a newer format.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["format"]
    except (
        OSError,
        RuntimeError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        others = [other.name for other in checkpoints(path.parent) if other != path]
        hint = f"Remove it to go on from {others[-1]}." if others else None
        raise ModelError(
            f"is no whole checkpoint of a training run ({reason}).", where=path, hint=hint
        ) from error
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise ModelError(
            f"is a checkpoint of format {found}, and this vidtrans reads format {FORMAT}.",
            where=path,
            hint="A newer vidtrans reads it." if newer else None,
        )
    return state  # type: ignore[no-any-return]


def random_states() -> dict[str, Any]:
    """The state of every generator of random numbers in this process."""
    version, numbers, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_states(states: Mapping[str, Any]) -> None:
    """Puts ``random_states`` back."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
