"""Cars, vans, buses and trucks: bodies lofted from a side profile; glass, lamps and seams are
left to the shading."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.soup import Material, Soup, box, disc, join, skin, soup

_NOSE = [(0.95, 0.8), (1, 0.6)]
PROFILES = {
    "hatch": (
        [(0, 0.6), (0.03, 1.0), (0.12, 1.36), (0.25, 1.45), (0.5, 1.48), (0.62, 1.4), (0.79,
        0.97), *_NOSE], 4.0, 1.74, 0.92
    ),
    "saloon": (
        [(0, 0.62), (0.02, 0.95), (0.17, 1.01), (0.3, 1.34), (0.42, 1.43), (0.55, 1.42), (0.74,
        0.97), *_NOSE], 4.6, 1.8, 0.92
    ),
    "estate": (
        [(0, 0.62), (0.02, 1.0), (0.08, 1.36), (0.2, 1.46), (0.5, 1.48), (0.6, 1.41), (0.75,
        0.97), *_NOSE], 4.6, 1.8, 0.94
    ),
    "suv": (
        [(0, 0.7), (0.02, 1.1), (0.1, 1.58), (0.22, 1.68), (0.5, 1.7), (0.6, 1.62), (0.74, 1.12),
        (0.95, 0.98), (1, 0.7)],
        4.5, 1.88, 1.06,
    ),
    "van": (
        [(0, 0.6), (0.01, 1.2), (0.03, 1.86), (0.2, 1.95), (0.7, 1.95), (0.78, 1.86), (0.9, 1.2),
        (0.97, 0.98), (1, 0.6)],
        5.0, 1.95, 1.12,
    ),
}  # fmt: skip
"""By kind: the side profile (place along the length, rear 0 to front 1; height of the top line in
metres), length, width and belt line in metres."""

PAINTS = f32(
    [
        [0.60, 0.60, 0.60], [0.42, 0.43, 0.44], [0.10, 0.10, 0.11], [0.03, 0.03, 0.035], [0.70,
        0.70, 0.68],
        [0.03, 0.06, 0.18], [0.06, 0.13, 0.30], [0.38, 0.03, 0.03], [0.22, 0.20, 0.18], [0.05,
        0.13, 0.09],
        [0.16, 0.20, 0.25], [0.55, 0.50, 0.40],
    ]
)  # fmt: skip


def car(kind: str, paint: Floats) -> tuple[Soup, tuple[float, float, float, float]]:
    """A car about the origin, front towards +y, standing on z 0; and its length, width, height
    and belt line."""
    profile, length, width, belt = PROFILES[kind]
    places, tops = np.array(profile, np.float32).T
    height = float(tops.max())
    t = np.unique(np.concatenate([np.linspace(0, 1, 27), places, [0.004, 0.996]])).astype(
        np.float32
    )
    top = np.interp(t, places, tops)
    s = np.abs(2 * t - 1)
    half = width / 2 * (1 - 0.13 * s**6)
    low = 0.2 + 0.12 * s**10
    side = np.minimum(belt, top - 0.05)
    cabin = np.clip((top - belt) / (height - belt), 0, 1)
    roof = half * (0.95 - 0.2 * cabin)
    zero = np.zeros_like(t)
    right = [
        (zero, low), (half * 0.8, low), (half * 0.96, low + 0.08), (half, low * 0 + 0.52),
        (half * 0.975, side),
        (roof + 0.03 * cabin, top - 0.05 - 0.03 * cabin), (roof * 0.82, top), (zero, top + 0.025),
    ]  # fmt: skip
    outline = right + [(-x, z) for x, z in right[-2:0:-1]]
    y = (t - 0.5) * length
    grid = np.stack([np.stack([x, y, z], 1) for x, z in outline], 1)
    points, normals = skin(grid)
    columns = np.repeat(np.tile(np.arange(len(outline)), len(t) - 1), 2)
    body = soup(points, Material.CAR_BODY, paint, normals)
    body.material[(columns == 4) | (columns == 9)] = int(Material.CAR_SIDE)
    caps = []
    for end in (0, -1):
        ring = grid[end]
        middle = np.broadcast_to(ring.mean(0), ring.shape)
        caps.append(
            soup(np.stack([middle, ring, np.roll(ring, -1, 0)], 1), Material.CAR_BODY, paint)
        )
    parts = [
        body,
        *caps,
        *_wheels(
            width, length * 0.5 - 0.82, -length * 0.5 + 0.78, 0.315 if kind != "suv" else 0.36
        ),
    ]
    for x in (-1, 1):  # mirrors
        at = x * (width / 2 + 0.06)
        parts.append(
            soup(
                box((at - 0.08, length * 0.2, belt), (at + 0.08, length * 0.2 + 0.07, belt + 0.12)),
                colour=paint,
            )
        )
    return join(parts), (length, width, height, belt)


def _wheels(width: float, front: float, rear: float, radius: float) -> list[Soup]:
    parts = []
    turn = np.linspace(0, 2 * np.pi, 18)
    for x in (-1, 1):
        for y in (front, rear):
            outer, inner = x * (width / 2 + 0.004), x * (width / 2 - 0.2)
            rings = [
                np.stack(
                    [0 * turn + at, np.cos(turn) * radius + y, np.sin(turn) * radius + radius], 1
                )
                for at in (inner, outer)
            ]
            tread, normals = skin(np.stack(rings), closed=False)
            parts.append(soup(tread, colour=(0.02, 0.02, 0.02), normals=normals))
            face = disc((outer, y, radius), radius, 0)
            parts.append(
                soup(face, Material.WHEEL, local=(face - f32([outer, y, radius])) / radius)
            )
    return parts


def bus(paint: Floats, length: float = 11.5) -> tuple[Soup, tuple[float, float, float, float]]:
    """A city bus; same conventions as ``car``."""
    width, height = 2.5, 3.05
    half, y = width / 2, np.array([-0.5, -0.494, -0.47, -0.25, 0, 0.25, 0.475, 0.494, 0.5]) * length
    shrink = np.array([0.94, 0.985, 1, 1, 1, 1, 1, 0.985, 0.94])
    outline = [
        (0, 0.3),
        (half, 0.3),
        (half, 1.2),
        (half * 0.97, height - 0.15),
        (half * 0.9, height),
        (0, height + 0.03),
    ]
    outline += [(-x, z) for x, z in outline[-2:0:-1]]
    grid = np.stack([np.stack([x * shrink, y, 1.6 + (z - 1.6) * shrink], 1) for x, z in outline], 1)
    points, normals = skin(grid)
    caps = [
        soup(
            np.stack([np.broadcast_to(r.mean(0), r.shape), r, np.roll(r, -1, 0)], 1),
            Material.BUS,
            paint,
        )
        for r in grid[[0, -1]]
    ]
    parts = [
        soup(points, Material.BUS, paint, normals),
        *caps,
        *_wheels(width, length * 0.5 - 2.6, -length * 0.5 + 3.0, 0.48),
    ]
    return join(parts), (length, width, height, 1.25)


def truck(paint: Floats, length: float = 7.2) -> tuple[Soup, tuple[float, float, float, float]]:
    """A delivery truck: cab and white box; same conventions as ``car``."""
    width, height = 2.3, 3.2
    nose = length / 2
    cab_y = f32([nose - 1.9, nose - 1.85, nose - 0.6, nose - 0.15, nose, nose + 0.01])
    cab_top = f32([1.3, 2.3, 2.35, 1.6, 1.3, 1.0])
    half = f32([1.0, 1.05, 1.08, 1.08, 1.0, 0.2])
    low = f32([0.5, 0.4, 0.4, 0.4, 0.45, 0.8])
    outline = [
        (0 * half, low),
        (half, low),
        (half, np.minimum(1.3, cab_top - 0.05)),
        (half * 0.9, cab_top),
        (0 * half, cab_top + 0.03),
    ]
    outline += [(-x, z) for x, z in outline[-2:0:-1]]
    points, normals = skin(np.stack([np.stack([x, cab_y, z], 1) for x, z in outline], 1))
    cab = soup(points, Material.CAR_BODY, paint, normals)
    columns = np.repeat(np.tile(np.arange(len(outline)), len(cab_y) - 1), 2)
    cab.material[(columns == 2) | (columns == 5)] = int(Material.CAR_SIDE)
    load = soup(
        box((-width / 2, -nose, 0.75), (width / 2, nose - 2.0, height)),
        Material.METAL,
        (0.62, 0.62, 0.6),
    )
    under = soup(box((-0.9, -nose + 0.2, 0.4), (0.9, nose - 1, 0.75)), colour=(0.03, 0.03, 0.03))
    lamps = [
        soup(
            box((x - 0.15, -nose - 0.02, 0.8), (x + 0.15, -nose + 0.02, 0.95)),
            colour=(0.5, 0.02, 0.02),
        )
        for x in (-0.95, 0.95)
    ]
    return join([cab, load, under, *lamps, *_wheels(width, nose - 0.9, -nose + 1.5, 0.42)]), (
        length,
        width,
        2.35,
        1.3,
    )
