"""Models on disk, as the window needs them: listed, added, imported, removed. No Qt; all of it
may be slow."""

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

Tell = Callable[[float, str], None]


def entries() -> tuple[BundleEntry, ...]:
    """Bundled models first, then the user's, each by name."""
    return list_bundles()


def facts(path: Path) -> dict[str, Any]:
    """What ``vidtrans models info`` says, counted from the networks. Raises ModelError."""
    return describe(read_bundle(path))


def _own(name: str) -> Path:
    """A free file among the user's models for a model called ``name``. Raises OutputError where
    there is one already."""
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


def add(file: Path, tell: Tell) -> str:
    """Copy a bundle among the user's models; its name. Raises ModelError where it is no usable
    bundle."""
    tell(0.0, f"Checking {file.name}")
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
            tell(copy.tell() / size, f"Copying {file.name}")
    return target.stem


def import_folder(folder: Path, tell: Tell) -> str:
    """A folder of published checkpoints as a bundle among the user's models; its name."""
    target = _own(folder.name)
    tell(0.05, f"Reading {folder.name}")
    bundle = read_folder(folder)
    tell(0.7, "Writing the bundle")
    card = bundle.card if bundle.card.name else bundle.card.model_copy(update={"name": folder.name})
    write_bundle(target, card, bundle.tensors)
    tell(1.0, "Done")
    return target.stem


def remove(entry: BundleEntry) -> None:
    """Delete one of the user's models. Raises ModelError for a bundled one, OutputError where it
    cannot be deleted."""
    if entry.embedded:
        raise ModelError("this model comes with vidtrans and stays.", where=entry.path)
    try:
        entry.path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"the model cannot be deleted ({error.strerror}).", where=entry.path
        ) from None


def devices() -> tuple[tuple[str, str, str], ...]:
    """(value, title, why it cannot be used) of every place to paint on."""
    found = [("auto", "auto", ""), ("cpu", "CPU", "")]
    if torch.cuda.is_available():
        found += [
            (f"cuda:{n}", f"GPU {torch.cuda.get_device_name(n)}", "")
            for n in range(torch.cuda.device_count())
        ]
    else:
        why = (
            "This build of torch has no CUDA."
            if torch.version.cuda is None
            else "No NVIDIA GPU or driver was found."
        )
        found.append(("cuda", "GPU", why))
    return tuple(found)
