"""One-file model bundles: a ``.safetensors`` file whose metadata is the model's card.

Tensors are named after their network: ``G0.``, ``G1.``, ... (vid2vid's scales, coarsest first) or
``G.``; ``first.`` (vid2vid's single-image generator); ``E.`` (pix2pixHD's encoder). The metadata
maps text to text, as safetensors wants it: ``format`` and ``format_version``, then each field of
the card as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vidtrans.atomic_write import whole_file
from vidtrans.errors import ModelError, OutputError
from vidtrans.model.card import Bundle, Card
from vidtrans.untrusted import parse_json
from vidtrans.validation import first_problem

FORMAT = "vidtrans-bundle"
FORMAT_VERSION = 1
_LARGEST_HEADER = 32 << 20
"""Bytes. A tensor takes some 100 of them, and published networks have hundreds of tensors."""
_IMPORT_ADVICE = "Import the folder of published checkpoints: that writes a bundle."


def write_bundle(
    path: str | PathLike[str],
    card: Card,
    tensors: Mapping[str, Tensor],
    *,
    storage: torch.dtype | None = None,
) -> None:
    """Writes a bundle, whole or not at all.

    Args:
        path: the file; one that exists is replaced.
        card: the metadata.
        tensors: by their bundle names.
        storage: the type that floating-point tensors are stored in; None: their own. They are
            always read as float32; ``torch.float16`` halves the file.

    Raises:
        OutputError: the file cannot be written.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu()
        if storage is not None and tensor.is_floating_point():
            tensor = tensor.to(storage)
        # A copy where memory is shared, which safetensors refuses to write.
        stored[name] = tensor.clone(memory_format=torch.contiguous_format)
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION)}
    metadata |= {name: json.dumps(value) for name, value in card.model_dump(mode="json").items()}
    with whole_file(path, what="the model") as temporary:
        try:
            save_file(stored, temporary, metadata=metadata)
        except SafetensorError as error:
            raise OutputError(f"the model cannot be written: {error}.", where=path) from error


def read_card(path: str | PathLike[str]) -> Card:
    """Reads a bundle's card without its tensors.

    Raises:
        ModelError: as `read_bundle`.
    """
    return _card(_header(Path(path)), Path(path))


def read_bundle(path: str | PathLike[str]) -> Bundle:
    """Reads a bundle. Its header is checked before any tensor is read; it can hold no code.

    Raises:
        ModelError: the file is missing, truncated, no bundle, or of a newer format.
    """
    file = Path(path)
    card = _card(_header(file), file)
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {
                # A copy: what safetensors gives is the file itself, mapped, and who writes into the
                # file or cuts it off would change the pictures of a run or kill it.
                name: opened.get_tensor(name).clone()
                for name in opened.keys()  # noqa: SIM118  # no mapping
            }
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"is not a whole model bundle ({error}).", where=file) from error
    return Bundle(card, tensors, str(file))


def _header(file: Path) -> dict[str, Any]:
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            start = opened.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(_LARGEST_HEADER, size - 8):
                raise ModelError(_what_instead(start, size), where=file, hint=_hint(file, start))
            text = opened.read(length)
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}.", where=file) from error
    try:
        header = parse_json(text)
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        ends = [int(entry["data_offsets"][1]) for entry in tensors.values()]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(
            "is no model bundle: its header is unreadable.", where=file, hint=_hint(file, start)
        ) from error
    if 8 + length + max(ends, default=0) != size:
        wanted = 8 + length + max(ends, default=0)
        raise ModelError(
            f"is truncated or damaged: it has {size} bytes, and its header needs {wanted}.",
            where=file,
        )
    return header  # type: ignore[no-any-return]


def _card(header: Mapping[str, Any], file: Path) -> Card:
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelError(
            "is a safetensors file, but no model bundle of vidtrans.",
            where=file,
            hint=_IMPORT_ADVICE,
        )
    version = str(metadata.get("format_version"))
    if not re.fullmatch(r"[0-9]{1,9}", version) or int(version) > FORMAT_VERSION:
        raise ModelError(
            f"is a bundle of format {version[:40]}, and this vidtrans reads formats up to"
            f" {FORMAT_VERSION}.",
            where=file,
            hint="A newer vidtrans reads it.",
        )
    try:
        fields = {
            n: parse_json(v) for n, v in metadata.items() if n not in ("format", "format_version")
        }
        return Card.model_validate(fields)
    except (ValidationError, ValueError, TypeError) as error:
        reason = first_problem(error, Card) if isinstance(error, ValidationError) else f"{error}."
        raise ModelError(f"has an unreadable card: {reason}", where=file) from error


def _what_instead(start: bytes, size: int) -> str:
    if size == 0:
        return "is empty."
    if start[:4] == b"PK\x03\x04" or start[:1] == b"\x80":
        return "is a pickled checkpoint, and a model bundle is needed; pickles are not loaded here."
    return f"is no model bundle, or truncated ({size} bytes)."


def _hint(file: Path, start: bytes) -> str | None:
    pickled = (
        start[:4] == b"PK\x03\x04" or start[:1] == b"\x80" or file.suffix in (".pth", ".pt", ".pkl")
    )
    return _IMPORT_ADVICE if pickled else None
