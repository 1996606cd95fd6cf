"""Published ``.pth`` checkpoint files, read without running code that they hold."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from vidtrans.errors import ModelError

_LARGEST_FILE = 16 << 30
"""Bytes: far more than any published checkpoint has."""


_NO_CHECKPOINT = (
    (
        b"version https://git-lfs",
        "is a Git LFS pointer, not the file itself",
        "Fetch it: git lfs pull.",
    ),
    (b"\x1f\x8b", "is compressed with gzip", "Unpack it first (tar xf, or gunzip)."),
    (b"BZh", "is compressed with bzip2", "Unpack it first."),
    (b"7z\xbc\xaf", "is a 7z archive", "Unpack it first."),
    (b"<!DOCTYPE", "is a web page, as a download that was refused leaves", "Download it again."),
    (b"<html", "is a web page, as a download that was refused leaves", "Download it again."),
)
"""First bytes of files that lie under a checkpoint's name, what they are, and what to do."""
_WRAPPERS = ("state_dict", "model_state_dict", "net_G", "netG", "generator", "G", "params_ema")
"""Keys under which training states hold the network's tensors."""


_NUMPY = (
    "numpy.dtype",
    "numpy.ndarray",
    *(
        f"numpy.{core}.multiarray.{call}"
        for core in ("core", "_core")
        for call in ("scalar", "_reconstruct")
    ),
)
"""What a pickle names to make numpy's scalars and arrays."""


class NumpyValue:
    """Stands for a numpy value of a checkpoint, and for what would make it: no numpy code runs."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_pth(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a checkpoint file by name.

    The file is read by ``torch.load(weights_only=True)`` and nothing else. The numpy values that
    training states hold beside the network, such as a best score, are left out unread.

    Args:
        path: a file of ``torch.save``, in its zip format or the one before.

    Returns:
        The tensors, on the CPU; the prefix ``module.`` of DataParallel is taken off. Of a training
        state, which holds them beside other things, those under `_WRAPPERS`.

    Raises:
        ModelError: the file is missing or truncated, holds anything but named tensors, or could
            only be read by running code that it holds.
    """
    file = Path(path)
    _check_container(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle versions, which no user can change
            with torch.serialization.safe_globals([(NumpyValue, name) for name in _NUMPY]):
                content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"is refused: {_reason(error)}.",
            where=file,
            hint=(
                "Save it again as a plain dictionary of tensors (torch.save(network.state_dict(),"
                " file))."
            ),
        ) from error
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}.", where=file) from error
    except Exception as error:
        # What torch raises on damaged bytes depends on where the damage lies: EOFError, KeyError,
        # RuntimeError, ...
        raise ModelError(f"is truncated or damaged ({_short(error)}).", where=file) from error
    return _named_tensors(content, file)


def _check_container(file: Path) -> None:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}.", where=file) from error
    if size == 0:
        raise ModelError("is empty.", where=file)
    if size > _LARGEST_FILE:
        raise ModelError(f"has {size} bytes, more than any published checkpoint.", where=file)
    with file.open("rb") as opened:
        head = opened.read(32)
    for begins, what, remedy in _NO_CHECKPOINT:
        if head.startswith(begins):
            raise ModelError(f"{what}.", where=file, hint=remedy)
    if not head.startswith(b"PK\x03\x04"):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            inside = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        # ValueError: names in the directory that are no UTF-8.
        raise ModelError(f"is truncated or damaged ({_short(error)}).", where=file) from error
    if inside > size:
        # torch.save stores without compression, and a small compressed file may hold terabytes.
        raise ModelError(
            "is refused: its parts are compressed, which torch.save never does.", where=file
        )


def _named_tensors(content: object, file: Path) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        raise ModelError(
            f"holds {type(content).__name__}, and a dictionary of named tensors is needed.",
            where=file,
        )
    for key in _WRAPPERS:
        inner = content.get(key)
        if isinstance(inner, Mapping) and any(isinstance(v, Tensor) for v in inner.values()):
            return _named_tensors(inner, file)
    tensors: dict[str, Tensor] = {}
    wrapped = all(isinstance(name, str) and name.startswith("module.") for name in content)
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelError(
                f"holds {name!r}: {type(value).__name__}, and only named tensors are expected.",
                where=file,
            )
        if value.layout == torch.strided and not value.is_meta:
            stored = value.untyped_storage().nbytes()
            if value.numel() * value.element_size() > stored:
                # Strides of 0 let a few bytes stand for any number of values.
                raise ModelError(
                    f"tensor {name} claims {value.numel()} values, and {stored} bytes are stored"
                    " for them.",
                    where=file,
                )
        tensors[name.removeprefix("module.") if wrapped else name] = value
    return tensors


def _reason(error: Exception) -> str:
    found = re.search(r"GLOBAL ([\w.]+\w)", str(error))
    if found:
        return f"reading it would have to call {found[1]}, and a model file must hold tensors only"
    # The reason stands between advice on how to load the file all the same, which is unsafe.
    stated = re.search(r"(Unsupported .*|Can only .*|Invalid .*)", str(error))
    what = stated[1].strip() if stated else "an unknown kind of pickle"
    return f"it holds more than tensors ({what})"


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1] if lines else type(error).__name__
    return text[:160].rstrip(".")
