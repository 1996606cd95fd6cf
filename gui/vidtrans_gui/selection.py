"""What lies under a point of the picture, and the masks of what is selected. No widgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidtrans.frame import LabelFrame
from vidtrans.labels.palette import palette_of
from vidtrans.labels.scheme import Scheme

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Classes:
    """The model's classes by plane: names and colours. A model that only knows numbers has its
    numbers as names."""

    scheme: Scheme | None
    planes: int

    def name(self, plane: int) -> str:
        found = self.scheme.name_of(plane) if self.scheme is not None else None
        return found if found is not None else str(plane)

    def colour(self, plane: int) -> Colour:
        red, green, blue = palette_of(self.scheme or _NUMBERS)[plane]
        return int(red), int(green), int(blue)

    def all(self) -> tuple[tuple[int, str, Colour], ...]:
        """(plane, name, colour) of every class that the model has; planes without a name only
        where it has no names."""
        palette = palette_of(self.scheme or _NUMBERS)
        return tuple(
            (
                plane,
                self.name(plane),
                (int(palette[plane][0]), int(palette[plane][1]), int(palette[plane][2])),
            )
            for plane in range(self.planes)
            if self.scheme is None or self.scheme.name_of(plane) is not None
        )

    def has_instances(self, plane: int) -> bool:
        """Whether instance maps tell this class's single things apart; of numbers alone nobody
        knows, so yes."""
        return self.scheme is None or any(
            entry.id == plane and entry.has_instances for entry in self.scheme.classes
        )

    def plane(self, name: str) -> int | None:
        return next((plane for plane, known, _ in self.all() if known == name), None)


_NUMBERS = Scheme("numbers", "Numbers", ())


@dataclass(frozen=True)
class Spot:
    """What is at one pixel: its class's plane, and its instance id where there is an instance
    map and a thing of its own."""

    plane: int
    instance: int | None


def spot(labels: LabelFrame, classes: Classes, x: int, y: int) -> Spot | None:
    """None outside of the frame. Where an instance map holds the class's own number, that is stuff
    or a group, not one instance; so is any number below 1000 in a class without instances."""
    height, width = labels.size_hw
    if not (0 <= x < width and 0 <= y < height):
        return None
    plane = int(labels.ids[y, x])
    if labels.instances is None:
        return Spot(plane, None)
    value = int(labels.instances[y, x])
    single = value >= 1000 or (value > 0 and value != plane and classes.has_instances(plane))
    return Spot(plane, value if single else None)


def mask_of(
    labels: LabelFrame, plane: int, instance: int | None, size_hw: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """bool [H,W] of the picture's size: the instance's pixels, or all of the class."""
    height, width = size_hw
    if instance is not None and labels.instances is not None:
        return np.asarray(labels.instances[:height, :width] == instance)
    return np.asarray(labels.ids[:height, :width] == plane)
