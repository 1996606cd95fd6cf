"""The pix2pixHD generators (Wang et al., "High-Resolution Image Synthesis ... with Conditional
GANs", 2018): global, and local enhancers around it. vid2vid paints its first frames with them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

from torch import Tensor, nn

from vidtrans.nets.blocks import (
    FrameNorm,
    Layers,
    Norms,
    Statistics,
    down,
    head,
    residuals,
    up,
    wide,
)
from vidtrans.nets.conditioning import Planes, WindowPlanes, coarser, convolve_planes
from vidtrans.nets.features import average_instances
from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.precision import full_precision


@dataclass(frozen=True)
class Pix2PixHDConfig:
    """Everything that shapes the generator; in parentheses the published names.

    Attributes:
        label_nc: Label planes. 0: ``input_nc`` picture channels instead.
        input_nc: Channels of a picture to translate.
        output_nc: Channels of the result.
        use_instance: Whether there is a boundary plane (not no_instance).
        feature_nc: Style planes, after the boundary plane (feat_num).
        channels: Channels of the first layer (ngf).
        downsamplings: Halvings of the global generator (n_downsample_global).
        blocks: Its residual blocks (n_blocks_global).
        local_enhancers: Local enhancers around it (n_local_enhancers); 0: the global generator.
        local_blocks: Residual blocks of each enhancer (n_blocks_local).
        norm: Kind of normalisation (norm).
        statistics: Whose mean and variance a norm uses.
        stored: Whether checkpoints hold running statistics of instance norms too, as vid2vid's do.
        channel_cap: Most channels of a layer: 1024 in vid2vid's single-image generators, None
            otherwise.
    """

    label_nc: int = 35
    input_nc: int = 3
    output_nc: int = 3
    use_instance: bool = True
    feature_nc: int = 0
    channels: int = 64
    downsamplings: int = 4
    blocks: int = 9
    local_enhancers: int = 0
    local_blocks: int = 3
    norm: Literal["batch", "instance"] = "instance"
    statistics: Statistics = "frame"
    stored: bool = False
    channel_cap: int | None = None

    @property
    def planes(self) -> int:
        return (self.label_nc or self.input_nc) + self.use_instance + self.feature_nc


class Pix2PixHD(nn.Module):
    """``model`` is the global generator; ``model{e}_1`` and ``model{e}_2`` are the e-th
    enhancer, coarsest first."""

    n_frames = 1

    def __init__(self, config: Pix2PixHDConfig) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = 2 ** (config.downsamplings + config.local_enhancers)
        # The global generator's 7x7 needs 4 pixels to reflect, its residual blocks 2.
        self.smallest_side = max(4 * 2**config.local_enhancers, 2 * self.size_multiple)
        norm = Norms(config.norm, stored=config.stored, statistics=config.statistics)

        def capped(channels: int) -> int:
            return channels if config.channel_cap is None else min(channels, config.channel_cap)

        enhancers = config.local_enhancers
        n = config.channels * 2**enhancers
        widths = [capped(n * 2**i) for i in range(config.downsamplings + 1)]
        layers = wide(config.planes, widths[0], norm)
        for narrow, broad in pairwise(widths):
            layers += down(narrow, broad, norm)
        layers += residuals(config.blocks, widths[-1], norm)
        for narrow, broad in reversed(list(pairwise(widths))):
            layers += up(broad, narrow, norm)
        if not enhancers:
            layers += head(widths[0], config.output_nc, nn.Tanh())
        self.model = Layers(*layers)
        for e in range(1, enhancers + 1):
            k = config.channels * 2 ** (enhancers - e)
            self.add_module(
                f"model{e}_1", Layers(*wide(config.planes, k, norm), *down(k, 2 * k, norm))
            )
            upper = [*residuals(config.local_blocks, 2 * k, norm), *up(2 * k, k, norm)]
            if e == enhancers:
                upper += head(k, config.output_nc, nn.Tanh())
            self.add_module(f"model{e}_2", Layers(*upper))

    def forward(self, conditioning: Conditioning, history: History | None = None) -> Painting:
        """One picture from one frame; there is no history."""
        config = self.config
        levels: list[Planes | WindowPlanes] = [
            WindowPlanes(conditioning, config.label_nc, config.use_instance)
        ]
        for _ in range(config.local_enhancers):
            levels.append(coarser(levels[-1]))
        x = _through(self.model, levels[-1])
        for e in range(1, config.local_enhancers + 1):
            entry = cast(nn.Sequential, self.get_submodule(f"model{e}_1"))
            x = self.get_submodule(f"model{e}_2")(_through(entry, levels[-1 - e]) + x)
        picture = full_precision(x)
        return Painting(picture=picture, scales=(picture,))


def _through(layers: nn.Sequential, planes: Planes | WindowPlanes) -> Tensor:
    """``layers`` (reflect pad, 7x7 convolution, ...) applied to planes of which the empty ones
    are left out."""
    centred = cast(FrameNorm, layers[2]).statistics == "frame"
    (x,) = convolve_planes(planes, [cast(nn.Conv2d, layers[1])], centred=centred)
    return layers[2:](x)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class EncoderConfig:
    """Everything that shapes the feature encoder; in parentheses the published names.

    Attributes:
        input_nc: Channels of a picture.
        feature_nc: Style planes (feat_num).
        channels: Channels of the first layer (nef).
        downsamplings: Halvings (n_downsample_E).
        norm: Kind of normalisation (norm).
        statistics: Whose mean and variance a norm uses.
        stored: Whether checkpoints hold running statistics of instance norms too.
        by_label: Averages over each class instead of each instance (label_feat).
    """

    input_nc: int = 3
    feature_nc: int = 3
    channels: int = 16
    downsamplings: int = 4
    norm: Literal["batch", "instance"] = "instance"
    statistics: Statistics = "frame"
    stored: bool = False
    by_label: bool = False


class Encoder(nn.Module):
    """The feature encoder: a real picture to ``feature_nc`` planes in [-1,1], constant over each
    instance."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = 2**config.downsamplings
        self.smallest_side = max(4, 2 * self.size_multiple)
        norm = Norms(config.norm, stored=config.stored, statistics=config.statistics)
        n = config.channels
        layers = wide(config.input_nc, n, norm)
        for i in range(config.downsamplings):
            layers += down(n * 2**i, n * 2 ** (i + 1), norm)
        for i in reversed(range(config.downsamplings)):
            layers += up(n * 2 ** (i + 1), n * 2**i, norm)
        self.model = Layers(*layers, *head(n, config.feature_nc, nn.Tanh()))

    def forward(self, image: Tensor, instances: Tensor, largest: int) -> Tensor:
        """Encode pictures.

        Args:
            image: [N,C,H,W] in [-1,1].
            instances: int [N,H,W], from 0 to ``largest``.
            largest: Known to the host.

        Returns:
            float [N,F,H,W] in [-1,1], constant over each instance.
        """
        return average_instances(full_precision(self.model(image)), instances, largest)
