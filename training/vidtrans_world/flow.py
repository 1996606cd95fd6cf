"""Exact backward flow and occlusion: every place that is seen is looked for where it was, from
where the camera was."""

from __future__ import annotations

import numpy as np

from vidtrans_world.arrays import Bools, Floats
from vidtrans_world.cast import FAR, Hits
from vidtrans_world.instant import Instant


def motion(
    now: Instant, before: Instant, x: Floats, y: Floats, directions: Floats, hits: Hits
) -> tuple[Floats, Bools]:
    """Flow [2,N] to the instant before, and whether each place was hidden then."""
    height, width = now.camera.size_hw
    hit = hits.triangle >= 0
    old_x, old_y, depth = before.camera.project(directions, endless=True)
    rows = np.flatnonzero(hit)
    points = before.corners("points", hits.triangle[rows], hits.weights[rows])
    old_x[rows], old_y[rows], depth[rows] = before.camera.project(points)
    flow = np.stack([old_x - x, old_y - y])
    hidden = (depth <= 0.05) | (old_x < 0) | (old_x >= width) | (old_y < 0) | (old_y >= height)
    towards = directions.copy()
    reach = np.full(len(x), np.float32(1e30))
    away = points - before.camera.eye
    reach[rows] = np.linalg.norm(away, axis=1)
    towards[rows] = away / reach[rows, None]
    found = before.caster.distance(
        np.broadcast_to(before.camera.eye, towards.shape).copy(), towards
    )
    hidden |= np.where(hit, found < reach * np.float32(0.999) - 0.005, found < FAR)
    limit = np.float32(2 * max(height, width))
    return np.clip(flow, -limit, limit).astype(np.float32), hidden
