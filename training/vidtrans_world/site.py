"""A site under construction: things with labels and numbers, the parts that stand still and
those that move."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vidtrans.labels.scheme import load_scheme
from vidtrans_world import buildings
from vidtrans_world.arrays import Floats
from vidtrans_world.soup import Soup, of_thing
from vidtrans_world.street import Street

_CITYSCAPES = load_scheme("cityscapes")
ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN = _CITYSCAPES.ids(
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign"
)
VEGETATION, TERRAIN, SKY, PERSON, RIDER = _CITYSCAPES.ids(
    "vegetation", "terrain", "sky", "person", "rider"
)
CAR, TRUCK, BUS, BICYCLE, STATIC = _CITYSCAPES.ids("car", "truck", "bus", "bicycle", "static")
COUNTED = frozenset({PERSON, RIDER, CAR, TRUCK, BUS, BICYCLE})
"""The classes whose objects are numbered, of those that live here."""
PAVEMENT_HEIGHT = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Mover:
    """Something that moves at constant speed along the street: its triangles about the origin,
    where it is at time 0 in street coordinates, metres a second along x and y, and for walkers the
    swing of their limbs."""

    body: Soup
    start: tuple[float, float, float]
    velocity: tuple[float, float]
    stride: float = 0.0
    footprint: tuple[float, float] | None = None
    """Half extents of the shadow of contact, metres, for vehicles."""
    lift: float = 0.0
    """Height of the ground it stands on."""


@dataclass
class Site:
    """Where a world is put together: its parts, its movers, and what is known of each thing."""

    street: Street
    parts: list[Soup] = field(default_factory=list)
    movers: list[Mover] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    instances: list[int] = field(default_factory=list)
    fields: list[Floats] = field(default_factory=list)
    parked: list[tuple[float, float, float, float, float]] = field(default_factory=list)

    def thing(self, label: int, fields: Floats | None = None) -> int:
        number = sum(1 for known in self.labels if known == label)
        self.labels.append(label)
        self.instances.append(label * 1000 + number if label in COUNTED else label)
        full = np.zeros(buildings.FACADE_FIELDS, np.float32)
        if fields is not None:
            full[: len(fields)] = fields
        self.fields.append(full)
        return len(self.labels) - 1

    def put(self, part: Soup, thing: int) -> None:
        self.parts.append(of_thing(part, thing))
