"""Textures of things that stand in a street, learnt as those of the town are: what a car, a walker
or a sign shows where.

A place on a thing is told by how far it lies from the ends of the runs of its label
(`vidtrans.nets.extent`): at a share of its width and of its height. Vehicles to the left of the
camera come towards it and show their fronts, others their backs; and the wider a thing is for its
height, the more of its side is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets.constants import constant, kept, to_device
from vidtrans.nets.extent import STRIDE
from vidtrans.nets.street_classes import OBJECT_KINDS, VEHICLE_KINDS, StreetClasses
from vidtrans.nets.texture import COLOURS, GAIN
from vidtrans.nets.viewport import Viewport

KINDS = 2 * VEHICLE_KINDS + OBJECT_KINDS
ASPECTS = 4
SIDE = 24
"""Texels along each side of a thing."""
_NARROWEST, _WIDEST = -1.0, 2.5  # log2 of width / height
_COMING = (
    -0.03
)  # vehicles whose middle lies to the left of this, in picture heights, come towards the camera


class ThingTexture(nn.Module):
    """``channels`` features for each texel of each kind of thing, at `ASPECTS` proportions; the
    first are colours."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.texels = nn.Parameter(
            torch.randn(channels, ASPECTS, KINDS * SIDE, SIDE) * (0.1 / GAIN)
        )

    def forward(self, place: ThingPlaces) -> Tensor:
        """float [N, channels, h, w]; zero where there is no such thing."""
        rows = KINDS * SIDE
        y = place.row * (2 / (rows - 1)) - 1
        x = place.column * (2 / (SIDE - 1)) - 1
        z = place.aspect * (2 / (ASPECTS - 1)) - 1
        grid = torch.stack([x, y, z], dim=-1)[:, None]
        with torch.autocast(grid.device.type, enabled=False):
            texels = (self.texels * GAIN).contiguous().expand(len(grid), -1, -1, -1, -1)
            found = F.grid_sample(texels, grid, mode="bilinear", align_corners=True)[:, :, 0]
        return found * place.there[:, None]

    @torch.no_grad()
    def begin_with(self, colours: Tensor) -> None:
        """Sets the colours [3, ASPECTS, KINDS * SIDE, SIDE] in [-1,1]."""
        self.texels[:COLOURS] = colours / GAIN


def kind_rows(number: int) -> slice:
    """The rows of texels of the kind ``number`` of `StreetClasses.kinds`: of vehicles both those
    that come and those that go."""
    first = 2 * number if number < VEHICLE_KINDS else VEHICLE_KINDS + number
    return slice(first * SIDE, (first + (2 if number < VEHICLE_KINDS else 1)) * SIDE)


@dataclass(frozen=True, eq=False)
class ThingPlaces:
    """Where on which thing cells of two pixels lie: indices into texels, ``row``, ``column`` and
    ``aspect`` float [N,h,w], and ``there`` bool [N,h,w]: whether there is such a thing."""

    row: Tensor
    column: Tensor
    aspect: Tensor
    there: Tensor


def thing_places(
    steps: Tensor, cells: Tensor, viewport: Viewport, classes: StreetClasses
) -> ThingPlaces:
    """``steps`` uint8 [N,4,h/2,w/2] of `extent.extents`; ``cells`` integer [N,h,w]: labels of
    ``classes``; ``viewport``: what they show of the film's picture."""
    height, width = viewport.picture_hw
    up, down, left, right = steps.float().unbind(1)
    wide, high = left + right + 1, up + down + 1
    x = viewport.columns(STRIDE, steps.device)[:, None]
    middle = x + (right - left) * (STRIDE / 2)
    coming = (middle - width / 2) / height < _COMING
    aspect = ((wide / high).log2() - _NARROWEST) / (_WIDEST - _NARROWEST)
    halves = constant((0.25, 0.75), steps.device)
    across = (_double(left) + halves.repeat(steps.shape[-1])) / _double(wide)
    down_it = (_double(up) + halves.repeat(steps.shape[-2])[:, None]) / _double(high)
    kind = _kinds(classes, cells.device)[cells.int()]
    kind = kind + ((kind < 2 * VEHICLE_KINDS) & ~_double(coming))
    return ThingPlaces(
        row=kind.clamp(max=KINDS - 1) * SIDE + down_it * (SIDE - 1),
        column=across * (SIDE - 1),
        aspect=_double(aspect.clamp(0, 1) * (ASPECTS - 1)),
        there=kind < KINDS,
    )


def _double(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)


@kept(maxsize=8)
def _kinds(classes: StreetClasses, device: torch.device) -> Tensor:
    """The kind of every label id; that of vehicles is the one of those that come towards the
    camera."""
    table = torch.full((256,), KINDS)
    for number, ids in enumerate(classes.vehicles):
        table[list(ids)] = 2 * number
    for number, ids in enumerate(classes.objects):
        table[list(ids)] = 2 * VEHICLE_KINDS + number
    return to_device(table, device)
