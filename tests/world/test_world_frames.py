"""A street's frames: ids, exact flow and occlusion, light, and that a seed names one street."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from vidtrans_world import buildings
from vidtrans_world.camera import Camera, camera_at, route_at
from vidtrans_world.cast import scene_of
from vidtrans_world.flow import motion
from vidtrans_world.instant import Instant, centres, instant_at
from vidtrans_world.noise import fractal, hashed, stripes
from vidtrans_world.radiance import radiance, stage_of
from vidtrans_world.render import WorldFrame, label_clip, render_clip, render_world
from vidtrans_world.site import CAR, COUNTED, PERSON, ROAD, SKY, Mover
from vidtrans_world.soup import Material, box, soup
from vidtrans_world.street import PLOT, TURNS, plan_street
from vidtrans_world.world import World, build_world

SIZE_HW = (48, 96)
SEED = 12


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(plan_street(SEED))


@pytest.fixture(scope="module")
def clip(world: World) -> list[WorldFrame]:
    return list(render_world(world, 3, SIZE_HW))


def away_from_edges(ids: np.ndarray) -> np.ndarray:
    kernel = np.ones((3, 3), np.uint8)
    return cv2.dilate(ids, kernel) == cv2.erode(ids, kernel)


def test_a_frame_is_what_it_says(clip: list[WorldFrame]) -> None:
    for frame in clip:
        assert (frame.rgb.shape, frame.rgb.dtype) == ((*SIZE_HW, 3), np.uint8)
        assert (frame.labels.shape, frame.labels.dtype) == (SIZE_HW, np.uint8)
        assert (frame.instances.shape, frame.instances.dtype) == (SIZE_HW, np.uint16)
        assert (frame.flow.shape, frame.flow.dtype) == ((2, *SIZE_HW), np.float32)
        assert (frame.occlusion.shape, frame.occlusion.dtype) == (SIZE_HW, np.bool_)
        assert np.isfinite(frame.flow).all()


def test_ids_are_those_of_cityscapes(clip: list[WorldFrame]) -> None:
    oracle = pytest.importorskip("cityscapesscripts.helpers.labels")
    for frame in clip:
        for instance in np.unique(frame.instances).tolist():
            label = instance // 1000 if instance >= 1000 else instance
            assert oracle.id2label[label].hasInstances == (instance >= 1000), instance
            assert (frame.labels[frame.instances == instance] == label).all()


def test_instances_count_from_zero(world: World) -> None:
    for label in COUNTED:
        numbers = sorted(
            (world.instances[world.labels == label] - np.uint16(1000) * label).tolist()
        )
        assert numbers == list(range(len(numbers)))


def test_a_street_has_what_a_street_has(clip: list[WorldFrame]) -> None:
    labels = np.concatenate([frame.labels for frame in clip])
    assert (labels == ROAD).mean() > 0.1
    assert labels[-2, SIZE_HW[1] // 3] in (ROAD, CAR)
    assert {ROAD, 8, 11, 17, 21, SKY, PERSON, CAR} <= set(np.unique(labels).tolist())


def test_flow_leads_to_the_same_thing(clip: list[WorldFrame]) -> None:
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    for before, now in pairwise(clip):
        from_x = np.clip(np.round(x + now.flow[0]).astype(int), 0, SIZE_HW[1] - 1)
        from_y = np.clip(np.round(y + now.flow[1]).astype(int), 0, SIZE_HW[0] - 1)
        calm = away_from_edges(now.instances) & ~now.occlusion
        assert calm.mean() > 0.3
        same = before.instances[from_y, from_x] == now.instances
        assert same[calm].mean() > 0.99


def test_driving_ahead_expands_the_picture(clip: list[WorldFrame]) -> None:
    flow, labels = clip[2].flow, clip[2].labels
    road = labels == ROAD
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    low = road & (y > SIZE_HW[0] * 0.75)
    assert low.sum() > 100
    assert (
        flow[1][low] < 0
    ).all()  # backward flow: the road near the car was higher up a frame ago
    left, right = low & (x < SIZE_HW[1] * 0.3), low & (x > SIZE_HW[1] * 0.7)
    assert flow[0][left].mean() > 0.2
    assert flow[0][right].mean() < -0.2


def test_nothing_moves_where_nothing_moves(world: World) -> None:
    empty = replace(world, movers=())
    scene = scene_of(empty.still.points)
    camera = camera_at(empty.street, 0.0, SIZE_HW)
    now, before = instant_at(empty, scene, 0.0, camera), instant_at(empty, scene, -1.0, camera)
    x, y = centres(SIZE_HW)
    directions = camera.rays(x, y)
    flow, hidden = motion(now, before, x, y, directions, now.cast(directions))
    assert np.abs(flow).max() < 0.01
    assert hidden.mean() < 0.002


def a_cube_before_a_wall(speed: float) -> World:
    """A wall 20 m ahead of a cube at 10 m that moves to the right; no street, no other thing."""
    street = replace(plan_street(0), bend=(0.0, 200.0, 0.0), crossings=())
    wall = soup(np.float32([[[-50, 20, -50], [50, 20, -50], [0, 20, 80]]]), Material.PLAIN)
    cube = replace(soup(box((-1, -0.5, 0), (1, 0.5, 2)), Material.PLAIN))
    cube = replace(cube, thing=np.ones_like(cube.thing))
    mover = Mover(cube, (0.0, 10.5, 0.0), (speed, 0.0))
    return World(
        street, wall, (mover,), np.array([11, CAR], np.uint8), np.array([11, CAR * 1000],
        np.uint16),
        np.zeros((2, 20), np.float32), np.zeros((0, 5), np.float32),
    )  # fmt: skip


def seen_from_the_origin(world: World, seconds: float) -> Instant:
    axes = np.float32([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    camera = Camera(np.float32([0, 0, 1]), axes, 40.0, (48.0, 24.0), SIZE_HW)
    return instant_at(world, scene_of(world.still.points), seconds, camera)


def test_a_mover_has_its_own_flow_and_uncovers_what_was_behind_it() -> None:
    world = a_cube_before_a_wall(speed=2.0)
    before, now = seen_from_the_origin(world, 0.0), seen_from_the_origin(world, 0.5)
    x, y = centres(SIZE_HW)
    directions = now.camera.rays(x, y)
    hits = now.cast(directions)
    flow, hidden = motion(now, before, x, y, directions, hits)
    cube = (now.gather("thing", hits.triangle) == 1).reshape(SIZE_HW)
    # Its front is 10 m away and moved 1 m to the right: focal 40 * 1 m / 10 m = 4 pixels, backward.
    assert cube[20:28, 48:56].all()
    np.testing.assert_allclose(flow.reshape(2, *SIZE_HW)[:, 24, 50], (-4.0, 0.0), atol=1e-3)
    np.testing.assert_allclose(flow.reshape(2, *SIZE_HW)[:, 24, 80], 0.0, atol=1e-3)
    hidden = hidden.reshape(SIZE_HW)
    assert hidden[24, 44:48].all()  # four columns of wall came out from behind it
    assert not hidden[24, 48:].any()
    assert not hidden[24, :43].any()


def test_the_sun_casts_shadows() -> None:
    world = a_cube_before_a_wall(speed=0.0)
    sun = np.float32([0.5, -0.7, 0.5])
    light = replace(world.street.light, sun=tuple((sun / np.linalg.norm(sun)).tolist()))
    world = replace(world, street=replace(world.street, light=light))
    now = seen_from_the_origin(world, 0.0)
    stage = stage_of(world, scene_of(world.still.points))
    open_wall = radiance_of(
        stage,
        replace(now, caster=replace(now.caster, moving=scene_of(np.zeros((0, 3, 3), np.float32)))),
    )
    shaded = radiance_of(stage, now)
    darker = (shaded < 0.7 * open_wall) & (shaded > 0)
    cube = (
        now.gather("thing", now.cast(now.camera.rays(*centres(SIZE_HW))).triangle) == 1
    ).reshape(SIZE_HW)
    assert (darker & ~cube).sum() > 10
    columns = np.flatnonzero((darker & ~cube).any(0))
    assert (
        columns.mean() < SIZE_HW[1] / 2
    )  # the sun stands to the right, so the shadow falls to the left


def radiance_of(stage: object, now: Instant) -> np.ndarray:
    directions = now.camera.rays(*centres(SIZE_HW))
    return radiance(stage, now, directions, now.cast(directions)).mean(1).reshape(SIZE_HW)  # type: ignore[arg-type]


def test_a_seed_names_one_street(clip: list[WorldFrame]) -> None:
    again = next(render_clip(SEED, 1, SIZE_HW))
    for name in ("rgb", "labels", "instances", "flow", "occlusion"):
        np.testing.assert_array_equal(getattr(clip[0], name), getattr(again, name), err_msg=name)
    other, _ = next(label_clip(SEED + 1, 1, SIZE_HW))
    assert (clip[0].labels != other).mean() > 0.05


def test_a_terrace_looks_the_same_after_a_round() -> None:
    """What labels do not show is the same in all streets of the town: dresses take turns with
    the plots."""
    one, other = plan_street(SEED, "terrace"), plan_street(SEED + 1, "terrace")
    assert (one.light, one.lane, one.parking, one.paint) == (
        other.light,
        other.lane,
        other.parking,
        other.paint,
    )
    assert all(a % PLOT == pytest.approx(one.corner) for a, _ in one.crossings)
    houses = [
        buildings.terrace_house(
            np.random.default_rng(i), 1, i * PLOT, (i + 1) * PLOT, one.front, one.dense, i
        )
        for i in range(TURNS + 1)
    ]
    assert (houses[0].wall, houses[0].style, houses[0].seed) == (
        houses[TURNS].wall,
        houses[TURNS].style,
        houses[TURNS].seed,
    )
    assert len({(house.wall, house.seed) for house in houses}) == TURNS
    begun, later = route_at(one, 0.0), route_at(one, 1.0)
    assert later.travelled - begun.travelled == pytest.approx(one.speed, abs=1e-3)
    assert begun.left + begun.right == pytest.approx(2 * one.front, abs=1e-3)
    assert begun.left > begun.right  # it drives on the right


def test_labels_alone_are_the_same_labels(clip: list[WorldFrame]) -> None:
    for (labels, instances), frame in zip(label_clip(SEED, 2, SIZE_HW), clip, strict=False):
        np.testing.assert_array_equal(labels, frame.labels)
        np.testing.assert_array_equal(instances, frame.instances)


def test_neighbouring_frames_look_alike_along_the_flow(clip: list[WorldFrame]) -> None:
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]].astype(np.float32)
    before, now = clip[1], clip[2]
    warped = cv2.remap(before.rgb, x + now.flow[0], y + now.flow[1], cv2.INTER_LINEAR).astype(float)
    calm = away_from_edges(now.instances) & ~now.occlusion
    along = np.abs(warped - now.rgb)[calm].mean()
    in_place = np.abs(before.rgb.astype(float) - now.rgb)[calm].mean()
    assert along < 0.75 * in_place
    assert along < 8


def test_noise_is_averaged_away_where_a_pixel_is_wide() -> None:
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 50, (2, 4000)).astype(np.float32)
    near = fractal(u, v, 4.0, np.full(4000, 0.001, np.float32))
    far = fractal(u, v, 4.0, np.full(4000, 3.0, np.float32))
    assert 0.8 < near.std() < 1.2
    assert far.std() < 0.35
    wide = stripes(u, 1.0, 0.0, 0.25, 1000.0)
    np.testing.assert_allclose(wide, 0.25, atol=1e-2)
    thin = stripes(np.float32([0.1, 0.5]), 1.0, 0.0, 0.25, 1e-3)
    np.testing.assert_allclose(thin, [1, 0], atol=1e-2)


def test_hashes_are_the_same_everywhere() -> None:
    values = hashed(np.arange(20000), np.full(20000, 7))
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1
    assert abs(values.mean() - 0.5) < 0.01
    np.testing.assert_array_equal(hashed([-1, 3], 5), hashed([-1.0, 3.0], 5.0))
