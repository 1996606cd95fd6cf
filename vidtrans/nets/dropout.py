"""Test-time dropout, pix2pix's way to variety, that can be repeated (Isola et al. 2017, section
2.1)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidtrans.nets.painting import Conditioning


class Dropout(nn.Module):
    """Drops half of the values and doubles the others: in training at random, at test time by its
    ``seed``, if it has one.

    The same seed, place and size drop the same values, on every device and in every frame: a film
    does not flicker.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seed: int | None = None
        self.place = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return F.dropout(x, 0.5, training=True)
        if self.seed is None:
            return x
        return x * _kept(self.seed, self.place, tuple(x.shape[1:]), x.device).to(x.dtype)


@lru_cache(maxsize=64)
def _kept(seed: int, place: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    # Made on the host, for generators of different devices give different numbers.
    generator = torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + place) % (1 << 63))
    kept = torch.randint(0, 2, shape, generator=generator, dtype=torch.uint8) * 2
    return kept.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else kept


def set_dropout(network: nn.Module, seed: int | None) -> None:
    """Let every dropout layer of ``network`` drop by ``seed`` at test time; None: not at all."""
    for place, layer in enumerate(m for m in network.modules() if isinstance(m, Dropout)):
        layer.seed, layer.place = seed, place


def has_dropout(network: nn.Module) -> bool:
    return any(isinstance(module, Dropout) for module in network.modules())


def test_time_seed(conditioning: Conditioning, configured: bool) -> int | None:
    """The seed to drop by: the one asked for, else 0 where the network is configured to drop at
    test time."""
    if conditioning.dropout_seed is not None:
        return conditioning.dropout_seed
    return 0 if configured else None
