"""A published checkpoint folder as a run that can be measured and stepped.

What is measured is the training loop's own code: the systems of `vidtrans_training.systems` and
`vidtrans_training.update`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidtrans.errors import ModelError, UsageError
from vidtrans_training.clip import Clip
from vidtrans_training.options import parse_options
from vidtrans_training.systems.build import (
    VGG_FILE,
    build_system,
    keeps_statistics,
    load_networks,
    read_networks,
)
from vidtrans_training.systems.system import System
from vidtrans_training.update import Updater

Inputs = Mapping[str, npt.NDArray[Any]]


def import_run(
    folder: str | PathLike[str], *, system: str, options: Mapping[str, Any] | None = None
) -> Run:
    """Reads a folder of published checkpoints as a training run.

    Args:
        folder: Holds ``{label}_net_{name}.pth``, label ``latest`` or the option ``which_epoch``.
            A file ``vgg19.pth`` in it stands in for the downloaded VGG19. Discriminators that have
            no file begin with drawn weights.
        system: pix2pix, pix2pixHD or vid2vid.
        options: Under their published names; the others have their published defaults.

    Returns:
        A run on the CPU, in torch's default type.

    Raises:
        UsageError: An unknown option (the nearest known one is named) or a wrong value.
        ModelError: A file cannot be read, or is not of these networks.

    Example:
        >>> run = import_run("street", system="vid2vid")  # doctest: +SKIP
        >>> run.step({"labels": labels, "real": real, ...})  # doctest: +SKIP
    """
    given = dict(options or {})
    label = str(given.get("which_epoch") or given.get("epoch") or "latest")
    parsed = parse_options(system, given)
    tensors = read_networks(folder, label)
    vgg = Path(folder) / VGG_FILE
    built = build_system(
        parsed,
        torch.device("cpu"),
        vgg_weights=vgg if vgg.exists() else None,
        stored=keeps_statistics(tensors),
    )
    missing = [name for name in built.generator_networks if name not in tensors]
    if missing:
        raise ModelError(f"holds no {label}_net_{missing[0]}.pth.", where=folder)
    load_networks(built, tensors, where=str(folder))
    return Run(built)


class Run:
    """A system with its weights, measured and stepped by arrays.

    ``inputs`` are numpy arrays: ``real`` float [T,3,H,W] in [-1,1]; ``labels`` uint8 and
    ``instances`` integer [T,H,W]; ``images`` float [T,C,H,W]; ``features`` float [T,F,H,W];
    ``flow_{g}`` float [T,2,H,W]; ``confidence_{g}`` [T,1,H,W] of zeros and ones.
    """

    def __init__(self, system: System[Any]) -> None:
        self.system = system
        self._updater = Updater(system)

    def losses(self, inputs: Inputs) -> dict[str, float]:
        """Every loss by its published name, from the weights as they are; nothing is changed.

        Losses of chunk k > 0 are named ``name@k``.
        """
        found: dict[str, float] = {}
        with self.system.measuring(), torch.no_grad():
            for number, phases in enumerate(self._phases(inputs)):
                suffix = f"@{number}" if number else ""
                for phase in phases:
                    found |= {n + suffix: value.item() for n, value in phase.losses.items()}
        return found

    def gradients(self, inputs: Inputs) -> dict[str, dict[str, Tensor]]:
        """For every checkpoint file the gradients of what its optimiser minimises, for the tensors
        that the optimiser trains; summed over chunks."""
        system = self.system
        sums: dict[int, Tensor] = {}
        with system.measuring():
            for phases in self._phases(inputs):
                for phase in phases:
                    for name, objective in phase.objectives.items():
                        parameters = system.trained_parameters(name)
                        gradients = torch.autograd.grad(
                            objective,
                            parameters,
                            retain_graph=True,
                            allow_unused=True,
                            materialize_grads=True,
                        )
                        for parameter, gradient in zip(parameters, gradients, strict=True):
                            before = sums.get(id(parameter))
                            sums[id(parameter)] = gradient if before is None else before + gradient
        found: dict[str, dict[str, Tensor]] = defaultdict(dict)
        for name, network in system.networks.items():
            for tensor, parameter in network.named_parameters():
                if id(parameter) in sums:
                    found[_file(name)][tensor] = sums[id(parameter)]
        return dict(found)

    def step(self, inputs: Inputs) -> None:
        """One optimisation step on each chunk, in the published order."""
        self._updater.learn([clip_of(inputs)])

    def state_dicts(self) -> dict[str, dict[str, Tensor]]:
        """Copies of every network's tensors, by checkpoint file."""
        return {
            _file(name): {
                tensor: value.detach().clone() for tensor, value in network.state_dict().items()
            }
            for name, network in self.system.networks.items()
        }

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """The generated pictures ``fake`` [N,3,H,W]; for vid2vid also ``raw``, ``flow`` and
        ``weight`` [C,H,W] of the last frame. Nothing is changed."""
        system, clip = self.system, clip_of(inputs)
        carried, pictures = None, []
        with system.measuring(), torch.no_grad():
            for chunk in system.chunks(clip):
                generated = system.generate(chunk, carried)
                carried = generated.carried
                pictures.append(generated.pictures)
        found = {"fake": torch.cat(pictures)}
        for name in ("raw", "flow", "weight"):
            part = getattr(generated, name)
            if part is not None:
                found[name] = part[-1]
        return found

    def end_epoch(self) -> None:
        """What training does at the end of epoch 1, 2, ..."""
        self.system.end_epoch()

    def _phases(self, inputs: Inputs) -> Any:
        """For each chunk its phases, from weights that nobody steps."""
        system, carried = self.system, None
        for chunk in system.chunks(clip_of(inputs)):
            generated = system.generate(chunk, carried)
            yield system.phases(chunk, generated)
            carried = generated.carried


def clip_of(inputs: Inputs) -> Clip:
    """The arrays of ``inputs`` (see `Run`) as a clip, pictures in torch's default type.

    Raises:
        UsageError: An unknown array, or one of a shape that fits nothing.
    """
    known = ("real", "labels", "instances", "images", "features")
    for name in inputs:
        if name not in known and not name.startswith(("flow_", "confidence_")):
            raise UsageError(f"there is no input {name!r}; known are {', '.join(known)}, flow_1 ..")
    if "real" not in inputs:
        raise UsageError("the inputs lack real, the real pictures.")

    def pictures(name: str) -> Tensor | None:
        return _tensor(inputs[name]) if name in inputs else None

    def numbered(prefix: str) -> dict[int, Tensor]:
        return {
            int(name.removeprefix(prefix)): _tensor(array)
            for name, array in inputs.items()
            if name.startswith(prefix)
        }

    labels, instances = inputs.get("labels"), inputs.get("instances")
    try:
        return Clip(
            real=_tensor(inputs["real"]),
            labels=None if labels is None else torch.from_numpy(labels.astype(np.uint8)),
            instances=None if instances is None else torch.from_numpy(instances.astype(np.int32)),
            images=pictures("images"),
            features=pictures("features"),
            flow=numbered("flow_"),
            confidence=numbered("confidence_"),
        )
    except ValueError as error:
        raise UsageError(f"the inputs do not fit one another: {error}.") from error


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(torch.get_default_dtype())


def _file(name: str) -> str:
    return f"latest_net_{name}.pth"
