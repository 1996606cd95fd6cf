"""3x3 convolutions of many channels with a quarter of the multiplications.

Winograd's minimal filtering F(4x4,3x3) (Lavin and Gray 2016, "Fast Algorithms for Convolutional
Neural Networks"): tiles of 6x6 pixels and the kernel are evaluated at 36 points, multiplied there,
and interpolated to 4x4 pixels of the result: 36 products of matrices in place of 144.

The same sums in another order, so another rounding. With the usual points 0, 1, -1, 2, -2 errors
are large; with 0 and plus and minus the square roots of 2 and of 1/2, which balance the powers of
the points, they are some seven times those of a direct convolution in float32, 1e-6 of the
results' standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidtrans.nets import inference_layers
from vidtrans.nets.constants import kept

POINTS = (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2), -math.sqrt(2))
"""Where polynomials are evaluated, beside infinity."""
TILE = 4
"""Pixels of a tile of the result along each side."""
_OUT = TILE
_IN = 6  # of the tile that it is computed from
LEAST_CHANNELS = 128
"""Below, the transforms cost what the products save (measured on two cores with AVX-512)."""
LEAST_TILES = 128
"""Below, transforming the kernels, which is done each time, costs what the products save."""
_STRIP = 1 << 16
"""Tiles times channels that are worked on at once: the parts, of 36 values each, then stay in the
last cache."""
_TILES_AT_ONCE = 128
"""The same for `Tiles`, whose channels are few: their parts then stay in a core's own cache."""
_KERNELS = 1 << 18
"""Kernels that are held transformed at once: 36 MiB."""


def applies(convolution: nn.Conv2d, x: Tensor) -> bool:
    """Whether `convolve` can take ``x`` [N,C,H,W] and is faster than the convolution: on a CPU in
    float32, one picture, no gradients, many channels."""
    return (
        inference_layers.applies(x)
        and convolution.weight.dtype == torch.float32
        and len(x) == 1
        and x.shape[2] * x.shape[3] >= LEAST_TILES * _OUT * _OUT
        and min(x.shape[2:]) >= _OUT
        and convolution.kernel_size == (3, 3)
        and convolution.stride == convolution.dilation == (1, 1)
        and convolution.groups == 1
        and min(convolution.weight.shape[:2]) >= LEAST_CHANNELS
    )


