"""Textures to begin with: the mean colour that clips show at each place of the fronts and of the road.

What a network would find out in thousands of steps can be counted.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from vidtrans.nets.scene import Places, is_ground, places
from vidtrans.nets.texture import FRONT_TEXELS_M, HIGH_M, ROAD_M, ROAD_TEXELS_M, ROUND_M, WIDE_M, front_texel, road_texel
from vidtrans_training.data import Clip

_BUILDING = 11
_FARTHEST_M = 30.0
_EVERY = 3


def mean_textures(clips: Iterable[Clip]) -> tuple[list[Tensor], list[Tensor]]:
    """Colours of the fronts and of the road, [3,rows,columns] in [-1,1], for each size of texels; 0 where nothing was seen."""
    fronts = [_Mean(2 * round(HIGH_M / across), round(ROUND_M / along)) for along, across in FRONT_TEXELS_M]
    road = [_Mean(round(WIDE_M / across), round(ROAD_M / along)) for along, across in ROAD_TEXELS_M]
    for clip in clips:
        for t in range(0, clip.frames, _EVERY):
            at = places(torch.from_numpy(clip.scene[t : t + 1]), torch.zeros(1, 2), clip.size_hw, clip.size_hw, 1)
            rgb = torch.from_numpy(clip.rgb[t]).float() / 127.5 - 1
            labels = torch.from_numpy(clip.labels[t])
            on_front = (labels == _BUILDING) & (at.up > 0) & (at.up < HIGH_M) & (at.far < _FARTHEST_M)
            on_road = is_ground(labels) & (at.ahead_width < 0.5) & (at.aside.abs() < WIDE_M / 2)
            for mean, size in zip(fronts, FRONT_TEXELS_M, strict=True):
                mean.add(front_texel(at, size), at, rgb, on_front[0])
            for mean, size in zip(road, ROAD_TEXELS_M, strict=True):
                mean.add(road_texel(at, size), at, rgb, on_road[0])
    return [mean.colours() for mean in fronts], [mean.colours() for mean in road]


class _Mean:
    """Colours summed by texel."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.sums, self.counts = torch.zeros(rows * columns, 3), torch.zeros(rows * columns)

    def add(self, texel: tuple[Tensor, Tensor], at: Places, rgb: Tensor, where: Tensor) -> None:
        row, column = (part.expand(at.shape)[0][where].round().long() for part in texel)
        index = row * self.columns + column.remainder(self.columns)
        self.sums.index_add_(0, index, rgb[where])
        self.counts.index_add_(0, index, torch.ones(len(index)))

    def colours(self) -> Tensor:
        mean = self.sums / self.counts.clamp(min=1)[:, None]
        return mean.T.reshape(3, self.rows, self.columns)
