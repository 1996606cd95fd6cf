"""Houses along a street: facades for the shading to fill with windows, cornices, roofs,
balconies, awnings, chimneys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.soup import Material, Soup, box, join, panel, quad, repeated, soup

WALLS = f32(
    [
        [0.56, 0.47, 0.31], [0.52, 0.38, 0.22], [0.58, 0.53, 0.44], [0.42, 0.40, 0.37], [0.54,
        0.34, 0.22],
        [0.46, 0.25, 0.16], [0.62, 0.58, 0.50], [0.40, 0.36, 0.29], [0.53, 0.42, 0.36], [0.38,
        0.42, 0.38],
    ]
)  # fmt: skip
BRICKS = f32([[0.26, 0.10, 0.065], [0.32, 0.15, 0.09], [0.30, 0.19, 0.13], [0.22, 0.10, 0.08]])
ROOFS = f32([[0.24, 0.09, 0.05], [0.16, 0.07, 0.05], [0.06, 0.06, 0.065], [0.09, 0.085, 0.08]])
TRIMS = f32([[0.62, 0.59, 0.53], [0.48, 0.44, 0.38], [0.3, 0.27, 0.24], [0.7, 0.69, 0.66]])
FACADE_FIELDS = 20


@dataclass(frozen=True, slots=True)
class House:
    """One house: which side of the street (-1 left, 1 right), its extent along y, and how it is
    dressed."""

    side: int
    y0: float
    y1: float
    front: float  # distance of the facade from the road's middle, metres
    floors: int
    floor_height: float
    ground_height: float
    window_spacing: float
    window_width: float  # share of the spacing
    window_height: float  # share of the floor
    style: int  # 0 plaster, 1 brick, 2 stone, 3 modern bands
    shop: bool
    wall: tuple[float, float, float]
    trim: tuple[float, float, float]
    roof: int  # 0 flat with a parapet, 1 pitched, 2 mansard
    roof_colour: tuple[float, float, float]
    balconies: bool
    seed: int

    @property
    def height(self) -> float:
        return self.ground_height + self.floors * self.floor_height


def plan_house(
    rng: np.random.Generator,
    side: int,
    y0: float,
    y1: float,
    front: float,
    dense: float,
    old: float,
) -> House:
    """Chooses a house; ``dense`` 0 to 1 is how urban the street is, ``old`` 0 to 1 how historic."""
    modern = rng.random() > old
    brick = not modern and rng.random() < 0.22
    wall = BRICKS[int(rng.integers(len(BRICKS)))] if brick else WALLS[int(rng.integers(len(WALLS)))]
    wall = wall * rng.uniform(0.85, 1.1)
    if modern:
        wall = wall * 0.5 + wall.mean() * 0.5
    floors = int(np.clip(rng.normal(1.6 + 2.6 * dense, 0.9), 1, 6))
    spacing = float(rng.uniform(1.9, 2.9) if not modern else rng.uniform(2.2, 3.6))
    count = max(2, round((y1 - y0 - 0.6) / spacing))
    return House(
        side=side,
        y0=y0,
        y1=y1,
        front=front,
        floors=floors,
        floor_height=float(rng.uniform(2.9, 3.6)),
        ground_height=float(rng.uniform(3.4, 4.4)),
        window_spacing=(y1 - y0) / count,
        window_width=float(rng.uniform(0.36, 0.5) if not modern else rng.uniform(0.5, 0.75)),
        window_height=float(rng.uniform(0.5, 0.62)),
        style=1 if brick else (3 if modern else int(rng.random() < 0.25) * 2),
        shop=bool(rng.random() < 0.15 + 0.6 * dense),
        wall=tuple(wall.tolist()),
        trim=tuple(TRIMS[int(rng.integers(len(TRIMS)))].tolist()),
        roof=int(0 if modern and rng.random() < 0.7 else rng.choice([1, 1, 2])),
        roof_colour=tuple(ROOFS[int(rng.integers(len(ROOFS)))].tolist()),
        balconies=bool(rng.random() < 0.3),
        seed=int(rng.integers(1 << 20)),
    )


_DRESSES = (
    # style, wall, trim, roof shape, roof, shop, balconies, seed; for houses on the left, then on
    # the right.
    (
        (0, WALLS[0], TRIMS[3], 1, ROOFS[0], True, False, 14),
        (1, BRICKS[1], TRIMS[0], 2, ROOFS[3], False, False, 21),
    ),
    (
        (1, BRICKS[0], TRIMS[0], 1, ROOFS[2], False, False, 33),
        (0, WALLS[6], TRIMS[1], 1, ROOFS[0], True, False, 42),
    ),
    (
        (0, WALLS[8], TRIMS[3], 2, ROOFS[3], True, False, 56),
        (2, WALLS[2], TRIMS[0], 1, ROOFS[1], False, True, 63),
    ),
    (
        (2, WALLS[9], TRIMS[0], 1, ROOFS[1], False, True, 70),
        (0, WALLS[1], TRIMS[3], 2, ROOFS[2], True, False, 88),
    ),
)


def terrace_house(
    rng: np.random.Generator, side: int, y0: float, y1: float, front: float, dense: float, turn: int
) -> House:
    """A house of a terrace: dressed as its turn has it, as high as chance has it."""
    style, wall, trim, roof, roof_colour, shop, balconies, seed = _DRESSES[turn % len(_DRESSES)][
        side > 0
    ]
    return House(
        side=side,
        y0=y0,
        y1=y1,
        front=front,
        floors=int(np.clip(rng.normal(1.4 + 2.2 * dense, 0.8), 2, 5)),
        floor_height=3.2,
        ground_height=3.8,
        window_spacing=3.0,
        window_width=0.42,
        window_height=0.56,
        style=style,
        shop=shop,
        wall=tuple(wall.tolist()),
        trim=tuple(trim.tolist()),
        roof=roof,
        roof_colour=tuple(roof_colour.tolist()),
        balconies=balconies,
        seed=seed,
    )


def facade_fields(house: House) -> Floats:
    """The numbers that the facade's shading needs."""
    fields = np.zeros(FACADE_FIELDS, np.float32)
    fields[:12] = [
        house.y1 - house.y0, house.height, house.floor_height, house.ground_height,
        house.window_spacing, house.window_width,
        house.window_height, house.style, house.shop, house.seed, house.floors, house.y0,
    ]  # fmt: skip
    fields[12:15] = house.trim
    return fields


