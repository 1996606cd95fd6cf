"""Optimisation steps: phases of a system, each followed by the steps of its optimisers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vidtrans_training.clip import Clip
from vidtrans_training.systems.system import System


class Updater:
    """Learns from clips, chunk by chunk.

    Args:
        system: Its weights and optimisers are changed.
    """

    def __init__(self, system: System[Any]) -> None:
        self.system = system

    def learn(self, clips: Sequence[Clip]) -> dict[str, Tensor]:
        """Learns from ``clips`` at once: gradients are their mean.

        Returns:
            Every loss by its published name, detached: the mean over clips and chunks.
        """
        found: dict[str, list[Tensor]] = defaultdict(list)
        carried: list[Any] = [None] * len(clips)
        for chunks in zip(*(self.system.chunks(clip) for clip in clips), strict=False):
            generated = [
                self.system.generate(chunk, before)
                for chunk, before in zip(chunks, carried, strict=True)
            ]
            carried = [one.carried for one in generated]
            running = [
                self.system.phases(chunk, one) for chunk, one in zip(chunks, generated, strict=True)
            ]
            for phases in zip(*running, strict=True):
                for optimiser in self.system.optimisers.values():
                    optimiser.zero_grad(set_to_none=True)
                for phase in phases:
                    total = torch.stack(list(phase.objectives.values())).sum()
                    (total / len(clips)).backward()  # type: ignore[no-untyped-call]
                    for name, value in phase.losses.items():
                        found[name].append(value.detach())
                for name in phases[0].objectives:
                    self.system.optimisers[name].step()
        return {name: torch.stack(values).mean() for name, values in found.items()}
