"""Learned textures of the road and of the facades.

As in "Deferred Neural Rendering" (Thies et al. 2019), a texture of learned features is sampled at
the surface coordinates of each pixel, and the network makes a picture of the samples. Every
position of a street has its own features: a window is learned in as many steps as it is seen, and
drawn at the same position whenever it is painted anew. Textures repeat along the street, facades
every `FACADE_PERIOD_M`, the road every `ROAD_PERIOD_M`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets.street_geometry import SurfaceCoordinates

# The sizes of the terrace streets of ``vidtrans-world``, on which textures are learned.
FACADE_PERIOD_M = 48.0
FACADE_HEIGHT_M = 16.0
ROAD_PERIOD_M = 12.0
ROAD_WIDTH_M = 16.0
FACADE_TEXELS_M = ((1.6, 0.4), (0.4, 0.1), (0.1, 0.1))
"""Levels of the facades' texture, coarsest first: a texel's length along the street and its height,
metres. Coarse texels are long, for a camera that drives along the street sees facades
foreshortened."""
ROAD_TEXELS_M = ((0.4, 0.1), (0.1, 0.1))
"""Levels of the road's texture: a texel's length along the street and its width, metres."""
COLOURS = 3
"""The first channels of a texture are RGB."""
GAIN = 2.0
"""Factor between a parameter and its feature: Adam's steps are equally large for all parameters,
and a texel is seen in few of them."""


class StreetTexture(nn.Module):
    """Textures of the facades on both sides and of the road, in several levels of detail.

    The names ``fronts`` (of the facades) and ``road`` are those of the tensors in bundles.

    Args:
        channels: Features of a texel, `COLOURS` or more.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fronts = nn.ParameterList(
            _texels(channels, 2 * round(FACADE_HEIGHT_M / up), round(FACADE_PERIOD_M / along))
            for along, up in FACADE_TEXELS_M
        )
        self.road = nn.ParameterList(
            _texels(channels, round(ROAD_WIDTH_M / across), round(ROAD_PERIOD_M / along))
            for along, across in ROAD_TEXELS_M
        )

    def forward(self, surface: SurfaceCoordinates, is_facade: Tensor, is_ground: Tensor) -> Tensor:
        """Sample the textures.

        Levels with texels much smaller than a cell give way to coarser ones, which would alias less
        (Williams 1983, "Pyramidal Parametrics").

        Args:
            surface: Coordinates of the cells.
            is_facade: Which cells show a facade, bool [N,h,w].
            is_ground: Which cells show the ground, bool [N,h,w].

        Returns:
            float [N,channels,h,w]; zero where a cell shows neither.
        """
        facade = road = None
        for texels, size in zip(self.fronts, FACADE_TEXELS_M, strict=True):
            level = _sample(texels, *facade_texel(surface, size), surface.shape)
            weight = _level_weight(surface.along_footprint, size[0])
            facade = level if facade is None else torch.lerp(facade, level, weight)
        for texels, size in zip(self.road, ROAD_TEXELS_M, strict=True):
            level = _sample(texels, *road_texel(surface, size), surface.shape)
            weight = _level_weight(surface.ahead_footprint, size[0])
            road = level if road is None else torch.lerp(road, level, weight)
        assert facade is not None
        assert road is not None
        facade = facade * (is_facade & in_reach(surface))[:, None]
        return facade + road * (is_ground & surface.ground)[:, None]

    @torch.no_grad()
    def set_colours(self, facades: Sequence[Tensor], road: Sequence[Tensor]) -> None:
        """Set the colours [3,rows,columns] in [-1,1] of each level."""
        for texels, colours in zip((*self.fronts, *self.road), (*facades, *road), strict=True):
            texels[0, :COLOURS] = colours / GAIN


def in_reach(surface: SurfaceCoordinates) -> Tensor:
    """Where a cell of a facade lies within the texture's height, bool [N,h,w]."""
    # The lowest and the highest row of texels reach a little further.
    return (surface.up > -0.5) & (surface.up < FACADE_HEIGHT_M + 1)


def level_mix(footprint: Tensor, texels: Sequence[float]) -> list[Tensor]:
    """The share of each level in what `StreetTexture` samples.

    Args:
        footprint: Length in metres that a cell covers.
        texels: The lengths of the levels' texels in metres, coarsest first.

    Returns:
        A share of the shape of ``footprint`` for each level; they sum to 1.
    """
    shares = [torch.ones_like(footprint)]
    for texel in texels[1:]:
        weight = _level_weight(footprint, texel)[:, 0]
        shares = [*(share * (1 - weight) for share in shares), weight]
    return shares


def facade_texel(surface: SurfaceCoordinates, size: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Fractional row and column of the facades' texels of ``size`` metres at ``surface``.

    The left side's rows come first, from the pavement upwards; columns go on beyond the period.
    """
    along, up = size
    high = round(FACADE_HEIGHT_M / up)
    row = (surface.up.clamp(0, FACADE_HEIGHT_M) / up - 0.5).clamp(0, high - 1)
    return row + torch.where(surface.left, 0, high), surface.along / along - 0.5


def road_texel(surface: SurfaceCoordinates, size: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Fractional row (to the right) and column (ahead, beyond the period) of the road's texels of
    ``size`` metres at ``surface``."""
    along, across = size
    row = (surface.aside + ROAD_WIDTH_M / 2) / across - 0.5
    return row.clamp(0, round(ROAD_WIDTH_M / across) - 1), surface.ahead / along - 0.5


def _texels(channels: int, rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(1, channels, rows, columns).normal_(std=0.1 / GAIN))


def _level_weight(footprint: Tensor, texel: float) -> Tensor:
    """Weight of a level against the next coarser one, broadcasting to [N,1,h,w]: 1 where a cell is
    no longer than a texel, 0 from four times as long on."""
    return ((4 - footprint / texel) / 3).clamp(0, 1)[:, None]


def _sample(texels: Tensor, row: Tensor, column: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Bilinear samples [N,C,h,w] at fractional indices; columns are periodic."""
    columns = texels.shape[3]
    wrapped = torch.cat([texels[..., -1:], texels, texels[..., :1]], dim=3) * GAIN
    x = (column.remainder(columns) + 1) * (2 / (columns + 1)) - 1
    y = row * (2 / (texels.shape[2] - 1)) - 1
    grid = torch.stack([x.expand(shape), y.expand(shape)], dim=-1)
    with torch.autocast(texels.device.type, enabled=False):
        return F.grid_sample(
            wrapped.expand(shape[0], -1, -1, -1), grid, mode="bilinear", align_corners=True
        )
