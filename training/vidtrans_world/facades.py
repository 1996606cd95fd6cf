"""Facades: walls with windows, panes, sills, curtains, doors and shop fronts."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.noise import band, fractal, hashed, stripes
from vidtrans_world.street import Street
from vidtrans_world.surface import Finish, ShadingPoints, mix


def _pick(table: Floats, at: Floats) -> Floats:
    rows: Floats = table[np.minimum((at * len(table)).astype(np.int64), len(table) - 1)]
    return rows


_DOORS = f32(
    [
        [0.10, 0.055, 0.03],
        [0.03, 0.07, 0.05],
        [0.16, 0.04, 0.03],
        [0.05, 0.06, 0.1],
        [0.22, 0.2, 0.17],
    ]
)
_BOARDS = f32(
    [
        [0.35, 0.04, 0.04],
        [0.03, 0.14, 0.09],
        [0.04, 0.08, 0.24],
        [0.05, 0.05, 0.05],
        [0.5, 0.36, 0.08],
        [0.55, 0.53, 0.48],
        [0.10, 0.2, 0.28],
    ]
)
_INSIDES = f32([[0.16, 0.12, 0.07], [0.05, 0.05, 0.05], [0.22, 0.18, 0.12], [0.08, 0.09, 0.1]])
_SHUTTERS = f32([[0.10, 0.17, 0.12], [0.14, 0.2, 0.27], [0.26, 0.1, 0.07], [0.45, 0.43, 0.39]])


def facade(p: ShadingPoints, street: Street) -> Finish:
    """A facade's finish; local x runs along the wall, local y tells the front 0, a side wall 1
    and a dormer 2."""
    u, v = p.local[:, 0], p.local[:, 2]
    flag = np.round(p.local[:, 1])
    width, _, floor_height, ground, spacing, ww, wh, style, shop, seed, floors = (
        p.fields[:, i] for i in range(11)
    )
    seed = seed.astype(np.int64)
    trim = p.fields[:, 12:15]
    fu, fv = p.footprint_along, p.footprint
    front, dormer = flag == 0, flag == 2
    modern = style == 3

    albedo = _wall(p, u, v, style, fu, fv)
    # Windows of the upper floors, and of the ground floor where there is no shop.
    cell = np.floor(u / spacing)
    upper = v >= ground
    level = np.where(upper, np.floor((v - ground) / floor_height), -1)
    a = (u / spacing - cell - 0.5) * spacing
    b = np.where(upper, v - ground - level * floor_height, v)
    half = ww * spacing / 2
    sill = np.where(upper, 0.27 * floor_height, 0.3 * ground)
    head = sill + wh * np.where(upper, floor_height, ground * 0.95)
    a = np.where(dormer, u, a)
    half = np.where(dormer, 0.42, half)
    b = np.where(dormer, v, b)
    sill, head = np.where(dormer, 0.25, sill), np.where(dormer, 1.25, head)
    open_floor = (upper & (level < floors)) | (~upper & (shop < 0.5))
    blind_side = (flag == 1) & (hashed(seed, 3) < 0.35)
    wanted = (open_floor & ~blind_side) | dormer
    pane_hash = hashed(cell, level, seed)

    def rect(grow_u: Floats | float, low: Floats, high: Floats) -> Floats:
        inside: Floats = band(np.abs(a), -9, half + grow_u, fu) * band(b, low, high, fv) * wanted
        return inside

    ring = f32(np.where(modern, 0.05, 0.14))
    surround = rect(ring, sill - 0.02, head + ring + 0.04)
    lintel = (
        rect(ring + 0.06, head + ring, head + ring + 0.14) * (style != 3) * (hashed(seed, 8) < 0.6)
    )
    board = rect(ring + 0.08, sill - 0.13, sill - 0.01)
    below = rect(ring + 0.03, sill - 0.24, sill - 0.13)
    opening = rect(0.0, sill, head)
    glass = rect(-0.07, sill + 0.07, head - 0.07)
    mullion = np.where(
        modern,
        band(np.abs(a - half * 0.3), -9, 0.035, fu),
        np.maximum(
            band(np.abs(a), -9, 0.04, fu),
            band(np.abs(b - sill - (head - sill) * 0.66), -9, 0.035, fv),
        ),
    )
    glass = glass * (1 - mullion)
    albedo = mix(albedo, trim, np.maximum(surround, lintel) * np.where(modern, 0.5, 0.9))
    albedo = mix(albedo, albedo * 0.55, below * 0.8)
    albedo = mix(albedo, trim * 1.05, board)
    shutter = (hashed(seed, 4) < 0.22) & (style < 2)
    wing = (
        band(np.abs(a), half + 0.02, half * 1.85, fu) * band(b, sill, head, fv) * wanted * shutter
    )
    slat = 0.75 + 0.35 * stripes(b, 0.09, 0, 0.6, fv)
    albedo = mix(albedo, _pick(_SHUTTERS, hashed(seed, 5)) * slat[:, None], wing)
    frame = np.where(modern[:, None], f32([0.09, 0.09, 0.1]), f32([0.62, 0.61, 0.58]))
    frame = np.where((hashed(seed, 6) < 0.25)[:, None], f32([0.16, 0.09, 0.05]), frame)
    albedo = mix(albedo, frame, opening)
    inside = _pick(_INSIDES, pane_hash) * (0.35 + 0.4 * hashed(cell, level, seed, 2))[:, None]
    rise = np.clip((b - sill) / np.maximum(head - sill, 0.1), 0, 1)
    curtain_kind = hashed(cell, level, seed, 1)
    fold = 0.85 + 0.3 * stripes(a, 0.16, 0, 0.5, fu)
    drawn = (curtain_kind < 0.4) & (np.abs(a) > half * (0.45 + curtain_kind))
    blind = (curtain_kind > 0.75) & (rise > 1.6 - curtain_kind)
    inside = np.where((drawn | blind)[:, None], f32([0.42, 0.40, 0.36]) * fold[:, None], inside)
    albedo = mix(albedo, inside, glass)
    recess = (
        rect(0.0, head - 0.16, head) * 0.55 + band(np.abs(a), half - 0.1, half, fu) * opening * 0.3
    )
    albedo = albedo * (1 - np.clip(recess, 0, 0.6))[:, None]
    glassy = glass

    # Shop fronts and doors on the ground floor.
    lower = ~upper & front
    rows = np.flatnonzero(lower & (shop > 0.5))
    if len(rows):
        shop_albedo, shop_glass = _shop(
            u[rows], v[rows], ground[rows], seed[rows], width[rows], fu[rows], fv[rows]
        )
        albedo[rows] = shop_albedo
        glassy = glassy.copy()
        glassy[rows] = shop_glass
    rows = np.flatnonzero(lower & (shop < 0.5))
    if len(rows):
        count = np.maximum(np.round(width[rows] / spacing[rows]), 1)
        at = np.floor(hashed(seed[rows], 9) * count)
        middle = (at + 0.5) * spacing[rows]
        d = np.abs(u[rows] - middle)
        arch = band(d, -9, 0.78, fu[rows]) * band(v[rows], -1, 2.75, fv[rows])
        leaf = band(d, -9, 0.58, fu[rows]) * band(v[rows], -1, 2.5, fv[rows])
        panelled = 1 - 0.3 * stripes(v[rows], 0.8, 0, 0.08, fv[rows])
        patch = band(d, -9, spacing[rows] / 2, fu[rows])
        albedo[rows] = mix(
            albedo[rows],
            _wall(p.rows(rows), u[rows], v[rows], style[rows], fu[rows], fv[rows]),
            patch,
        )
        albedo[rows] = mix(albedo[rows], trim[rows], arch)
        albedo[rows] = mix(
            albedo[rows], _pick(_DOORS, hashed(seed[rows], 10)) * panelled[:, None], leaf
        )
        fan = leaf * band(v[rows], 2.05, 2.4, fv[rows])
        albedo[rows] = mix(albedo[rows], f32([0.05, 0.05, 0.055]), fan)
        glassy = glassy.copy()
        glassy[rows] = glassy[rows] * (1 - patch) + fan
    facing = np.abs(np.einsum("nc,nc->n", p.normal, p.view))
    fresnel = 0.05 + 0.95 * (1 - facing) ** 5
    mirror = glassy * np.clip(
        0.18 + 0.14 * modern + 0.25 * hashed(cell, level, seed, 7) + 0.6 * fresnel, 0, 0.75
    )
    lit = glassy * (pane_hash > 0.93)
    emission = f32([0.42, 0.3, 0.15]) * lit[:, None]
    return Finish(albedo, mirror=mirror.astype(np.float32), emission=emission.astype(np.float32))


def _wall(p: ShadingPoints, u: Floats, v: Floats, style: Floats, fu: Floats, fv: Floats) -> Floats:
    big = fractal(u + p.fields[:, 9], v, 13.0, fv)
    fine = fractal(u + p.fields[:, 9], v, 2.1, fu)
    streak = fractal(u * 2.2 + p.fields[:, 9], v * 0.12, 9.0, fu)
    tone = 1 + 0.06 * big + 0.035 * fine + 0.055 * streak
    tone = tone - 0.16 * np.clip(1 - v / 0.9, 0, 1) * (0.7 + 0.3 * big)
    wall: Floats = p.colour * tone[:, None]
    brick = style == 1
    if brick.any():
        row = np.floor(v / 0.15)
        shift = u + (row % 2) * 0.16
        joint = 1 - (1 - stripes(v, 0.15, 0, 0.12, fv)) * (1 - stripes(shift, 0.32, 0, 0.05, fu))
        each = (hashed(np.floor(shift / 0.32), row) - 0.5) * np.clip(1.3 - fu / 0.2, 0, 1)
        bricks = mix(
            p.colour * (1 + 0.5 * each + 0.1 * big)[:, None], f32([0.4, 0.37, 0.33]), joint * 0.65
        )
        wall = np.where(brick[:, None], bricks, wall)
    stone = (style == 2) | (
        (style == 0) & (v < p.fields[:, 3]) & (p.fields[:, 9].astype(np.int64) % 2 == 0)
    )
    if stone.any():
        row = np.floor(v / 0.48)
        shift = u + (row % 2) * 0.45
        joint = 1 - (1 - stripes(v, 0.48, 0, 0.06, fv)) * (1 - stripes(shift, 0.9, 0, 0.03, fu))
        each = (hashed(np.floor(shift / 0.9), row) - 0.5) * np.clip(1.3 - fu / 0.6, 0, 1)
        wall = np.where(stone[:, None], wall * (1 + 0.14 * each - 0.33 * joint)[:, None], wall)
    bands = style == 3
    if bands.any():
        slab = stripes(v - p.fields[:, 3], p.fields[:, 2], 0.0, 0.10, fv)
        seam = stripes(u, 1.2, 0, 0.02, fu)
        wall = np.where(bands[:, None], wall * (1 - 0.25 * slab - 0.2 * seam)[:, None], wall)
    return wall


def _shop(
    u: Floats, v: Floats, ground: Floats, seed: np.ndarray, width: Floats, fu: Floats, fv: Floats
) -> tuple[Floats, Floats]:
    count = np.maximum(np.round(width / 5.0), 1)
    wide = width / count
    unit = np.floor(u / wide)
    a = u - unit * wide
    tone = hashed(unit, seed, 30)
    colour = _pick(_BOARDS, tone)
    pier = 1 - band(a, 0.28, wide - 0.28, fu)
    stall = band(v, -1, 0.45, fv)
    sign = band(v, ground - 0.85, ground - 0.2, fv) * (1 - pier)
    letters = band(v, ground - 0.68, ground - 0.38, fv) * stripes(a, 0.34, 0.1, 0.75, fu)
    run = hashed(unit, seed, 31)
    letters = (
        letters
        * band(a, wide * 0.2, wide * (0.5 + 0.32 * run), fu)
        * (hashed(np.floor(a / 0.34), unit, seed) > 0.12)
    )
    door_at = wide * np.where(run < 0.5, 0.18, 0.8)
    door = band(np.abs(a - door_at), -9, 0.5, fu) * band(v, -1, 2.3, fv)
    mull = np.maximum(stripes(a, wide / 3, 0, 0.07 / 1.7, fu), band(np.abs(v - 2.35), -9, 0.05, fv))
    glass = band(v, 0.5, ground - 0.95, fv) * (1 - pier) * (1 - mull)
    glass = np.maximum(
        glass * (1 - door), door * band(np.abs(a - door_at), -9, 0.38, fu) * band(v, 0.3, 2.15, fv)
    )
    frame = colour * 0.55 + 0.02
    goods = hashed(np.floor(a / 0.5), np.floor(v / 0.4), unit, seed)
    near = np.clip(1.4 - fu / 0.5, 0, 1)
    display = _pick(
        f32(
            [
                [0.3, 0.1, 0.08],
                [0.1, 0.16, 0.2],
                [0.3, 0.26, 0.18],
                [0.06, 0.06, 0.06],
                [0.16, 0.2, 0.1],
            ]
        ),
        goods,
    )
    inside = f32([0.10, 0.085, 0.065]) * (1.3 - 0.25 * v[:, None]).clip(0.3, 1.3)
    inside = mix(inside, display, near * (v < 1.5) * (goods > 0.35) * 0.8)
    albedo = mix(frame, f32([0.36, 0.34, 0.31]), pier)
    albedo = mix(albedo, frame * 0.8, stall * (1 - pier))
    albedo = mix(albedo, colour, sign)
    light_text = np.where(
        (colour.mean(1) < 0.3)[:, None], f32([0.65, 0.62, 0.55]), f32([0.06, 0.05, 0.05])
    )
    albedo = mix(albedo, light_text, letters * sign)
    albedo = mix(albedo, inside, glass)
    over = band(v, ground - 0.2, ground + 1, fv)
    albedo = mix(albedo, f32([0.4, 0.38, 0.35]), over)
    return albedo, glass * (1 - over)
