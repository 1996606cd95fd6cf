"""Faces of traffic signs, by kind."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.noise import band, stripes
from vidtrans_world.street import Street
from vidtrans_world.surface import Finish, ShadingPoints, mix

_WHITE, _RED, _BLUE, _YELLOW, _BLACK = (
    f32(c)
    for c in (
        [0.75, 0.75, 0.73],
        [0.55, 0.02, 0.025],
        [0.015, 0.09, 0.38],
        [0.75, 0.48, 0.03],
        [0.02, 0.02, 0.02],
    )
)


def sign(p: ShadingPoints, street: Street) -> Finish:
    """The face of a traffic sign; local x and y run from -1 to 1 on the plate and local z is its
    kind."""
    u, v, kind = p.local[:, 0], p.local[:, 1], np.round(p.local[:, 2]).astype(np.int64)
    footprint = p.footprint / 0.37
    r = np.hypot(u, v)
    albedo = np.broadcast_to(_WHITE, (len(u), 3)).copy()

    def paint(which: int, base: Floats, layers: list[tuple[Floats, Floats]]) -> None:
        rows = kind == which
        if not rows.any():
            return
        face = np.broadcast_to(base, albedo.shape)
        for colour, amount in layers:
            face = mix(face, colour, amount)
        albedo[rows] = face[rows]

    def inside(scale: float, up: bool) -> Floats:
        w = v if up else -v
        depth = np.minimum.reduce([w + 0.5, 0.5 - w / 2 - np.abs(u) * 0.866])
        return band(depth, scale, 9, footprint)

    digits = band(np.abs(np.abs(u) - 0.22), -1, 0.14, footprint) * band(
        np.abs(v), -1, 0.32, footprint
    )
    digits = digits * (
        1
        - band(np.abs(np.abs(u) - 0.22), -1, 0.05, footprint)
        * band(np.abs(v), 0.08, 0.2, footprint)
    )
    bar = band(np.abs(u), -1, 0.08, footprint) * band(v, -0.2, 0.35, footprint)
    arrow = np.maximum(
        band(np.abs(u), -1, 0.12, footprint) * band(v, -0.6, 0.3, footprint),
        band(0.65 - v - np.abs(u) * 1.1, 0, 9, footprint) * band(v, 0.15, 9, footprint),
    )
    letter = np.maximum.reduce(
        [
            band(u, -0.35, -0.12, footprint) * band(np.abs(v), -1, 0.7, footprint),
            band(np.hypot(u + 0.05, v - 0.3), 0.18, 0.42, footprint) * band(u, -0.12, 9, footprint),
        ]
    )
    words = stripes(u, 0.23, 0.12, 0.8, footprint) * np.maximum(
        band(v, 0.15, 0.6, footprint), band(v, -0.55, -0.1, footprint)
    )
    paint(0, _WHITE, [(_RED, band(r, 0.74, 9, footprint)), (_BLACK, digits)])
    paint(1, _RED, [(_WHITE, inside(0.16, True)), (_BLACK, bar)])
    paint(2, _BLUE, [(_WHITE, band(r, 0.9, 0.96, footprint)), (_WHITE, arrow)])
    paint(3, _WHITE, [(_YELLOW, band(np.abs(u) + np.abs(v), -1, 0.74, footprint))])
    paint(4, _RED, [(_WHITE, inside(0.2, False))])
    paint(5, _BLUE, [(_WHITE, letter)])
    paint(
        6,
        _RED,
        [(_WHITE, band(np.abs(v), -1, 0.2, footprint) * band(np.abs(u), -1, 0.72, footprint))],
    )
    ink, ground = (_BLACK, _YELLOW) if street.paint % 2 else (_WHITE, _BLUE)
    paint(7, ground, [(ink, words * band(np.abs(u), -1, 0.85, footprint))])
    letters = stripes(u + 0.72, 0.36, 0.12, 0.8, footprint) * band(np.abs(u), -1, 0.72, footprint)
    paint(8, _RED, [(_WHITE, band(np.abs(v), -1, 0.22, footprint) * letters)])
    return Finish(albedo, emission=albedo * 0.10)
