"""pix2pix's other generator: two halvings, residual blocks, two doublings (Johnson et al.,
2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from vidtrans.nets.blocks import Layers, Norms, ResidualBlock, Statistics, down, head, up, wide
from vidtrans.nets.dropout import Dropout, test_time_seed
from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.precision import full_precision


@dataclass(frozen=True)
class ResnetConfig:
    """``channels`` is ngf. ``dropout_layers``: the checkpoint was made with a dropout layer in each
    block, which moves the second convolution's index; ``dropout``: it is active at test time, by
    seed 0 where no other is given."""

    kind: Literal["resnet"] = "resnet"
    input_nc: int = 3
    output_nc: int = 3
    channels: int = 64
    blocks: int = 9
    norm: Literal["batch", "instance"] = "batch"
    statistics: Statistics = "running"
    stored: bool = True
    dropout_layers: bool = False
    dropout: bool = False


class Resnet(nn.Module):
    """c7-n, d-2n, d-4n, blocks x R-4n, u-2n, u-n, head with tanh; no convolution before a batch
    norm has a bias."""

    n_frames = 1
    size_multiple = 4
    smallest_side = 8

    def __init__(self, config: ResnetConfig) -> None:
        super().__init__()
        self.config = config
        norm = Norms(config.norm, stored=config.stored, statistics=config.statistics)
        bias = config.norm == "instance"
        n = config.channels
        layers = wide(config.input_nc, n, norm, bias=bias)
        layers += down(n, 2 * n, norm, bias=bias) + down(2 * n, 4 * n, norm, bias=bias)
        for layer in range(config.blocks):
            dropout = Dropout(layer) if config.dropout_layers else None
            layers.append(ResidualBlock(4 * n, norm, bias=bias, dropout=dropout))
        layers += up(4 * n, 2 * n, norm, bias=bias) + up(2 * n, n, norm, bias=bias)
        self.model = Layers(*layers, *head(n, config.output_nc, nn.Tanh()))

    def forward(self, conditioning: Conditioning, history: History | None = None) -> Painting:
        """``conditioning.image`` [N,1,C,H,W] in [-1,1] to a picture."""
        if conditioning.image is None:
            raise ValueError("this network paints from pictures, and none were given")
        seed = test_time_seed(conditioning, self.config.dropout)
        picture = full_precision(self.model(conditioning.image[:, -1], seed))
        return Painting(picture=picture, scales=(picture,))
