"""From the plan to triangles: everything that stands still, and the movers with their ways."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vidtrans_world import buildings, people, plants
from vidtrans_world.arrays import Floats
from vidtrans_world.lots import build_houses
from vidtrans_world.pavement import furnish, put_signals
from vidtrans_world.site import (
    BUILDING,
    FENCE,
    LIGHT,
    PAVEMENT_HEIGHT,
    POLE,
    ROAD,
    SIDEWALK,
    SIGN,
    STATIC,
    TERRAIN,
    VEGETATION,
    WALL,
    Mover,
    Site,
)
from vidtrans_world.soup import Material, Soup, join, panel, soup, turned
from vidtrans_world.street import LENGTH, Street
from vidtrans_world.traffic import drive_traffic, park_cars, send_walkers


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A street as triangles. ``labels`` and ``instances`` by thing; ``fields`` numbers for shading
    by thing; ``parked`` [K,5] x, y, yaw, half width, half length of the vehicles that stand
    still."""

    street: Street
    still: Soup
    movers: tuple[Mover, ...]
    labels: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16]
    fields: Floats
    parked: Floats


def build_world(street: Street) -> World:
    """The triangles of a street; the same for the same plan."""
    rng = np.random.default_rng([street.seed, 2])
    site = Site(street)
    stuff = {
        label: site.thing(label)
        for label in (
            ROAD,
            SIDEWALK,
            BUILDING,
            WALL,
            FENCE,
            POLE,
            LIGHT,
            SIGN,
            VEGETATION,
            TERRAIN,
            STATIC,
        )
    }
    _ground(site, stuff)
    edges = [LENGTH[0], *[y for crossing in street.crossings for y in crossing], LENGTH[1]]
    kinds = [street.tree_kind if i < 3 else int(rng.integers(4)) for i in range(5)]
    seeds = rng.integers(1 << 30, size=5)
    trees = [
        [plants.tree(np.random.default_rng(s), k, fine) for s, k in zip(seeds, kinds, strict=True)]
        for fine in (False, True)
    ]
    for block, (y0, y1) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        for side in (-1, 1):
            build_houses(
                site, stuff, rng, side, y0 + (street.corner if block else 0), y1 - street.corner
            )
            furnish(site, stuff, rng, side, y0, y1, trees)
            park_cars(site, rng, side, y0 + (11 if block else 0), y1 - 11)
    _far_end(site, stuff, rng, trees[0])
    for crossing in street.crossings:
        put_signals(site, stuff, rng, crossing)
    drive_traffic(site, rng)
    send_walkers(site, rng)
    still = join(site.parts)
    bent = still.points.copy()
    bent[..., 0] += street.curve(still.points[..., 1])
    return World(
        street,
        replace(still, points=bent),
        tuple(site.movers),
        np.array(site.labels, np.uint8),
        np.array(site.instances, np.uint16),
        np.stack(site.fields),
        np.array(site.parked, np.float32).reshape(-1, 5),
    )


def _ground(site: Site, stuff: dict[int, int]) -> None:
    street = site.street
    y0, y1 = LENGTH
    for x0, x1 in ((-120.0, -street.kerb), (-street.kerb, street.kerb), (street.kerb, 120.0)):
        site.put(
            soup(panel((x0, y0, 0), (0, y1 - y0, 0), (x1 - x0, 0, 0), 3.0), Material.ASPHALT),
            stuff[ROAD],
        )
    edges = [y0, *[y for crossing in street.crossings for y in crossing], y1]
    h = PAVEMENT_HEIGHT
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        for side in (-1, 1):
            inner, width = side * street.kerb, side * 0.16
            site.put(
                soup(panel((inner, a, 0), (0, b - a, 0), (0, 0, h), 3.0), Material.CURB),
                stuff[SIDEWALK],
            )
            site.put(
                soup(panel((inner, a, h), (0, b - a, 0), (width, 0, 0), 3.0), Material.CURB),
                stuff[SIDEWALK],
            )
            for y in (a, b):
                site.put(
                    soup(panel((inner, y, 0), (side * 80, 0, 0), (0, 0, h)), Material.CURB),
                    stuff[SIDEWALK],
                )
            x = inner + width
            if street.grass:
                green = panel(
                    (x, a + 5, h + 0.02), (0, b - a - 10, 0), (side * street.grass, 0, 0), 3.0
                )
                site.put(soup(green, Material.GRASS), stuff[TERRAIN])
            site.put(
                soup(panel((x, a, h), (0, b - a, 0), (side * 80, 0, 0), 3.0), Material.PAVEMENT),
                stuff[SIDEWALK],
            )


def _far_end(
    site: Site, stuff: dict[int, int], rng: np.random.Generator, trees: list[Soup]
) -> None:
    y = LENGTH[1] - 1
    for i in range(14):
        house = buildings.plan_house(rng, 1, 0, 12, 0, site.street.dense, site.street.old)
        body = buildings.build_house(house, 8)
        site.put(
            turned(body, np.pi / 2, (-84 + 12 * i, y, 0)),
            site.thing(BUILDING, buildings.facade_fields(house)),
        )
    for i in range(10):
        place = (-30 + 6.5 * i + float(rng.normal()), y - 5 - float(rng.uniform(0, 4)), 0)
        site.put(turned(trees[i % 5], float(i), place), stuff[VEGETATION])


def placed(mover: Mover, street: Street, seconds: float) -> Floats:
    """The mover's points [T,3,3] and normals [T,3,3], stacked [2,T,3,3], at a time."""
    x, y = (
        mover.start[0] + mover.velocity[0] * seconds,
        mover.start[1] + mover.velocity[1] * seconds,
    )
    pace = abs(mover.velocity[0]) + abs(mover.velocity[1])
    body = people.striding(mover.body, mover.start[1] * 3 + seconds * pace * 4.2, mover.stride)
    yaw = mover.start[2] - float(np.arctan(street.slope(y)))
    body = turned(body, yaw, (x + float(street.curve(y)), y, mover.lift))
    return np.stack([body.points, body.normals])
