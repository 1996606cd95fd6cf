"""PatchGAN discriminators under the published checkpoints' tensor names (Isola et al. 2017, section
3.2; at several scales Wang et al. 2018a, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from vidtrans.nets.blocks import Norms
from vidtrans.nets.conditioning import half_size

NormKind = Literal["batch", "instance"]


@dataclass(frozen=True, eq=False)
class DiscriminatorOutput:
    """The output of a discriminator for a batch of pictures.

    Args:
        scores: One map of patch scores [N,1,h,w] for each scale, finest first.
        activations: For each scale the outputs of all layers but the last, after their norm and
            LeakyReLU; empty unless features were requested.
    """

    scores: tuple[Tensor, ...]
    activations: tuple[tuple[Tensor, ...], ...]


def patch_layers(
    inputs: int, widths: Sequence[int], norm: Norms, *, padding: int, bias: bool
) -> list[list[nn.Module]]:
    """The layers of a PatchGAN, 4x4 convolutions all: stride 2 and LeakyReLU; stride 2, norm and
    LeakyReLU as often as ``widths`` says; the last of them and the scores have stride 1.

    Args:
        inputs: Channels of condition and picture together.
        widths: Channels of every layer but the scores.
        norm: What follows each convolution but the first and the last.
        padding: Of every convolution: 1 in pix2pix, 2 in the other systems.
        bias: Whether convolutions before a norm have one.
    """
    layers: list[list[nn.Module]] = [
        [nn.Conv2d(inputs, widths[0], 4, stride=2, padding=padding), nn.LeakyReLU(0.2)]
    ]
    for number, width in enumerate(widths[1:], start=1):
        stride = 1 if number == len(widths) - 1 else 2
        before = widths[number - 1]
        layers.append(
            [
                nn.Conv2d(before, width, 4, stride=stride, padding=padding, bias=bias),
                norm(width),
                nn.LeakyReLU(0.2),
            ]
        )
    layers.append([nn.Conv2d(widths[-1], 1, 4, padding=padding)])
    return layers


class PatchDiscriminator(nn.Module):
    """pix2pix's discriminator: one scale, tensors ``model.{index}``.

    Args:
        inputs: Channels of condition and picture together.
        channels: ``ndf``; widths double up to eight times that.
        n_layers: Convolutions of stride 2; 3 give a field of view of 70x70.
        norm: Batch norm (of the batch's own statistics), or instance norm without parameters.
        stored: Whether an instance norm keeps running statistics.
    """

    def __init__(
        self, inputs: int, channels: int, n_layers: int, norm: NormKind, *, stored: bool = False
    ) -> None:
        super().__init__()
        widths = [channels * min(2**n, 8) for n in range(n_layers + 1)]
        layers = patch_layers(
            inputs, widths, training_norms(norm, stored), padding=1, bias=norm == "instance"
        )
        self.model = nn.Sequential(*(module for layer in layers for module in layer))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """``x`` [N,C,H,W]: condition and picture along channels."""
        return DiscriminatorOutput((self.model(x),), ())


class PixelDiscriminator(nn.Module):
    """pix2pix's 1x1 discriminator, which sees pixels alone; tensors ``net.{index}``."""

    def __init__(self, inputs: int, channels: int, norm: NormKind, *, stored: bool = False) -> None:
        super().__init__()
        bias = norm == "instance"
        self.net = nn.Sequential(
            nn.Conv2d(inputs, channels, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 2 * channels, 1, bias=bias),
            training_norms(norm, stored)(2 * channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * channels, 1, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """``x`` [N,C,H,W]: condition and picture along channels."""
        return DiscriminatorOutput((self.net(x),), ())


class MultiscaleDiscriminator(nn.Module):
    """pix2pixHD's and vid2vid's discriminators: one PatchGAN for each scale.

    Scale 0 is the coarsest; scale ``scales - 1`` sees the picture as it is. Tensors are named
    ``scale{s}_layer{j}.{index}`` with features and ``layer{s}.{index}`` without.

    Args:
        inputs: Channels of condition and picture together.
        widths: Channels of each scale's first layer, coarsest first; they double up to 512.
        n_layers: Convolutions of stride 2.
        norm: Batch norm (of the batch's own statistics), or instance norm without parameters.
        features: Whether inner activations are handed out, for feature matching.
        stored: Whether an instance norm keeps running statistics (vid2vid's do).
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        n_layers: int,
        norm: NormKind,
        *,
        features: bool,
        stored: bool = False,
    ) -> None:
        super().__init__()
        self.features = features
        self.scales = len(widths)
        for scale, first in enumerate(widths):
            channels = [first]
            for _ in range(n_layers):
                channels.append(min(2 * channels[-1], 512))
            layers = patch_layers(
                inputs, channels, training_norms(norm, stored), padding=2, bias=True
            )
            if features:
                for number, layer in enumerate(layers):
                    self.add_module(f"scale{scale}_layer{number}", nn.Sequential(*layer))
            else:
                modules = (module for layer in layers for module in layer)
                self.add_module(f"layer{scale}", nn.Sequential(*modules))
        self.layers = n_layers + 2

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """``x`` [N,C,H,W]: condition and picture along channels, in full size."""
        scores, activations = [], []
        for scale in reversed(range(self.scales)):
            if scale < self.scales - 1:
                x = half_size(x)
            y = x
            inner = []
            if self.features:
                for number in range(self.layers - 1):
                    y = self.get_submodule(f"scale{scale}_layer{number}")(y)
                    inner.append(y)
                y = self.get_submodule(f"scale{scale}_layer{self.layers - 1}")(y)
            else:
                y = self.get_submodule(f"layer{scale}")(y)
            scores.append(y)
            activations.append(tuple(inner))
        return DiscriminatorOutput(tuple(scores), tuple(activations))


def training_norms(kind: NormKind, stored: bool) -> Norms:
    """Norms whose batch norm takes the batch's own statistics, as everything does in training."""
    if kind == "batch":
        return Norms("batch", statistics="running")
    return Norms("instance", stored=stored)
