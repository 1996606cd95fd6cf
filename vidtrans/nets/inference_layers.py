"""What is computed faster where no gradient is wanted, for the layers of the published networks.

The same numbers up to rounding. Pictures are held in channels_last. On a CPU PyTorch's strided and
transposed convolutions take half the time in it, and all of a picture's pixels are one matrix
[h*w,C]. A GPU convolves half types in it; it stays, and so does the type, in the pads and norms
between two convolutions. Elsewhere (gradients, other types on a CPU) the layers are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets.constants import kept
from vidtrans.nets.viewport import reflection

_LANES = 32
"""Outputs that a convolution computes at once, two registers of AVX-512: up to there more of them
cost little."""
_STRIP = 1 << 19
"""Values that are normalised at once: 2 MiB, which stay in the cores' caches."""
_TERMS = 1 << 13
"""Pixels that are summed at once: sums of more terms are not exact enough in float32."""
_SAMPLE = 256
"""Pixels whose mean is near enough to that of all of them; see `statistics`."""
_WORD = torch.int64
"""The type in which a GPU copies several channels of a half type as one."""

_plain: ContextVar[bool] = ContextVar("plain", default=False)


@contextmanager
def plain_networks() -> Iterator[None]:
    """Networks take no path of their own for CPUs: they are PyTorch's layers over all input planes,
    to be compared with."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def are_plain() -> bool:
    """Whether `plain_networks` are asked for."""
    return _plain.get()


def applies(x: Tensor) -> bool:
    """Whether ``x`` is computed faster here: on a CPU in float32, without gradients."""
    return (
        not torch.is_grad_enabled()
        and not are_plain()
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
    )


def keeps_layout(x: Tensor) -> bool:
    """Whether ``x`` keeps its layout and its type from layer to layer: on a GPU, and in half types
    on a CPU, without gradients. Not on Apple's GPUs, where weights are not in channels_last.

    PyTorch's instance norms and reflection pads give NCHW on a GPU, and each convolution after one
    would lay its input out again.
    """
    return (
        not torch.is_grad_enabled()
        and not are_plain()
        and x.device.type != "mps"
        and (x.device.type != "cpu" or x.dtype in (torch.float16, torch.bfloat16))
    )


def normalise_pictures(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Normalise each picture's channels by their own mean and variance, epsilon 1e-5.

    A batch norm in training mode does that for a single picture. Of a picture in a half type it
    reads and writes that type; statistics, weight and bias are float32.

    Args:
        x: [N,C,H,W].
        weight: [C]; None: ones.
        bias: [C]; None: zeros.

    Returns:
        [N,C,H,W] in the type and the layout of ``x``; in channels_last where ``x`` has gaps.
    """
    if not x.is_contiguous():
        x = channels_last(x)
    # A CPU takes the statistics in the type of the weight, or of x where there is none.
    precise = torch.promote_types(x.dtype, torch.float32)
    weight = _filled(1.0, x.shape[1], x.device, precise) if weight is None else weight
    bias = _filled(0.0, x.shape[1], x.device, precise) if bias is None else bias
    pictures = [
        F.batch_norm(picture, None, None, weight, bias, training=True, eps=1e-5)
        for picture in torch.split(x, 1)
    ]
    return pictures[0] if len(pictures) == 1 else torch.cat(pictures)


