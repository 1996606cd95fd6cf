"""What lines the street: houses, gardens and what grows and stands in front of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from vidtrans_world import buildings, furniture, plants
from vidtrans_world.site import (
    BUILDING,
    FENCE,
    PAVEMENT_HEIGHT,
    TERRAIN,
    VEGETATION,
    WALL,
    Site,
)
from vidtrans_world.soup import Material, box, panel, soup, turned
from vidtrans_world.street import PLOT


def build_houses(
    site: Site, stuff: dict[int, int], rng: np.random.Generator, side: int, y0: float, y1: float
) -> None:
    street = site.street
    if street.terrace:
        _terrace(site, stuff, rng, side, y0, y1)
        return
    y = y0
    while y < y1 - 6:
        width = min(float(rng.uniform(8, 19) * (0.8 + 0.4 * street.dense)), y1 - y)
        if y1 - y - width < 6:
            width = y1 - y
        if rng.random() > 0.93 - 0.28 * (1 - street.dense) and width < 16:
            _garden(site, stuff, rng, side, y, y + width, street.front)
            y += width
            continue
        setback = 0.0 if street.dense > 0.4 or rng.random() < 0.4 else float(rng.uniform(1.5, 4.0))
        house = buildings.plan_house(
            rng, side, y, y + width, street.front + setback, street.dense, street.old
        )
        site.put(buildings.build_house(house), site.thing(BUILDING, buildings.facade_fields(house)))
        if setback:
            _front_garden(site, stuff, rng, side, y, y + width, setback)
        y += width


def _terrace(
    site: Site, stuff: dict[int, int], rng: np.random.Generator, side: int, y0: float, y1: float
) -> None:
    """Houses on the whole plots between ``y0`` and ``y1``, with a garden here and there."""
    street = site.street
    for plot in range(math.ceil(y0 / PLOT - 1e-6), math.floor(y1 / PLOT + 1e-6)):
        a, b = plot * PLOT, (plot + 1) * PLOT
        if rng.random() > 0.94:
            _garden(site, stuff, rng, side, a, b, street.front)
            continue
        house = buildings.terrace_house(
            rng, side, a, b, street.front, street.dense, plot + street.turn
        )
        site.put(buildings.build_house(house), site.thing(BUILDING, buildings.facade_fields(house)))


def _front_garden(
    site: Site,
    stuff: dict[int, int],
    rng: np.random.Generator,
    side: int,
    y0: float,
    y1: float,
    deep: float,
) -> None:
    x, z = side * site.street.front, PAVEMENT_HEIGHT
    door = (y0 + y1) / 2
    for a, b in ((y0, door - 0.7), (door + 0.7, y1)):
        lawn = panel((x, a, z + 0.03), (0, b - a, 0), (side * deep, 0, 0), 3.0)
        site.put(soup(lawn, Material.GRASS), stuff[TERRAIN])
        kind = rng.random()
        if kind < 0.45:
            site.put(
                plants.hedge(rng, x + side * 0.4, a, b, float(rng.uniform(0.8, 1.4)), z),
                stuff[VEGETATION],
            )
        elif kind < 0.75:
            site.put(
                furniture.fence(x + side * 0.1, a, b, z, float(rng.uniform(0.9, 1.2))), stuff[FENCE]
            )
        else:
            low = box((min(x, x + side * 0.25), a, z), (max(x, x + side * 0.25), b, z + 0.7))
            site.put(soup(low, Material.BRICK, (0.3, 0.17, 0.11)), stuff[WALL])
        for _ in range(2):
            bush = plants.bush(
                rng,
                x + side * rng.uniform(0.8, deep),
                rng.uniform(a, b),
                float(rng.uniform(0.35, 0.7)),
                z,
            )
            site.put(bush, stuff[VEGETATION])


def _garden(
    site: Site,
    stuff: dict[int, int],
    rng: np.random.Generator,
    side: int,
    y0: float,
    y1: float,
    front: float,
) -> None:
    x, z = side * front, PAVEMENT_HEIGHT
    site.put(
        soup(panel((x, y0, z + 0.02), (0, y1 - y0, 0), (side * 30, 0, 0), 3.0), Material.GRASS),
        stuff[TERRAIN],
    )
    if rng.random() < 0.5:
        wall = box(
            (min(x, x + side * 0.3), y0, z),
            (max(x, x + side * 0.3), y1, z + float(rng.uniform(1.1, 2.2))),
        )
        site.put(soup(wall, Material.BRICK, buildings.BRICKS[int(rng.integers(4))]), stuff[WALL])
    else:
        site.put(furniture.fence(x, y0, y1, z, float(rng.uniform(1.1, 1.7))), stuff[FENCE])
    back = side * (front + 14)
    house = buildings.plan_house(rng, side, y0 - 6, y1 + 6, front + 14, site.street.dense, 1.0)
    site.put(
        buildings.build_house(replace(house, front=abs(back))),
        site.thing(BUILDING, buildings.facade_fields(house)),
    )
    for _ in range(int((y1 - y0) / 3)):
        tree = plants.tree(rng, int(rng.choice([0, 2, 3])))
        at = (x + side * rng.uniform(2, 9), rng.uniform(y0 + 1, y1 - 1), z)
        site.put(turned(tree, rng.uniform(0, 6.28), at, rng.uniform(0.7, 1.0)), stuff[VEGETATION])
        site.put(
            plants.bush(
                rng,
                x + side * rng.uniform(1, 2.5),
                rng.uniform(y0, y1),
                float(rng.uniform(0.5, 1.0)),
                z,
            ),
            stuff[VEGETATION],
        )
