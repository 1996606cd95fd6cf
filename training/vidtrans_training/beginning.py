"""Weights that a run begins with: of a bundle, or of a folder of published checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vidtrans.errors import ModelError
from vidtrans.model.bundle import read_bundle
from vidtrans_training.systems.build import read_networks
from vidtrans_training.systems.system import System


@dataclass(frozen=True)
class Beginning:
    """What was taken over. ``taken`` and ``left``: tensors of the networks that were found in the
    source and that were not. ``name``: of the source, for provenance."""

    taken: int
    left: tuple[str, ...]
    name: str


def begin_with(system: System[Any], source: Path) -> Beginning:
    """Takes tensors by name where names and shapes fit; what the source lacks stays as drawn.

    A larger network begins so with a smaller one's weights: a local enhancer with the global
    generator's, a further scale with the coarser ones', a discriminator of three scales with the
    two coarsest.

    Args:
        system: Its networks are changed.
        source: A bundle (``.safetensors``) or a folder of ``{label}_net_{name}.pth``.

    Raises:
        ModelError: The source cannot be read, or nothing in it fits.
    """
    if source.is_dir():
        found, name = read_networks(source), source.name
    else:
        bundle = read_bundle(source)
        found, name = _by_network(bundle.tensors), bundle.card.name or source.stem
    taken, left = 0, []
    for network_name, network in system.networks.items():
        own = network.state_dict()
        given = found.get(network_name, {})
        fitting = {
            tensor: given[tensor].to(value.dtype)
            for tensor, value in own.items()
            if tensor in given and given[tensor].shape == value.shape
        }
        network.load_state_dict(own | fitting)
        taken += len(fitting)
        left += [f"{network_name}.{tensor}" for tensor in own if tensor not in fitting]
    generators = [n for n in system.generator_networks if n in found]
    if not taken or not generators:
        held = ", ".join(found) or "nothing"
        raise ModelError(
            f"the run cannot begin with these weights: none of the networks"
            f" {', '.join(system.networks)} has a tensor of the same name and shape in it (it holds"
            f" {held}).",
            where=source,
        )
    return Beginning(taken, tuple(left), name)


def _by_network(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        prefix, _, own = name.partition(".")
        found.setdefault(prefix, {})[own] = tensor
    return found
