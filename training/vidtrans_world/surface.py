"""What the shading functions are given and what they give back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidtrans_world.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """N places on surfaces. ``street`` [N,3] position with the road's bend undone; ``local`` [N,3]
    what textures stick to; ``normal`` and ``view`` (towards the surface) [N,3]; ``colour`` [N,3];
    ``fields`` [N,F] numbers of the thing; ``foot`` a pixel's width there in metres and
    ``foot_along`` its length on a slanted surface."""

    street: Floats
    local: Floats
    normal: Floats
    view: Floats
    colour: Floats
    fields: Floats
    foot: Floats
    foot_along: Floats
    sun: Floats

    def rows(self, index: Ints) -> Places:
        """Some of the places."""
        return Places(
            self.street[index], self.local[index], self.normal[index], self.view[index],
            self.colour[index],
            self.fields[index], self.foot[index], self.foot_along[index], self.sun,
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
