"""The layers that all three systems are made of, under the published checkpoints' names and
indices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import zip_longest
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidtrans.nets import inference_layers, winograd
from vidtrans.nets.dropout import Dropout, SeededModule, SeededSequential
from vidtrans.nets.precision import full_precision

Statistics = Literal["frame", "running"]
"""Whose mean and variance a norm uses: each frame's own, or those that the checkpoint stores."""


_running_fixed: ContextVar[bool] = ContextVar("running_fixed", default=False)


@contextmanager
def fixed_running_statistics() -> Iterator[None]:
    """Networks in training mode leave their running statistics as they are: for a pass that
    measures, and for one that gradient checkpointing repeats."""
    token = _running_fixed.set(True)
    try:
        yield
    finally:
        _running_fixed.reset(token)


class FrameNorm(nn.Module):
    """Batch or instance norm over [N,C,H,W], epsilon 1e-5.

    ``affine``: a weight and a bias per channel (the published batch norm). ``stored``: running
    statistics are kept, used only where ``statistics`` is ``running``. The published vid2vid never
    leaves training mode, so with one frame at a time its batch norm is an instance norm with affine
    parameters: ``frame``. In training mode ``running`` means the batch's own statistics, and stored
    statistics follow those that are used with momentum 0.1.
    """

    def __init__(
        self, channels: int, *, affine: bool, stored: bool, statistics: Statistics = "frame"
    ) -> None:
        super().__init__()
        if statistics == "running" and not stored:
            raise ValueError("running statistics are asked for, and none are stored")
        self.statistics = statistics
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        if stored:
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))
            self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        # Statistics are in full precision whatever the type around: half precision loses small
        # variances. What lies between two convolutions of a half type keeps that type.
        if not self.training and inference_layers.keeps_layout(x):
            if self.statistics == "frame" and x.device.type == "cpu":
                # PyTorch's batch norm sums all of a picture in channels_last in one float32 there.
                return self.normalise(x.float(), in_place=True).to(x.dtype)
            if self.statistics == "frame":
                return inference_layers.normalise_pictures(x, self.weight, self.bias)
            stored = self.get_buffer("running_mean"), self.get_buffer("running_var")
            return F.batch_norm(x, *stored, self.weight, self.bias, eps=1e-5)
        with torch.autocast(x.device.type, enabled=False):
            x = full_precision(x)
            mean, variance = self._buffers.get("running_mean"), self._buffers.get("running_var")
            if self.training and mean is not None and variance is not None:
                if _running_fixed.get():
                    # Copies follow instead: a repeated pass must do the same operations.
                    mean, variance = mean.clone(), variance.clone()
                else:
                    self.get_buffer("num_batches_tracked").add_(1)
            if self.statistics == "frame":
                if not self.training:
                    if inference_layers.applies(x):
                        return self.normalise(x)
                    mean = variance = None
                return F.instance_norm(x, mean, variance, self.weight, self.bias, eps=1e-5)
            return F.batch_norm(x, mean, variance, self.weight, self.bias, self.training, 0.1, 1e-5)

    def normalise(self, x: Tensor, *, relu: bool = False, in_place: bool = False) -> Tensor:
        """The norm on a CPU without gradients; not for training.

        Args:
            x: float32 [N,C,H,W].
            relu: Whether its ReLU is wanted too.
            in_place: Whether ``x`` may be overwritten.

        Returns:
            [N,C,H,W] in channels_last.
        """
        n, channels, height, width = x.shape
        # A view where x is in channels_last.
        pictures = x.permute(0, 2, 3, 1).reshape(n, height * width, channels)
        copied = pictures.data_ptr() != x.data_ptr()
        out = pictures if in_place or copied else pictures.new_empty(pictures.shape)
        for rows, result in zip(pictures, out, strict=True):
            self.normalise_rows(rows, relu=relu, out=result)
        return out.view(n, height, width, channels).permute(0, 3, 1, 2)

    def normalise_rows(
        self,
        rows: Tensor,
        *,
        bias: Tensor | None = None,
        relu: bool = False,
        out: Tensor | None = None,
    ) -> Tensor:
        """Normalise one picture's pixels [h*w,C]; not for training.

        Args:
            rows: The pixels, float32, without ``bias``.
            bias: A constant of each channel [C] that belongs to them; it leaves no trace where a
                picture is normalised by its own mean.
            relu: Whether the norm's ReLU is wanted too.
            out: Where the result goes; None: into ``rows``.
        """
        if self.statistics == "frame":
            mean, variance = inference_layers.statistics(rows)
        else:
            mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
            mean = mean if bias is None else mean - bias
        scale = (variance + 1e-5).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        return inference_layers.standardise(rows, mean, scale, self.bias, relu=relu, out=out)


