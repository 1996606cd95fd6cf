"""What stands on a pavement: signs, traffic lights, lamps, bollards, bins, fences."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.soup import Material, Soup, box, ellipsoid, join, panel, repeated, soup, tube

GREY = (0.3, 0.31, 0.32)


def post(
    x: float,
    y: float,
    z: float,
    height: float,
    radius: float = 0.035,
    colour: tuple[float, float, float] = GREY,
) -> Soup:
    """An upright post."""
    points, normals = tube([(x, y, z), (x, y, z + height)], [radius, radius], 8)
    return soup(points, Material.METAL, colour, normals)


def sign_plate(x: float, y: float, z: float, kind: int, size: float, facing: int = -1) -> Soup:
    """A traffic sign's plate about (x, y, z): kinds 0 limit, 1 warning, 2 mandatory, 3 priority, 4
    yield, 5 parking, 6 no entry, 7 direction board, 8 stop. Local coordinates -1 to 1; the back is
    plain."""
    corners = {1: (3, 90), 4: (3, -90), 3: (4, 0), 5: (4, 45), 7: (4, 45), 8: (8, 22.5)}.get(
        kind, (20, 0)
    )
    turn = np.radians(corners[1] + np.arange(corners[0]) * 360 / corners[0])
    stretch = {5: np.sqrt(2) * f32([0.75, 0.75]), 7: np.sqrt(2) * f32([1.6, 0.45])}.get(
        kind, f32([1, 1])
    )
    rim = np.stack([np.cos(turn), np.sin(turn)], 1) * stretch
    points, local = [], []
    for a, b in zip(rim, np.roll(rim, -1, 0), strict=True):
        corner = f32([[0, 0], a, b])
        place = np.stack([x + corner[:, 0] * size, np.full(3, y), z + corner[:, 1] * size], 1)
        points.append(place)
        local.append(
            np.concatenate([corner / (stretch if kind in (5, 7) else 1), np.full((3, 1), kind)], 1)
        )
    front = soup(f32(points), Material.SIGN, (0.7, 0.7, 0.7), local=f32(local))
    back = soup(f32(points) + f32([0, -facing * 0.02, 0]), Material.METAL, (0.35, 0.35, 0.36))
    return join([front, back])


def signal(x: float, y: float, z: float, state: int) -> Soup:
    """A traffic light's box with its three lamps facing -y: state 0 red, 1 amber, 2 green."""
    case = soup(box((x - 0.16, y, z), (x + 0.16, y + 0.22, z + 0.95)), colour=(0.02, 0.025, 0.02))
    lamps = []
    for i, high in enumerate((0.78, 0.48, 0.18)):
        glow = f32([[1.0, 0.06, 0.03], [1.0, 0.45, 0.03], [0.05, 0.9, 0.35]][i]) * (
            1.0 if i == state else 0.06
        )
        points, normals = ellipsoid((x, y - 0.01, z + high), (0.105, 0.04, 0.105), 6, 12)
        lamps.append(soup(points, Material.SIGNAL, glow, normals))
        hood = panel((x - 0.12, y - 0.14, z + high + 0.12), (0.24, 0, 0), (0, 0.15, 0.0))
        lamps.append(soup(hood, colour=(0.02, 0.02, 0.02)))
    return join([case, *lamps])


def lamp(x: float, y: float, z: float, side: int, height: float, classic: bool) -> Soup:
    """A street lamp: a mast with an arm over the road, or a lantern on a post."""
    if classic:
        head, normals = ellipsoid((x, y, z + height), (0.2, 0.2, 0.3), 6, 8)
        return join(
            [
                post(x, y, z, height - 0.2, 0.06, (0.05, 0.06, 0.05)),
                soup(head, Material.METAL, (0.5, 0.5, 0.45), normals),
            ]
        )
    mast, normals = tube([(x, y, z), (x, y, z + height)], [0.09, 0.05], 8)
    arm = box(
        (min(x, x - side * 1.6), y - 0.035, z + height - 0.03),
        (max(x, x - side * 1.6), y + 0.035, z + height + 0.04),
    )
    tip = x - side * 1.6
    head = box((tip - 0.3, y - 0.12, z + height - 0.05), (tip + 0.3, y + 0.12, z + height + 0.08))
    return join(
        [
            soup(mast, Material.METAL, GREY, normals),
            soup(arm, Material.METAL, GREY),
            soup(head, Material.METAL, (0.4, 0.4, 0.4)),
        ]
    )


def bin_(x: float, y: float, z: float, colour: Floats) -> Soup:
    """A wheeled rubbish bin."""
    body = box((x - 0.28, y - 0.3, z + 0.08), (x + 0.28, y + 0.3, z + 1.0))
    lid = box((x - 0.31, y - 0.33, z + 1.0), (x + 0.31, y + 0.33, z + 1.08))
    return join([soup(body, colour=colour), soup(lid, colour=colour * 0.6)])


def fence(x: float, y0: float, y1: float, z: float, height: float) -> Soup:
    """A railing along y: two rails and bars."""
    dark = (0.05, 0.06, 0.055)
    parts = [
        soup(box((x - 0.02, y0, z + h), (x + 0.02, y1, z + h + 0.05)), Material.METAL, dark)
        for h in (0.15, height - 0.08)
    ]
    bars = repeated(panel((x, 0, z), (0, 0.035, 0), (0, 0, height)), np.arange(y0, y1, 0.16))
    parts.append(soup(bars, Material.METAL, dark))
    for y in np.arange(y0, y1 + 0.1, 2.4):
        parts.append(
            soup(
                box((x - 0.04, y - 0.04, z), (x + 0.04, y + 0.04, z + height + 0.08)),
                Material.METAL,
                dark,
            )
        )
    return join(parts)
