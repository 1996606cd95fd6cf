"""Layers of the published networks that a CPU computes faster where no gradient is wanted.

They hold the tensors of the layers of PyTorch whose names they have and give the same numbers up to
rounding; elsewhere (gradients, GPUs, other types, autocast) they are those layers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LANES = 32
"""Outputs that a convolution computes at once, two registers of AVX-512: up to there more of them
cost little."""
_CHUNK = 1 << 17
"""Values that are normalised at once: 512 KiB, which stay in a core's cache."""


def applies(x: Tensor) -> bool:
    """Whether ``x`` is computed faster here: on a CPU in float32, without gradients."""
    return (
        not torch.is_grad_enabled()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
    )


class ConvTranspose2d(nn.ConvTranspose2d):
    """A transposed 3x3 convolution of stride 2 as four ordinary ones, one for each pixel of 2x2.

    Each pixel takes 1, 2, 2 or 4 of the 9 taps, so there are as many multiplications, without the
    scattered sums: 1.2 times (1024 channels) to 2 times (256) as fast.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if not (
            applies(input)
            and output_size is None
            and self.kernel_size == (3, 3)
            and self.stride == (2, 2)
            and self.padding == self.output_padding == self.dilation == (1, 1)
            and self.groups == 1
        ):
            return super().forward(input, output_size)
        n, _, h, w = input.shape
        kernel = self.weight.transpose(0, 1)
        padded = F.pad(input, (0, 1, 0, 1))
        out = input.new_empty(n, self.out_channels, h, 2, w, 2)
        # Even rows take the middle row of the kernel, odd ones the last for the row above and the
        # first for the row below; columns likewise.
        for row, rows in enumerate((slice(1, 2), slice(0, 3, 2))):
            for column, columns in enumerate((slice(1, 2), slice(0, 3, 2))):
                taps = kernel[:, :, rows, columns].flip(2, 3).contiguous()
                seen = padded[:, :, : h + row, : w + column]
                out[:, :, :, row, :, column] = F.conv2d(seen, taps, self.bias)
        return out.view(n, self.out_channels, 2 * h, 2 * w)


class Conv2d(nn.Conv2d):
    """A convolution of stride 1; where it has few outputs, see `slim_convolution`."""

    def forward(self, input: Tensor) -> Tensor:
        if (
            applies(input)
            and self.stride == self.dilation == (1, 1)
            and self.padding == (0, 0)
            and self.groups == 1
            and self.bias is not None
        ):
            return slim_convolution(input, self.weight, self.bias)
        return super().forward(input)


def slim_convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution of stride 1 without padding, to few outputs.

    A 7x7 convolution to 3 channels leaves most of a register's lanes empty. Where it pays, each
    column of the kernel becomes outputs of its own, 21 of a 7x1 convolution, whose results are
    summed with a shift: twice as fast.

    Args:
        x: [N,C,H,W].
        weight: [K,C,k,l].
        bias: [K].
    """
    outputs, _, height, width = weight.shape
    if not applies(x) or width == 1 or outputs * width > _LANES or outputs * 3 > _LANES // 2:
        return F.conv2d(x, weight, bias)
    columns = weight.permute(0, 3, 1, 2).reshape(outputs * width, -1, height, 1)
    parts = F.conv2d(x, columns)
    parts = parts.view(len(x), outputs, width, *parts.shape[2:])
    shown = x.shape[3] - width + 1
    out: Tensor = parts[:, :, 0, :, :shown] + bias[:, None, None]
    for column in range(1, width):
        out += parts[:, :, column, :, column : column + shown]
    return out


def normalised(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """An instance norm of float32 [N,C,H,W], some planes at a time: they stay in the cache while
    they are read and written four times."""
    n, channels, height, width = x.shape
    out = torch.empty((n, channels, height, width), dtype=x.dtype)
    size = height * width
    step = max(_CHUNK // size, 1)
    for source, target in zip(x, out, strict=True):
        for begin in range(0, channels, step):
            part = slice(begin, begin + step)
            planes, result = source[part].flatten(1), target[part].flatten(1)
            torch.sub(planes, planes.mean(dim=1, keepdim=True), out=result)
            # A mean in float32 is off by its rounding, which the mean of what is left tells.
            left = result.mean(dim=1, keepdim=True)
            squares = torch.linalg.vector_norm(result, dim=1, keepdim=True).square() / size
            scale = (squares - left.square() + eps).rsqrt()
            if weight is not None:
                scale = scale * weight[part, None]
            shift = -left * scale if bias is None else bias[part, None] - left * scale
            # addcmul takes four times as long with one value for each plane.
            result.mul_(scale).add_(shift)
    return out
