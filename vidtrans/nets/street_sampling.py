"""Samples of a street's textures on a CPU, of the cells that show them.

What `vidtrans.nets.street_texture` and `vidtrans.nets.instance_texture` sample, up to rounding. All
cells of a column of the picture show one column of the facades' texture, and all cells of a row one
column of the road's. So levels and columns are mixed once for each line of the picture, and a cell
is left with an interpolation along that line: two rows of a table in place of eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from vidtrans.nets import instance_texture, street_texture
from vidtrans.nets.extent import STRIDE
from vidtrans.nets.instance_texture import InstanceTexture, texel_coordinates
from vidtrans.nets.street_classes import StreetClasses
from vidtrans.nets.street_geometry import SurfaceCoordinates, surface_coordinates
from vidtrans.nets.street_texture import StreetTexture
from vidtrans.nets.viewport import Viewport

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
_GROUND, _FACADE, _THING = 1, 2, 4  # bits of what a label shows


class TextureSampler:
    """All textures of a street generator, as tables of rows.

    It holds them as they were when it was made.
    """

    def __init__(
        self, street: StreetTexture, things: InstanceTexture, classes: StreetClasses
    ) -> None:
        device = torch.device("cpu")
        sizes = street_texture.FACADE_TEXELS_M
        # Levels whose texels are equally high share the rows that a cell picks.
        self._facades = [
            (up, [n for n, size in enumerate(sizes) if size[1] == up])
            for up in sorted({size[1] for size in sizes}, reverse=True)
        ]
        self._facade_columns = [
            _Columns([street.fronts[n] for n in levels], sides=2) for _, levels in self._facades
        ]
        self._road_columns = _Columns(list(street.road), sides=1)
        assert len({across for _, across in street_texture.ROAD_TEXELS_M}) == 1
        self._things = (things.texels.detach().flatten(1).t() * street_texture.GAIN).contiguous()
        kinds = instance_texture.kinds(classes, device)
        self._kinds = kinds.numpy()
        shows = np.zeros(256, np.uint8)
        shows[list(classes.ground)] |= _GROUND
        shows[list(classes.facades)] |= _FACADE
        shows[self._kinds < instance_texture.KINDS] |= _THING
        self._shows = shows

    def sample(
        self, scene: Tensor, view: Viewport, extents: Tensor, cells: npt.NDArray[np.uint8]
    ) -> Tensor:
        """What the textures show: float [h*w, channels], 0 where a cell has none.

        Args:
            scene: See `estimate_scene`.
            view: What the network sees of the film's picture.
            extents: See `vidtrans.nets.extent.extents`.
            cells: Labels of every second pixel, [h,w].
        """
        out = torch.zeros(cells.size, self._things.shape[1])
        surface = surface_coordinates(scene, view, 2)
        shows = np.asarray(cv2.LUT(np.ascontiguousarray(cells), self._shows), np.uint8)
        reached = street_texture.in_reach(surface)[0].numpy()
        self._set_facades(out, surface, np.flatnonzero((shows & _FACADE != 0) & reached))
        ground = (shows & _GROUND != 0) & surface.ground[0].numpy()
        self._set_road(out, surface, np.flatnonzero(ground))
        self._set_things(out, view, extents, cells, np.flatnonzero(shows & _THING))
        return out

    def _set_facades(
        self, out: Tensor, surface: SurfaceCoordinates, at: npt.NDArray[np.intp]
    ) -> None:
        sizes = street_texture.FACADE_TEXELS_M
        mix = street_texture.level_mix(surface.along_footprint, [size[0] for size in sizes])
        left = surface.left.numpy().ravel()
        line = at % surface.shape[2]
        # Rows of texels as on the left side: the columns know their side.
        picked = replace(
            surface,
            up=torch.from_numpy(surface.up.numpy().ravel()[at]),
            left=torch.ones((), dtype=torch.bool),
        )
        tables, rows = [], []
        for (_, levels), table in zip(self._facades, self._facade_columns, strict=True):
            texels = [street_texture.facade_texel(picked, sizes[n]) for n in levels]
            columns = [column.numpy().ravel() for _, column in texels]
            shares = [mix[n].numpy().ravel() for n in levels]
            tables.append(table.mixed(columns, shares, np.where(left, 0, 1)))
            rows.append((texels[0][0].numpy(), table.rows))
        _set_lines(out, at, line, tables, rows)

    def _set_road(self, out: Tensor, surface: SurfaceCoordinates, at: npt.NDArray[np.intp]) -> None:
        sizes = street_texture.ROAD_TEXELS_M
        mix = street_texture.level_mix(surface.ahead_footprint, [size[0] for size in sizes])
        picked = replace(surface, aside=torch.from_numpy(surface.aside.numpy().ravel()[at]))
        texels = [street_texture.road_texel(picked, size) for size in sizes]
        columns = [column.numpy().ravel() for _, column in texels]
        shares = [share.numpy().ravel() for share in mix]
        table = self._road_columns.mixed(columns, shares, np.zeros(len(shares[0]), np.int64))
        row = texels[0][0].numpy()
        line = at // surface.shape[2]
        _set_lines(out, at, line, [table], [(row, self._road_columns.rows)])

    def _set_things(
        self,
        out: Tensor,
        view: Viewport,
        extents: Tensor,
        cells: npt.NDArray[np.uint8],
        at: npt.NDArray[np.intp],
    ) -> None:
        y, x = np.divmod(at, cells.shape[1])
        of_cells = extents[0].numpy()[:, y // 2, x // 2].astype(np.float32)
        halves = np.array(instance_texture.HALVES, np.float32)
        middles = view.columns(STRIDE, extents.device)[0].numpy()[x // 2]
        coordinates = texel_coordinates(
            torch.from_numpy(self._kinds[cells[y, x]]),
            tuple(torch.from_numpy(of_cells)),
            torch.from_numpy(middles),
            (torch.from_numpy(halves[y % 2]), torch.from_numpy(halves[x % 2])),
            view.picture_hw,
        )
        row, column, aspect = (part.numpy() for part in coordinates)
        shape = (
            instance_texture.ASPECTS,
            instance_texture.KINDS * instance_texture.SIDE,
            instance_texture.SIDE,
        )
        index = np.zeros((len(at), 8), np.int32)
        weight = np.ones(index.shape, np.float32)
        stride = 1
        for bit, (value, length) in enumerate(
            zip((column, row, aspect), reversed(shape), strict=True)
        ):
            lower = value.astype(np.int32)
            share = (value - lower).astype(np.float32)
            upper = np.minimum(lower + 1, length - 1)
            for corner in range(8):
                index[:, corner] += (upper if corner >> bit & 1 else lower) * stride
                weight[:, corner] *= share if corner >> bit & 1 else 1 - share
            stride *= length
        _set_bags(out, at, self._things, index, weight)


class _Columns:
    """Columns of texels of some levels that are equally high, as rows of a table.

    Args:
        levels: Parameters [1,C,R,columns].
        sides: Parts of the R rows, of which a line shows one.

    Attributes:
        rows: Texels of a column, on one side.
    """

    def __init__(self, levels: Sequence[Tensor], sides: int) -> None:
        self._lengths = [level.shape[3] for level in levels]
        self._sides = sides
        self._channels = levels[0].shape[1]
        self.rows = levels[0].shape[2] // sides
        columns = [
            level[0].view(self._channels, sides, self.rows, -1).permute(3, 1, 2, 0)
            for level in levels
        ]
        table = torch.cat([part.flatten(0, 1) for part in columns]).flatten(1)
        self._table = (table * street_texture.GAIN).detach().contiguous()

    def mixed(
        self,
        columns: Sequence[Floats],
        shares: Sequence[Floats],
        side: npt.NDArray[np.integer],
    ) -> Tensor:
        """One column for each line of the picture.

        Args:
            columns: Fractional periodic columns of each level, [lines].
            shares: The weight of each level, [lines].
            side: Which side each line shows, [lines].

        Returns:
            Rows of texels [lines * rows, C].
        """
        index = np.empty((len(side), 2 * len(columns)), np.int32)
        weight = np.empty(index.shape, np.float32)
        start = 0
        for n, (column, share, length) in enumerate(
            zip(columns, shares, self._lengths, strict=True)
        ):
            before = np.floor(column)
            beside = column - before
            first = before.astype(np.int64) % length
            for corner, (at, part) in enumerate(
                ((first, 1 - beside), ((first + 1) % length, beside))
            ):
                index[:, 2 * n + corner] = (start + at) * self._sides + side
                weight[:, 2 * n + corner] = share * part
            start += length
        sums = F.embedding_bag(
            torch.from_numpy(index),
            self._table,
            mode="sum",
            per_sample_weights=torch.from_numpy(weight),
        )
        return sums.view(-1, self._channels)


def _set_lines(
    out: Tensor,
    at: npt.NDArray[np.intp],
    line: npt.NDArray[np.intp],
    tables: Sequence[Tensor],
    rows: Sequence[tuple[Floats, int]],
) -> None:
    """Set the cells ``at`` to an interpolation along their lines.

    Args:
        out: Rows [cells, channels].
        at: The n cells.
        line: The line of each, [n].
        tables: What `_Columns.mixed` gives; all of them are added.
        rows: For each table each cell's fractional row [n], and the rows of a line.
    """
    index = np.empty((len(at), 2 * len(tables)), np.int32)
    weight = np.empty(index.shape, np.float32)
    start = 0
    for n, (table, (row, length)) in enumerate(zip(tables, rows, strict=True)):
        lower = row.astype(np.int32)
        beside = row - lower
        first = line.astype(np.int32)
        first *= length
        first += start
        np.add(first, lower, out=index[:, 2 * n])
        np.add(first, np.minimum(lower + 1, length - 1), out=index[:, 2 * n + 1])
        np.subtract(1, beside, out=weight[:, 2 * n])
        weight[:, 2 * n + 1] = beside
        start += len(table)
    _set_bags(out, at, tables[0] if len(tables) == 1 else torch.cat(list(tables)), index, weight)


def _set_bags(
    out: Tensor, at: npt.NDArray[np.intp], table: Tensor, index: Indices, weight: Floats
) -> None:
    """Set the cells ``at`` to weighted sums of rows of ``table``."""
    sums = F.embedding_bag(
        torch.from_numpy(index), table, mode="sum", per_sample_weights=torch.from_numpy(weight)
    )
    out.index_copy_(0, torch.from_numpy(at), sums)
