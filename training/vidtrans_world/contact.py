"""Soft shadows of contact: how much of the sky vehicles hide from the ground beneath and beside
them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vidtrans_world.arrays import Floats
from vidtrans_world.world import World

_CELL = 0.2
_CORNER = (-24.0, -45.0)
_SHAPE = (240, 1900)


def _under(x: Floats, y: Floats, vehicles: Floats) -> Floats:
    """How dark the ground is under vehicles [K,5]: 1 in the open, towards 0.2 in the middle
    underneath."""
    shade = np.ones_like(x)
    for cx, cy, yaw, half_width, half_length in vehicles:
        c, s = np.cos(yaw), np.sin(yaw)
        u, v = np.abs(c * (x - cx) + s * (y - cy)), np.abs(-s * (x - cx) + c * (y - cy))
        du, dv = (
            np.clip(1 - (u - half_width) / 0.42, 0, 1.6),
            np.clip(1 - (v - half_length) / 0.45, 0, 1.6),
        )
        shade = np.minimum(shade, 1 - np.float32(0.82) * np.clip(np.minimum(du, dv) / 1.5, 0, 1))
    return shade


def contact_map(world: World) -> Floats:
    """The shadows of contact of the parked vehicles, a map on the ground, made once a clip."""
    gx = (np.arange(_SHAPE[0]) * _CELL + _CORNER[0]).astype(np.float32)
    gy = (np.arange(_SHAPE[1]) * _CELL + _CORNER[1]).astype(np.float32)
    grid = np.ones(_SHAPE, np.float32)
    for vehicle in world.parked:
        xa, ya = (int((vehicle[i] - _CORNER[i] - 5) / _CELL) for i in range(2))
        part = (slice(max(xa, 0), xa + 50), slice(max(ya, 0), ya + 50))
        xx, yy = np.meshgrid(gx[part[0]], gy[part[1]], indexing="ij")
        grid[part] = np.minimum(grid[part], _under(xx, yy, vehicle[None]))
    return grid


def contact(still: Floats, vehicles: Floats, points: Floats, flat: Floats) -> Floats:
    """Share of the sky's light [N] that vehicles leave to ``points`` near the ground: ``still`` is
    the map of those that are parked, ``vehicles`` [K,5] those that move, ``flat`` the surface
    normals."""
    out = np.ones(len(points), np.float32)
    rows = np.flatnonzero((points[:, 2] < 0.2) & (flat[:, 2] > 0.7) & (np.abs(points[:, 0]) < 23))
    if not len(rows):
        return out
    x, y = points[rows, 0], points[rows, 1]
    at = np.stack([(x - _CORNER[0]) / _CELL, (y - _CORNER[1]) / _CELL])
    shade = ndimage.map_coordinates(still, at, order=1, mode="nearest").astype(np.float32)
    for vehicle in vehicles:
        near = np.flatnonzero(
            (np.abs(x - vehicle[0]) < 3) & (np.abs(y - vehicle[1]) < vehicle[4] + 2)
        )
        if len(near):
            shade[near] = np.minimum(shade[near], _under(x[near], y[near], vehicle[None]))
    out[rows] = shade
    return out
