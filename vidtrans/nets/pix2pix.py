"""The pix2pix U-Net (Isola et al., "Image-to-Image Translation with Conditional Adversarial
Networks", 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vidtrans.nets.blocks import Layers, Norms, Statistics
from vidtrans.nets.dropout import Dropout, SeededModule, test_time_seed
from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.precision import full_precision


@dataclass(frozen=True)
class Pix2PixConfig:
    """``channels`` is ngf; ``downsamplings`` the halvings (7 in unet_128, 8 in unet_256).

    ``stored``: the checkpoint keeps running statistics of instance norms too. ``dropout``: half of
    the inner blocks' values are dropped at test time, by seed 0 where no other is given.
    ``dropout_layers``: the inner blocks have layers that drop in training.
    """

    kind: Literal["unet"] = "unet"
    input_nc: int = 3
    output_nc: int = 3
    channels: int = 64
    downsamplings: int = 8
    norm: Literal["batch", "instance"] = "batch"
    statistics: Statistics = "running"
    stored: bool = True
    dropout: bool = False
    dropout_layers: bool = True


class Block(SeededModule):
    """One halving of the U-Net, what lies within, and the way up again; the input is carried
    past it."""

    def __init__(
        self,
        outer: int,
        inner: int,
        within: Block | None,
        norm: Norms,
        *,
        bias: bool,
        dropout: Dropout | None = None,
    ) -> None:
        super().__init__()
        self.innermost = within is None
        layers: list[nn.Module] = [
            nn.LeakyReLU(0.2),
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
        ]
        if within is not None:
            layers += [norm(inner), within]
        layers += [
            nn.ReLU(),
            nn.ConvTranspose2d(
                inner if within is None else 2 * inner, outer, 4, stride=2, padding=1, bias=bias
            ),
            norm(outer),
        ]
        if dropout is not None:
            layers.append(dropout)
        self.model = Layers(*layers)

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        # The published activation works in place, so what is carried past the block is what left
        # the LeakyReLU.
        carried = self.model[0](x)
        return torch.cat([carried, self.model[1:](carried, seed)], dim=1)


class _Outermost(SeededModule):
    def __init__(self, config: Pix2PixConfig, within: Block, *, bias: bool) -> None:
        super().__init__()
        self.model = Layers(
            nn.Conv2d(config.input_nc, config.channels, 4, stride=2, padding=1, bias=bias),
            within,
            nn.ReLU(),
            nn.ConvTranspose2d(2 * config.channels, config.output_nc, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        return self.model(x, seed)  # type: ignore[no-any-return]


class UNet(nn.Module):
    """Image in, image out, at any size that is a multiple of 2 ** downsamplings."""

    n_frames = 1

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        if config.downsamplings < 5:
            raise ValueError(f"the U-Net halves at least 5 times, not {config.downsamplings}")
        self.config = config
        self.size_multiple = 2**config.downsamplings
        # A norm by the frame's own statistics needs more than one value: the innermost upwards
        # layer gives 2x2.
        self.smallest_side = self.size_multiple
        norm = Norms(config.norm, stored=config.stored, statistics=config.statistics)
        bias = config.norm == "instance"
        n = config.channels
        block = Block(8 * n, 8 * n, None, norm, bias=bias)
        for layer in range(config.downsamplings - 5):
            dropout = Dropout(layer) if config.dropout_layers else None
            block = Block(8 * n, 8 * n, block, norm, bias=bias, dropout=dropout)
        for outer, inner in ((4 * n, 8 * n), (2 * n, 4 * n), (n, 2 * n)):
            block = Block(outer, inner, block, norm, bias=bias)
        self.model = _Outermost(config, block, bias=bias)

    def forward(self, conditioning: Conditioning, history: History | None = None) -> Painting:
        """``conditioning.image`` [N,1,C,H,W] in [-1,1] to a picture."""
        if conditioning.image is None:
            raise ValueError("this network paints from pictures, and none were given")
        seed = test_time_seed(conditioning, self.config.dropout)
        picture = full_precision(self.model(conditioning.image[:, -1], seed))
        return Painting(picture=picture, scales=(picture,))
