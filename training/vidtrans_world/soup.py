"""Triangle soups: geometry with what its shading and its labels need, and the few shapes that
everything is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from vidtrans_world.arrays import Floats, f32

Vector = Sequence[float] | Floats
"""A point or a few numbers."""


class Material(IntEnum):
    """Which shading function a triangle gets (see ``materials``)."""

    PLAIN = 0
    ASPHALT = 1
    PAVEMENT = 2
    CURB = 3
    GRASS = 4
    FACADE = 5
    ROOF = 6
    LEAVES = 7
    BARK = 8
    CAR_BODY = 9
    CAR_SIDE = 10
    WHEEL = 11
    SIGN = 12
    SIGNAL = 13
    BRICK = 15
    BUS = 16
    CLOTH = 17
    AWNING = 19
    METAL = 20


@dataclass(frozen=True, slots=True, eq=False)
class Soup:
    """T triangles. ``points`` and shading ``normals`` [T,3,3] in metres (x right, y along the
    street, z up); ``local`` [T,3,3] the coordinates that textures stick to; ``colour`` [T,3] linear
    albedo; ``material`` and ``thing`` [T]; ``limb`` [T] 0 for rigid parts, +-1 legs, +-2 arms of a
    walker."""

    points: Floats
    normals: Floats
    local: Floats
    colour: Floats
    material: npt.NDArray[np.int32]
    thing: npt.NDArray[np.int32]
    limb: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.points)


def cross(a: Floats, b: Floats) -> Floats:
    """Cross products of vectors [...,3]; several times faster than NumPy's for the small arrays
    here."""
    ax, ay, az, bx, by, bz = a[..., 0], a[..., 1], a[..., 2], b[..., 0], b[..., 1], b[..., 2]
    out = np.empty(a.shape, np.result_type(a, b))
    out[..., 0], out[..., 1], out[..., 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return out


def soup(
    points: Floats,
    material: Material = Material.PLAIN,
    colour: Vector = (0.5, 0.5, 0.5),
    normals: Floats | None = None,
    local: Floats | None = None,
    limb: int = 0,
) -> Soup:
    """A soup of ``points`` [T,3,3]; flat normals and textures stuck to the points where none are
    given."""
    points = np.asarray(points, np.float32).reshape(-1, 3, 3)
    count = len(points)
    if normals is None:
        flat = cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        flat /= np.sqrt((flat * flat).sum(1, keepdims=True)) + np.float32(1e-12)
        normals = np.repeat(flat[:, None], 3, axis=1)
    return Soup(
        points,
        np.asarray(normals, np.float32),
        points.copy() if local is None else np.asarray(local, np.float32).reshape(-1, 3, 3),
        np.broadcast_to(np.asarray(colour, np.float32), (count, 3)).copy(),
        np.full(count, int(material), np.int32),
        np.zeros(count, np.int32),
        np.full(count, limb, np.int32),
    )


def join(parts: Sequence[Soup]) -> Soup:
    """All triangles of ``parts``, in their order."""
    names = ("points", "normals", "local", "colour", "material", "thing", "limb")
    return Soup(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def of_thing(part: Soup, thing: int) -> Soup:
    """The same triangles, belonging to ``thing``."""
    return replace(part, thing=np.full(len(part), thing, np.int32))


def turned(
    part: Soup, yaw: float, shift: Vector = (0, 0, 0), scale: float = 1.0, keep_local: bool = True
) -> Soup:
    """The soup scaled, turned by ``yaw`` radians about z and shifted; textures stay on it unless
    ``keep_local`` is false."""
    c, s = float(np.cos(yaw)), float(np.sin(yaw))
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
    points = (part.points * np.float32(scale)) @ turn + np.asarray(shift, np.float32)
    return replace(
        part,
        points=points,
        normals=part.normals @ turn,
        local=part.local if keep_local else points.copy(),
    )


def quad(a: Vector, b: Vector, c: Vector, d: Vector) -> Floats:
    """Two triangles of the four corners, in order around."""
    return np.array([[a, b, c], [a, c, d]], np.float32)


def panel(origin: Vector, along: Vector, up: Vector, step: float = 4.0) -> Floats:
    """A parallelogram cut along its first side into pieces no longer than ``step``, so that it
    can follow a bend."""
    o, a, u = (np.asarray(v, np.float32) for v in (origin, along, up))
    pieces = max(1, int(np.ceil(np.linalg.norm(a) / step)))
    t = np.linspace(0, 1, pieces + 1, dtype=np.float32)[:, None]
    low = o + t * a
    high = low + u
    return np.concatenate(
        [np.stack([low[:-1], low[1:], high[1:]], 1), np.stack([low[:-1], high[1:], high[:-1]], 1)]
    )


def repeated(points: Floats, along_y: Floats) -> Floats:
    """Copies of triangles [T,3,3], one at each place along y."""
    shift = np.zeros((len(along_y), 1, 1, 3), np.float32)
    shift[..., 1] = along_y[:, None, None]
    return (points[None] + shift).reshape(-1, 3, 3)


def box(low: Vector, high: Vector, step: float = 4.0) -> Floats:
    """The six sides of an axis-aligned box, cut along y."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    dx, dy, dz = (x1 - x0, 0, 0), (0, y1 - y0, 0), (0, 0, z1 - z0)
    return np.concatenate(
        [
            panel((x0, y0, z0), dy, dz, step),
            panel((x1, y0, z0), dy, dz, step),
            panel((x0, y0, z0), dy, dx, step),
            panel((x0, y0, z1), dy, dx, step),
            panel((x0, y0, z0), dx, dz, 1e9),
            panel((x0, y1, z0), dx, dz, 1e9),
        ]
    )