@kept(maxsize=64)
def _filled(value: float, channels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.full((channels,), value, dtype=dtype, device=device)


def convolve_without_bias(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """A convolution whose result is normalised by its own mean, in which a bias leaves no trace.

    PyTorch adds a bias on a GPU in a pass of its own over memory.
    """
    if isinstance(layer, nn.ConvTranspose2d):
        assert isinstance(layer.padding, tuple)
        return F.conv_transpose2d(
            x,
            layer.weight,
            None,
            layer.stride,
            layer.padding,
            layer.output_padding,
            layer.groups,
            layer.dilation,
        )
    return F.conv2d(
        x, layer.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )


def pad_reflected(x: Tensor, pad: int) -> Tensor:
    """``x`` [N,C,H,W] with ``pad`` pixels on all sides, reflected without the border's own.

    The layout is that of ``x`` where `keeps_layout` says so.
    """
    if (
        not keeps_layout(x)
        or x.is_contiguous()
        or not x.is_contiguous(memory_format=torch.channels_last)
    ):
        return F.pad(x, (pad, pad, pad, pad), mode="reflect")
    height, width = x.shape[2:]
    rows = reflection(height, -pad, height + 2 * pad, x.device)
    columns = reflection(width, -pad, width + 2 * pad, x.device)
    pixels = x.permute(0, 2, 3, 1)
    channels = _WORD.itemsize // x.element_size()
    whole = x.shape[1] % channels == 0 and x.storage_offset() % channels == 0
    padded = (pixels.view(_WORD) if whole else pixels)[:, rows[:, None], columns]
    return padded.view(x.dtype).permute(0, 3, 1, 2)


class ReflectionPad2d(nn.Module):
    """`torch.nn.ReflectionPad2d` that keeps channels_last on a GPU."""

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, input: Tensor) -> Tensor:
        return pad_reflected(input, self.padding)


def channels_last(x: Tensor) -> Tensor:
    """``x`` [N,C,H,W] in channels_last; a view where it is already.

    Its strides are those of the format in axes of length 1 too, by which PyTorch's convolutions
    decide: their results depend on values alone, to the bit.
    """
    _, channels, height, width = x.shape
    strides = (channels * height * width, 1, channels * width, channels)
    return x.contiguous(memory_format=torch.channels_last).as_strided(x.shape, strides)


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

    Returns:
        [N,K,H-k+1,W-l+1], in planes where it paid.
    """
    outputs, _, height, width = weight.shape
    if not applies(x) or width == 1 or outputs * width > _LANES or outputs * 3 > _LANES // 2:
        return F.conv2d(x, weight, bias)
    columns = weight.permute(0, 3, 1, 2).reshape(outputs * width, -1, height, 1)
    # Planes, whose rows are summed several times as fast as a few channels of many pixels.
    parts = F.conv2d(x, columns).contiguous()
    parts = parts.view(len(x), outputs, width, *parts.shape[2:])
    shown = x.shape[3] - width + 1
    out: Tensor = parts[:, :, 0, :, :shown] + bias[:, None, None]
    for column in range(1, width):
        out += parts[:, :, column, :, column : column + shown]
    return out


def statistics(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, in one pass over memory.

    They are summed around the mean of a sample of the pixels, so that no small variance is lost
    beside a large mean, and strip by strip, so that no sum has many terms. The mean of equal values
    is that value, and their variance 0, to the bit: a norm divides what is left by the square root
    of 1e-5, layer after layer.

    Args:
        rows: Pixels float32 [n,C].

    Returns:
        Both float32 [C]; the variance divides by n.
    """
    count, channels = rows.shape
    sample = rows[:: max(count // _SAMPLE, 1)]
    near = sample[0] + (sample - sample[0]).mean(dim=0)
    step = min(max(_STRIP // channels, 1), _TERMS)
    ones = rows.new_ones(1, min(step, count))
    around = rows.new_empty(ones.shape[1], channels)
    sums, squares = [], []
    for begin in range(0, count, step):
        part = rows[begin : begin + step]
        one, centred = ones[:, : len(part)], around[: len(part)]
        sums.append(one @ torch.sub(part, near, out=centred))
        squares.append(one @ centred.square_())
    mean = torch.cat(sums).double().sum(dim=0) / count
    square = torch.cat(squares).double().sum(dim=0) / count
    return (near + mean).float(), (square - mean.square()).clamp_(min=0).float()


def standardise(
    rows: Tensor,
    mean: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    *,
    relu: bool,
    out: Tensor | None = None,
) -> Tensor:
    """``(rows - mean) * scale + bias`` and its ReLU, strip by strip.

    Args:
        rows: Pixels [n,C].
        mean: [C].
        scale: [C].
        bias: [C]; None: zeros.
        relu: Whether there is a ReLU.
        out: [n,C]; None: in place.
    """
    out = rows if out is None else out
    step = max(_STRIP // rows.shape[1], 1)
    for begin in range(0, len(rows), step):
        part = slice(begin, begin + step)
        result = torch.sub(rows[part], mean, out=out[part]).mul_(scale)
        if bias is not None:
            result.add_(bias)
        if relu:
            result.relu_()
    return out
