"""A moving average of the generators' weights, which makes steadier pictures than any one step's
(Yazıcı et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class WeightAverage:
    """The moving average of ``networks``.

    Args:
        networks: The generators (and the encoder).
        decay: The share that the average keeps in each step; the first steps count more, as
            (1 + n) / (10 + n). 0: the average is the networks themselves.
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        self.networks = nn.ModuleDict(networks)
        self.decay = decay
        self.average: AveragedModel | None = None
        if decay:
            self.average = AveragedModel(self.networks, multi_avg_fn=self._follow)

    @torch.no_grad()
    def _follow(
        self,
        average: tuple[Tensor, ...] | list[Tensor],
        current: tuple[Tensor, ...] | list[Tensor],
        averaged: Tensor | int,
    ) -> None:
        count = int(averaged)
        keep = min(self.decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(average, current, 1 - keep)

    def update(self) -> None:
        """Takes a step's weights in."""
        if self.average is not None:
            self.average.update_parameters(self.networks)

    def restart(self) -> None:
        """Begins again with the networks' weights, where these were replaced."""
        if self.average is not None:
            self.average = AveragedModel(self.networks, multi_avg_fn=self._follow)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """The averaged tensors by network and name; running statistics are the last step's."""
        module = self.networks if self.average is None else self.average.module
        return {name: dict(part.state_dict()) for name, part in module.named_children()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The networks have the averaged weights, and their own again afterwards, bit for bit."""
        if self.average is None:
            yield
            return
        pairs = list(zip(self.networks.parameters(), self.average.module.parameters(), strict=True))
        _exchange(pairs)
        try:
            yield
        finally:
            _exchange(pairs)

    def state_dict(self) -> dict[str, Tensor]:
        """All of it, for a checkpoint."""
        return {} if self.average is None else self.average.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Puts it back."""
        if self.average is not None:
            self.average.load_state_dict(state)


def _exchange(pairs: list[tuple[nn.Parameter, nn.Parameter]]) -> None:
    for one, other in pairs:
        one.data, other.data = other.data, one.data
