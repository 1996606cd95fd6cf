"""The camera behind the windscreen: a pinhole that drives in the right lane and sways a little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidtrans_world.arrays import Floats
from vidtrans_world.street import PLOT, Street

FPS = 17
"""Frames a second, as Cityscapes films them."""


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """``eye`` [3] metres; rows of ``axes`` [3,3] point right, up and ahead; ``focal`` and
    ``centre`` in pixels."""

    eye: Floats
    axes: Floats
    focal: float
    centre: tuple[float, float]
    size_hw: tuple[int, int]

    def rays(self, x: Floats, y: Floats) -> Floats:
        """Unit directions [N,3] through the picture places ``x``, ``y`` (pixel centres at .5)."""
        flat = np.stack(
            [(x - self.centre[0]) / self.focal, (self.centre[1] - y) / self.focal, np.ones_like(x)],
            1,
        )
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        return (flat.astype(np.float32) @ self.axes).astype(np.float32)

    def project(self, points: Floats, endless: bool = False) -> tuple[Floats, Floats, Floats]:
        """Positions x and y in pixels and depth in metres of ``points`` [N,3]; directions instead
        where ``endless``."""
        seen = (points if endless else points - self.eye).astype(np.float64) @ self.axes.T.astype(
            np.float64
        )
        depth = np.where(np.abs(seen[:, 2]) < 1e-6, 1e-6, seen[:, 2])
        x = seen[:, 0] / depth * self.focal + self.centre[0]
        y = self.centre[1] - seen[:, 1] / depth * self.focal
        return x.astype(np.float32), y.astype(np.float32), seen[:, 2].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Route:
    """Where the camera is in its street, metres: ``travelled`` along it, in a terrace up to a whole
    `ROUND`, so that equal numbers see equal houses; and how far the fronts of the houses are to its
    ``left`` and to its ``right``."""

    travelled: float
    left: float
    right: float


def route_at(street: Street, seconds: float) -> Route:
    """The camera's place at a time."""
    x, y, _ = camera_at(street, seconds, (1, 1)).eye.tolist()
    aside = x - float(street.curve(y))
    return Route(y + PLOT * street.turn, street.front + aside, street.front - aside)


def camera_at(street: Street, seconds: float, size_hw: tuple[int, int]) -> Camera:
    """The camera of a street at a time. Its field of view is about 54 degrees, its horizon a
    little above the middle."""
    rng = np.random.default_rng([street.seed, 3])
    fov, height, pitch = (
        np.radians(rng.uniform(50, 58)),
        rng.uniform(1.25, 1.5),
        np.radians(rng.uniform(-0.2, 1.6)),
    )
    sway, phase, start = rng.uniform(0.03, 0.16), rng.uniform(0, 6.28), rng.uniform(0, 12)
    if street.terrace:
        fov, height, pitch, sway = np.radians(54), 1.4, np.radians(0.7), 0.02
    y = start + street.speed * seconds
    angle = 2 * np.pi * 0.23 * seconds + phase
    x = street.lane * 0.5 - 0.25 + float(street.curve(y)) + sway * np.sin(angle)
    yaw = np.arctan(street.slope(y + 6)) + sway * 0.12 * np.cos(angle)
    pitch = pitch + np.radians(0.12) * np.sin(2 * np.pi * 1.1 * seconds + phase)
    ahead = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    axes = np.stack([right, np.cross(right, ahead), ahead]).astype(np.float32)
    h, w = size_hw
    eye = np.array([x, y, height], np.float32)
    return Camera(eye, axes, float(w / 2 / np.tan(fov / 2)), (w / 2, h / 2), size_hw)
