"""Metres from labels and flow, against a street whose measures are known."""

import pytest
import torch

from vidtrans.model.street_classes import street_classes
from vidtrans.nets.camera import EYE_M, FOCAL, HORIZON
from vidtrans.nets.street_geometry import (
    DEFAULT_FACADES_M,
    PAVEMENT_M,
    PLANES,
    ego_motion,
    encode_surface,
    estimate_scene,
    facade_distances,
    surface_coordinates,
)
from vidtrans.nets.viewport import Viewport

HEIGHT, WIDTH = 256, 512
CITYSCAPES = street_classes()


def street_between(left: float, right: float) -> torch.Tensor:
    """Labels [1,H,W] of an empty street: sky, houses whose fronts are so many metres aside, and
    pavement up to them."""
    v = (torch.arange(HEIGHT) + 0.5)[:, None] / HEIGHT - HORIZON
    u = (torch.arange(WIDTH) + 0.5 - WIDTH / 2) / HEIGHT
    aside = torch.where(u < 0, left, right)
    foot = (EYE_M - PAVEMENT_M) * u.abs() / aside
    ids = torch.where(v > foot, 8, 11).to(torch.uint8)
    return torch.where((v < -0.4) & (v.abs() > u.abs()), 23, ids)[None]


def flow_of_ground(metres: float) -> torch.Tensor:
    """Flow [1,2,H,W] to where the ground was before the camera went ``metres`` ahead."""
    y = torch.arange(HEIGHT) + 0.5
    v = (y / HEIGHT - HORIZON).clamp(min=1e-3)
    before = EYE_M * FOCAL / (EYE_M * FOCAL / v + metres)
    flow = torch.zeros(1, 2, HEIGHT, WIDTH)
    flow[0, 1] = ((before - v) * HEIGHT)[:, None]
    return flow


@pytest.mark.parametrize("measures", [(10.3, 7.5), (8.0, 12.0)])
def test_fronts_are_where_houses_meet_the_ground(measures):
    assert facade_distances(street_between(*measures), CITYSCAPES)[0].tolist() == pytest.approx(
        measures, rel=0.03
    )


def test_fronts_that_nobody_sees_are_unknown():
    assert (
        facade_distances(torch.full((2, HEIGHT, WIDTH), 7, dtype=torch.uint8), CITYSCAPES)
        .isnan()
        .all()
    )


@pytest.mark.parametrize("metres", [0.0, 0.4, 1.2])
def test_advance_is_told_by_the_ground(metres):
    found = ego_motion(street_between(10, 7), flow_of_ground(metres), CITYSCAPES)
    assert found.item() == pytest.approx(metres, abs=0.02)
    sky = torch.full((1, HEIGHT, WIDTH), 23, dtype=torch.uint8)
    assert ego_motion(sky, flow_of_ground(metres), CITYSCAPES).item() == 0


def test_a_scene_goes_on_and_follows_slowly():
    first = estimate_scene(None, street_between(10, 7), None, CITYSCAPES)
    assert first[0].tolist() == pytest.approx([0, 10, 7], rel=0.03)
    second = estimate_scene(first, street_between(12, 7), flow_of_ground(0.5), CITYSCAPES)
    assert second[0].tolist() == pytest.approx([0.5, 10.2, 7], rel=0.05)
    hidden = estimate_scene(
        second, torch.full((1, HEIGHT, WIDTH), 26, dtype=torch.uint8), None, CITYSCAPES
    )
    assert torch.equal(hidden, second)


def test_one_side_tells_the_other_and_nothing_is_usual():
    ids = street_between(9, 7)
    ids[:, :, : WIDTH // 2] = 21  # trees hide the left
    left, right = estimate_scene(None, ids, None, CITYSCAPES)[0, 1:].tolist()
    assert left - right == pytest.approx(DEFAULT_FACADES_M[0] - DEFAULT_FACADES_M[1])
    usual = estimate_scene(
        None, torch.full((1, HEIGHT, WIDTH), 23, dtype=torch.uint8), None, CITYSCAPES
    )
    assert usual[0, 1:].tolist() == pytest.approx(DEFAULT_FACADES_M)


def test_planes_stay_within_bounds_and_crops_are_parts_of_the_whole():
    scene = torch.tensor([[3.0, 10.0, 7.0]])
    whole = encode_surface(surface_coordinates(scene, Viewport.whole((HEIGHT, WIDTH)), 4)).whole()
    assert whole.shape == (1, PLANES, 64, 128)
    assert whole.abs().max() <= 1
    crop = encode_surface(
        surface_coordinates(scene, Viewport((HEIGHT, WIDTH), (64, 128), ((64, 128),)), 4)
    ).whole()
    torch.testing.assert_close(crop, whole[:, :, 16:32, 32:64])


def test_planes_travel_with_the_street():
    """A metre of road keeps its numbers while the camera comes nearer to it."""
    there = encode_surface(
        surface_coordinates(
            torch.tensor([[0.0, 10.0, 7.0]]), Viewport((HEIGHT, WIDTH), (HEIGHT, 1)), 1
        )
    ).rows
    later = encode_surface(
        surface_coordinates(
            torch.tensor([[2.0, 10.0, 7.0]]), Viewport((HEIGHT, WIDTH), (HEIGHT, 1)), 1
        )
    ).rows
    v = (torch.arange(HEIGHT) + 0.5) / HEIGHT - HORIZON
    row = HEIGHT - 30
    ahead = EYE_M * FOCAL / v[row]
    before = int(((EYE_M * FOCAL / (ahead + 2) + HORIZON) * HEIGHT).item())
    longest = slice(0, 2)  # sine and cosine of the longest wave ahead
    assert (later[0, longest, row, 0] - there[0, longest, before, 0]).abs().max() < 0.2
    assert (later[0, longest, row, 0] - there[0, longest, row, 0]).abs().max() > 0.5
