"""Light along rays: material, sun and shadow, sky and bounce, mirrors, haze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.rtcore_scene import EmbreeScene

from vidtrans_world.arrays import Floats, f32
from vidtrans_world.cast import Hits
from vidtrans_world.contact import contact, contact_map
from vidtrans_world.instant import Instant
from vidtrans_world.light import Probes, cast_probes, reflected, sky
from vidtrans_world.materials import shade
from vidtrans_world.soup import cross
from vidtrans_world.surface import ShadingPoints
from vidtrans_world.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What is cast once a clip: the scene that stands still, how much sky every place sees,
    shadows of contact."""

    world: World
    still: EmbreeScene
    probes: Probes
    contact: Floats


def stage_of(world: World, still: EmbreeScene) -> Stage:
    """The stage of a world and its scene."""
    return Stage(world, still, cast_probes(world, still), contact_map(world))


def radiance(stage: Stage, now: Instant, directions: Floats, hits: Hits) -> Floats:
    """Linear colour [N,3] along rays from the camera."""
    street = stage.world.street
    light = street.light
    pixel = np.float32(1 / now.camera.focal)
    colour = np.empty_like(directions)
    miss = hits.triangle < 0
    colour[miss] = sky(light, directions[miss], street.paint, float(pixel))
    rows = np.flatnonzero(~miss)
    if not len(rows):
        return colour
    view, triangle, weights, distance = (
        directions[rows],
        hits.triangle[rows],
        hits.weights[rows],
        hits.distance[rows],
    )
    corner = now.gather("points", triangle)
    flat = cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-12
    flat *= -np.sign(np.einsum("nc,nc->n", flat, view))[:, None]
    normal = now.corners("normals", triangle, weights)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    normal *= np.where(np.einsum("nc,nc->n", normal, view) > 0, -1, 1)[:, None].astype(np.float32)
    points = now.camera.eye + view * distance[:, None]
    unbent = points.copy()
    unbent[:, 0] -= street.curve(points[:, 1])
    footprint = distance * pixel
    slant = np.maximum(np.abs(np.einsum("nc,nc->n", flat, view)), 0.02)
    sun = f32(light.sun)
    shading = ShadingPoints(
        unbent, now.corners("local", triangle, weights), normal, view, now.gather("colour",
        triangle),
        stage.world.fields[now.gather("thing", triangle)], footprint, footprint / slant, sun,
    )  # fmt: skip
    finish = shade(shading, now.gather("material", triangle), street)
    lit = np.einsum("nc,c->n", normal, sun)
    front = np.einsum("nc,c->n", flat, sun)
    facing = np.clip(lit, 0, 1) * (np.clip(front * 6 + 0.3, 0, 1)) + finish.through * np.clip(
        -lit, 0, 1
    )
    sunny = np.zeros(len(rows), np.float32)
    ask = np.flatnonzero(facing > 0.004)
    origin = (
        points[ask]
        + flat[ask] * np.float32(0.004)
        + sun * (0.01 + 0.3 * (finish.through[ask] > 0.3))[:, None].astype(np.float32)
    )
    free = ~now.caster.blocked(origin.astype(np.float32), np.broadcast_to(sun, origin.shape).copy())
    sunny[ask] = facing[ask] * free
    openness = stage.probes.at(points, normal, street)
    openness = openness * contact(stage.contact, now.vehicles, points, flat)
    up = normal[:, 2:3]
    heaven = f32([0.62, 0.74, 1.0]) * (0.9 + 0.25 * light.clouds)
    bounce = (
        f32([0.34, 0.31, 0.27])
        * (0.75 + 0.5 * np.clip(-up, 0, 1))
        * (0.45 + 0.55 * openness[:, None])
    )
    ambient = heaven * openness[:, None] * 1.3 + bounce * (1 - 0.55 * openness[:, None])
    out = finish.albedo * (sunny[:, None] * f32(light.sun_colour) + ambient) + finish.emission
    shiny = np.flatnonzero(finish.mirror > 0.01)
    if len(shiny):
        n, v = normal[shiny], view[shiny]
        back = v - 2 * np.einsum("nc,nc->n", n, v)[:, None] * n
        seen = reflected(light, back, street.paint) * (0.35 + 0.65 * openness[shiny, None] ** 0.5)
        share = finish.mirror[shiny, None]
        out[shiny] = out[shiny] * (1 - share) + seen * share
        spark = np.clip(back @ sun, 0, 1) ** 180 * finish.gloss[shiny] * (sunny[shiny] > 0)
        out[shiny] += spark[:, None] * f32(light.sun_colour) * 1.5
    haze = np.exp(-np.maximum(distance - 8, 0) * light.haze)[:, None]
    glow = f32(light.sky_horizon) * (0.78 + 0.25 * np.clip(view @ sun, 0, 1)[:, None] ** 4)
    colour[rows] = out * haze + glow * (1 - haze)
    return colour
