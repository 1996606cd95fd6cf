"""Checkpoints: all that a run needs to go on exactly where it was, in one file that is never
half written."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from vidtrans.atomic_write import whole_file
from vidtrans.errors import ModelError, OutputError
from vidtrans_training.config import TrainingConfig

FORMAT = 1


def save(path: Path, parts: dict[str, Any], step: int, config: TrainingConfig) -> None:
    """Writes the state dicts of ``parts`` (networks and optimisers by name), the step and the
    settings."""
    state = {
        "format": FORMAT,
        "config": config.model_dump_json(),
        "step": step,
        "parts": {name: part.state_dict() for name, part in parts.items()},
    }
    with whole_file(path, what="the checkpoint") as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # torch's own writer reports a full disk so
            raise OutputError(f"the checkpoint cannot be written: {error}.", where=path) from error


def read(path: Path) -> dict[str, Any]:
    """The whole checkpoint. Raises ModelError where the file is none."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
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
        raise ModelError(
            f"This is no checkpoint of a training run: {error}.", where=path
        ) from error
    if found != FORMAT:
        raise ModelError(f"A checkpoint of format {found}, expected {FORMAT}.", where=path)
    return state


def load(path: Path, parts: dict[str, Any]) -> int:
    """Puts everything back and returns the step that comes next. Raises ModelError where the
    file does not fit."""
    state = read(path)
    try:
        for name, part in parts.items():
            part.load_state_dict(state["parts"][name])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The checkpoint does not fit these settings: {error}.", where=path
        ) from error
    return int(state["step"])
