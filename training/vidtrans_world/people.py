"""People, walking or riding: limbs are marked so that a walker's legs and arms can swing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.soup import Material, Soup, Vector, disc, ellipsoid, join, quad, soup, tube

TOPS = f32(
    [[0.05, 0.06, 0.12], [0.35, 0.05, 0.05], [0.06, 0.06, 0.06], [0.5, 0.48, 0.44], [0.08, 0.2,
    0.35], [0.28, 0.22, 0.12],
     [0.10, 0.22, 0.12], [0.55, 0.38, 0.1], [0.4, 0.18, 0.25], [0.22, 0.24, 0.26]]
)  # fmt: skip
BOTTOMS = f32(
    [
        [0.04, 0.06, 0.14],
        [0.03, 0.03, 0.035],
        [0.2, 0.17, 0.12],
        [0.12, 0.12, 0.13],
        [0.07, 0.1, 0.2],
    ]
)
SKINS = f32([[0.55, 0.34, 0.24], [0.6, 0.4, 0.3], [0.35, 0.2, 0.13], [0.18, 0.1, 0.06]])
HAIRS = f32(
    [
        [0.03, 0.02, 0.015],
        [0.12, 0.07, 0.03],
        [0.3, 0.2, 0.08],
        [0.35, 0.33, 0.3],
        [0.02, 0.02, 0.02],
    ]
)
HIP, SHOULDER = 0.9, 1.42


def _limb(
    path: Sequence[Vector], radii: Vector, colour: Floats, limb: int = 0, flat: float = 1.0
) -> Soup:
    points, normals = tube(path, radii, 8, flat)
    return soup(points, Material.CLOTH, colour, normals, limb=limb)


def _head(rng: np.random.Generator, y: float, z: float) -> list[Soup]:
    face, hair = SKINS[int(rng.integers(len(SKINS)))], HAIRS[int(rng.integers(len(HAIRS)))]
    points, normals = ellipsoid((0, y, z), (0.085, 0.1, 0.125), 8, 10)
    top, top_normals = ellipsoid((0, y - 0.025, z + 0.025), (0.095, 0.1, 0.12), 7, 10)
    return [
        soup(points, Material.CLOTH, face, normals),
        soup(top, Material.CLOTH, hair, top_normals),
        _limb([(0, y - 0.01, z - 0.2), (0, y, z - 0.05)], [0.055, 0.05], face),
    ]


def walker(rng: np.random.Generator) -> Soup:
    """A person about the origin, facing +y, 1.55 to 1.9 m tall, sometimes with a bag, a skirt or
    a long coat."""
    shirt, trousers = TOPS[int(rng.integers(len(TOPS)))], BOTTOMS[int(rng.integers(len(BOTTOMS)))]
    skin_tone = SKINS[int(rng.integers(len(SKINS)))]
    shoe = f32([0.03, 0.025, 0.02])
    coat = rng.random() < 0.25
    parts = _head(rng, 0.02, 1.62)
    waist = 0.6 if coat else 0.86
    parts.append(
        _limb(
            [(0, 0, waist), (0, 0, 0.95), (0, 0, 1.15), (0, 0, 1.36), (0, 0, 1.46), (0, 0, 1.49)],
            [0.21 if coat else 0.165, 0.17, 0.165, 0.2, 0.17, 0.06],
            shirt,
            flat=0.62,
        )
    )
    bare = rng.random() < 0.15
    for side in (-1, 1):
        x = 0.09 * side
        leg = [(x, 0, 0.92), (x, 0.01, 0.5), (x, -0.01, 0.1)]
        parts.append(_limb(leg, [0.095, 0.068, 0.05], skin_tone if bare else trousers, limb=side))
        foot, normals = ellipsoid((x, 0.05, 0.05), (0.05, 0.13, 0.05), 5, 8)
        parts.append(soup(foot, Material.CLOTH, shoe, normals, limb=side))
        arm = [(0.2 * side, 0, 1.43), (0.24 * side, 0.0, 1.15), (0.25 * side, 0.06, 0.9)]
        parts.append(_limb(arm, [0.062, 0.05, 0.042], shirt, limb=-2 * side))
        hand, normals = ellipsoid((0.25 * side, 0.07, 0.85), (0.035, 0.045, 0.06), 5, 6)
        parts.append(soup(hand, Material.CLOTH, skin_tone, normals, limb=-2 * side))
    if rng.random() < 0.2:
        skirt = [(0, 0, 0.55), (0, 0, 0.75), (0, 0, 0.95)]
        parts.append(_limb(skirt, [0.25, 0.21, 0.165], trousers, flat=0.75))
    if rng.random() < 0.35:
        pack, normals = ellipsoid((0, -0.19, 1.22), (0.15, 0.1, 0.22), 6, 8)
        parts.append(soup(pack, Material.CLOTH, TOPS[int(rng.integers(len(TOPS)))], normals))
    return join(parts)


def striding(part: Soup, phase: float, reach: float) -> Soup:
    """The walker with legs and arms swung to ``phase`` radians; ``reach`` radians is the widest
    swing."""
    if reach == 0:
        return part
    swing = (
        np.float32(reach * np.sin(phase)) * np.sign(part.limb).astype(np.float32) * (part.limb != 0)
    )
    pivot = np.where(np.abs(part.limb) == 1, HIP, SHOULDER).astype(np.float32)[:, None]
    c, s = np.cos(swing)[:, None], np.sin(swing)[:, None]
    points = part.points.copy()
    y, z = part.points[..., 1], part.points[..., 2] - pivot
    points[..., 1] = np.where(part.limb[:, None] == 0, part.points[..., 1], y * c - z * s)
    points[..., 2] = np.where(part.limb[:, None] == 0, part.points[..., 2], y * s + z * c + pivot)
    return Soup(points, part.normals, part.local, part.colour, part.material, part.thing, part.limb)


def bicycle(rng: np.random.Generator) -> Soup:
    """A bicycle about the origin, front towards +y: tyres, spokes as a faint disc, frame,
    handlebar, saddle."""
    paint = [
        f32([0.03, 0.03, 0.03]),
        f32([0.3, 0.04, 0.03]),
        f32([0.05, 0.12, 0.25]),
        f32([0.4, 0.4, 0.4]),
    ][int(rng.integers(4))]
    black = f32([0.02, 0.02, 0.02])
    parts = []
    turn = np.linspace(0, 2 * np.pi, 19)
    for y in (-0.52, 0.52):
        section = ((-0.025, 0.29), (-0.025, 0.34), (0.025, 0.34), (0.025, 0.29))
        rings = np.stack(
            [
                np.stack([0 * turn + x, np.cos(turn) * r + y, np.sin(turn) * r + 0.34], 1)
                for x, r in section
            ]
        )
        for i in range(3):
            inner, outer = rings[i], rings[i + 1]
            one = np.stack([inner[:-1], inner[1:], outer[1:]], 1)
            other = np.stack([inner[:-1], outer[1:], outer[:-1]], 1)
            parts.append(soup(np.concatenate([one, other]), Material.CLOTH, black))
        parts.append(soup(disc((0, y, 0.34), 0.05, 0, 8), Material.METAL, (0.4, 0.4, 0.4)))
    bars = [
        ((0, -0.52, 0.34), (0, -0.12, 0.32)), ((0, -0.12, 0.32), (0, -0.2, 0.82)), ((0, -0.12,
        0.32), (0, 0.4, 0.72)),
        ((0, -0.19, 0.76), (0, 0.38, 0.8)), ((0, 0.52, 0.34), (0, 0.36, 0.95)), ((0, -0.52, 0.34),
        (0, -0.19, 0.74)),
    ]  # fmt: skip
    for a, b in bars:
        start, end, thick, out = f32(a), f32(b), f32([0, 0.02, -0.02]), f32([0.018, 0, 0])
        face = quad(start - thick, start + thick, end + thick, end - thick)
        parts.append(soup(np.concatenate([face + out, face - out]), Material.METAL, paint))
        parts.append(
            soup(quad(start - out, start + out, end + out, end - out), Material.METAL, paint)
        )
    handle, normals = ellipsoid((0, 0.36, 0.98), (0.27, 0.03, 0.025), 5, 8)
    saddle, saddle_normals = ellipsoid((0, -0.22, 0.88), (0.07, 0.13, 0.035), 5, 8)
    parts += [
        soup(handle, Material.METAL, black, normals),
        soup(saddle, Material.CLOTH, black, saddle_normals),
    ]
    return join(parts)


def rider(rng: np.random.Generator) -> Soup:
    """The person on a bicycle, in the bicycle's coordinates."""
    shirt, trousers = TOPS[int(rng.integers(len(TOPS)))], BOTTOMS[int(rng.integers(len(BOTTOMS)))]
    parts = _head(rng, 0.16, 1.62)
    back = [(0, -0.2, 0.88), (0, -0.12, 1.05), (0, 0.0, 1.3), (0, 0.06, 1.44), (0, 0.08, 1.48)]
    parts.append(_limb(back, [0.16, 0.17, 0.19, 0.16, 0.05], shirt, flat=0.65))
    for side, knee, foot in ((-1, 0.72, 0.42), (1, 0.55, 0.16)):
        x = 0.1 * side
        parts.append(
            _limb(
                [(x, -0.18, 0.9), (x, 0.16, knee + 0.08), (x, 0.2, knee)],
                [0.085, 0.075, 0.065],
                trousers,
            )
        )
        parts.append(_limb([(x, 0.2, knee), (x, -0.02, foot + 0.05)], [0.065, 0.045], trousers))
        shoe, normals = ellipsoid((x, 0.03, foot), (0.045, 0.12, 0.045), 5, 8)
        parts.append(soup(shoe, Material.CLOTH, (0.03, 0.03, 0.03), normals))
        parts.append(
            _limb(
                [(0.18 * side, 0.05, 1.42), (0.24 * side, 0.2, 1.18), (0.22 * side, 0.36, 1.0)],
                [0.06, 0.05, 0.035],
                shirt,
            )
        )
    return join(parts)
