"""Frames of a street as records: picture, labels, instances, flow and occlusion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from vidtrans_world.arrays import Bools, Floats, f32
from vidtrans_world.camera import FPS
from vidtrans_world.cast import scene_of
from vidtrans_world.flow import motion
from vidtrans_world.instant import Instant, centres, ids, ride
from vidtrans_world.light import tone
from vidtrans_world.radiance import Stage, radiance, stage_of
from vidtrans_world.street import Kind, plan_street
from vidtrans_world.world import World, build_world

_OFFSETS = f32([[-0.375, -0.125], [0.125, -0.375], [0.375, 0.125], [-0.125, 0.375]])
"""Where the four rays of a rough pixel go, pixels from its centre: a rotated grid."""
_CONTRAST = 0.09


@dataclass(frozen=True, slots=True, eq=False)
class WorldFrame:
    """One frame. ``rgb`` uint8 [H,W,3]; ``labels`` uint8 [H,W] Cityscapes labelIds; ``instances``
    uint16 [H,W], id * 1000 + n for counted classes, else the id; ``flow`` float32 [2,H,W], x then
    y, pixels from this frame to the one before (for the first frame: to where the camera was 1/17 s
    earlier); ``occlusion`` bool [H,W], true where the place was not to be seen in the frame
    before."""

    rgb: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16]
    flow: Floats
    occlusion: Bools


def render_clip(
    seed: int, frames: int, size_hw: tuple[int, int], kind: Kind = "varied"
) -> Iterator[WorldFrame]:
    """Renders ``frames`` consecutive frames at 17 a second of the street of ``seed``; the same
    for the same arguments."""
    yield from render_world(build_world(plan_street(seed, kind)), frames, size_hw)


def render_world(world: World, frames: int, size_hw: tuple[int, int]) -> Iterator[WorldFrame]:
    """Renders a world that is already built."""
    still = scene_of(world.still.points)
    stage = stage_of(world, still)
    before = ride(world, still, -1 / FPS, size_hw)
    for index in range(frames):
        now = ride(world, still, index / FPS, size_hw)
        yield render_frame(stage, now, before)
        before = now


def label_clip(
    seed: int, frames: int, size_hw: tuple[int, int], kind: Kind = "varied"
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]]:
    """The labels and instances of ``render_clip`` alone, without the cost of light and flow."""
    world = build_world(plan_street(seed, kind))
    still = scene_of(world.still.points)
    directions_at = centres(size_hw)
    for index in range(frames):
        now = ride(world, still, index / FPS, size_hw)
        yield ids(world, now, now.cast(now.camera.rays(*directions_at)))


def render_frame(stage: Stage, now: Instant, before: Instant) -> WorldFrame:
    """One frame: ids and flow from the ray through each pixel's centre, the picture from four
    where it is rough."""
    height, width = now.camera.size_hw
    exposure = np.float32(stage.world.street.light.exposure)
    x, y = centres(now.camera.size_hw)
    directions = now.camera.rays(x, y)
    hits = now.cast(directions)
    labels, instances = ids(stage.world, now, hits)
    flow, occlusion = motion(now, before, x, y, directions, hits)
    picture = tone(radiance(stage, now, directions, hits) * exposure)
    rows = np.flatnonzero(_rough(picture.reshape(height, width, 3), instances))
    extra = now.camera.rays(
        *((at[rows] + _OFFSETS[:, i : i + 1]).ravel() for i, at in enumerate((x, y)))
    )
    finer = tone(radiance(stage, now, extra, now.cast(extra)) * exposure)
    picture[rows] = finer.reshape(len(_OFFSETS), len(rows), 3).mean(0)
    rgb = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    return WorldFrame(
        rgb.reshape(height, width, 3),
        labels,
        instances,
        flow.reshape(2, height, width),
        occlusion.reshape(height, width),
    )


def _rough(picture: Floats, instances: npt.NDArray[np.uint16]) -> Bools:
    """Where one ray a pixel is not enough: edges of things, and contrast among neighbours."""
    high, low = (
        ndimage.maximum_filter(picture, (3, 3, 1)),
        ndimage.minimum_filter(picture, (3, 3, 1)),
    )
    contrast = (high - low).max(2) > _CONTRAST
    rough: Bools = contrast | (
        ndimage.maximum_filter(instances, 3) != ndimage.minimum_filter(instances, 3)
    )
    return rough
