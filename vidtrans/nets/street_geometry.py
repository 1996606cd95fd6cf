"""Metric geometry of a street, estimated from labels and optical flow.

A street is modelled as a level ground and one upright plane of facades on either side. With the
distances of the facades and the camera's own motion, the position of a pixel on the ground or on a
facade is known in metres. A generator that knows it draws a window or a lane mark at a position of
the street, again and again, instead of at a position of the picture. Where a film shows another
street, details are elsewhere, and still stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidtrans.nets.camera import EYE_M, FOCAL, HORIZON
from vidtrans.nets.constants import constant, kept
from vidtrans.nets.fourier import band_limited_features
from vidtrans.nets.street_classes import StreetClasses
from vidtrans.nets.viewport import Viewport

PAVEMENT_M = 0.12
"""Height of the pavement, on which the facades stand, above the road: that of a kerb."""
DEFAULT_FACADES_M = (10.3, 7.5)
"""Metres to the facades on the left and on the right where none has been seen: those of the
terrace streets of ``vidtrans-world``, seen from the right lane."""

FACADE_SMOOTHING = 0.1
"""Share by which the facades' distances follow each frame: noise in the labels' edges does not
shake the houses, and a turn of the street is followed within a second."""

# Wavelengths of the Fourier features, metres. The longest along the street is the period of the
# street's textures; the shortest are those of windows, storeys and lane marks.
_AHEAD_M = (6.0, 3.0, 2.0)
_ASIDE_M = (8.0, 4.0, 2.0, 1.0)
_ALONG_M = (48.0, 24.0, 12.0, 6.0, 3.0, 1.5)
_UP_M = (12.8, 6.4, 3.2, 1.6)
_GROUND_FLOOR_M = 3.8  # height of the ground floor, from which upper storeys are counted
ROWS = 2 * len(_AHEAD_M)
COLUMNS = 4 * len(_ALONG_M) + 1
CELLS = 2 * (len(_ASIDE_M) + len(_UP_M)) + 2
PLANES = ROWS + COLUMNS + CELLS


def estimate_scene(
    previous: Tensor | None, ids: Tensor, flow: Tensor | None, classes: StreetClasses
) -> Tensor:
    """Estimate where the camera is in its street.

    Args:
        previous: The scene of the frame before, float [N,3]. None: this is the first frame.
        ids: Labels of the film's picture, integer [N,H,W].
        flow: Optical flow to the frame before, float [N,2,H,W], pixels. None: the camera stands.
        classes: Which labels show what.

    Returns:
        The scene, float [N,3]: metres travelled since the first frame, metres to the facades on the
        left, and to those on the right.
    """
    seen = facade_distances(ids, classes)
    # A side that is hidden is told by the other one: the camera drives in the right half of the
    # street, as in the default.
    left_minus_right = constant(
        (
            DEFAULT_FACADES_M[0] - DEFAULT_FACADES_M[1],
            DEFAULT_FACADES_M[1] - DEFAULT_FACADES_M[0],
        ),
        ids.device,
    )
    seen = torch.where(seen.isnan(), seen.flip(1) + left_minus_right, seen)
    if previous is None:
        default = constant(DEFAULT_FACADES_M, ids.device).expand_as(seen)
        distances = torch.where(seen.isnan(), default, seen)
        return torch.cat([seen.new_zeros(len(seen), 1), distances], dim=1)
    motion = 0 if flow is None else ego_motion(ids, flow, classes)[:, None]
    kept = previous[:, 1:]
    distances = torch.where(seen.isnan(), kept, kept.lerp(seen, FACADE_SMOOTHING))
    return torch.cat([previous[:, :1] + motion, distances], dim=1)


def facade_distances(ids: Tensor, classes: StreetClasses) -> Tensor:
    """Measure the distances of the facades to the left and to the right of the camera.

    They follow from where facades meet the ground in the labels: a point of that line at the
    height v below the horizon and u beside the vanishing point is |u| / v camera heights aside.

    Args:
        ids: Labels of the film's picture, integer [N,H,W].
        classes: Which labels show what.

    Returns:
        Metres, float [N,2], left and right: the median over the columns; NaN where no facade meets
        the ground.
    """
    height, width = ids.shape[-2:]
    columns = ids[:, :, 1::4]
    touching = classes.is_facade(columns[:, :-1]) & classes.is_ground(columns[:, 1:])
    aside = _metres_aside((height, width), ids.device)
    sides = _reliable_aside((height, width), ids.device)
    return torch.stack([_median(aside, touching & side) for side in sides], dim=1)


def _of_the_pavement(size_hw: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Heights below the horizon [h-1,1] of the lines between rows, and places beside the vanishing
    point [w/4] of every fourth column, both in heights of the picture."""
    height, width = size_hw
    v = (torch.arange(1, height, device=device) / height - HORIZON)[:, None]
    u = (torch.arange(1, width, 4, device=device) + 0.5 - width / 2) / height
    return v, u


