"""The plan of a street, chosen by a seed: widths, light, traffic and who stands where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vidtrans_world.arrays import Floats

LENGTH = (-40.0, 330.0)
"""How far the street reaches along y, metres; the camera starts near 0."""
Kind = Literal["varied", "terrace"]
"""``varied``: every street has a light, widths and houses of its own. ``terrace``: one sunny town
of terraced houses. Houses stand on plots of `PLOT` metres and take turns in `TURNS` dresses, cars
of one shape have one colour; only what labels show (heights, gaps, crossings, trees, who stands and
goes where) follows the seed. So a picture follows from its labels and from how far the camera has
come, which a small network learns where it would need a great one for every town at once."""
PLOT = 12.0
TURNS = 4
ROUND = PLOT * TURNS
"""After so many metres the houses of a terrace look the same again."""


@dataclass(frozen=True, slots=True)
class Light:
    """The sun (unit vector towards it, linear colour), the sky's brightness, cloud cover 0 to 1,
    haze per metre."""

    sun: tuple[float, float, float]
    sun_colour: tuple[float, float, float]
    sky_zenith: tuple[float, float, float]
    sky_horizon: tuple[float, float, float]
    clouds: float
    haze: float
    exposure: float


@dataclass(frozen=True, slots=True)
class Street:
    """A street along y. ``kerb``: half the road's width; ``lane``: a lane's width; ``parking``:
    width of the parking strip on the left and on the right (0 for none); ``front``: where houses
    begin; ``grass``: width of a green strip behind the kerb; ``bend``: amplitude in metres,
    wavelength in metres and phase of the road's gentle curve; ``corner``: how far houses keep from
    a crossing; ``paint``: the seed of surfaces; ``terrace``: see `Kind`; ``turn``: which of the
    `TURNS` dresses the house at 0 wears."""

    seed: int
    kerb: float
    lane: float
    parking: tuple[float, float]
    front: float
    grass: float
    bend: tuple[float, float, float]
    crossings: tuple[tuple[float, float], ...]
    dense: float
    old: float
    trees: float
    tree_kind: int
    traffic: float
    crowd: float
    speed: float
    worn: float
    light: Light
    corner: float
    paint: int
    terrace: bool = False
    turn: int = 0

    def curve(self, y: Floats | float) -> Floats:
        """How far the road's middle lies to the right at ``y``, metres."""
        amplitude, wave, phase = self.bend
        return np.asarray(
            amplitude * (np.sin(2 * np.pi * np.asarray(y) / wave + phase) - np.sin(phase)),
            np.float32,
        )

    def slope(self, y: float) -> float:
        """The curve's derivative."""
        amplitude, wave, phase = self.bend
        return float(amplitude * 2 * np.pi / wave * np.cos(2 * np.pi * y / wave + phase))


def plan_street(seed: int, kind: Kind = "varied") -> Street:
    """The street of ``seed``; the same on every machine."""
    street = _varied(seed)
    return street if kind == "varied" else _terrace(street)


def _varied(seed: int) -> Street:
    rng = np.random.default_rng([seed, 1])
    lane = float(rng.uniform(3.1, 3.6))
    parking = tuple(float(2.1 if rng.random() < 0.75 else 0.0) for _ in range(2))
    grass = float(rng.choice([0, 0, 1.4, 2.2]))
    kerb = lane + max(parking) + 0.25
    front = kerb + grass + float(rng.uniform(2.4, 4.6))
    crossings, y = [], float(rng.uniform(28, 75))
    while y < LENGTH[1] - 40:
        crossings.append((y, y + float(rng.uniform(6.5, 9.0))))
        y += float(rng.uniform(60, 120))
    elevation = np.radians(rng.uniform(26, 58))
    azimuth = np.radians(
        rng.uniform(-150, 150) + 180
    )  # rarely straight ahead, where everything is backlit
    sun = (
        float(np.cos(elevation) * np.sin(azimuth)),
        float(np.cos(elevation) * np.cos(azimuth)),
        float(np.sin(elevation)),
    )
    warm = float(np.clip((np.degrees(elevation) - 26) / 32, 0, 1))
    strength = float(rng.uniform(3.0, 3.9))
    light = Light(
        sun,
        (strength, strength * (0.86 + 0.07 * warm), strength * (0.70 + 0.15 * warm)),
        (0.17, 0.38, 0.88),
        (0.70, 0.83, 1.0),
        float(rng.uniform(0.15, 0.75)),
        float(rng.uniform(0.0009, 0.003)),
        float(rng.uniform(0.64, 0.73)),
    )
    return Street(
        seed=seed,
        kerb=kerb,
        lane=lane,
        parking=(parking[0], parking[1]),
        front=front,
        grass=grass,
        bend=(
            float(rng.uniform(-3.5, 3.5)),
            float(rng.uniform(190, 300)),
            float(rng.uniform(0, 6.28)),
        ),
        crossings=tuple(crossings),
        dense=float(rng.uniform(0.15, 1)),
        old=float(rng.uniform(0.45, 1)),
        trees=float(rng.uniform(0.25, 1)),
        tree_kind=int(rng.integers(4)),
        traffic=float(rng.uniform(0.3, 1)),
        crowd=float(rng.uniform(0.3, 1)),
        speed=float(rng.uniform(5, 14)),
        worn=float(rng.uniform(0.2, 1)),
        light=light,
        corner=3.2,
        paint=seed,
    )


def _terrace(street: Street) -> Street:
    """``street`` as one of the sunny town: what its labels do not show is the same in all of
    them."""
    rng = np.random.default_rng([street.seed, 5])
    lane, parking = 3.3, 2.1
    grass = float(rng.choice([0, 0, 1.4]))
    kerb = lane + parking + 0.25
    corner, crossings, plot = 2.4, [], int(rng.integers(3, 7))
    while plot * PLOT < LENGTH[1] - 40:
        crossings.append((plot * PLOT + corner, (plot + 1) * PLOT - corner))
        plot += int(rng.integers(5, 10))
    light = Light(
        sun=(-0.36, -0.53, 0.768),
        sun_colour=(3.5, 3.15, 2.75),
        sky_zenith=(0.17, 0.38, 0.88),
        sky_horizon=(0.70, 0.83, 1.0),
        clouds=0.45,
        haze=0.0016,
        exposure=0.7,
    )
    return replace(
        street,
        kerb=kerb,
        lane=lane,
        parking=(parking, parking),
        front=kerb + grass + 3.2,
        grass=grass,
        bend=(0.0, 240.0, 0.0),
        crossings=tuple(crossings),
        dense=float(rng.uniform(0.55, 1)),
        trees=float(rng.uniform(-0.3, 0.5)),
        tree_kind=0,
        worn=0.25,
        light=light,
        corner=corner,
        paint=5,
        terrace=True,
        turn=int(rng.integers(TURNS)),
    )
