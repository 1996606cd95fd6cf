"""The finish of vehicles: paint, panes, lamps, seams, plates and wheels, found from the place on
the body."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import f32
from vidtrans_world.noise import band, hashed, stripes
from vidtrans_world.street import Street
from vidtrans_world.surface import Finish, ShadingPoints, mix


def car_body(p: ShadingPoints, street: Street) -> Finish:
    """Bonnet, roof, bumpers and the panes at front and rear."""
    return _bodywork(p, side=False)


def car_side(p: ShadingPoints, street: Street) -> Finish:
    """The band between belt line and roof: side panes between pillars."""
    return _bodywork(p, side=True)


def _bodywork(p: ShadingPoints, side: bool) -> Finish:
    x, y, z = np.abs(p.local[:, 0]), p.local[:, 1], p.local[:, 2]
    length, width, height, belt = (p.fields[:, i] for i in range(4))
    half = length / 2
    if side:
        glass = band(z, belt + 0.03, height - 0.13, p.footprint)
        glass = glass * (1 - stripes(y - 0.12, 1.05, 0.0, 0.09, p.footprint))
    else:
        front = np.where(y > 0, 0.0, 0.06)
        glass = band(z, belt + 0.07 + front, height - 0.07, p.footprint) * (x < width * 0.5)
        glass = glass * (height > belt + 0.1)
    lamps_front = (
        band(z, belt * 0.66, belt * 0.84, p.footprint)
        * band(x, width * 0.27, width * 0.5, p.footprint)
        * (y > half - 0.42)
    )
    grille = (
        band(z, 0.36, belt * 0.66, p.footprint)
        * band(x, -1, width * 0.3, p.footprint)
        * (y > half - 0.3)
    )
    tall = height > 1.85
    lamps_rear = band(
        z, belt * np.where(tall, 0.75, 0.76), belt * np.where(tall, 1.25, 0.97), p.footprint
    )
    lamps_rear = (
        lamps_rear
        * band(x, width * np.where(tall, 0.43, 0.33), width * 0.52, p.footprint)
        * (y < -half + 0.3)
    )
    plate = band(x, -1, 0.26, p.footprint) * np.where(
        y > 0,
        band(z, 0.38, 0.49, p.footprint) * (y > half - 0.25),
        band(z, 0.62, 0.74, p.footprint) * (y < -half + 0.25),
    )
    seams = (
        band(np.abs(y - half * 0.22), -1, 0.012, p.footprint)
        + band(np.abs(y + half * 0.24), -1, 0.012, p.footprint)
        + band(np.abs(y - half * 0.62), -1, 0.012, p.footprint)
    )
    seams = np.clip(seams, 0, 1) * (z < belt) * (z > 0.35) * (x > width * 0.42) * 0.7
    seams = np.maximum(
        seams, band(np.abs(z - belt + 0.08), -1, 0.012, p.footprint) * 0.4 * (x > width * 0.42)
    )
    arch = np.zeros_like(y)
    for at in (half - 0.82, -half + 0.78):
        arch = np.maximum(arch, band(np.hypot(y - at, z - 0.32), -1, 0.40, p.footprint))
    arch = arch * (x > width * 0.38) * (z < 0.85)
    dark = np.maximum(band(z, -1, 0.31, p.footprint) * 0.95, arch)
    bumper = (
        band(z, -1, 0.5, p.footprint)
        * (np.abs(y) > half - 0.35)
        * (hashed((p.fields[:, 4] * 1000).astype(np.int64)) < 0.35)
    )
    black = f32([0.018, 0.018, 0.02])
    albedo = p.colour.copy()
    albedo = mix(albedo, black * 2, bumper)
    albedo = mix(albedo, black, np.maximum(seams, grille))
    albedo = mix(albedo, black, dark)
    albedo = mix(albedo, f32([0.72, 0.72, 0.70]), plate)
    albedo = mix(albedo, f32([0.75, 0.77, 0.8]), lamps_front)
    albedo = mix(albedo, f32([0.42, 0.015, 0.015]), lamps_rear)
    albedo = mix(albedo, f32([0.012, 0.014, 0.016]), glass)
    matte = np.maximum.reduce([dark, grille, seams, plate])
    fresnel = 0.04 + 0.96 * (1 - np.abs(np.einsum("nc,nc->n", p.normal, p.view))) ** 5
    mirror = (0.05 + 0.55 * fresnel) * (1 - matte)
    mirror = mirror * (1 - glass) + (0.16 + 0.8 * fresnel) * glass
    emission = f32([0.9, 0.03, 0.02]) * (lamps_rear * 0.12)[:, None]
    return Finish(
        albedo,
        mirror=np.clip(mirror, 0, 0.85).astype(np.float32),
        emission=emission.astype(np.float32),
        gloss=1.0,
    )


def bus(p: ShadingPoints, street: Street) -> Finish:
    """A bus: a band of panes, a stripe, lamps and the lit destination board."""
    y, z, x = p.local[:, 1], p.local[:, 2], np.abs(p.local[:, 0])
    half = p.fields[:, 0] / 2
    end = np.abs(y) > half - 0.3
    glass = band(z, 1.25, 2.5, p.footprint) * np.where(
        end, band(x, -1, 1.08, p.footprint), 1 - stripes(y, 1.45, 0, 0.07, p.footprint)
    )
    stripe = band(z, 0.95, 1.15, p.footprint)
    low = band(z, 0, 0.45, p.footprint)
    board = band(z, 2.62, 2.9, p.footprint) * (y > half - 0.3) * band(x, -1, 0.8, p.footprint)
    lamps = band(z, 0.6, 0.85, p.footprint) * band(x, 0.75, 1.15, p.footprint) * end
    albedo = mix(p.colour, f32([0.65, 0.65, 0.62]), stripe)
    albedo = mix(albedo, f32([0.015, 0.018, 0.02]), np.maximum(glass, low))
    albedo = mix(albedo, f32([0.02, 0.02, 0.02]), board)
    lamp = np.where((y > 0)[:, None], f32([0.75, 0.77, 0.8]), f32([0.45, 0.02, 0.02]))
    albedo = mix(albedo, lamp, lamps)
    text = board * stripes(x, 0.22, 0.15, 0.8, p.footprint) * band(z, 2.68, 2.84, p.footprint)
    emission = f32([0.9, 0.5, 0.05]) * text[:, None]
    fresnel = 0.04 + 0.96 * (1 - np.abs(np.einsum("nc,nc->n", p.normal, p.view))) ** 5
    return Finish(
        albedo, mirror=(0.06 + 0.18 * glass + 0.5 * fresnel).astype(np.float32), emission=emission
    )


def wheel(p: ShadingPoints, street: Street) -> Finish:
    """A wheel's face: tyre, rim and five openings; local coordinates in radii."""
    y, z = p.local[:, 1], p.local[:, 2]
    r = np.hypot(y, z)
    footprint = p.footprint / 0.32
    rim = band(r, -1, 0.66, footprint)
    turn = np.arctan2(z, y)
    spokes = band(np.sin(turn * 5), -0.1, 2, footprint * 6) * band(r, 0.17, 0.58, footprint)
    albedo = mix(np.full((len(y), 3), 0.02, np.float32), f32([0.4, 0.4, 0.41]), rim)
    return Finish(mix(albedo, f32([0.06, 0.06, 0.06]), spokes), mirror=0.12 * rim)
