"""Which label planes show what in a street, for networks that know the shape of streets."""

from __future__ import annotations

from dataclasses import dataclass

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

    @property
    def kinds(self) -> tuple[tuple[int, ...], ...]:
        """Label planes of every kind, vehicles first."""
        return (*self.vehicles, *self.objects)

    def is_ground(self, ids: Tensor) -> Tensor:
        """Where integer ``ids`` are of the ground: bool of the same shape."""
        return membership(self.ground, ids.device)[ids.to(torch.int32)]

    def is_facade(self, ids: Tensor) -> Tensor:
        """Where integer ``ids`` are of houses, walls or fences: bool of the same shape."""
        return membership(self.facades, ids.device)[ids.to(torch.int32)]