class Layers(SeededSequential):
    """Layers in a row.

    On a CPU without gradients pictures are held in channels_last, and a norm that follows a
    convolution overwrites its result, together with the ReLU after it. On a GPU a convolution
    before a norm by the picture's own mean adds no bias.
    """

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        if self.training:
            return super().forward(x, seed)
        if not inference_layers.applies(x):
            return self._without_biases(x, seed)
        layers = list(self)
        if layers and not isinstance(layers[0], FrameNorm):
            x = inference_layers.channels_last(x)
        done = 0
        while done < len(layers):
            layer = layers[done]
            if isinstance(layer, FrameNorm) and layer.statistics == "frame":
                relu = done + 1 < len(layers) and isinstance(layers[done + 1], nn.ReLU)
                own = done > 0 and isinstance(layers[done - 1], nn.Conv2d | nn.ConvTranspose2d)
                x = layer.normalise(x, relu=relu, in_place=own)
                done += relu
            else:
                x = layer(x, seed) if isinstance(layer, SeededModule) else layer(x)
            done += 1
        return x

    def _without_biases(self, x: Tensor, seed: int | None) -> Tensor:
        layers = list(self)
        for layer, following in zip_longest(layers, layers[1:]):
            if (
                isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
                and isinstance(following, FrameNorm)
                and following.statistics == "frame"
                and inference_layers.keeps_layout(x)
            ):
                x = inference_layers.convolve_without_bias(layer, x)
            else:
                x = layer(x, seed) if isinstance(layer, SeededModule) else layer(x)
        return x


class Norms:
    """Which norm follows a convolution: ``batch`` (affine, stored) or ``instance`` (``stored``
    as the checkpoint has it)."""

    def __init__(
        self,
        kind: Literal["batch", "instance"],
        *,
        stored: bool = True,
        statistics: Statistics = "frame",
    ) -> None:
        self.kind = kind
        self.stored = stored or kind == "batch"
        self.statistics = statistics

    def __call__(self, channels: int) -> FrameNorm:
        return FrameNorm(
            channels, affine=self.kind == "batch", stored=self.stored, statistics=self.statistics
        )


def wide(in_channels: int, out_channels: int, norm: Norms, *, bias: bool = True) -> list[nn.Module]:
    """``c7-k``: reflect pad 3, 7x7 convolution, norm, ReLU."""
    return [
        inference_layers.ReflectionPad2d(3),
        nn.Conv2d(in_channels, out_channels, 7, bias=bias),
        norm(out_channels),
        nn.ReLU(inplace=True),
    ]


def down(in_channels: int, out_channels: int, norm: Norms, *, bias: bool = True) -> list[nn.Module]:
    """``d-k``: 3x3 convolution at stride 2, norm, ReLU."""
    return [
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=bias),
        norm(out_channels),
        nn.ReLU(inplace=True),
    ]


def up(in_channels: int, out_channels: int, norm: Norms, *, bias: bool = True) -> list[nn.Module]:
    """``u-k``: 3x3 transposed convolution at stride 2, norm, ReLU."""
    return [
        nn.ConvTranspose2d(
            in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=bias
        ),
        norm(out_channels),
        nn.ReLU(inplace=True),
    ]


def head(
    in_channels: int, out_channels: int, activation: nn.Module | None = None
) -> list[nn.Module]:
    """Reflect pad 3, 7x7 convolution, and the activation where there is one: no norm."""
    layers = [
        inference_layers.ReflectionPad2d(3),
        inference_layers.Conv2d(in_channels, out_channels, 7),
    ]
    return layers if activation is None else [*layers, activation]


class ResidualBlock(SeededModule):
    """``R-k``: x + F(x), F = reflect pad 1, conv 3x3, norm, ReLU, [dropout,] reflect pad 1, conv
    3x3, norm."""

    def __init__(
        self, channels: int, norm: Norms, *, bias: bool = True, dropout: Dropout | None = None
    ) -> None:
        super().__init__()
        self.conv_block = Layers(
            inference_layers.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm(channels),
            nn.ReLU(inplace=True),
            *([] if dropout is None else [dropout]),
            inference_layers.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm(channels),
        )

    def forward(self, x: Tensor, seed: int | None = None) -> Tensor:
        if not self.training and winograd.applies(self._convolutions[0], x):
            return self._by_tiles(x, seed)
        return x + self.conv_block(x, seed)  # type: ignore[no-any-return]

    @property
    def _convolutions(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        first, second = (m for m in self.conv_block if isinstance(m, nn.Conv2d))
        return first, second

    def _by_tiles(self, x: Tensor, seed: int | None) -> Tensor:
        """The same with few multiplications, and pixels as rows [h*w,C] in between."""
        height, width = size_hw = x.shape[2], x.shape[3]
        norms = [m for m in self.conv_block if isinstance(m, FrameNorm)]
        dropout = [m for m in self.conv_block if isinstance(m, Dropout)]
        carried = x[0].permute(1, 2, 0).reshape(height * width, -1)
        rows = carried
        for number, (convolution, norm) in enumerate(zip(self._convolutions, norms, strict=True)):
            rows = winograd.convolve(winograd.padded(rows, size_hw), convolution.weight, size_hw)
            norm.normalise_rows(rows, bias=convolution.bias, relu=number == 0)
            if number == 0:
                for layer in dropout:
                    image = layer(rows.view(1, height, width, -1).permute(0, 3, 1, 2), seed)
                    rows = image.permute(0, 2, 3, 1).reshape(height * width, -1)
        return rows.add_(carried).view(1, height, width, -1).permute(0, 3, 1, 2)


def residuals(count: int, channels: int, norm: Norms) -> list[nn.Module]:
    return [ResidualBlock(channels, norm) for _ in range(count)]
