"""Who is on the move or parked: cars, buses, trucks, cyclists and people on foot."""

from __future__ import annotations

import numpy as np

from vidtrans_world import cars, people
from vidtrans_world.arrays import f32
from vidtrans_world.site import (
    BICYCLE,
    BUS,
    CAR,
    PAVEMENT_HEIGHT,
    PERSON,
    RIDER,
    TRUCK,
    Mover,
    Site,
)
from vidtrans_world.soup import Soup, of_thing, turned

_TERRACE_PAINTS = {"hatch": 6, "saloon": 0, "estate": 7, "suv": 3, "van": 4}


def _some_car(
    site: Site, rng: np.random.Generator
) -> tuple[Soup, tuple[float, float, float, float]]:
    kind = str(
        rng.choice(
            ["hatch", "hatch", "saloon", "estate", "suv", "van"],
            p=[0.22, 0.2, 0.2, 0.16, 0.14, 0.08],
        )
    )
    if site.street.terrace:
        return cars.car(kind, f32(cars.PAINTS[_TERRACE_PAINTS[kind]]))
    paint = cars.PAINTS[int(rng.integers(len(cars.PAINTS)))] * rng.uniform(0.85, 1.1)
    return cars.car(kind, f32(paint))


def park_cars(site: Site, rng: np.random.Generator, side: int, y0: float, y1: float) -> None:
    street = site.street
    if not street.parking[0 if side < 0 else 1]:
        return
    x = side * (street.kerb - 1.12)
    y, share = y0, float(rng.uniform(0.45, 0.95))
    while y < y1 - 6:
        if rng.random() < share:
            body, size = _some_car(site, rng)
            yaw = (0.0 if side > 0 else np.pi) + float(rng.normal() * 0.015)
            middle = y + size[0] / 2 + float(rng.uniform(0.3, 1.0))
            place = (x + float(rng.normal() * 0.06), middle, 0.0)
            site.put(turned(body, yaw, place), site.thing(CAR, f32([*size, rng.random()])))
            site.parked.append(
                (place[0] + float(street.curve(middle)), middle, yaw, size[1] / 2, size[0] / 2)
            )
            y = middle + size[0] / 2 + 0.3
        else:
            y += 5.5


def drive_traffic(site: Site, rng: np.random.Generator) -> None:
    street = site.street
    right, left = street.lane * 0.5, -street.lane * 0.5

    def drive(
        body: Soup, size: tuple[float, ...], label: int, x: float, y: float, speed: float
    ) -> None:
        thing = site.thing(label, f32([*size, rng.random()]))
        yaw = 0.0 if speed >= 0 else np.pi
        site.movers.append(
            Mover(
                of_thing(body, thing),
                (x, y, yaw),
                (0.0, speed),
                footprint=(size[1] / 2, size[0] / 2),
            )
        )

    ahead = float(rng.uniform(27, 50))
    if rng.random() < 0.45 + 0.4 * street.traffic:
        kind = rng.random()
        if kind < 0.1:
            drive(
                *cars.bus(cars.PAINTS[int(rng.integers(12))] + 0.1),
                BUS,
                right,
                ahead + 9,
                street.speed + float(rng.uniform(-0.5, 1)),
            )
        elif kind < 0.2:
            drive(
                *cars.truck(cars.PAINTS[int(rng.integers(12))]),
                TRUCK,
                right,
                ahead + 6,
                street.speed + float(rng.uniform(-0.5, 1)),
            )
        else:
            drive(
                *_some_car(site, rng),
                CAR,
                right,
                ahead,
                street.speed + float(rng.uniform(-0.8, 1.5)),
            )
    y = ahead + float(rng.uniform(28, 60))
    while y < 200:
        drive(*_some_car(site, rng), CAR, right, y, street.speed + 1.6 + float(rng.uniform(0, 2)))
        y += float(rng.uniform(25, 90)) / street.traffic
    y, speed = float(rng.uniform(14, 45)), -float(rng.uniform(7, 12))
    while y < 300:
        kind = rng.random()
        if kind < 0.06:
            drive(*cars.bus(cars.PAINTS[int(rng.integers(12))] + 0.1), BUS, left, y + 6, speed)
            y += 8
        elif kind < 0.13:
            drive(*cars.truck(cars.PAINTS[int(rng.integers(12))]), TRUCK, left, y + 4, speed)
            y += 5
        else:
            drive(*_some_car(site, rng), CAR, left, y, speed)
        y += float(rng.uniform(11, 50)) / street.traffic
    for side in (-1, 1):
        if rng.random() < 0.6:
            start = float(rng.uniform(9, 50))
            pace = float(rng.uniform(3, 5)) * (1 if side > 0 else -1)
            lane = side * (street.lane - 0.35)
            if side > 0 and start < 12:
                start += 6
            _cyclist(site, rng, lane, start, pace)


def _cyclist(site: Site, rng: np.random.Generator, x: float, y: float, speed: float) -> None:
    yaw = 0.0 if speed >= 0 else np.pi
    for body, label in ((people.bicycle(rng), BICYCLE), (people.rider(rng), RIDER)):
        site.movers.append(Mover(of_thing(body, site.thing(label)), (x, y, yaw), (0.0, speed)))


def send_walkers(site: Site, rng: np.random.Generator) -> None:
    street = site.street
    for _ in range(int(6 + 22 * street.crowd)):
        side = int(rng.choice([-1, 1]))
        x = side * float(rng.uniform(street.kerb + street.grass + 0.9, street.front - 0.6))
        _walk(
            site, rng, (x, float(rng.uniform(4, 120)), PAVEMENT_HEIGHT), float(rng.choice([-1, 1]))
        )
        if rng.random() < 0.3:
            last = site.movers[-1]
            beside = (last.start[0] + 0.55, last.start[1] + 0.1)
            _walk(
                site,
                rng,
                (*beside, PAVEMENT_HEIGHT),
                float(np.sign(last.velocity[1]) or 1),
                abs(last.velocity[1]),
            )
    for y0, y1 in street.crossings:
        if rng.random() < 0.7:
            for _ in range(int(rng.integers(1, 4))):
                side = int(rng.choice([-1, 1]))
                y = y0 - 2.5 if rng.random() < 0.5 else y1 + 2.5
                body = of_thing(people.walker(rng), site.thing(PERSON))
                pace = -side * float(rng.uniform(1.0, 1.4))
                start = (
                    side * (street.kerb + float(rng.uniform(-3, 4))),
                    y + float(rng.normal() * 0.5),
                )
                site.movers.append(
                    Mover(body, (*start, -np.pi / 2 * float(np.sign(pace))), (pace, 0.0), 0.42)
                )


def _walk(
    site: Site,
    rng: np.random.Generator,
    at: tuple[float, float, float],
    way: float,
    pace: float | None = None,
) -> None:
    body = of_thing(people.walker(rng), site.thing(PERSON))
    size = float(rng.uniform(0.9, 1.08))
    body = turned(body, 0.0, scale=size)
    if pace is None:
        pace = 0.0 if rng.random() < 0.15 else float(rng.uniform(0.9, 1.6))
    yaw = (0.0 if way > 0 else np.pi) if pace else float(rng.uniform(0, 6.28))
    site.movers.append(
        Mover(body, (at[0], at[1], yaw), (0.0, way * pace), 0.42 if pace else 0.0, lift=at[2])
    )
