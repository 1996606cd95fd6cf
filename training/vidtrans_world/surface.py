"""Arguments and results of the shading functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidtrans_world.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class ShadingPoints:
    """N points on surfaces to be shaded.

    Attributes:
        street: Positions in the street with the road's bend undone, metres [N,3].
        local: Positions in the coordinates that textures stick to [N,3].
        normal: Surface normals [N,3].
        view: Directions from the camera to the points [N,3].
        colour: Base colours, RGB [N,3].
        fields: Parameters of the object that a point is of [N,F].
        footprint: Width of a pixel at the point, metres [N].
        footprint_along: Its length where the surface is seen at a slant, metres [N].
        sun: Direction to the sun [3].
    """

    street: Floats
    local: Floats
    normal: Floats
    view: Floats
    colour: Floats
    fields: Floats
    footprint: Floats
    footprint_along: Floats
    sun: Floats

    def rows(self, index: Ints) -> ShadingPoints:
        """Some of the points."""
        return ShadingPoints(
            self.street[index], self.local[index], self.normal[index], self.view[index],
            self.colour[index],
            self.fields[index], self.footprint[index], self.footprint_along[index], self.sun,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Finish:
    """Albedo [N,3]; light of its own [N,3]; share [N] of what it mirrors; how much light passes
    through; gloss of the sun."""

    albedo: Floats
    emission: Floats | None = None
    mirror: Floats | None = None
    through: float = 0.0
    gloss: float = 0.0


def mix(base: Floats, over: Floats, amount: Floats) -> Floats:
    """``over`` laid on ``base`` where ``amount`` [N] is 1."""
    a = np.asarray(amount, np.float32)[:, None]
    return base * (1 - a) + over * a
