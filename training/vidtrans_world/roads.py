"""Asphalt with its patches, cracks and stains, and the lane markings painted on it."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.noise import band, fractal, hashed, stripes
from vidtrans_world.street import Street
from vidtrans_world.surface import Finish, ShadingPoints, mix


def asphalt(p: ShadingPoints, street: Street) -> Finish:
    """The road surface, markings included."""
    x, y = p.street[:, 0], p.street[:, 1]
    across, along = p.footprint, p.footprint_along
    big = fractal(x, y * 0.35, 17.0, along)
    fine = fractal(x, y, 1.1, along, "grain")
    base = f32([0.118, 0.118, 0.12]) * np.float32(0.9 + 0.25 * (street.paint % 7) / 7)
    mottle = fractal(x + 5, y * 0.7, 4.3, along)
    tone = 1 + 0.10 * big + 0.15 * fine + 0.06 * mottle
    ax = np.abs(x)
    wheels = band(np.abs(np.abs(ax - street.lane / 2) - 0.78), -1, 0.28, np.maximum(across, 0.3))
    tone = (
        tone
        + 0.07 * wheels
        - 0.06 * band(np.abs(ax - street.lane / 2), -1, 0.25, np.maximum(across, 0.4))
    )
    tone = tone - 0.10 * band(ax, street.kerb - 0.5, street.kerb, np.maximum(across, 0.35))
    for layer, (long, wide) in enumerate(((9.0, 2.3), (5.0, 1.2))):  # repair patches
        cell_y, cell_x = np.floor(y / long), np.floor((x + 40) / wide)
        chance = hashed(cell_x, cell_y, layer, street.paint)
        u, v = (x + 40) / wide - cell_x, y / long - cell_y
        low, high = 0.1 + 0.25 * hashed(cell_x, cell_y, 11), 0.6 + 0.3 * hashed(cell_x, cell_y, 12)
        inside = (
            band(u, 0.08, 0.9, across / wide)
            * band(v, low, high, along / long)
            * (chance < 0.22 * street.worn)
        )
        inner = (
            band(u, 0.1, 0.88, across / wide)
            * band(v, low + 0.008, high - 0.008, along / long)
            * (chance < 0.22 * street.worn)
        )
        shade = 0.62 + 0.6 * hashed(cell_x, cell_y, 13 + layer)
        tone = tone * (1 - inside + inside * shade) * (1 - 0.35 * np.clip(inside - inner, 0, 1))
    ridge = np.abs(fractal(x * 1.0, y * 0.8, 13.0, along * 0.6))
    crack = np.clip(1 - ridge / np.maximum(0.035, 0.9 * across), 0, 1) * np.clip(
        0.05 / np.maximum(across, 0.02), 0, 1
    )
    tone = tone * (1 - 0.45 * crack * street.worn * np.clip(fractal(x, y, 31.0, along), 0, 1))
    cx, cy = np.floor((x + 60) / 3.3), np.floor(y / 19.0)
    dx = x + 60 - (cx + 0.25 + 0.5 * hashed(cx, cy, 21)) * 3.3
    dy = y - (cy + 0.2 + 0.6 * hashed(cx, cy, 22)) * 19.0
    r = np.hypot(dx, dy)
    cover = hashed(cx, cy, 23, street.paint) < 0.3
    tone = (
        tone
        * (1 - 0.5 * cover * band(r, -1, 0.36, along * 0.6))
        * (1 - 0.35 * cover * band(r, 0.32, 0.37, along * 0.6))
    )
    paint = _markings(x, y, across, along, street)
    scuffed = np.clip(0.93 - street.worn * (0.22 + 0.28 * fractal(x * 1.5, y, 5.0, along)), 0.35, 1)
    albedo = mix(
        base * tone[:, None], f32([0.62, 0.62, 0.6]) * (1 + 0.05 * fine[:, None]), paint * scuffed
    )
    return Finish(albedo)


def _markings(x: Floats, y: Floats, across: Floats, along: Floats, street: Street) -> Floats:
    """How much white paint covers each place."""
    free = np.ones_like(x)
    paint = np.zeros_like(x)
    zebra = street.paint % 4 != 3
    for y0, y1 in street.crossings:
        free = free * (1 - band(y, y0 - 5.2, y1 + 5.2, along))
        inside = band(np.abs(x), -1, street.kerb - 0.25, across)
        for a, b in ((y0 - 4.0, y0 - 1.2), (y1 + 1.2, y1 + 4.0)):
            bars = stripes(x + 0.25, 1.0, 0.0, 0.5, across)
            if not zebra:
                bars = np.maximum(band(y, a, a + 0.15, along), band(y, b - 0.15, b, along))
            paint = np.maximum(paint, band(y, a, b, along) * bars * inside)
        paint = np.maximum(
            paint, band(y, y0 - 5.1, y0 - 4.7, along) * band(x, 0.1, street.lane + 0.1, across)
        )
        paint = np.maximum(
            paint, band(y, y1 + 4.7, y1 + 5.1, along) * band(x, -street.lane - 0.1, -0.1, across)
        )
        if street.paint % 3 != 1:
            paint = np.maximum(
                paint,
                _arrow(x - street.lane / 2, y - (y0 - 13.5), across, along, turn=street.paint % 2),
            )
            paint = np.maximum(
                paint, _arrow(-x - street.lane / 2, (y1 + 13.5) - y, across, along, turn=0)
            )
        near = np.maximum(band(y, y0 - 26, y0 - 5.0, along), band(y, y1 + 5.0, y1 + 26, along))
        paint = np.maximum(paint, near * band(np.abs(x), -1, 0.07, across))
    dash = stripes(
        y, 6.0 if street.paint % 2 else 9.0, 0.0, 0.5 if street.paint % 2 else 0.4, along
    )
    paint = np.maximum(paint, free * dash * band(np.abs(x), -1, 0.07, across))
    edge = street.lane + 0.18
    if max(street.parking) == 0 or street.paint % 2 == 0:
        line = band(np.abs(x), edge - 0.06, edge + 0.06, across)
        if max(street.parking) > 0:
            line = np.maximum(
                line, stripes(y, 5.6, 0, 0.02, along) * band(np.abs(x), edge, street.kerb, across)
            )
        paint = np.maximum(paint, free * line)
    covered: Floats = np.clip(paint, 0, 1)
    return covered


def _arrow(x: Floats, y: Floats, across: Floats, along: Floats, turn: int) -> Floats:
    """An arrow ahead, with a branch to the right where ``turn``; 5 m long, its foot at y 0."""
    shaft = band(np.abs(x), -1, 0.09, across) * band(y, 0, 3.2, along)
    head = band(np.abs(x), -1, np.clip((5.0 - y) * 0.26, 0, 0.46), across) * band(
        y, 3.2, 5.0, along
    )
    both = np.maximum(shaft, head)
    if turn:
        bar = band(x, 0, 0.55, across) * band(y, 1.5, 1.9, along)
        tip = band(np.abs(y - 1.7), -1, np.clip((1.05 - x) * 1.5, 0, 0.75), along) * band(
            x, 0.5, 1.05, across
        )
        both = np.maximum(both, np.maximum(bar, tip))
    return both
