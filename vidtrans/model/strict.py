"""Tensors against a network, by name and shape: nothing is skipped in silence."""

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
    """``found`` as the network needs it: float32, and counters where old files have none.

    Raises ModelError that names every missing, unexpected and misshapen tensor with the shapes
    found and expected.
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

    fitting: dict[str, Tensor] = {}
    for name, like in expected.items():
        if name not in found:
            # PyTorch before 0.4.1 had no such counter; nothing that is computed here reads it.
            fitting[name] = torch.zeros(like.shape, dtype=like.dtype)
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
        fitting[name] = tensor.detach().to(like.dtype).contiguous()
        if like.dtype.is_floating_point and not bool(torch.isfinite(fitting[name]).all()):
            raise ModelError(f"tensor {name} holds numbers that are not finite.", where=where)
    return fitting


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
