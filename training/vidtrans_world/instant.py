"""The street at one time: where everything is, and what rays from the camera hit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from embreex.rtcore_scene import EmbreeScene

from vidtrans_world.arrays import Floats, Ints
from vidtrans_world.camera import Camera, camera_at
from vidtrans_world.cast import Caster, Hits, scene_of
from vidtrans_world.site import SKY
from vidtrans_world.soup import Soup, join, soup
from vidtrans_world.world import World, placed

_NOTHING = soup(np.zeros((0, 3, 3), np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Instant:
    """The triangles that stand still and those that move, their scenes, the camera, and the moving
    vehicles' footprints [K,5]: x, y, yaw, half width, half length."""

    still: Soup
    moving: Soup
    caster: Caster
    camera: Camera
    vehicles: Floats

    def cast(self, directions: Floats) -> Hits:
        """What rays [N,3] from the camera hit."""
        return self.caster.hits(
            np.broadcast_to(self.camera.eye, directions.shape).copy(), directions
        )

    def gather(self, name: str, triangle: Ints) -> npt.NDArray[Any]:
        """An attribute of triangles that are numbered as the caster numbers them."""
        count = len(self.still)
        values: npt.NDArray[Any] = getattr(self.still, name)[np.minimum(triangle, count - 1)]
        rows = np.flatnonzero(triangle >= count)
        if len(rows):
            values[rows] = getattr(self.moving, name)[triangle[rows] - count]
        return values

    def corners(self, name: str, triangle: Ints, weights: Floats) -> Floats:
        """A corner attribute interpolated at hits, [N,3]."""
        values: Floats = np.einsum("nk,nkc->nc", weights, self.gather(name, triangle))
        return values


def instant_at(world: World, still: EmbreeScene, seconds: float, camera: Camera) -> Instant:
    """The street ``seconds`` after the clip's start, seen by ``camera``; ``still`` is the scene
    of what does not move."""
    moved, vehicles = [], []
    for mover in world.movers:
        points, normals = placed(mover, world.street, seconds)
        moved.append(replace(mover.body, points=points, normals=normals))
        if mover.footprint:
            y = mover.start[1] + mover.velocity[1] * seconds
            vehicles.append(
                (mover.start[0] + float(world.street.curve(y)), y, 0.0, *mover.footprint)
            )
    moving = join([_NOTHING, *moved])
    caster = Caster(still, scene_of(moving.points), len(world.still))
    return Instant(
        world.still, moving, caster, camera, np.array(vehicles, np.float32).reshape(-1, 5)
    )


def ride(world: World, still: EmbreeScene, seconds: float, size_hw: tuple[int, int]) -> Instant:
    """The street seen from the car that drives through it."""
    return instant_at(world, still, seconds, camera_at(world.street, seconds, size_hw))


def centres(size_hw: tuple[int, int]) -> tuple[Floats, Floats]:
    """Where the pixels' centres are: x and y [H*W]."""
    ys, xs = np.mgrid[0 : size_hw[0], 0 : size_hw[1]].astype(np.float32) + np.float32(0.5)
    return xs.ravel(), ys.ravel()


def ids(
    world: World, now: Instant, hits: Hits
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """Labels and instances [H,W] of what the rays through the pixels' centres hit."""
    hit = hits.triangle >= 0
    thing = now.gather("thing", np.maximum(hits.triangle, 0))
    labels = np.where(hit, world.labels[thing], SKY).astype(np.uint8)
    instances = np.where(hit, world.instances[thing], SKY).astype(np.uint16)
    return labels.reshape(now.camera.size_hw), instances.reshape(now.camera.size_hw)
