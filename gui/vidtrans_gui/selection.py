"""Class and instance at a pixel, and masks of the selection. No widgets."""

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
    """Names and colours of a model's classes.

    Attributes:
        scheme: The model's scheme; None where its classes have no names but numbers.
        planes: The number of its label planes.
    """

    scheme: Scheme | None
    planes: int

    def name(self, plane: int) -> str:
        """The name of a plane's class, else the plane's number."""
        found = self.scheme.name_of(plane) if self.scheme is not None else None
        return found if found is not None else str(plane)

    def colour(self, plane: int) -> Colour:
        """The colour of a plane's class."""
        red, green, blue = palette_of(self.scheme or _NUMBERS)[plane]
        return int(red), int(green), int(blue)

    def all(self) -> tuple[tuple[int, str, Colour], ...]:
        """(plane, name, colour) of each class; planes without a name only if there is no scheme."""
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
        """Whether the class has instances in instance maps; assumed where there is no scheme."""
        return self.scheme is None or any(
            entry.id == plane and entry.has_instances for entry in self.scheme.classes
        )

    def plane(self, name: str) -> int | None:
        """The plane of the class called ``name``."""
        return next((plane for plane, known, _ in self.all() if known == name), None)


_NUMBERS = Scheme("numbers", "Numbers", ())


@dataclass(frozen=True)
class Spot:
    """What is at a pixel.

    Attributes:
        plane: The plane of its class.
        instance: Its id in the instance map; None where it is no single instance.
    """

    plane: int
    instance: int | None


def spot(labels: LabelFrame, classes: Classes, x: int, y: int) -> Spot | None:
    """What is at pixel (x, y); None outside of the frame.

    In instance maps of Cityscapes' kind an id of 1000 and more is an instance; the class's own id
    stands for stuff or for a group. Smaller ids are instances in classes that have some.
    """
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
    """The mask of an instance, or of a whole class.

    Args:
        labels: The label frame.
        plane: The plane of the class.
        instance: The id in the instance map; None for the whole class.
        size_hw: Height and width of the picture, at most those of the labels.

    Returns:
        bool [H,W] of the picture's size.
    """
    height, width = size_hw
    if instance is not None and labels.instances is not None:
        return np.asarray(labels.instances[:height, :width] == instance)
    return np.asarray(labels.ids[:height, :width] == plane)
