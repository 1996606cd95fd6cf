"""Learned textures of vehicles, people and signs, sampled at coordinates within each instance.

The coordinates of a pixel are its shares of the width and of the height of the runs of equal labels
through it (`vidtrans.nets.extent`). Vehicles to the left of the camera come towards it and show
their fronts, the others their backs; and the wider an instance is for its height, the more of its
side is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets.constants import constant, kept, to_device
from vidtrans.nets.extent import STRIDE
from vidtrans.nets.street_classes import OBJECT_KINDS, VEHICLE_KINDS, StreetClasses
from vidtrans.nets.street_texture import COLOURS, GAIN
from vidtrans.nets.viewport import Viewport

KINDS = 2 * VEHICLE_KINDS + OBJECT_KINDS
"""Textures: of each kind of vehicle one from the front and one from behind, then one of each kind
of other objects."""
ASPECTS = 4
"""Proportions of width to height for which a kind has a texture."""
SIDE = 24
"""Texels along each side of an instance."""
HALVES = (0.25, 0.75)
"""Where the middles of the two cells of two pixels lie in a cell of four."""
# Logarithms to base 2 of width over height of the first and of the last proportion: a person is
# about half as wide as high, a bus from its side five times.
_NARROWEST, _WIDEST = -1.0, 2.5
_ONCOMING = -0.03
"""Vehicles whose middle lies to the left of this, in picture heights from the vanishing point, come
towards the camera; traffic keeps to the right."""


class InstanceTexture(nn.Module):
    """A texture for each kind of instance, at `ASPECTS` proportions.

    Args:
        channels: Features of a texel; the first are RGB.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.texels = nn.Parameter(
            torch.empty(channels, ASPECTS, KINDS * SIDE, SIDE).normal_(std=0.1 / GAIN)
        )

    def forward(self, uv: InstanceUV) -> Tensor:
        """Sample the textures: float [N,channels,h,w], zero where there is no instance."""
        rows = KINDS * SIDE
        y = uv.row * (2 / (rows - 1)) - 1
        x = uv.column * (2 / (SIDE - 1)) - 1
        z = uv.aspect * (2 / (ASPECTS - 1)) - 1
        grid = torch.stack([x, y, z], dim=-1)[:, None]
        with torch.autocast(grid.device.type, enabled=False):
            texels = (self.texels * GAIN).contiguous().expand(len(grid), -1, -1, -1, -1)
            samples = F.grid_sample(texels, grid, mode="bilinear", align_corners=True)[:, :, 0]
        return samples * uv.valid[:, None]

    @torch.no_grad()
    def set_colours(self, colours: Tensor) -> None:
        """Set the colours [3, ASPECTS, KINDS * SIDE, SIDE] in [-1,1]."""
        self.texels[:COLOURS] = colours / GAIN


def kind_rows(number: int) -> slice:
    """The rows of texels of the kind ``number`` of `StreetClasses.kinds`; of vehicles those of both
    directions."""
    first = 2 * number if number < VEHICLE_KINDS else VEHICLE_KINDS + number
    return slice(first * SIDE, (first + (2 if number < VEHICLE_KINDS else 1)) * SIDE)


@dataclass(frozen=True, eq=False)
class InstanceUV:
    """Texture coordinates within instances, of cells of two pixels.

    Attributes:
        row: Fractional row of texels, of all kinds one below another, float [N,h,w].
        column: Fractional column of texels, float [N,h,w].
        aspect: Fractional number of the proportion, float [N,h,w].
        valid: Whether the cell shows an instance of a kind that has a texture, bool [N,h,w].
    """

    row: Tensor
    column: Tensor
    aspect: Tensor
    valid: Tensor


def instance_uv(
    extents: Tensor, cells: Tensor, viewport: Viewport, classes: StreetClasses
) -> InstanceUV:
    """Texture coordinates within instances.

    Args:
        extents: uint8 [N,4,h/2,w/2], see `vidtrans.nets.extent.extents`.
        cells: Labels of every second pixel, integer [N,h,w].
        viewport: What they show of the film's picture.
        classes: Which labels are of which kind.
    """
    halves = constant(HALVES, extents.device)
    kind = kinds(classes, cells.device)[cells.int()]
    row, column, aspect = texel_coordinates(
        kind,
        tuple(_double(part) for part in extents.float().unbind(1)),
        viewport.columns(STRIDE, extents.device).repeat_interleave(2, dim=1)[:, None],
        (halves.repeat(extents.shape[-2])[:, None], halves.repeat(extents.shape[-1])),
        viewport.picture_hw,
    )
    return InstanceUV(row=row, column=column, aspect=aspect, valid=kind < KINDS)


def texel_coordinates(
    kind: Tensor,
    extents: tuple[Tensor, ...],
    x: Tensor,
    halves: tuple[Tensor, Tensor],
    picture_hw: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor]:
    """The coordinates of an `InstanceUV`, of cells of two pixels in any order.

    Args:
        kind: Each cell's texture as `kinds` has it.
        extents: Up, down, left and right, of the cell of `STRIDE` pixels that a cell lies in.
        x: The middle of that cell, see `Viewport.columns`.
        halves: Where the cell lies in that cell, down and across: of `HALVES`.
        picture_hw: Size of the film's picture.

    Returns:
        Row, column and aspect.
    """
    height, width = picture_hw
    up, down, left, right = extents
    wide, high = left + right + 1, up + down + 1
    middle = x + (right - left) * (STRIDE / 2)
    oncoming = (middle - width / 2) / height < _ONCOMING
    aspect = ((wide / high).log2() - _NARROWEST) / (_WIDEST - _NARROWEST)
    kind = kind + ((kind < 2 * VEHICLE_KINDS) & ~oncoming)
    return (
        kind.clamp(max=KINDS - 1) * SIDE + (up + halves[0]) / high * (SIDE - 1),
        (left + halves[1]) / wide * (SIDE - 1),
        aspect.clamp(0, 1) * (ASPECTS - 1),
    )


def _double(x: Tensor) -> Tensor:
    n, h, w = x.shape
    return x[:, :, None, :, None].expand(n, h, 2, w, 2).reshape(n, 2 * h, 2 * w)


@kept(maxsize=8)
def kinds(classes: StreetClasses, device: torch.device) -> Tensor:
    """The texture of every label, int64 [256]; of vehicles the one of those that come towards the
    camera, after which follows the other. KINDS for labels without one."""
    table = torch.full((256,), KINDS)
    for number, ids in enumerate(classes.vehicles):
        table[list(ids)] = 2 * number
    for number, ids in enumerate(classes.objects):
        table[list(ids)] = 2 * VEHICLE_KINDS + number
    return to_device(table, device)
