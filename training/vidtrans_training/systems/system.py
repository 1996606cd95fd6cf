"""What all systems are to the training loop.

A clip is learned from in chunks (vid2vid's; the other systems have one). For a chunk a system
generates pictures, and then says in one or more phases what each of its optimisers minimises. All
optimisers of a phase are stepped before the next phase is computed. Whoever only wants to know the
losses runs through the phases without stepping: there is one way to compute them.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from vidtrans.nets.blocks import fixed_running_statistics
from vidtrans.nets.conditioning import boundary, one_hot
from vidtrans_training.clip import Clip
from vidtrans_training.options import CommonOptions

T = TypeVar("T")
OptionsT = TypeVar("OptionsT", bound=CommonOptions)


@dataclass(frozen=True, eq=False)
class Generated:
    """What a system generated for a chunk; N pictures, oldest first, at full size.

    Args:
        pictures: Final pictures [N,C,H,W] in [-1,1].
        raw: Painted anew, with the foreground composed in; None where the system has none.
        warped: The previous picture moved by the flow.
        flow: [N,2,H,W], x then y, pixels.
        weight: [N,1,H,W], 1 = painted anew.
        foreground: Foreground pictures.
        before: What the chunk before handed on; None for the first.
        carried: What the next chunk of the same clip begins with; detached.
    """

    pictures: Tensor
    raw: Tensor | None = None
    warped: Tensor | None = None
    flow: Tensor | None = None
    weight: Tensor | None = None
    foreground: Tensor | None = None
    before: Any = None
    carried: Any = None


@dataclass(frozen=True, eq=False)
class Phase:
    """One part of an optimisation step.

    Args:
        losses: Every loss by its published name, weights included.
        objectives: For each optimiser by name what it minimises, a scalar.
    """

    losses: Mapping[str, Tensor]
    objectives: Mapping[str, Tensor]


class System(ABC, Generic[OptionsT]):
    """A system's networks with their optimisers and schedule.

    Args:
        options: The system's options.
        device: Where the networks live.

    Attributes:
        networks: By their published file names: ``G`` or ``G0``, ``G1``, ...; ``D``; ``D_T0``, ...;
            ``E``.
        optimisers: ``G`` (of all generators and the encoder), ``D``, ``D_T0``, ...
        epoch: Epochs that have ended.
    """

    networks: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    n_phases = 1
    """How many phases a step has."""
    recompute = False
    """Activations of the generator are computed again in the backward pass instead of kept."""

    def __init__(self, options: OptionsT, device: torch.device) -> None:
        self.options = options
        self.device = device
        self.epoch = 0

    @abstractmethod
    def chunks(self, clip: Clip) -> Iterator[Clip]:
        """The parts of ``clip`` that are an optimisation step each, in their order."""

    @abstractmethod
    def generate(self, chunk: Clip, carried: Any = None) -> Generated:
        """Pictures for ``chunk``; ``carried`` is that of the chunk before, None for the first."""

    @abstractmethod
    def phases(self, chunk: Clip, generated: Generated) -> Iterator[Phase]:
        """What the optimisers minimise, phase by phase."""

    @abstractmethod
    def _end_epoch(self) -> None:
        """What the schedule does at the end of epoch number ``self.epoch``, the first being 1."""

    @property
    @abstractmethod
    def generator_networks(self) -> dict[str, nn.Module]:
        """Those of ``networks`` that generation needs; the others are discriminators."""

    def end_epoch(self) -> None:
        """Ends an epoch: learning rates fall, parts are released, sequences grow."""
        self.epoch += 1
        self._end_epoch()

    def train(self) -> None:
        """Puts every network into training mode; nothing is evaluated otherwise in training."""
        for network in self.networks.values():
            network.train()

    def trained_parameters(self, optimiser: str) -> list[nn.Parameter]:
        """The parameters that an optimiser steps."""
        return [p for group in self.optimisers[optimiser].param_groups for p in group["params"]]

    def recomputed(self, compute: Callable[[], T]) -> T:
        """What ``compute`` gives. With ``recompute`` its activations are not kept for the backward
        pass but computed again in it, with the same random numbers; running statistics follow the
        first time only."""
        if not self.recompute or not torch.is_grad_enabled():
            return compute()
        return checkpoint(  # type: ignore[no-any-return]
            compute,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), fixed_running_statistics()),
        )

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimisers, schedule and whatever else decides the next step."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: own.state_dict() for name, own in self.optimisers.items()},
            "epoch": self.epoch,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts a state back into a system that was just built with the same options.

        The schedule is run through again, so that the optimisers train what they trained.
        """
        with warnings.catch_warnings():
            # PyTorch warns of schedules that are stepped before their optimisers were.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            for _ in range(state["epoch"]):
                self.end_epoch()
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, own in self.optimisers.items():
            own.load_state_dict(state["optimisers"][name])

    def weighted(self, losses: Mapping[str, Tensor]) -> Tensor:
        """G's objective: the sum of its ``losses``, each with its factor of ``loss_weights``."""
        factors = self.options.loss_weights
        return torch.stack([losses[name] * factors.get(name, 1.0) for name in losses]).sum()

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Losses are looked at and nothing is changed by that: neither running statistics nor the
        state of random numbers."""
        with fixed_running_statistics(), torch.random.fork_rng(enabled=True):
            yield


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through ``network`` and none are made for its parameters."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def condition_planes(clip: Clip, label_nc: int, *, use_instance: bool) -> Tensor:
    """What a discriminator sees of a clip beside the picture: label planes, or the picture
    that it is generated from; then the boundary plane.

    Returns:
        float [T,C,H,W].
    """
    if label_nc:
        assert clip.labels is not None, "the system paints from labels"
        planes = one_hot(clip.labels, tuple(range(label_nc)))
    else:
        assert clip.images is not None, "the system paints from pictures"
        planes = clip.images
    if not use_instance:
        return planes
    return torch.cat([planes, boundaries(clip)[:, None].to(planes.dtype)], dim=1)


def boundaries(clip: Clip) -> Tensor:
    """bool [T,H,W], True on both sides of an instance's edge."""
    assert clip.instances is not None, "the system looks at instances"
    return boundary(clip.instances)
