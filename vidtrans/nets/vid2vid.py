"""The vid2vid generator (Wang et al., "Video-to-Video Synthesis", 2018): a window of labels and its
own last pictures in, the next picture out, partly carried over along a flow and partly painted
anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from vidtrans.nets.blocks import Layers, Norms, Statistics, down, head, residuals, up, wide
from vidtrans.nets.conditioning import (
    Planes,
    WindowPlanes,
    coarser,
    convolve_planes,
    foreground_plane,
    half_size,
)
from vidtrans.nets.inference_layers import pad_reflected, slim_convolution
from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.precision import full_precision
from vidtrans.nets.warp import warp

_FLOW_UNIT = 20.0


@dataclass(frozen=True)
class Vid2VidConfig:
    """Everything that shapes the network; in parentheses the published names.

    Attributes:
        label_nc: Label planes of a frame. 0: ``input_nc`` picture channels instead.
        input_nc: Channels of a picture to translate.
        output_nc: Channels of the result.
        n_frames: Frames in the window (n_frames_G).
        use_instance: Whether a frame has a boundary plane (use_instance).
        flow: Whether the previous picture is warped (not no_flow).
        foreground: Whether foreground objects have a network of their own (fg).
        foreground_labels: Label planes of foreground objects (fg_labels).
        channels: Channels of the first layer (ngf).
        downsamplings: Halvings of the coarsest scale (n_downsample_G).
        blocks: Residual blocks of the coarsest scale (n_blocks).
        local_blocks: Residual blocks of each finer scale (n_blocks_local).
        scales: Scales (n_scales_spatial).
        norm: Kind of normalisation (norm).
        statistics: Whose mean and variance a norm uses.
    """

    label_nc: int = 35
    input_nc: int = 3
    output_nc: int = 3
    n_frames: int = 3
    use_instance: bool = False
    flow: bool = True
    foreground: bool = False
    foreground_labels: tuple[int, ...] = ()
    channels: int = 128
    downsamplings: int = 3
    blocks: int = 9
    local_blocks: int = 3
    scales: int = 1
    norm: Literal["batch", "instance"] = "batch"
    statistics: Statistics = "frame"

    @property
    def frame_planes(self) -> int:
        """Input planes of one frame of the window."""
        return (self.label_nc or self.input_nc) + self.use_instance


@dataclass(frozen=True)
class _Features:
    """What one scale hands to the next finer one: features of its own size, None for the parts
    that the network lacks."""

    image: Tensor
    flow: Tensor | None
    foreground: Tensor | None


class Scale(nn.Module):
    """One generator: the coarsest (``scale`` 0), or one that refines the next coarser one's
    features."""

    def __init__(self, config: Vid2VidConfig, scale: int) -> None:
        super().__init__()
        self.flow_unit = _FLOW_UNIT * 2**scale
        norm = Norms(config.norm, statistics=config.statistics)
        n = config.channels // 2**scale
        depth = config.downsamplings if scale == 0 else 1
        labels_in = config.frame_planes * config.n_frames
        self.output_nc = config.output_nc
        self.centred = config.statistics == "frame"
        pictures_in = config.output_nc * (config.n_frames - 1)

        def descent(inputs: int, width: int) -> list[nn.Module]:
            layers = wide(inputs, width, norm)
            for i in range(depth):
                layers += down(width * 2**i, width * 2 ** (i + 1), norm)
            return layers

        def ascent(width: int) -> list[nn.Module]:
            layers: list[nn.Module] = []
            for i in reversed(range(depth)):
                layers += up(width * 2 ** (i + 1), width * 2**i, norm)
            return layers

        m = n * 2**depth
        after = config.blocks // 2
        before = config.blocks - after if scale == 0 else 0
        k = n // 2 if config.downsamplings > 2 else n
        if config.foreground:
            self.indv_down = Layers(*descent(labels_in, k))
            if scale == 0:
                self.indv_res = Layers(*residuals(config.blocks, k * 2**depth, norm))
                self.indv_up = Layers(*ascent(k))
            else:
                self.indv_up = Layers(*residuals(config.local_blocks, 2 * k, norm), *ascent(k))
            self.indv_final = Layers(*head(k, config.output_nc, nn.Tanh()))

        self.model_down_seg = Layers(*descent(labels_in, n), *residuals(before, m, norm))
        self.model_down_img = Layers(*descent(pictures_in, n), *residuals(before, m, norm))
        for part in ("img", "flow") if config.flow else ("img",):
            if scale == 0:
                self.add_module(f"model_res_{part}", Layers(*residuals(after, m, norm)))
                self.add_module(f"model_up_{part}", Layers(*ascent(n)))
            else:
                self.add_module(
                    f"model_up_{part}",
                    Layers(*residuals(config.local_blocks, 2 * n, norm), *ascent(n)),
                )
        self.model_final_img = Layers(*head(n, config.output_nc, nn.Tanh()))
        if config.flow:
            self.model_final_flow = Layers(*head(n, 2))
            self.model_final_w = Layers(*head(n, 1, nn.Sigmoid()))

    def forward(
        self,
        planes: Planes | WindowPlanes,
        mask: Tensor | None,
        pictures: Tensor,
        below: _Features | None,
        *,
        raw_only: bool,
    ) -> tuple[Painting, _Features]:
        """One scale's painting of the newest frame.

        ``mask`` [N,1,h,w]: the foreground's share of each pixel. ``pictures`` [N,3*(T-1),h,w]: this
        scale's history. ``below``: features of the coarser scale. ``raw_only``: nothing is carried
        over.
        """
        first = [cast(nn.Conv2d, self.model_down_seg[1])]
        if mask is not None:
            first.append(cast(nn.Conv2d, self.indv_down[1]))
        seg, *indv = convolve_planes(planes, first, centred=self.centred)
        x = self.model_down_seg[2:](seg) + self.model_down_img(pictures)

        at_image = x if below is None else x + below.image
        if below is None:
            at_image = self.get_submodule("model_res_img")(at_image)
        image_features = self.get_submodule("model_up_img")(at_image)
        raw: Tensor = full_precision(self.model_final_img(image_features))

        flow = weight = warped = flow_features = None
        if hasattr(self, "model_final_flow"):
            at_flow = (
                self.get_submodule("model_res_flow")(x)
                if below is None
                else x + cast(Tensor, below.flow)
            )
            flow_features = self.get_submodule("model_up_flow")(at_flow)
            flow, weight = self._motion(flow_features)
            warped = warp(pictures[:, -self.output_nc :], flow)
        merged = (
            raw
            if raw_only or weight is None or warped is None
            else weight * raw + (1 - weight) * warped
        )

        foreground = foreground_features = None
        picture = merged
        if mask is not None:
            y = self.indv_down[2:](indv[0])
            y = self.indv_res(y) if below is None else y + cast(Tensor, below.foreground)
            foreground_features = self.indv_up(y)
            foreground = full_precision(self.indv_final(foreground_features))
            picture = mask * foreground + (1 - mask) * merged
            raw = picture if merged is raw else mask * foreground + (1 - mask) * raw
        painting = Painting(
            picture=picture,
            scales=(picture,),
            raw=raw,
            warped=warped,
            flow=flow,
            weight=weight,
            foreground=foreground,
            foreground_mask=mask,
        )
        return painting, _Features(image_features, flow_features, foreground_features)

    def _motion(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Flow [N,2,h,w] in this scale's pixels and weight [N,1,h,w]: one convolution gives all
        three channels."""
        to_flow, to_weight = (
            cast(nn.Conv2d, self.model_final_flow[1]),
            cast(nn.Conv2d, self.model_final_w[1]),
        )
        kernel = torch.cat([to_flow.weight, to_weight.weight])
        bias = torch.cat([cast(Tensor, to_flow.bias), cast(Tensor, to_weight.bias)])
        out = full_precision(slim_convolution(pad_reflected(features, 3), kernel, bias))
        return out[:, :2] * self.flow_unit, torch.sigmoid(out[:, 2:])