@kept(maxsize=16)
def _metres_aside(size_hw: tuple[int, int], device: torch.device) -> Tensor:
    """How far aside a point of the pavement is that is seen there, metres [h-1,w/4]."""
    v, u = _of_the_pavement(size_hw, device)
    return u.abs() * (EYE_M - PAVEMENT_M) / v.clamp(min=0.02)


@kept(maxsize=16)
def _reliable_aside(size_hw: tuple[int, int], device: torch.device) -> Tensor:
    """Where `_metres_aside` can be the facade's distance, to the left and to the right, bool
    [2,h-1,w/4]."""
    v, u = _of_the_pavement(size_hw, device)
    aside = _metres_aside(size_hw, device)
    # Near the vanishing point a pixel is metres; no street is narrower than 3 m or wider than 25 m
    # on one side.
    reliable = (v > 0.03) & (u.abs() > 0.1) & (aside > 3) & (aside < 25)
    return torch.stack([reliable & (u < 0), reliable & (u > 0)])


def ego_motion(ids: Tensor, flow: Tensor, classes: StreetClasses) -> Tensor:
    """Measure how far the camera has moved ahead since the frame before.

    A point of the ground at the height v below the horizon is EYE_M * FOCAL / v ahead; the flow
    says where it was.

    Args:
        ids: Labels of the film's picture, integer [N,H,W].
        flow: Optical flow to the frame before, float [N,2,H,W], pixels.
        classes: Which labels show what.

    Returns:
        Metres, float [N]: the median over the ground, 0 where none is seen, within [-3,5] (at 17
        frames a second 5 m are 300 km/h: more is an error of the flow).
    """
    height = ids.shape[-2]
    v = _below_the_horizon(height, ids.device)
    before = v + flow[:, 1, ::4, ::4].float() / height
    metres = EYE_M * FOCAL * (1 / before.clamp(min=0.02) - 1 / v.clamp(min=0.02))
    # Farther ahead than about 45 m a pixel of flow is several metres.
    reliable = classes.is_ground(ids[:, ::4, ::4]) & (v > 0.06) & (before > 0.03)
    return _median(metres, reliable).nan_to_num(0).clamp(-3, 5)


@kept(maxsize=16)
def _below_the_horizon(height: int, device: torch.device) -> Tensor:
    """How far every fourth row lies below the horizon, in heights of the picture, [h/4,1]."""
    return ((torch.arange(0, height, 4, device=device) + 0.5) / height - HORIZON)[:, None]


def _median(values: Tensor, where: Tensor) -> Tensor:
    """The median of ``values`` where bool [N,...] ``where`` is true, float [N]; NaN where it is
    true nowhere."""
    if where.device.type == "cpu" and len(where) == 1:
        # Few are chosen, and a host may wait for their number.
        found = values.expand(where.shape)[where]
        return found.median()[None] if len(found) else found.new_full((1,), torch.nan)
    chosen = torch.where(where, values, torch.nan).flatten(1)
    if chosen.shape[1] == 0:  # a picture of one row or column, of which torch takes no median
        return chosen.new_full((len(chosen),), torch.nan)
    return chosen.nanmedian(dim=1).values


@dataclass(frozen=True, eq=False)
class SurfaceCoordinates:
    """Where the cells of a picture lie on the ground, and where on the facades, in metres.

    Every cell has both; labels tell which one it shows. All tensors broadcast to `shape`.

    Attributes:
        ahead: On the ground: position along the street.
        aside: On the ground: distance to the right of the camera.
        ground: Whether the cell can show the ground: it lies below the horizon.
        along: On the facade of the cell's side: position along the street.
        up: On the facade: height above the pavement.
        left: Whether the cell's side is the left one.
        distance: On the facade: distance ahead of the camera.
        ahead_footprint: Length that a cell covers along the street, on the ground.
        aside_footprint: Width that it covers, on the ground.
        along_footprint: Length that it covers along the street, on the facade.
        up_footprint: Height that it covers, on the facade.
        shape: (N, h, w).
    """

    ahead: Tensor
    aside: Tensor
    ground: Tensor
    along: Tensor
    up: Tensor
    left: Tensor
    distance: Tensor
    ahead_footprint: Tensor
    aside_footprint: Tensor
    along_footprint: Tensor
    up_footprint: Tensor
    shape: tuple[int, int, int]


