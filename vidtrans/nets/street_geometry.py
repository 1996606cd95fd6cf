"""Where a street's ground and house fronts are, in metres, and how far the camera has come: from
labels and flow alone.

With it a generator knows where on a wall or on the road a pixel lies, so that a window or a lane
mark belongs to a place of the street and stays there, however often pictures are painted anew.
Estimates of the simplest street: a level ground, and one upright plane of house fronts on either
side. Where a film shows another, details lie elsewhere, and still stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vidtrans.nets.constants import constant
from vidtrans.nets.street_classes import StreetClasses
from vidtrans.nets.viewport import Viewport

EYE_M = 1.4
"""Height of the camera above the road, metres: the measure of all others, for a picture has
none."""
PAVEMENT_M = 0.12
FOCAL = 1.963
"""Focal length in picture heights: 54 degrees across a picture of 2:1."""
HORIZON = 0.476
"""Height of the horizon as a share of the picture's height, from the top."""
FRONTS_M = (10.3, 7.5)
"""Metres to the fronts on the left and on the right where none are seen yet."""

_AHEAD_M = (6.0, 3.0, 2.0)
_ASIDE_M = (8.0, 4.0, 2.0, 1.0)
_ALONG_M = (48.0, 24.0, 12.0, 6.0, 3.0, 1.5)
_UP_M = (12.8, 6.4, 3.2, 1.6)
_FLOOR_M = 3.8
ROWS = 2 * len(_AHEAD_M)
COLUMNS = 4 * len(_ALONG_M) + 1
CELLS = 2 * (len(_ASIDE_M) + len(_UP_M)) + 2
PLANES = ROWS + COLUMNS + CELLS


def scene_after(
    scene: Tensor | None, ids: Tensor, flow: Tensor | None, classes: StreetClasses
) -> Tensor:
    """The scene of a frame: float [N,3], metres travelled, to the fronts on the left, to those on
    the right.

    ``scene``: that of the frame before (None: this is the first, and nothing is travelled).
    ``ids``: labels [N,H,W], of ``classes``. ``flow`` [N,2,H,W]: pixels, to the frame before. Fronts
    follow what is seen slowly, so that noise in the labels does not shake the houses.
    """
    seen = fronts(ids, classes)
    # Where one side is hidden the other tells: the camera drives in the right half of the street.
    right_of_middle = constant((FRONTS_M[0] - FRONTS_M[1], FRONTS_M[1] - FRONTS_M[0]), ids.device)
    seen = torch.where(seen.isnan(), seen.flip(1) + right_of_middle, seen)
    if scene is None:
        usual = constant(FRONTS_M, ids.device).expand_as(seen)
        return torch.cat(
            [seen.new_zeros(len(seen), 1), torch.where(seen.isnan(), usual, seen)], dim=1
        )
    travelled = scene[:, :1] + (0 if flow is None else advance(ids, flow, classes)[:, None])
    kept = scene[:, 1:]
    return torch.cat([travelled, torch.where(seen.isnan(), kept, kept.lerp(seen, 0.1))], dim=1)


def fronts(ids: Tensor, classes: StreetClasses) -> Tensor:
    """Metres to the house fronts on the left and on the right, float [N,2], from where houses (or
    walls, or fences) in ``ids`` [N,H,W] meet the ground; NaN where none do."""
    height, width = ids.shape[-2:]
    columns = ids[:, :, 1::4]
    touching = classes.is_front(columns[:, :-1]) & classes.is_ground(columns[:, 1:])
    v = (torch.arange(1, height, device=ids.device) / height - HORIZON)[:, None]
    u = (torch.arange(1, width, 4, device=ids.device) + 0.5 - width / 2) / height
    aside = u.abs() * (EYE_M - PAVEMENT_M) / v.clamp(min=0.02)
    near = (v > 0.03) & (u.abs() > 0.1) & (aside > 3) & (aside < 25)
    sides = [_median(aside, touching & near & there) for there in (u < 0, u > 0)]
    return torch.stack(sides, dim=1)


def advance(ids: Tensor, flow: Tensor, classes: StreetClasses) -> Tensor:
    """How many metres the camera went since the frame before, float [N]: the median of what the
    ground's ``flow`` says."""
    height = ids.shape[-2]
    v = ((torch.arange(0, height, 4, device=ids.device) + 0.5) / height - HORIZON)[:, None]
    before = v + flow[:, 1, ::4, ::4].float() / height
    told = EYE_M * FOCAL * (1 / before.clamp(min=0.02) - 1 / v.clamp(min=0.02))
    ground = classes.is_ground(ids[:, ::4, ::4]) & (v > 0.06) & (before > 0.03)
    return _median(told, ground).nan_to_num(0).clamp(-3, 5)


