"""Test-time dropout that can be repeated: pix2pix's source of variety (Isola et al. 2017,
"Image-to-Image Translation with Conditional Adversarial Networks", section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidtrans.nets.constants import kept, to_device
from vidtrans.nets.painting import Conditioning


class SeededModule(nn.Module):
    """A module whose ``forward`` takes a dropout seed after its input: ``forward(x, seed)``."""


class SeededSequential(nn.Sequential, SeededModule):
    """`torch.nn.Sequential` that hands the dropout seed on to those of its modules that take one.

    The names of its tensors are those of the plain one.
    """

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        for module in self:
            x = module(x, seed) if isinstance(module, SeededModule) else module(x)
        return x


class Dropout(SeededModule):
    """Drops half of the values and doubles the others.

    In training at random. At test time by the seed: the same seed, layer and size drop the same
    values, on every device and in every frame, so that a film does not flicker.

    Args:
        layer: Which of its network's dropout layers this is. Layers of other numbers drop other
            values.
    """

    def __init__(self, layer: int) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        """``x`` [N,C,H,W] with values dropped; as it is at test time where ``seed`` is None."""
        if self.training:
            return F.dropout(x, 0.5, training=True)
        if seed is None:
            return x
        return x * _factors(seed, self.layer, tuple(x.shape[1:]), x.device).to(x.dtype)


@kept(maxsize=64)
def _factors(seed: int, layer: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    # Made on the host, for generators of different devices give different numbers.
    generator = torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + layer) % (1 << 63))
    factors = torch.randint(0, 2, shape, generator=generator, dtype=torch.uint8) * 2
    return to_device(factors, device)


def has_dropout(network: nn.Module) -> bool:
    """Whether ``network`` has layers that can drop values."""
    return any(isinstance(module, Dropout) for module in network.modules())


def test_time_seed(conditioning: Conditioning, configured: bool) -> int | None:
    """The seed to drop by at test time.

    The one that the conditioning asks for, else 0 where the network is ``configured`` to drop at
    test time. None: nothing is dropped.
    """
    if conditioning.dropout_seed is not None:
        return conditioning.dropout_seed
    return 0 if configured else None
