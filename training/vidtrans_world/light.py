"""Sky, haze, and how much sky every place sees: cast once for a grid of probes, so that shade is
cheap and never flickers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.rtcore_scene import EmbreeScene

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.noise import fractal
from vidtrans_world.street import LENGTH, Light, Street
from vidtrans_world.world import World

_HEIGHTS = f32([0.25, 1.1, 2.4, 4.5, 8.0, 13.0, 20.0])


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """Share of open sky seen along +x, -x, +y, -y, +z, -z, cosine-weighted: ``open`` [6, X*Y*Z]
    on a grid."""

    open: Floats
    xs: Floats
    ys: Floats

    def at(self, points: Floats, normals: Floats, street: Street) -> Floats:
        """Share of open sky [N] before a surface at ``points`` with ``normals``: an ambient cube
        (McTaggart 2004)."""
        away = points + normals * np.float32(0.45)
        x = np.clip(
            (away[:, 0] - street.curve(away[:, 1]) - self.xs[0]) / (self.xs[1] - self.xs[0]),
            0,
            len(self.xs) - 1.001,
        )
        y = np.clip((away[:, 1] - self.ys[0]) / (self.ys[1] - self.ys[0]), 0, len(self.ys) - 1.001)
        z = np.interp(away[:, 2], _HEIGHTS, np.arange(len(_HEIGHTS))).clip(0, len(_HEIGHTS) - 1.001)
        xi, yi, zi = x.astype(np.int64), y.astype(np.int64), z.astype(np.int64)
        fx, fy, fz = (
            (x - xi).astype(np.float32),
            (y - yi).astype(np.float32),
            (z - zi).astype(np.float32),
        )
        nz, ny = len(_HEIGHTS), len(self.ys)
        total = np.zeros(len(points), np.float32)
        share = normals * normals
        sides = [np.where(normals[:, axis] >= 0, 2 * axis, 2 * axis + 1) for axis in range(3)]
        flat, size = self.open.ravel(), self.open.shape[1]
        for dx in (0, 1):
            for dy in (0, 1):
                for dz in (0, 1):
                    place = ((xi + dx) * ny + yi + dy) * nz + zi + dz
                    weight = (
                        (fx if dx else 1 - fx) * (fy if dy else 1 - fy) * (fz if dz else 1 - fz)
                    )
                    for axis in range(3):
                        total += weight * share[:, axis] * flat[sides[axis] * size + place]
        return total


def cast_probes(world: World, still: EmbreeScene, rays: int = 40) -> Probes:
    """Casts the probes of a world."""
    street = world.street
    xs = np.linspace(-street.front + 0.35, street.front - 0.35, 15, dtype=np.float32)
    ys = np.arange(LENGTH[0] + 30, LENGTH[1] - 60, 1.8, dtype=np.float32)
    grid = np.stack(np.meshgrid(xs, ys, _HEIGHTS, indexing="ij"), -1).reshape(-1, 3)
    grid[:, 0] += street.curve(grid[:, 1])
    i = np.arange(rays) + 0.5
    z = 1 - 2 * i / rays
    turn = i * np.pi * (1 + 5**0.5)
    directions = np.stack(
        [np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], 1
    ).astype(np.float32)
    directions = directions[directions[:, 2] > 0.02]
    origins = np.repeat(grid, len(directions), 0).astype(np.float32)
    free = still.run(origins, np.tile(directions, (len(grid), 1)), query="OCCLUDED") < 0
    free = free.reshape(len(grid), len(directions)).astype(np.float32)
    whole = np.concatenate([directions, directions * f32([1, 1, -1])])
    cube = []
    for axis in range(3):
        for sign in (1, -1):
            weight = np.maximum(directions[:, axis] * sign, 0)
            cube.append(free @ weight / np.maximum(whole[:, axis] * sign, 0).sum())
    return Probes(np.stack(cube).astype(np.float32), xs, ys)


def sky(light: Light, directions: Floats, seed: int, pixel: float, fine: bool = True) -> Floats:
    """Linear colour [N,3] of the sky along unit ``directions``; ``pixel`` is a pixel's width in
    radians. Not ``fine``: the broad view that panes and paint reflect."""
    up = directions[:, 2:3]
    blend = np.clip(up, 0, 1) ** 0.55
    colour = f32(light.sky_horizon) * (1 - blend) + f32(light.sky_zenith) * blend
    towards = np.clip(directions @ f32(light.sun), 0, 1)[:, None]
    colour = colour + f32([1.0, 0.85, 0.6]) * (
        0.28 * towards**8 + (2.5 * towards**900 if fine else 0)
    )
    if light.clouds > 0:
        flat = directions[:, :2] / (np.maximum(up, 0.02) + 0.12)
        offset = f32((seed % 613) * 0.37)
        width = np.full(len(directions), pixel * 6, np.float32) / (
            np.maximum(up[:, 0], 0.02) + 0.12
        )
        big = fractal(flat[:, 0] + offset, flat[:, 1], 5.0, np.maximum(width, 0.0 if fine else 0.3))
        amount = np.clip((big + (light.clouds - 0.55) * 3.2) * 0.75, 0, 1)[:, None] * np.clip(
            up * 9, 0, 1
        )
        shade = np.clip(0.93 + 0.12 * big[:, None], 0.7, 1.15)
        colour = colour * (1 - amount * 0.9) + f32([1.25, 1.25, 1.26]) * shade * amount * 0.9
    return colour.astype(np.float32)


def reflected(light: Light, directions: Floats, seed: int) -> Floats:
    """What a mirror shows along ``directions``: sky above, a hazy row of houses at the horizon,
    road below."""
    up = directions[:, 2:3]
    above = sky(light, directions, seed, 0.05, fine=False)
    houses = f32([0.26, 0.23, 0.2]) * (
        0.8 + 0.25 * np.sin(directions[:, 0:1] * 23) * np.sin(directions[:, 1:2] * 17)
    )
    ground = f32([0.17, 0.17, 0.17])
    skyline = 0.30 + 0.08 * np.sin(directions[:, 0:1] * 9) + 0.05 * np.sin(directions[:, 1:2] * 15)
    t = np.clip((up - skyline) * 9 + 0.5, 0, 1)
    b = np.clip(up * 14 + 0.5, 0, 1)
    seen: Floats = ((above * t + houses * (1 - t)) * b + ground * (1 - b)).astype(np.float32)
    return seen


def tone(linear: Floats) -> Floats:
    """Linear light to display values 0 to 1 (Narkowicz's fit of the ACES curve, then the sRGB
    gamma)."""
    x = np.maximum(linear, 0)
    curve = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    shown: Floats = (curve ** (1 / 2.2)).astype(np.float32)
    return shown