def surface_coordinates(scene: Tensor, viewport: Viewport, stride: int) -> SurfaceCoordinates:
    """The surface coordinates of cells of ``stride`` pixels.

    Args:
        scene: float [N,3], see `estimate_scene`.
        viewport: What the network sees of the film's picture; one origin, or N of them.
        stride: Pixels of a cell along each side.
    """
    height, width = viewport.picture_hw
    y, x = viewport.rows(stride, scene.device), viewport.columns(stride, scene.device)
    v = (y / height - HORIZON)[:, :, None]
    u = ((x - width / 2) / height)[:, None, :]
    cell = stride / height
    travelled, left, right = (part[:, None, None] for part in scene.unbind(1))
    # Four pixels of a picture 256 high: nearer to the vanishing point coordinates would explode.
    below, beside = v.clamp(min=0.015), u.abs().clamp(min=0.015)
    ahead = EYE_M * FOCAL / below
    distance = torch.where(u < 0, left, right) * FOCAL / beside
    return SurfaceCoordinates(
        ahead=travelled + ahead,
        aside=u * EYE_M / below,
        ground=v > 0,
        along=travelled + distance,
        up=EYE_M - PAVEMENT_M - v * distance / FOCAL,
        left=u < 0,
        distance=distance,
        ahead_footprint=cell * ahead * ahead / (EYE_M * FOCAL),
        aside_footprint=cell * ahead / FOCAL,
        along_footprint=cell * distance / beside,
        up_footprint=cell * distance / FOCAL,
        shape=(len(scene), y.shape[1], x.shape[1]),
    )


@dataclass(frozen=True, eq=False)
class SurfaceEncoding:
    """Surface coordinates as planes for a network, in [-1,1].

    Planes that are the same along a row or along a column are kept as one row or column, so that a
    1x1 convolution costs little.

    Attributes:
        rows: float [N,ROWS,h,1].
        columns: float [N,COLUMNS,1,w].
        cells: The others, float [N,CELLS,h,w].
    """

    rows: Tensor
    columns: Tensor
    cells: Tensor

    def whole(self) -> Tensor:
        """All planes in this order, float [N,PLANES,h,w]."""
        n, _, h, w = self.cells.shape
        return torch.cat(
            [self.rows.expand(n, -1, h, w), self.columns.expand(n, -1, h, w), self.cells], dim=1
        )


def encode_surface(surface: SurfaceCoordinates) -> SurfaceEncoding:
    """Encode surface coordinates as band-limited Fourier features.

    Positions on the ground, ahead and aside; along the facade of the cell's side (zero for the
    other side) and up it; see `vidtrans.nets.fourier`.
    """
    cells = torch.cat([aside_planes(surface), up_planes(surface)], dim=1)
    return SurfaceEncoding(row_planes(surface), column_planes(surface), cells)


def row_planes(surface: SurfaceCoordinates) -> Tensor:
    """Features of the position ahead on the ground, float [N,ROWS,h,1]."""
    s = surface
    return torch.stack(band_limited_features(s.ahead, s.ahead_footprint, _AHEAD_M, s.ground), dim=1)


def column_planes(surface: SurfaceCoordinates) -> Tensor:
    """Features of the position along the facades, float [N,COLUMNS,1,w]."""
    s = surface
    planes = [(s.distance.log() / 6).clamp(-1, 1)]
    for side in (s.left, ~s.left):
        planes += band_limited_features(s.along, s.along_footprint, _ALONG_M, side)
    return torch.stack(planes, dim=1)


def aside_planes(surface: SurfaceCoordinates) -> Tensor:
    """Features of the position aside on the ground, which no scene changes: the first planes of
    ``cells``, float [N,8,h,w]."""
    s = surface
    planes = band_limited_features(s.aside, s.aside_footprint, _ASIDE_M, s.ground)
    return torch.stack([plane.expand(s.shape) for plane in planes], dim=1)


def up_planes(surface: SurfaceCoordinates) -> Tensor:
    """Features of the height on the facades: the other planes of ``cells``, float [N,10,h,w]."""
    s = surface
    planes = band_limited_features(s.up - _GROUND_FLOOR_M, s.up_footprint, _UP_M, s.up > -1)
    planes += [(s.up / 16).clamp(-1, 1), 1 / s.up.clamp(min=1)]
    return torch.stack([plane.expand(s.shape) for plane in planes], dim=1)