def build_house(house: House, depth: float = 11.0, ground: float = 0.12) -> Soup:
    """The house's triangles. Facade textures: local x runs along the wall, local z is height
    above the pavement."""
    s, x, y0, y1 = house.side, house.side * house.front, house.y0, house.y1
    width, top = y1 - y0, house.height
    parts = []

    def wall(
        origin: tuple[float, float, float],
        along: tuple[float, float, float],
        start: float,
        flag: float,
    ) -> None:
        points = panel(origin, along, (0, 0, top), 4.0)
        local = np.zeros_like(points)
        direction = f32(along) / np.linalg.norm(along)
        local[..., 0] = (points - f32(origin)) @ direction + start
        local[..., 1] = flag
        local[..., 2] = points[..., 2] - ground
        parts.append(soup(points, Material.FACADE, house.wall, local=local))

    wall((x, y0, ground), (0, width, 0), 0, 0)
    wall((x, y0, ground), (s * depth, 0, 0), 300, 1)
    wall((x, y1, ground), (s * depth, 0, 0), 600, 1)
    eave = top + ground

    def ledge(z: float, high: float, out: float, colour: tuple[float, ...]) -> None:
        near, far = x - s * out, x + s * 0.05
        low = (min(near, far), y0 - 0.02, z)
        parts.append(soup(box(low, (max(near, far), y1 + 0.02, z + high)), colour=colour))

    if house.style != 3:
        ledge(eave - 0.35, 0.4, 0.38, house.trim)
        ledge(eave - 0.6, 0.2, 0.16, house.trim)
        ledge(ground + house.ground_height - 0.12, 0.22, 0.13, house.trim)
        ledge(ground, 0.5, 0.05, tuple(0.6 * c for c in house.trim))
    else:
        ledge(eave - 0.12, 0.3, 0.08, tuple(0.5 * c for c in house.wall))
    roof = house.roof_colour
    if house.roof == 0:
        flat = panel((x, y0, eave), (0, width, 0), (s * depth, 0, 0))
        parts.append(soup(flat, colour=(0.2, 0.2, 0.2)))
        parts.append(
            soup(
                box((min(x, x + s * 0.25), y0, eave), (max(x, x + s * 0.25), y1, eave + 0.7)),
                colour=house.wall,
            )
        )
    else:
        steep = (1.6, 2.6) if house.roof == 2 else (depth / 2, 3.2 + 0.25 * (house.seed % 5))
        lap = -0.35 * s
        slope = panel(
            (x + lap, y0, eave + 0.02), (0, width, 0), (s * (steep[0] + 0.35), 0, steep[1])
        )
        local = slope.copy()
        local[..., 0] = slope[..., 1]
        local[..., 1] = (slope[..., 2] - eave) * 1.4
        parts.append(soup(slope, Material.ROOF, roof, local=local))
        ridge = (x + s * steep[0], eave + steep[1] + 0.02)
        back = panel(
            (ridge[0], y0, ridge[1]),
            (0, width, 0),
            (s * (depth - steep[0]), 0, 0 if house.roof == 2 else -steep[1]),
        )
        parts.append(soup(back, Material.ROOF, roof, local=back[..., [1, 0, 2]]))
        for y in (y0, y1):
            gable = f32(
                [
                    [
                        [x, y, eave],
                        [ridge[0], y, ridge[1]],
                        [x + s * depth, y, eave if house.roof == 1 else ridge[1]],
                    ]
                ]
            )
            parts.append(soup(gable, colour=house.wall))
            if house.roof == 2:
                parts.append(
                    soup(
                        f32(
                            [[[x, y, eave], [x + s * depth, y, ridge[1]], [x + s * depth, y, eave]]]
                        ),
                        colour=house.wall,
                    )
                )
        chimney = y0 + width * (0.2 + 0.6 * ((house.seed % 97) / 97))
        cx = ridge[0] + s * 0.6
        parts.append(
            soup(
                box(
                    (cx - 0.35, chimney, ridge[1] - 1.2), (cx + 0.35, chimney + 0.9, ridge[1] + 1.1)
                ),
                Material.BRICK,
                (0.24, 0.11, 0.08),
            )
        )
        cells = round(width / house.window_spacing)
        if house.roof == 2 or house.seed % 3 == 0:
            for cell in range(0 if house.roof == 2 else 1, cells, 1 if house.roof == 2 else 2):
                middle = y0 + (cell + 0.5) * house.window_spacing
                _dormer(parts, house, x, s, middle, eave + 0.35)
    if house.balconies:
        for floor in range(1, house.floors):
            for cell in range(1, round(width / house.window_spacing) - 1, 2):
                middle, z = (
                    y0 + (cell + 0.5) * house.window_spacing,
                    ground + house.ground_height + floor * house.floor_height,
                )
                _balcony(parts, x, s, middle, z, house.window_spacing * 0.42)
    if house.shop and house.seed % 2:
        colours = f32(
            [
                [0.45, 0.06, 0.05],
                [0.06, 0.2, 0.13],
                [0.08, 0.12, 0.3],
                [0.6, 0.42, 0.12],
                [0.55, 0.52, 0.46],
            ]
        )
        colour = colours[house.seed % 5]
        for start, end in ((0.08, 0.45), (0.55, 0.92))[: 1 + house.seed % 3 // 2 + (width > 12)]:
            z = ground + house.ground_height - 0.75
            cloth = panel(
                (x, y0 + start * width, z), (0, (end - start) * width, 0), (-s * 1.3, 0, -0.65)
            )
            skirt = panel(
                (x - s * 1.3, y0 + start * width, z - 0.65),
                (0, (end - start) * width, 0),
                (0, 0, -0.2),
            )
            for piece in (cloth, skirt):
                parts.append(soup(piece, Material.AWNING, colour, local=piece[..., [1, 2, 0]]))
    return join(parts)


def _dormer(parts: list[Soup], house: House, x: float, s: int, y: float, z: float) -> None:
    out = x + s * 0.25
    half, high = 0.62, 1.5
    front = quad(
        (out, y - half, z), (out, y + half, z), (out, y + half, z + high), (out, y - half, z + high)
    )
    local = np.zeros_like(front)
    local[..., 0] = front[..., 1] - y
    local[..., 1] = 2
    local[..., 2] = front[..., 2] - z
    parts.append(soup(front, Material.FACADE, house.wall, local=local))
    deep = s * 2.5
    for side in (-half, half):
        cheek = quad(
            (out, y + side, z),
            (out, y + side, z + high),
            (out + deep, y + side, z + high),
            (out + deep, y + side, z),
        )
        parts.append(soup(cheek, colour=house.roof_colour))
    lid = [out - s * 0.15, out + deep]
    parts.append(
        soup(
            box((min(lid), y - half - 0.1, z + high), (max(lid), y + half + 0.1, z + high + 0.12)),
            colour=house.roof_colour,
        )
    )


def _balcony(parts: list[Soup], x: float, s: int, y: float, z: float, half: float) -> None:
    near = x - s * 0.95
    parts.append(
        soup(
            box((min(near, x), y - half, z), (max(near, x), y + half, z + 0.14)),
            colour=(0.5, 0.48, 0.45),
        )
    )
    dark = (0.04, 0.04, 0.045)
    bars = np.linspace(-half, half, 9)
    parts.append(
        soup(
            repeated(panel((near, y - 0.02, z + 0.1), (0, 0.04, 0), (0, 0, 0.9)), bars), colour=dark
        )
    )
    for level in (0.95, 0.2):
        low = (min(near - 0.02, near + 0.02), y - half, z + level)
        parts.append(soup(box(low, (near + 0.02, y + half, z + level + 0.06)), colour=dark))
    for side in (-half, half):
        parts.append(
            soup(
                quad(
                    (near, y + side, z + 0.95),
                    (x, y + side, z + 0.95),
                    (x, y + side, z + 1.01),
                    (near, y + side, z + 1.01),
                ),
                colour=dark,
            )
        )
