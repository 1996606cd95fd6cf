"""Trees and hedges: trunks and branches, crowns of leaf clumps."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.soup import Material, Soup, ellipsoid, join, soup, tube

GREENS = f32(
    [
        [0.075, 0.125, 0.028],
        [0.055, 0.105, 0.032],
        [0.09, 0.135, 0.03],
        [0.05, 0.085, 0.03],
        [0.095, 0.115, 0.035],
    ]
)


def _clump(
    rng: np.random.Generator, centre: Floats, radii: Floats, leaves: int, size: float, green: Floats
) -> list[Soup]:
    """Leaf cards on and in an ellipsoid, with round normals so that it shades as a mass, around
    a dark core."""
    away = rng.normal(size=(leaves, 3))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    place = centre + away * radii * (rng.uniform(0.72, 1.12, (leaves, 1)))
    a = rng.normal(size=(leaves, 3))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b = np.cross(a, away + 0.5 * rng.normal(size=(leaves, 3)))
    b /= np.linalg.norm(b, axis=1, keepdims=True) + 1e-6
    a, b = (
        a * size * rng.uniform(0.6, 1.2, (leaves, 1)),
        b * size * rng.uniform(0.6, 1.2, (leaves, 1)),
    )
    cards = np.concatenate(
        [
            np.stack([place - a, place + b, place + a], 1),
            np.stack([place - a, place + a, place - b], 1),
        ]
    )
    normal = away / radii
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    normals = np.repeat(np.concatenate([normal, normal])[:, None], 3, 1)
    tone = rng.uniform(0.6, 1.35, (leaves, 1)) * (0.85 + 0.3 * (away[:, 2:] > 0.2))
    colour = np.concatenate([green * tone] * 2).astype(np.float32)
    core, core_normals = ellipsoid(centre, radii * 0.8, 6, 9)
    return [
        soup(cards.astype(np.float32), Material.LEAVES, colour, normals.astype(np.float32)),
        soup(core, Material.LEAVES, green * 0.55, core_normals),
    ]


def tree(rng: np.random.Generator, kind: int, fine: bool = False) -> Soup:
    """A tree about the origin: kind 0 a broad crown, 1 a slender one, 2 a small street tree, 3 a
    conifer-like one. ``fine``: with smaller and more leaves, for trees that the camera passes."""
    green = GREENS[int(rng.integers(len(GREENS)))]
    bark = f32([0.11, 0.085, 0.06]) * rng.uniform(0.7, 1.4)
    height, spread, clumps, leaf = [
        (8.5, 3.0, 11, 0.28),
        (10.0, 1.7, 9, 0.27),
        (5.2, 1.6, 6, 0.2),
        (7.0, 2.1, 9, 0.24),
    ][kind]
    stem = [2.6, 1.8, 2.1, 2.3][kind]
    lean = rng.normal(size=2) * 0.12
    path = [(lean[0] * t * t, lean[1] * t * t, t * height * 0.8) for t in np.linspace(0, 1, 6)]
    girth = height * 0.018
    parts: list[Soup] = []
    points, normals = tube(path, np.linspace(1.25, 0.35, 6) * girth, 8)
    parts.append(soup(points, Material.BARK, bark, normals))
    for i in range(clumps):
        t = (i + 0.5) / clumps
        level = stem + (height - stem) * (0.12 + 0.8 * t)
        wide = (
            spread
            * [np.sqrt(max(0.05, 1 - (1.7 * t - 0.7) ** 2)), 0.75, 0.8, 1.15 - 0.95 * t][kind]
        )
        angle = i * 2.4 + rng.uniform(-0.5, 0.5)
        off = wide * rng.uniform(0.35, 0.7) * (0.2 if i == clumps - 1 else 1)
        centre = f32([np.cos(angle) * off, np.sin(angle) * off, level])
        radius = max(0.55, wide * rng.uniform(0.5, 0.68))
        parts += _clump(
            rng,
            centre,
            f32([radius, radius, radius * 0.78]),
            int((150 + 60 * radius) * (2.6 if fine else 1.0)),
            leaf * (0.6 if fine else 1.0),
            green,
        )
        limb = [
            (0, 0, max(1.0, level - 1.2)),
            (centre[0] * 0.5, centre[1] * 0.5, level - 0.5),
            tuple(centre),
        ]
        points, normals = tube(limb, [girth * 0.5, girth * 0.4, girth * 0.15], 5)
        parts.append(soup(points, Material.BARK, bark, normals))
    return join(parts)


def hedge(
    rng: np.random.Generator, x: float, y0: float, y1: float, height: float, z: float
) -> Soup:
    """A clipped hedge along y, 0.7 m thick."""
    green = GREENS[int(rng.integers(len(GREENS)))] * 0.9
    parts = []
    y = y0 + 0.4
    while y < y1:
        centre = f32([x, min(y, y1 - 0.4), z + height / 2])
        parts += _clump(rng, centre, f32([0.42, 0.75, height * 0.56]), 110, 0.11, green)
        y += 0.8
    return join(parts)


def bush(rng: np.random.Generator, x: float, y: float, radius: float, z: float) -> Soup:
    """A loose round bush."""
    green = GREENS[int(rng.integers(len(GREENS)))]
    return join(
        _clump(
            rng,
            f32([x, y, z + radius * 0.7]),
            f32([radius, radius, radius * 0.85]),
            160,
            0.13,
            green,
        )
    )
