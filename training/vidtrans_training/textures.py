"""Textures to begin with: the mean colour that clips show at each place of the fronts, of the road
and of things.

What a network would find out in thousands of steps can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vidtrans.labels.scheme import load_scheme
from vidtrans.nets.extent import extents
from vidtrans.nets.instance_texture import ASPECTS, KINDS, SIDE, instance_uv
from vidtrans.nets.street import StreetGenerator
from vidtrans.nets.street_geometry import surface_coordinates
from vidtrans.nets.street_texture import (
    COLOURS,
    FACADE_HEIGHT_M,
    FACADE_PERIOD_M,
    FACADE_TEXELS_M,
    ROAD_PERIOD_M,
    ROAD_TEXELS_M,
    ROAD_WIDTH_M,
    facade_texel,
    road_texel,
)
from vidtrans.nets.viewport import Viewport
from vidtrans_training.clip import Clip
from vidtrans_training.systems.street import StreetSystem
from vidtrans_training.systems.system import boundaries

_FARTHEST_M = 30.0
_EVERY = 3


@dataclass(frozen=True, eq=False)
class MeanTextures:
    """Colours in [-1,1], 0 where nothing was seen around: ``fronts`` and ``road`` [3,rows,columns]
    for each size of texels, ``things`` [3,aspects,rows,columns]."""

    fronts: tuple[Tensor, ...]
    road: tuple[Tensor, ...]
    things: Tensor


def mean_textures(clips: Iterable[Clip], system: StreetSystem) -> MeanTextures:
    """What ``clips`` show.

    Args:
        clips: Whole pictures, consecutive frames.
        system: Estimates the scene where a clip does not tell it.
    """
    fronts = [
        _Mean(2 * round(FACADE_HEIGHT_M / across), round(FACADE_PERIOD_M / along))
        for along, across in FACADE_TEXELS_M
    ]
    road = [
        _Mean(round(ROAD_WIDTH_M / across), round(ROAD_PERIOD_M / along))
        for along, across in ROAD_TEXELS_M
    ]
    things = _Mean(ASPECTS * KINDS * SIDE, SIDE)
    classes = system.classes
    (building,) = load_scheme("cityscapes").ids("building")
    for clip in map(system.prepared, clips):
        assert clip.labels is not None
        assert clip.scene is not None
        view, edges = Viewport.whole(clip.size_hw), boundaries(clip)
        for t in range(0, len(clip), _EVERY):
            now = slice(t, t + 1)
            at = surface_coordinates(clip.scene[now], view, 1)
            rgb, labels = clip.real[t].movedim(0, -1), clip.labels[t]
            on_front = (
                (labels == building)
                & (at.up > 0)
                & (at.up < FACADE_HEIGHT_M)
                & (at.distance < _FARTHEST_M)
            )
            on_road = (
                classes.is_ground(labels)
                & (at.ahead_footprint < 0.5)
                & (at.aside.abs() < ROAD_WIDTH_M / 2)
            )
            for mean, size in zip(fronts, FACADE_TEXELS_M, strict=True):
                mean.add(facade_texel(at, size), rgb, on_front[0])
            for mean, size in zip(road, ROAD_TEXELS_M, strict=True):
                mean.add(road_texel(at, size), rgb, on_road[0])
            on = instance_uv(
                extents(clip.labels[now], edges[now]), labels[None, ::2, ::2], view, classes
            )
            row = on.aspect.round() * (KINDS * SIDE) + on.row
            things.add((row, on.column), rgb[::2, ::2], on.valid[0])
    shown = things.colours().view(COLOURS, ASPECTS, KINDS * SIDE, SIDE)
    return MeanTextures(tuple(m.colours() for m in fronts), tuple(m.colours() for m in road), shown)


def set_textures(generator: StreetGenerator, mean: MeanTextures) -> None:
    """Sets the colours of the generator's textures."""
    generator.texture.set_colours(mean.fronts, mean.road)
    generator.things.set_colours(mean.things)


class _Mean:
    """Colours summed by texel."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.sums, self.counts = torch.zeros(rows * columns, 3), torch.zeros(rows * columns)

    def add(self, texel: tuple[Tensor, Tensor], rgb: Tensor, where: Tensor) -> None:
        """``texel``: row and column of each pixel, broadcasting to [1,h,w]; ``rgb`` [h,w,3];
        ``where`` bool [h,w]."""
        row, column = (part.expand(1, *where.shape)[0][where].round().long() for part in texel)
        index = row * self.columns + column.remainder(self.columns)
        self.sums.index_add_(0, index, rgb[where])
        self.counts.index_add_(0, index, torch.ones(len(index)))

    def colours(self) -> Tensor:
        """[3, rows, columns]; what was not seen takes the colours around it, and 0 where there
        are none."""
        sums = self.sums.T.reshape(1, COLOURS, self.rows, self.columns)
        counts = self.counts.view(1, 1, self.rows, self.columns)
        mean = torch.where(counts > 0, sums / counts.clamp(min=1), 0)
        seen = counts > 0
        for reach in (1, 2, 4):
            around = F.avg_pool2d(counts, 2 * reach + 1, 1, reach)
            filled = F.avg_pool2d(sums, 2 * reach + 1, 1, reach) / around.clamp(min=1e-6)
            mean = torch.where(~seen & (around > 0), filled, mean)
            seen = seen | (around > 0)
        return mean[0]
