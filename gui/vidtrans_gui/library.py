"""Models on disk: list, add, import, remove. May be slow; does not depend on Qt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vidtrans.atomic_write import whole_file
from vidtrans.errors import ModelError, OutputError
from vidtrans.model import (
    BundleEntry,
    describe,
    list_bundles,
    models_folder,
    read_bundle,
    read_card,
    read_folder,
    write_bundle,
)
from vidtrans.sequence.device import accelerators

Report = Callable[[float, str], None]


def entries() -> tuple[BundleEntry, ...]:
    """The models: embedded ones first, then the user's, each sorted by name."""
    return list_bundles()


def facts(path: Path) -> dict[str, Any]:
    """Parameters, cost and classes of a model; see ``vidtrans.model.describe``.

    Raises:
        ModelError: The file is no usable bundle.
    """
    return describe(read_bundle(path))


def _own(name: str) -> Path:
    """The path of a new model called ``name`` in the user's folder of models.

    Raises:
        OutputError: There is a model of this name, or the folder cannot be made.
    """
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder of models cannot be made ({error.strerror}).", where=folder
        ) from None
    target = folder / f"{name}.safetensors"
    if target.exists():
        raise OutputError(
            "there is a model of this name already.",
            where=target,
            hint="Remove or rename it first.",
        )
    return target


def add(file: Path, report: Report) -> str:
    """Copy a bundle into the user's folder of models.

    Args:
        file: The bundle.
        report: Called with the progress, 0 to 1, and a text.

    Returns:
        The model's name.

    Raises:
        ModelError: The file is no usable bundle.
        OutputError: The copy cannot be written, or there is a model of this name.
    """
    report(0.0, f"Checking {file.name}")
    read_card(file)
    target = _own(file.stem)
    size = max(1, file.stat().st_size)
    with (
        whole_file(target, what="the copy of the model") as temporary,
        file.open("rb") as source,
        temporary.open("wb") as copy,
    ):
        while block := source.read(8 << 20):
            copy.write(block)
            report(copy.tell() / size, f"Copying {file.name}")
    return target.stem


def import_folder(folder: Path, report: Report) -> str:
    """Import a folder of published checkpoints into the user's folder of models.

    Args:
        folder: The folder of checkpoints.
        report: Called with the progress, 0 to 1, and a text.

    Returns:
        The model's name.

    Raises:
        ModelError: The folder holds no usable checkpoints.
        OutputError: The bundle cannot be written, or there is a model of this name.
    """
    target = _own(folder.name)
    report(0.05, f"Reading {folder.name}")
    bundle = read_folder(folder)
    report(0.7, "Writing the bundle")
    card = bundle.card if bundle.card.name else bundle.card.model_copy(update={"name": folder.name})
    write_bundle(target, card, bundle.tensors)
    report(1.0, "Done")
    return target.stem


def remove(entry: BundleEntry) -> None:
    """Delete one of the user's models.

    Raises:
        ModelError: The model is an embedded one.
        OutputError: The file cannot be deleted.
    """
    if entry.embedded:
        raise ModelError("this model comes with vidtrans and stays.", where=entry.path)
    try:
        entry.path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"the model cannot be deleted ({error.strerror}).", where=entry.path
        ) from None


def devices() -> tuple[tuple[str, str, str], ...]:
    """The devices: (value of the setting, title, why it cannot be used; empty if it can)."""
    found = [("auto", "auto", ""), ("cpu", "CPU", "")]
    found += [(name, title, "") for name, title in accelerators()]
    if len(found) == 2:
        why = (
            "This build of torch has no CUDA."
            if torch.version.cuda is None
            else "No NVIDIA GPU or driver was found."
        )
        found.append(("cuda", "GPU", why))
    return tuple(found)
