"""Procedural shading: what colour each material has at a place, filtered by the width of a pixel
there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.facades import facade
from vidtrans_world.noise import band, fractal, hashed, stripes
from vidtrans_world.paintwork import bus, car_body, car_side, wheel
from vidtrans_world.plates import sign
from vidtrans_world.roads import asphalt
from vidtrans_world.soup import Material
from vidtrans_world.street import Street
from vidtrans_world.surface import Finish, ShadingPoints, mix


def _plain(p: ShadingPoints, street: Street) -> Finish:
    grain = fractal(
        p.local[:, 0] + p.local[:, 1] * 0.7, p.local[:, 2] + p.local[:, 1] * 0.3, 3.0, p.footprint
    )
    return Finish(p.colour * (1 + 0.06 * grain[:, None]))


def _metal(p: ShadingPoints, street: Street) -> Finish:
    return Finish(p.colour, mirror=np.full(len(p.footprint), 0.08, np.float32))


def _cloth(p: ShadingPoints, street: Street) -> Finish:
    grain = fractal(p.local[:, 0] * 1.3 + p.local[:, 1], p.local[:, 2] * 0.6, 1.2, p.footprint)
    return Finish(p.colour * (1 + 0.13 * grain[:, None]))


def _pavement(p: ShadingPoints, street: Street) -> Finish:
    x, y = p.street[:, 0], p.street[:, 1]
    size = 0.5 if street.paint % 2 else 0.38
    row = np.floor(y / size)
    u = x + (row % 2) * size * 0.5
    joint = 1 - (1 - stripes(u, size, 0.0, 0.045, p.footprint)) * (
        1 - stripes(y, size, 0.0, 0.045, p.footprint_along)
    )
    tile = hashed(np.floor(u / size), row) - 0.5
    fade = np.clip(1.2 - p.footprint_along / size, 0, 1)
    big = fractal(x, y, 11.0, p.footprint_along)
    fine = fractal(x, y, 1.5, p.footprint_along, "grain")
    base = f32([0.33, 0.315, 0.295]) if street.old > 0.7 else f32([0.34, 0.33, 0.325])
    tint = (1 + 0.22 * tile * fade + 0.07 * big + 0.05 * fine)[:, None]
    edge = band(np.abs(x), street.kerb + 0.16, street.kerb + 0.5, p.footprint)
    albedo = (
        base
        * tint
        * (1 - 0.45 * joint[:, None] * np.clip(1.3 - p.footprint / 0.04, 0.25, 1)[:, None])
    )
    return Finish(mix(albedo, f32([0.25, 0.245, 0.24]) * tint, edge * (0 if street.grass else 0.7)))


def _curb(p: ShadingPoints, street: Street) -> Finish:
    joint = stripes(p.street[:, 1], 1.0, 0.0, 0.025, p.footprint_along)
    fine = fractal(p.street[:, 0] + p.local[:, 2], p.street[:, 1], 2.0, p.footprint_along)
    stone = hashed(np.floor(p.street[:, 1]), 5) - 0.5
    return Finish(f32([0.40, 0.39, 0.37]) * (1 + 0.1 * fine + 0.16 * stone - 0.4 * joint)[:, None])


def _grass(p: ShadingPoints, street: Street) -> Finish:
    x, y = p.street[:, 0], p.street[:, 1]
    big = fractal(x, y, 8.0, p.footprint_along)
    fine = fractal(x * 1.0, y, 1.3, p.footprint_along, "grain")
    green = mix(f32([0.085, 0.14, 0.03]), f32([0.19, 0.17, 0.06]), np.clip(0.25 + 0.25 * big, 0, 1))
    return Finish(green * (1 + 0.35 * fine + 0.12 * big)[:, None])


def _roof(p: ShadingPoints, street: Street) -> Finish:
    u, v = p.local[:, 0], p.local[:, 1]
    rows = stripes(v, 0.34, 0.0, 0.25, p.footprint)
    columns = stripes(u, 0.28, 0.0, 0.16, p.footprint)
    tile = hashed(np.floor(u / 0.28), np.floor(v / 0.34)) - 0.5
    fade = np.clip(1.3 - p.footprint / 0.25, 0, 1)
    big = fractal(u, v, 9.0, p.footprint)
    return Finish(
        p.colour * (1 + 0.3 * tile * fade + 0.16 * big - 0.35 * rows - 0.18 * columns)[:, None]
    )


def _leaves(p: ShadingPoints, street: Street) -> Finish:
    grain = fractal(
        p.local[:, 0] + 0.6 * p.local[:, 1], p.local[:, 2] + 0.5 * p.local[:, 1], 1.6, p.footprint
    )
    return Finish(p.colour * np.maximum(1 + 0.28 * grain, 0.3)[:, None], through=0.35)


def _bark(p: ShadingPoints, street: Street) -> Finish:
    grain = fractal((p.local[:, 0] + p.local[:, 1]) * 3, p.local[:, 2] * 0.7, 2.0, p.footprint)
    return Finish(p.colour * np.maximum(1 + 0.3 * grain, 0.3)[:, None])


def _brick(p: ShadingPoints, street: Street) -> Finish:
    along, up = p.local[:, 1] + p.local[:, 0], p.local[:, 2]
    row = np.floor(up / 0.12)
    u = along + (row % 2) * 0.15
    joint = 1 - (1 - stripes(up, 0.12, 0, 0.13, p.footprint)) * (
        1 - stripes(u, 0.3, 0, 0.06, p.footprint)
    )
    brick = hashed(np.floor(u / 0.3), row) - 0.5
    fade = np.clip(1.3 - p.footprint / 0.12, 0, 1)
    big = fractal(along, up, 6.0, p.footprint)
    albedo = p.colour * (1 + 0.45 * brick * fade + 0.14 * big)[:, None]
    return Finish(mix(albedo, f32([0.36, 0.33, 0.3]), joint * 0.7))


def _signal(p: ShadingPoints, street: Street) -> Finish:
    return Finish(p.colour * 0.3, emission=p.colour * np.float32(1.6))


def _awning(p: ShadingPoints, street: Street) -> Finish:
    stripe = stripes(p.local[:, 0], 0.5, 0.0, 0.5, p.footprint) * (
        hashed((p.colour[:, 0] * 997).astype(np.int64)) < 0.7
    )
    return Finish(mix(p.colour, f32([0.62, 0.6, 0.55]), stripe), through=0.25)


SHADERS: dict[Material, Callable[[ShadingPoints, Street], Finish]] = {
    Material.PLAIN: _plain,
    Material.ASPHALT: asphalt,
    Material.PAVEMENT: _pavement,
    Material.CURB: _curb,
    Material.GRASS: _grass,
    Material.FACADE: facade,
    Material.ROOF: _roof,
    Material.LEAVES: _leaves,
    Material.BARK: _bark,
    Material.CAR_BODY: car_body,
    Material.CAR_SIDE: car_side,
    Material.WHEEL: wheel,
    Material.SIGN: sign,
    Material.SIGNAL: _signal,
    Material.BRICK: _brick,
    Material.BUS: bus,
    Material.CLOTH: _cloth,
    Material.AWNING: _awning,
    Material.METAL: _metal,
}


@dataclass(frozen=True, slots=True, eq=False)
class Shaded:
    """Albedo [N,3], emission [N,3], mirror share [N], share of light let through [N] and gloss
    [N]."""

    albedo: Floats
    emission: Floats
    mirror: Floats
    through: Floats
    gloss: Floats


def shade(points: ShadingPoints, material: npt.NDArray[np.int32], street: Street) -> Shaded:
    """The finish of N points, each by its own material."""
    count = len(material)
    out = Shaded(
        np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32),
        np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32),
    )  # fmt: skip
    for kind in np.unique(material):
        rows = np.flatnonzero(material == kind)
        finish = SHADERS[Material(int(kind))](points.rows(rows), street)
        out.albedo[rows] = np.clip(finish.albedo, 0.003, 0.9)
        if finish.emission is not None:
            out.emission[rows] = finish.emission
        if finish.mirror is not None:
            out.mirror[rows] = finish.mirror
        out.through[rows] = finish.through
        out.gloss[rows] = finish.gloss
    return out
