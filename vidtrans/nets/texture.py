"""Textures of a town that training learns: features that belong to places of the road and of the
house fronts.

As in "Deferred Neural Rendering" (Thies et al. 2019), a texture is sampled where a pixel lies and
the network makes a picture of what it finds. Each place has its own numbers, so a window is learnt
in as many steps as it is seen, and drawn where it was whenever it is drawn anew. Towns repeat:
fronts every `ROUND_M`, the road every `ROAD_M`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets.street_geometry import Places

ROUND_M = 48.0
HIGH_M = 16.0
ROAD_M = 12.0
WIDE_M = 16.0
# Texels' length along the street and width across it (up a front), metres, coarsest first. A camera
# that drives along the street sees things much shortened along it.
FRONT_TEXELS_M = ((1.6, 0.4), (0.4, 0.1), (0.1, 0.1))
ROAD_TEXELS_M = ((0.4, 0.1), (0.1, 0.1))
COLOURS = 3
GAIN = 2.0  # an optimiser's step is the same for all parameters, and texels are seen seldom


class StreetTexture(nn.Module):
    """``channels`` features for each texel; the first three begin as colours."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fronts = nn.ParameterList(
            _texels(channels, 2 * round(HIGH_M / across), round(ROUND_M / along))
            for along, across in FRONT_TEXELS_M
        )
        self.road = nn.ParameterList(
            _texels(channels, round(WIDE_M / across), round(ROAD_M / along))
            for along, across in ROAD_TEXELS_M
        )

    def forward(self, at: Places, is_front: Tensor, is_ground: Tensor) -> Tensor:
        """float [N, channels, h, w]: of the front or of the ground where bool [N,h,w] says that a
        cell shows it, else zero.

        Texels that are too fine for a cell give way to coarser ones (Williams 1983, "Pyramidal
        parametrics").
        """
        front = road = None
        for texels, size in zip(self.fronts, FRONT_TEXELS_M, strict=True):
            found = _sample(texels, *front_texel(at, size), at.shape)
            front = (
                found
                if front is None
                else torch.lerp(front, found, _sharp(at.along_width, size[0]))
            )
        for texels, size in zip(self.road, ROAD_TEXELS_M, strict=True):
            found = _sample(texels, *road_texel(at, size), at.shape)
            road = (
                found if road is None else torch.lerp(road, found, _sharp(at.ahead_width, size[0]))
            )
        assert front is not None
        assert road is not None
        in_reach = (at.up > -0.5) & (at.up < HIGH_M + 1)
        return front * (is_front & in_reach)[:, None] + road * (is_ground & at.ground)[:, None]

    @torch.no_grad()
    def begin_with(self, fronts: Sequence[Tensor], road: Sequence[Tensor]) -> None:
        """Sets the colours [3,rows,columns] in [-1,1], for each size of texels."""
        for texels, colours in zip((*self.fronts, *self.road), (*fronts, *road), strict=True):
            texels[0, :COLOURS] = colours / GAIN


def front_texel(at: Places, size: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Row and column, as fractions, of the texels of ``size`` at the fronts: the left side's rows
    come first, upwards; columns go on for ever."""
    along, across = size
    high = round(HIGH_M / across)
    row = (at.up.clamp(0, HIGH_M) / across - 0.5).clamp(0, high - 1) + torch.where(at.left, 0, high)
    return row, at.along / along - 0.5


def road_texel(at: Places, size: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Row (to the right) and column (ahead, for ever), as fractions, of the texels of ``size``
    of the road."""
    along, across = size
    row = ((at.aside + WIDE_M / 2) / across - 0.5).clamp(0, round(WIDE_M / across) - 1)
    return row, at.ahead / along - 0.5


def _texels(channels: int, rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(1, channels, rows, columns) * (0.1 / GAIN))


def _sharp(width: Tensor, size: float) -> Tensor:
    """[N,1,h,w] or what broadcasts to it: 1 where a cell is no wider than a texel, 0 from four
    times as wide on."""
    return ((4 - width / size) / 3).clamp(0, 1)[:, None]


def _sample(texels: Tensor, row: Tensor, column: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Bilinear samples [N,C,h,w] at indices; ``column`` goes round."""
    columns = texels.shape[3]
    round_again = torch.cat([texels[..., -1:], texels, texels[..., :1]], dim=3) * GAIN
    x = (column.remainder(columns) + 1) * (2 / (columns + 1)) - 1
    y = row * (2 / (texels.shape[2] - 1)) - 1
    grid = torch.stack([x.expand(shape), y.expand(shape)], dim=-1)
    with torch.autocast(texels.device.type, enabled=False):
        return F.grid_sample(
            round_again.expand(shape[0], -1, -1, -1), grid, mode="bilinear", align_corners=True
        )
