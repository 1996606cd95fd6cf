"""Tensors compared with a network, by name and shape: none is skipped without a word."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vidtrans.errors import ModelError


def check_tensors(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    *,
    where: str,
    hint: str | None = None,
) -> dict[str, Tensor]:
    """Converts a file's tensors to what a network's parameters and buffers are.

    Args:
        expected: the network's tensors by name; only their shapes and types count.
        found: the file's tensors by name. ``num_batches_tracked`` may be missing: files from before
            PyTorch 0.4.1 have none.
        where: the file, for messages.
        hint: what to do if they do not fit.

    Returns:
        The tensors of ``found`` under the names of ``expected``, contiguous and of its types.

    Raises:
        ModelError: tensors are missing, unexpected or of another shape (each is named, with the
            shapes found and expected), are no plain arrays, or hold numbers that are not finite.
    """
    missing = [
        name for name in expected if name not in found and not name.endswith("num_batches_tracked")
    ]
    unexpected = [name for name in found if name not in expected]
    misshapen = [
        name for name in expected if name in found and found[name].shape != expected[name].shape
    ]
    if missing or unexpected or misshapen:
        raise ModelError(
            _report(expected, found, missing, unexpected, misshapen), where=where, hint=hint
        )

    converted: dict[str, Tensor] = {}
    for name, like in expected.items():
        if name not in found:
            # The counter of a file that has none; no result depends on it.
            converted[name] = torch.zeros(like.shape, dtype=like.dtype)
            continue
        tensor = found[name]
        if (
            tensor.layout != torch.strided
            or tensor.is_quantized
            or tensor.is_complex()
            or tensor.is_meta
        ):
            kind = "without values" if tensor.is_meta else f"{tensor.layout}, {tensor.dtype}"
            raise ModelError(f"tensor {name} is no plain array of numbers ({kind}).", where=where)
        converted[name] = tensor.detach().to(like.dtype).contiguous()
        if like.dtype.is_floating_point and not bool(torch.isfinite(converted[name]).all()):
            raise ModelError(f"tensor {name} holds numbers that are not finite.", where=where)
    return converted


def _report(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    missing: list[str],
    unexpected: list[str],
    misshapen: list[str],
) -> str:
    kinds = (("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen))
    counts = [f"{len(names)} {kind}" for kind, names in kinds if names]
    lines = [f"the tensors do not fit the network: {', '.join(counts)} of {len(expected)}."]
    groups = {
        "missing": {name: str(list(expected[name].shape)) for name in missing},
        "unexpected": {name: str(list(found[name].shape)) for name in unexpected},
        "misshapen": {
            n: f"found {list(found[n].shape)}, expected {list(expected[n].shape)}"
            for n in misshapen
        },
    }
    for kind, shapes in groups.items():
        if shapes:
            lines.append(f"  {kind}:")
            lines += [
                f"    {layer}: {'; '.join(tensors)}" for layer, tensors in _by_layer(shapes).items()
            ]
    return "\n".join(lines)


def _by_layer(shapes: Mapping[str, str]) -> dict[str, list[str]]:
    layers: dict[str, list[str]] = {}
    for name, shape in shapes.items():
        layer, _, tensor = name.rpartition(".")
        layers.setdefault(layer, []).append(f"{tensor} {shape}")
    return layers
