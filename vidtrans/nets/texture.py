"""Textures of a town that training learns: features that belong to places of the road and of the house fronts.

As in "Deferred Neural Rendering" (Thies et al. 2019), a texture is sampled where a pixel lies and the network makes a picture
of what it finds. Each place has its own numbers, so a window is learnt in as many steps as it is seen, and drawn
where it was whenever it is drawn anew. Towns repeat: fronts every `ROUND_M`, the road every `ROAD_M`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets.scene import Places

ROUND_M = 48.0
HIGH_M = 16.0
ROAD_M = 12.0
WIDE_M = 16.0
FRONT_TEXELS_M = (0.1, 0.4, 1.6)
ROAD_TEXELS_M = (0.1, 0.4)
_GAIN = 8.0  # small numbers that count much: an optimiser's step is the same for all


class StreetTexture(nn.Module):
    """``channels`` numbers for each texel, at several sizes of texels; ``out_channels`` planes come out of `forward`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fronts = nn.ParameterList(
            _texels(channels, 2 * round(HIGH_M / size), round(ROUND_M / size)) for size in FRONT_TEXELS_M
        )
        self.road = nn.ParameterList(_texels(channels, round(WIDE_M / size), round(ROAD_M / size)) for size in ROAD_TEXELS_M)
        self.out_channels = channels * (len(self.fronts) + len(self.road))

    def forward(self, at: Places) -> Tensor:
        """float [N, out_channels, h, w]; zero where a cell can lie on neither, and where it is much wider than a texel."""
        front = (at.up > -0.5) & (at.up < HIGH_M + 1)
        planes = []
        for texels, size in zip(self.fronts, FRONT_TEXELS_M, strict=True):
            row, column = front_texel(at, size)
            planes.append(_sample(texels, row, column, at.shape) * _sharp(at.along_width, size, front)[:, None])
        for texels, size in zip(self.road, ROAD_TEXELS_M, strict=True):
            row, column = road_texel(at, size)
            planes.append(_sample(texels, row, column, at.shape) * _sharp(at.ahead_width, size, at.ground)[:, None])
        return torch.cat(planes, dim=1)

    @torch.no_grad()
    def begin_with(self, fronts: Sequence[Tensor], road: Sequence[Tensor]) -> None:
        """Sets the first three channels to colours [3,rows,columns] in [-1,1], for each size of texels."""
        for texels, colours in zip((*self.fronts, *self.road), (*fronts, *road), strict=True):
            texels[0, :3] = colours / _GAIN


def front_texel(at: Places, size: float) -> tuple[Tensor, Tensor]:
    """Row and column, as fractions, of the texels of ``size`` metres at the fronts: the left side's rows come first, upwards;
    columns go on for ever."""
    high = round(HIGH_M / size)
    row = (at.up.clamp(0, HIGH_M) / size - 0.5).clamp(0, high - 1) + torch.where(at.left, 0, high)
    return row, at.along / size - 0.5


def road_texel(at: Places, size: float) -> tuple[Tensor, Tensor]:
    """Row (to the right) and column (ahead, for ever), as fractions, of the texels of ``size`` metres of the road."""
    row = ((at.aside + WIDE_M / 2) / size - 0.5).clamp(0, round(WIDE_M / size) - 1)
    return row, at.ahead / size - 0.5


def _texels(channels: int, rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(1, channels, rows, columns) * (0.1 / _GAIN))


def _sharp(width: Tensor, size: float, where: Tensor) -> Tensor:
    """1 where a cell is no wider than a texel of ``size``, 0 from four times as wide on; and 0 outside ``where``."""
    return ((4 - width / size) / 3).clamp(0, 1) * where


def _sample(texels: Tensor, row: Tensor, column: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Bilinear samples [N,C,h,w] at indices; ``column`` goes round."""
    columns = texels.shape[3]
    round_again = torch.cat([texels[..., -1:], texels, texels[..., :1]], dim=3) * _GAIN
    x = (column.remainder(columns) + 1) * (2 / (columns + 1)) - 1
    y = row * (2 / max(texels.shape[2] - 1, 1)) - 1
    grid = torch.stack([x.expand(shape), y.expand(shape)], dim=-1)
    with torch.autocast(texels.device.type, enabled=False):
        return F.grid_sample(round_again.expand(shape[0], -1, -1, -1), grid, mode="bilinear", align_corners=True)
