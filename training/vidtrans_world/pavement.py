"""What stands on the pavements: trees, lamps, signs, traffic lights, bollards, bins and parked
bicycles."""

from __future__ import annotations

import numpy as np

from vidtrans_world import furniture, people
from vidtrans_world.arrays import f32
from vidtrans_world.site import (
    BICYCLE,
    LIGHT,
    PAVEMENT_HEIGHT,
    POLE,
    SIGN,
    STATIC,
    TERRAIN,
    VEGETATION,
    Site,
)
from vidtrans_world.soup import Material, Soup, box, soup, turned


def furnish(
    site: Site,
    stuff: dict[int, int],
    rng: np.random.Generator,
    side: int,
    y0: float,
    y1: float,
    trees: list[list[Soup]],
) -> None:
    street, z = site.street, PAVEMENT_HEIGHT
    edge = street.kerb + (street.grass / 2 + 0.16 if street.grass else 0.75)
    y = y0 + float(rng.uniform(9, 14))
    spacing = float(rng.uniform(7.5, 12))
    planted = rng.random() < 0.35 + 0.65 * street.trees
    classic = street.seed % 3 == 0
    count = 0
    while y < y1 - 8:
        if count % 3 == 1:
            lamp = furniture.lamp(
                side * (street.kerb + 0.45),
                y + spacing / 2,
                z,
                side,
                4.2 if classic else float(rng.uniform(6.5, 8)),
                classic,
            )
            site.put(lamp, stuff[POLE])
        if planted and rng.random() < 0.85:
            tree = trees[int(y < 70)][
                int(rng.integers(3)) if rng.random() < 0.8 else int(rng.integers(5))
            ]
            tree = turned(
                tree,
                float(rng.uniform(0, 6.28)),
                (side * edge, y, z),
                float(rng.uniform(0.75, 1.05)),
            )
            site.put(tree, stuff[VEGETATION])
            if not street.grass:
                pit = box(
                    (side * edge - 0.6, y - 0.6, z - 0.05), (side * edge + 0.6, y + 0.6, z + 0.015)
                )
                site.put(soup(pit, colour=(0.1, 0.075, 0.05)), stuff[TERRAIN])
        y += spacing * float(rng.uniform(0.85, 1.2))
        count += 1
    for _ in range(int(rng.integers(1, 4))):
        _sign(site, stuff, rng, side, float(rng.uniform(y0 + 3, y1 - 3)))
    if rng.random() < 0.4:
        start = float(rng.uniform(y0 + 4, y1 - 14))
        for i in range(int(rng.integers(4, 9))):
            site.put(
                furniture.post(
                    side * (street.kerb + 0.35), start + 1.6 * i, z, 0.95, 0.055, (0.12, 0.12, 0.12)
                ),
                stuff[POLE],
            )
    for _ in range(int(rng.integers(0, 3))):
        colour = f32([[0.03, 0.04, 0.04], [0.05, 0.15, 0.06], [0.1, 0.1, 0.35], [0.4, 0.3, 0.03]])[
            int(rng.integers(4))
        ]
        at = float(rng.uniform(y0 + 4, y1 - 4))
        for i in range(int(rng.integers(1, 4))):
            site.put(
                furniture.bin_(side * (street.front - 0.45), at + 0.75 * i, z, colour),
                stuff[STATIC],
            )
    for _ in range(int(rng.integers(0, 3))):
        at = float(rng.uniform(y0 + 4, y1 - 6))
        for i in range(int(rng.integers(1, 5))):
            bike = people.bicycle(rng)
            yaw = float(np.pi / 2 * side + rng.normal() * 0.15)
            place = (side * (street.front - 1.1), at + 0.65 * i, z)
            site.put(turned(bike, yaw, place), site.thing(BICYCLE))


def _sign(site: Site, stuff: dict[int, int], rng: np.random.Generator, side: int, y: float) -> None:
    x, z = side * (site.street.kerb + 0.5), PAVEMENT_HEIGHT
    kind = int(rng.choice([0, 0, 1, 2, 3, 5, 5, 6, 7, 8]))
    high = float(rng.uniform(2.2, 2.7))
    site.put(furniture.post(x, y, z, high + 0.3), stuff[POLE])
    site.put(
        furniture.sign_plate(x, y - 0.05, z + high, kind, 0.36 if kind != 7 else 0.42), stuff[SIGN]
    )
    if rng.random() < 0.3:
        site.put(
            furniture.sign_plate(x, y - 0.05, z + high - 0.72, 5 if kind != 5 else 0, 0.3),
            stuff[SIGN],
        )


def put_signals(
    site: Site, stuff: dict[int, int], rng: np.random.Generator, crossing: tuple[float, float]
) -> None:
    street, z = site.street, PAVEMENT_HEIGHT
    if rng.random() < 0.6:
        for side in (-1, 1):
            x, y = side * (street.kerb + 0.5), crossing[0] - 0.7
            site.put(furniture.post(x, y, z, 3.4, 0.06, (0.1, 0.11, 0.1)), stuff[POLE])
            site.put(furniture.signal(x, y - 0.28, z + 2.4, 2), stuff[LIGHT])
        if street.kerb > 5 and rng.random() < 0.7:
            x, y = street.kerb + 0.5, crossing[1] + 0.8
            arm = box((x - 4.2, y - 0.04, z + 5.2), (x, y + 0.04, z + 5.3))
            site.put(furniture.post(x, y, z, 5.4, 0.09, (0.1, 0.11, 0.1)), stuff[POLE])
            site.put(soup(arm, Material.METAL, (0.1, 0.11, 0.1)), stuff[POLE])
            site.put(furniture.signal(x - 3.6, y - 0.3, z + 4.6, 2), stuff[LIGHT])
    else:
        x, y = street.kerb + 0.5, crossing[0] - 1.0
        kind = int(rng.choice([3, 4, 8]))
        site.put(furniture.post(x, y, z, 2.7), stuff[POLE])
        site.put(furniture.sign_plate(x, y - 0.05, z + 2.35, kind, 0.4), stuff[SIGN])