class Vid2Vid(nn.Module):
    """All scales together; submodules ``G0`` (coarsest) to ``G{scales-1}`` hold the published
    checkpoints' tensors."""

    def __init__(self, config: Vid2VidConfig) -> None:
        super().__init__()
        if config.foreground and not config.label_nc:
            raise ValueError("a foreground needs labels, and label_nc is 0")
        if config.foreground and not config.foreground_labels:
            raise ValueError("a foreground needs foreground_labels, and there are none")
        if config.n_frames < 2:
            raise ValueError(f"n_frames_G is {config.n_frames}; vid2vid needs at least 2")
        self.config = config
        self.n_frames = config.n_frames
        self.size_multiple = 2 ** (
            config.scales - 1 + max(config.downsamplings, 1 if config.scales > 1 else 0)
        )
        # The coarsest scale's 7x7 needs 4 pixels to reflect, its residual blocks 2.
        self.smallest_side = max(4 * 2 ** (config.scales - 1), 2 * self.size_multiple)
        for scale in range(config.scales):
            self.add_module(f"G{scale}", Scale(config, scale))

    def forward(
        self,
        conditioning: Conditioning,
        history: History | None,
        *,
        raw_only: bool = False,
        finest_alone: bool = False,
    ) -> Painting:
        """The newest frame of the window, painted.

        ``history``: for every scale, coarsest first, [N,3*(T-1),H_s,W_s]. None: there is none yet,
        so it is taken as zeros and nothing is carried over (the published first step with
        ``no_first_img``). ``raw_only``: nothing is carried over, though there is a history (flow
        and weight are computed all the same). ``finest_alone``: no gradient reaches the coarser
        scales, as while the finest one is trained alone.
        """
        config = self.config
        planes: list[Planes | WindowPlanes] = [
            WindowPlanes(conditioning, config.label_nc, config.use_instance)
        ]
        masks: list[Tensor | None] = [None]
        if config.foreground and conditioning.ids is not None:
            masks = [foreground_plane(conditioning.ids[:, -1], config.foreground_labels)]
        for _ in range(config.scales - 1):
            planes.append(coarser(planes[-1]))
            finer = masks[-1]
            masks.append(None if finer is None else half_size(finer))
        if history is None:
            history = self._no_history(conditioning)
            raw_only = True

        paintings: list[Painting] = []
        below: _Features | None = None
        for scale in range(config.scales):
            at = config.scales - 1 - scale
            network = cast(Scale, self.get_submodule(f"G{scale}"))
            mask = masks[at]
            trained = not finest_alone or scale == config.scales - 1
            with torch.set_grad_enabled(torch.is_grad_enabled() and trained):
                painting, below = network(
                    planes[at],
                    None if mask is None else full_precision(mask),
                    history[scale],
                    below,
                    raw_only=raw_only,
                )
            paintings.append(painting)
        finest = paintings[-1]
        return Painting(
            picture=finest.picture,
            scales=tuple(p.picture for p in paintings),
            raw=finest.raw,
            warped=finest.warped,
            flow=finest.flow,
            weight=finest.weight,
            foreground=finest.foreground,
            foreground_mask=finest.foreground_mask,
        )

    def _no_history(self, conditioning: Conditioning) -> History:
        shown = conditioning.image if conditioning.ids is None else conditioning.ids
        assert shown is not None
        n, (h, w) = shown.shape[0], shown.shape[-2:]
        channels = self.config.output_nc * (self.n_frames - 1)
        scales = reversed(range(self.config.scales))
        return tuple(
            torch.zeros((n, channels, h // 2**s, w // 2**s), device=shown.device) for s in scales
        )
