"""A pool of generated pictures for a discriminator (Shrivastava et al. 2017)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class PicturePool:
    """Up to ``size`` pairs of condition and generated picture.

    Until the pool is full, pairs go in and are used. Then, with probability 1/2, a random stored
    pair is used and replaced by the new one; else the new one is used. A ``size`` of 0 is no pool.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.pairs: list[Tensor] = []
        self._random = random.Random(seed)
        self._fixed = False

    def query(self, pairs: Tensor) -> Tensor:
        """The pairs [N,C,H,W] to show to the discriminator in place of ``pairs``, which are
        detached."""
        pairs = pairs.detach()
        if not self.size or self._fixed:
            return pairs
        used = []
        for pair in pairs:
            if len(self.pairs) < self.size:
                self.pairs.append(pair)
                used.append(pair)
            elif self._random.random() < 0.5:
                place = self._random.randrange(self.size)
                used.append(self.pairs[place])
                self.pairs[place] = pair
            else:
                used.append(pair)
        return torch.stack(used)

    @contextmanager
    def fixed(self) -> Iterator[None]:
        """Queries are answered with the new pairs and nothing is stored."""
        self._fixed = True
        try:
            yield
        finally:
            self._fixed = False

    def state_dict(self) -> dict[str, Any]:
        """The pairs and the state of the random numbers."""
        version, numbers, gauss = self._random.getstate()
        return {"pairs": list(self.pairs), "random": [version, list(numbers), gauss]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts a state back."""
        version, numbers, gauss = state["random"]
        self.pairs = list(state["pairs"])
        self._random.setstate((version, tuple(numbers), gauss))
