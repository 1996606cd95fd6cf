"""Ray casts through embree: one scene for what stands still, a small one for what moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from vidtrans_world.arrays import Bools, Floats, Ints

FAR = np.float32(1e9)


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Of N rays: ``triangle`` [N] (-1 for none; moving triangles are numbered after the still
    ones), barycentric ``weights`` [N,3] and ``distance`` [N]."""

    triangle: Ints
    weights: Floats
    distance: Floats


def scene_of(points: Floats) -> EmbreeScene:
    """An embree scene of triangles [T,3,3]; an empty one gets a triangle far away."""
    scene = EmbreeScene()
    if len(points) == 0:
        points = np.full((1, 3, 3), 1e7, np.float32) + np.eye(3, dtype=np.float32)
    TriangleMesh(scene, np.ascontiguousarray(points, np.float32))
    return scene


@dataclass(frozen=True, slots=True, eq=False)
class Caster:
    """The still and the moving scene of one instant; ``count`` is the number of still triangles."""

    still: EmbreeScene
    moving: EmbreeScene
    count: int

    def hits(self, origins: Floats, directions: Floats) -> Hits:
        """The nearest triangle of each ray."""
        a = self.still.run(origins, directions, output=1)
        b = self.moving.run(origins, directions, output=1)
        nearer = b["tfar"] < a["tfar"]
        triangle = np.where(
            nearer, b["primID"].astype(np.int64) + self.count, a["primID"].astype(np.int64)
        )
        distance = np.where(nearer, b["tfar"], a["tfar"])
        triangle[distance > FAR] = -1
        u, v = np.where(nearer, b["u"], a["u"]), np.where(nearer, b["v"], a["v"])
        return Hits(
            triangle, np.stack([1 - u - v, u, v], 1).astype(np.float32), distance.astype(np.float32)
        )

    def distance(self, origins: Floats, directions: Floats) -> Floats:
        """How far each ray goes, FAR or more where it hits nothing."""
        a = self.still.run(origins, directions, query="DISTANCE")
        nearest: Floats = np.minimum(a, self.moving.run(origins, directions, query="DISTANCE"))
        return nearest

    def blocked(self, origins: Floats, directions: Floats) -> Bools:
        """Whether anything stands in the way of each ray."""
        stopped: Bools = self.still.run(origins, directions, query="OCCLUDED") >= 0
        free = np.flatnonzero(~stopped)
        if len(free):
            stopped[free] = self.moving.run(origins[free], directions[free], query="OCCLUDED") >= 0
        return stopped
