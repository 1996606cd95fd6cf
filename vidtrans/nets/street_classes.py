"""Which label planes show what in a street, for networks that know the shape of streets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidtrans.nets.constants import membership

VEHICLE_KINDS = 2
"""Kinds of vehicles with textures of their own."""
OBJECT_KINDS = 5
"""Kinds of other objects with textures of their own."""


@dataclass(frozen=True)
class StreetClasses:
    """Label planes by what they show; `vidtrans.model.street_classes` asks a label scheme for them.

    Attributes:
        ground: Of the level ground.
        facades: Of what stands upright along the street: houses, walls, fences.
        vehicles: Of each kind of vehicle; these show their front or their back.
        objects: Of each kind of other objects with a texture.
    """

    ground: tuple[int, ...]
    facades: tuple[int, ...]
    vehicles: tuple[tuple[int, ...], ...]
    objects: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if (len(self.vehicles), len(self.objects)) != (VEHICLE_KINDS, OBJECT_KINDS):
            raise ValueError(
                f"there are textures for {VEHICLE_KINDS} kinds of vehicles and {OBJECT_KINDS} of"
                f" other objects, not for {len(self.vehicles)} and {len(self.objects)}"
            )
        planes = [*self.ground, *self.facades, *(plane for kind in self.kinds for plane in kind)]
        if len(set(planes)) < len(planes):
            raise ValueError("a label plane shows one thing, and one is listed for several")

    @property
    def kinds(self) -> tuple[tuple[int, ...], ...]:
        """Label planes of every kind, vehicles first."""
        return (*self.vehicles, *self.objects)

    def is_ground(self, ids: Tensor) -> Tensor:
        """Where integer ``ids`` are of the ground: bool of the same shape."""
        return _are_of(self.ground, ids)

    def is_facade(self, ids: Tensor) -> Tensor:
        """Where integer ``ids`` are of houses, walls or fences: bool of the same shape."""
        return _are_of(self.facades, ids)


def _are_of(planes: tuple[int, ...], ids: Tensor) -> Tensor:
    table = membership(planes, ids.device)
    if ids.device.type == "cpu":  # in numpy a fifth of the time
        return torch.from_numpy(np.take(table.numpy(), ids.numpy()))
    return table[ids.to(torch.int32)]
