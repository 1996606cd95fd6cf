"""Installed models: the embedded bundles, and those in the user's folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from vidtrans.errors import ModelError
from vidtrans.media.naming import exists
from vidtrans.model.bundle import read_card
from vidtrans.model.card import Card
from vidtrans.validation import did_you_mean

_SUFFIX = ".safetensors"
_EMBEDDED = Path(__file__).parents[1] / "assets"


@dataclass(frozen=True)
class BundleEntry:
    """One installed model.

    Attributes:
        name: its file's name without the suffix.
        path: its file.
        embedded: whether it comes with vidtrans.
        card: its card, None where the file cannot be used.
        problem: why it cannot, None where it can.
    """

    name: str
    path: Path
    embedded: bool
    card: Card | None = None
    problem: str | None = None


def models_folder() -> Path:
    """The folder of the user's bundles: ``$VIDTRANS_MODELS``, else ``vidtrans/models`` in the
    platform's folder for data (``$XDG_DATA_HOME``, ``%LOCALAPPDATA%``, ``~/.local/share``)."""
    if chosen := os.environ.get("VIDTRANS_MODELS"):
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(data) if data else Path.home() / ".local" / "share") / "vidtrans" / "models"


def list_bundles() -> tuple[BundleEntry, ...]:
    """The embedded models and the user's. Files that cannot be used are listed with the reason."""
    return tuple(_entries())


def find_bundle(name_or_path: str | PathLike[str]) -> Path:
    """The file or folder of a model.

    Args:
        name_or_path: the name of an installed model, such as ``street``; a bundle; or a published
            checkpoint folder.

    Raises:
        ModelError: there is no such file, or no model of this name (the nearest are offered).
    """
    path = Path(name_or_path)
    # A folder without checkpoints may have the name of an installed model, which is then meant.
    if exists(path) and not (path.is_dir() and not any(path.glob("*.pth"))):
        return path
    names: dict[str, Path] = {}
    for folder in (models_folder(), _EMBEDDED):
        names |= {file.stem: file for file in _bundles(folder)}
    asked = os.fspath(name_or_path)
    if asked in names:
        return names[asked]
    if exists(path):
        return path
    if path.suffix or len(path.parts) > 1:
        raise ModelError("the model file does not exist.", where=path)
    raise ModelError(
        f"there is no model called {asked!r}.",
        hint=did_you_mean(asked, sorted(names)) if names else "No model is installed.",
    )


def model_digest(name_or_path: str | PathLike[str]) -> str:
    """12 hexadecimal digits of what a model's files hold.

    Args:
        name_or_path: as ``find_bundle`` takes it.

    Raises:
        ModelError: there is no such model, or it cannot be read.
    """
    path = find_bundle(name_or_path)
    digest = hashlib.blake2b(digest_size=6)
    try:
        for part in sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]:
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}.", where=path) from error
    return digest.hexdigest()


def _bundles(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []


def _entries() -> Iterator[BundleEntry]:
    for folder, embedded in ((_EMBEDDED, True), (models_folder(), False)):
        for path in _bundles(folder):
            try:
                yield BundleEntry(path.stem, path, embedded, card=read_card(path))
            except ModelError as error:
                yield BundleEntry(path.stem, path, embedded, problem=str(error))