def padded(rows: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """An image with a reflected border of one pixel, and zeros up to whole tiles.

    Args:
        rows: Pixels [h*w,C].
        size_hw: h and w, at least 2.

    Returns:
        float [H,W,C] with H - 2 and W - 2 multiples of 4.
    """
    h, w = size_hw
    out = rows.new_empty(-(-h // _OUT) * _OUT + 2, -(-w // _OUT) * _OUT + 2, rows.shape[1])
    out[1 : h + 1, 1 : w + 1] = rows.view(h, w, -1)
    out[0, 1 : w + 1] = out[2, 1 : w + 1]
    out[h + 1, 1 : w + 1] = out[h - 1, 1 : w + 1]
    out[: h + 2, 0] = out[: h + 2, 2]
    out[: h + 2, w + 1] = out[: h + 2, w - 1]
    out[h + 2 :] = 0
    out[:, w + 2 :] = 0
    return out


def convolve(image: Tensor, weight: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """A 3x3 convolution without a bias.

    Args:
        image: What `padded` gives, float32 [H,W,C].
        weight: float32 [K,C,3,3].
        size_hw: h and w of the result.

    Returns:
        Pixels float32 [h*w,K].
    """
    h, w = size_hw
    channels, stride = image.shape[2], image.stride(0)
    tiles_down, tiles_across = (image.shape[0] - 2) // _OUT, (image.shape[1] - 2) // _OUT
    to_points, kernel_to_points, from_points = _transforms()
    outputs = weight.shape[0]
    out = image.new_empty(tiles_down, _OUT, tiles_across, _OUT, outputs)
    step = max(_STRIP // channels, LEAST_TILES) // tiles_across or 1
    group = max(_KERNELS // channels, 1)
    kernels: Tensor | None = None
    for top in range(0, tiles_down, step):
        down = min(step, tiles_down - top)
        tiles = image.as_strided(
            (_IN, _IN, down, tiles_across, channels),
            (stride, channels, _OUT * stride, _OUT * channels, 1),
            image.storage_offset() + top * _OUT * stride,
        )
        at_points = (to_points @ tiles.reshape(_IN * _IN, -1)).view(_IN * _IN, -1, channels)
        for begin in range(0, outputs, group):
            part = weight[begin : begin + group]
            if kernels is None or outputs > group:
                kernels = kernel_to_points @ part.reshape(-1, 9).t()
            # [36, tiles, C] times [36, C, outputs of the group]
            of_group = kernels.view(_IN * _IN, -1, channels).transpose(1, 2)
            products = torch.bmm(at_points, of_group).view(_IN * _IN, -1)
            values = (from_points @ products).view(_OUT, _OUT, down, tiles_across, -1)
            out[top : top + down, ..., begin : begin + group] = values.permute(2, 0, 3, 1, 4)
    whole = out.view(tiles_down * _OUT, tiles_across * _OUT, outputs)
    return whole[:h, :w].reshape(h * w, outputs)


@dataclass(frozen=True, eq=False)
class Tiles:
    """A 3x3 convolution padded with zeros, its kernels transformed once.

    Attributes:
        kernels: float32 [36,C,K].
        bias: float32 [K].
    """

    kernels: Tensor
    bias: Tensor

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> Tiles:
        """Transform a weight [K,C,3,3]."""
        _, kernel_to_points, _ = _transforms()
        points = kernel_to_points @ weight.reshape(-1, 9).t()
        kernels = points.view(_IN * _IN, *weight.shape[:2]).transpose(1, 2).contiguous()
        return cls(kernels.detach(), bias.detach())

    def strips(self, image: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Convolve strip by strip, each of a size that stays in a core's cache.

        Args:
            image: float32 [1,C,h,w] in channels_last, h and w multiples of `TILE`.

        Yields:
            Rows of tiles, and their results [rows,TILE,w/TILE,TILE,K]; see `by_tiles`.
        """
        _, channels, h, w = image.shape
        outputs = self.kernels.shape[2]
        down, across = h // _OUT, w // _OUT
        padded = image.new_empty(h + 2, w + 2, channels)
        padded[0] = padded[-1] = padded[:, 0] = padded[:, -1] = 0
        padded[1:-1, 1:-1] = image[0].permute(1, 2, 0)
        stride = padded.stride(0)
        to_points, from_points = _constant_transforms()
        step = max(_TILES_AT_ONCE // across, 1)
        for top in range(0, down, step):
            rows = min(step, down - top)
            tiles = padded.as_strided(
                (_IN, _IN, rows, across, channels),
                (stride, channels, _OUT * stride, _OUT * channels, 1),
                top * _OUT * stride,
            )
            at_points = (to_points @ tiles.reshape(_IN * _IN, -1)).view(_IN * _IN, -1, channels)
            # The bias is one more product, which every pixel takes once.
            products = image.new_empty(_IN * _IN + 1, rows * across, outputs)
            torch.bmm(at_points, self.kernels, out=products[:-1])
            products[-1] = self.bias
            values = (from_points @ products.flatten(1)).view(_OUT, _OUT, rows, across, outputs)
            yield slice(top, top + rows), values.permute(2, 0, 3, 1, 4)


def by_tiles(image: Tensor) -> Tensor:
    """An image [1,C,h,w] in channels_last as tiles [h/TILE,TILE,w/TILE,TILE,C], a view."""
    _, channels, h, w = image.shape
    return image[0].permute(1, 2, 0).view(h // _OUT, _OUT, w // _OUT, _OUT, channels)


def _constant_transforms() -> tuple[Tensor, Tensor]:
    """Of a tile's pixels [36,36], and of products and a bias to pixels [16,37]."""
    pixels, _, back = _transforms()
    return pixels, torch.cat([back, back.new_ones(len(back), 1)], dim=1)


def _transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Of a tile's pixels [36,36], of a kernel [36,9], and back to pixels [16,36]."""
    whole = _all_transforms()
    return whole[:, :36], whole[:, 36:45], whole[:16, 45:]


@kept(maxsize=1)
def _all_transforms() -> Tensor:
    """The three transforms side by side, float32 [36, 36 + 9 + 36]."""
    n, taps = _IN, 3
    points = torch.tensor(POINTS, dtype=torch.float64)
    back = torch.zeros(n, _OUT, dtype=torch.float64)
    kernel = torch.zeros(n, taps, dtype=torch.float64)
    for i, point in enumerate(points):
        others = math.prod(float(point - other) for k, other in enumerate(points) if k != i)
        back[i] = point ** torch.arange(_OUT)
        kernel[i] = point ** torch.arange(taps) / others
    back[-1, -1] = kernel[-1, -1] = 1  # infinity
    # The transform of the pixels is the one with which the three give the convolution: result k
    # takes tap j of pixel k + j.
    system = (back[:, :, None] * kernel[:, None, :]).flatten(1).t()
    wanted = torch.zeros(_OUT, taps, n, dtype=torch.float64)
    for k in range(_OUT):
        for j in range(taps):
            wanted[k, j, k + j] = 1
    pixels = torch.linalg.lstsq(system, wanted.flatten(0, 1), driver="gelsd").solution
    both = [torch.kron(m, m) for m in (pixels, kernel, back.t().contiguous())]
    both[2] = torch.cat([both[2], both[2].new_zeros(n * n - _OUT * _OUT, n * n)])
    return torch.cat(both, dim=1).float()