def skin(grid: Floats, closed: bool = True) -> tuple[Floats, Floats]:
    """Triangles and smooth normals of a grid of points [M,N,3]; ``closed`` joins the last column
    to the first."""
    grid = np.asarray(grid, np.float32)
    ahead = (
        np.roll(grid, -1, 1)
        if closed
        else np.concatenate([grid[:, 1:], 2 * grid[:, -1:] - grid[:, -2:-1]], 1)
    )
    back = (
        np.roll(grid, 1, 1)
        if closed
        else np.concatenate([2 * grid[:, :1] - grid[:, 1:2], grid[:, :-1]], 1)
    )
    normals = cross(np.gradient(grid, axis=0), ahead - back)
    size = np.linalg.norm(normals, axis=2, keepdims=True)
    normals = np.where(size > 1e-9, normals / np.maximum(size, 1e-9), f32([0, 0, 1]))
    index = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape[:2])
    if closed:
        index = np.concatenate([index, index[:, :1]], 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    return grid.reshape(-1, 3)[faces], normals.reshape(-1, 3)[faces].astype(np.float32)


def tube(
    path: Sequence[Vector] | Floats, radii: Vector, sides: int = 8, flat: float = 1.0
) -> tuple[Floats, Floats]:
    """A mostly upright tube along ``path`` [M,3] with ``radii`` [M]; ``flat`` scales its y
    extent (a torso is flat)."""
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.cos(turn), flat * np.sin(turn), 0 * turn], 1)
    grid = (
        np.asarray(path, np.float32)[:, None]
        + np.asarray(radii, np.float32)[:, None, None] * ring[None]
    )
    return skin(grid.astype(np.float32))


def ellipsoid(
    centre: Vector, radii: Vector, rings: int = 7, sides: int = 10
) -> tuple[Floats, Floats]:
    """Triangles and normals of an ellipsoid."""
    lat = np.linspace(-np.pi / 2 + 0.01, np.pi / 2 - 0.01, rings)
    path = np.asarray(centre) + np.stack([0 * lat, 0 * lat, np.sin(lat) * radii[2]], 1)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.cos(turn) * radii[0], np.sin(turn) * radii[1], 0 * turn], 1)
    return skin((path[:, None] + np.cos(lat)[:, None, None] * ring[None]).astype(np.float32))


def disc(centre: Vector, radius: float, axis: int, sides: int = 16) -> Floats:
    """A flat disc about ``centre``, square to the axis 0 (x) or 1 (y)."""
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    rim = np.zeros((sides + 1, 3), np.float32)
    rim[:, 1 - axis] = np.cos(turn) * radius
    rim[:, 2] = np.sin(turn) * radius
    rim += np.asarray(centre, np.float32)
    hub = np.broadcast_to(np.asarray(centre, np.float32), (sides, 3))
    return np.stack([hub, rim[:-1], rim[1:]], 1)