def _median(values: Tensor, where: Tensor) -> Tensor:
    """The median of ``values`` where bool [N,...] ``where`` is true, float [N]; NaN where it is
    true nowhere."""
    chosen = torch.where(where, values, torch.nan).flatten(1)
    if chosen.shape[1] == 0:  # a picture of one row or column, of which torch takes no median
        return chosen.new_full((len(chosen),), torch.nan)
    return chosen.nanmedian(dim=1).values


@dataclass(frozen=True, eq=False)
class Places:
    """Where cells lie if they show the ground, and where if they show a front; metres, each
    broadcasting to [N,h,w].

    ``ahead``: along the street, on the ground, and ``aside`` to the right of the camera; ``ground``
    is false above the horizon. ``along``: along the street, on the front of the cell's side, and
    ``up`` from the pavement; ``left`` tells the side, ``far`` is the distance. The rest are widths
    of a cell: of the ground ahead and aside, of a front along and up.
    """

    ahead: Tensor
    aside: Tensor
    ground: Tensor
    along: Tensor
    up: Tensor
    left: Tensor
    far: Tensor
    ahead_width: Tensor
    aside_width: Tensor
    along_width: Tensor
    up_width: Tensor
    shape: tuple[int, int, int]


def places(scene: Tensor, viewport: Viewport, stride: int) -> Places:
    """The places of cells of ``stride`` pixels.

    Args:
        scene: float [N,3], see `scene_after`.
        viewport: What the network sees of the film's picture; one origin, or N of them.
        stride: Pixels of a cell along each side.
    """
    height, width = viewport.picture_hw
    y, x = viewport.rows(stride, scene.device), viewport.columns(stride, scene.device)
    v = (y / height - HORIZON)[:, :, None]
    u = ((x - width / 2) / height)[:, None, :]
    cell = stride / height
    travelled, left, right = (part[:, None, None] for part in scene.unbind(1))
    below, beside = v.clamp(min=0.015), u.abs().clamp(min=0.015)
    ahead = EYE_M * FOCAL / below
    far = torch.where(u < 0, left, right) * FOCAL / beside
    return Places(
        ahead=travelled + ahead,
        aside=u * EYE_M / below,
        ground=v > 0,
        along=travelled + far,
        up=EYE_M - PAVEMENT_M - v * far / FOCAL,
        left=u < 0,
        far=far,
        ahead_width=cell * ahead * ahead / (EYE_M * FOCAL),
        aside_width=cell * ahead / FOCAL,
        along_width=cell * far / beside,
        up_width=cell * far / FOCAL,
        shape=(len(scene), y.shape[1], x.shape[1]),
    )


@dataclass(frozen=True, eq=False)
class ScenePlanes:
    """Planes within [-1,1]: those that are the same along a row [N,ROWS,h,1], along a column
    [N,COLUMNS,1,w], and others [N,CELLS,h,w]. ``whole`` is all of them, in this order."""

    rows: Tensor
    columns: Tensor
    cells: Tensor

    def whole(self) -> Tensor:
        """float [N,PLANES,h,w]."""
        n, _, h, w = self.cells.shape
        return torch.cat(
            [self.rows.expand(n, -1, h, w), self.columns.expand(n, -1, h, w), self.cells], dim=1
        )


def scene_planes(at: Places) -> ScenePlanes:
    """Planes for a network: waves of where a cell lies, on the ground ahead and to the side, along
    the front of its side (zero on the other side) and up it. A wave fades where a cell is as wide
    as it is long, for it could only flicker there.
    """
    rows = _waves(at.ahead, at.ahead_width, _AHEAD_M, at.ground)
    cells = _waves(at.aside, at.aside_width, _ASIDE_M, at.ground)
    columns = [(at.far.log() / 6).clamp(-1, 1)]
    for there in (at.left, ~at.left):
        columns += _waves(at.along, at.along_width, _ALONG_M, there)
    cells += _waves(at.up - _FLOOR_M, at.up_width, _UP_M, at.up > -1)
    cells += [(at.up / 16).clamp(-1, 1), 1 / at.up.clamp(min=1)]
    wide = torch.stack([plane.expand(at.shape) for plane in cells], dim=1)
    return ScenePlanes(torch.stack(rows, dim=1), torch.stack(columns, dim=1), wide)


def _waves(
    metres: Tensor, width: Tensor, lengths: tuple[float, ...], where: Tensor
) -> list[Tensor]:
    """Sine and cosine of ``metres`` for each of ``lengths``, as far as cells of ``width`` metres
    can show them."""
    planes = []
    for length in lengths:
        strength = (1 - width / length).clamp(min=0) * where
        angle = metres.remainder(length) * (2 * math.pi / length)
        planes += [angle.sin() * strength, angle.cos() * strength]
    return planes
