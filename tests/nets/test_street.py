"""The small vid2vid generator: shapes, history, flow, sizes."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from vidtrans.model.street_classes import foreground_classes, street_classes
from vidtrans.nets.extent import extents
from vidtrans.nets.painting import Conditioning, SceneMeasurements
from vidtrans.nets.perspective import perspective_planes
from vidtrans.nets.street import StreetConfig, StreetGenerator
from vidtrans.nets.street_geometry import (
    DEFAULT_FACADES_M,
    encode_surface,
    estimate_scene,
    surface_coordinates,
)
from vidtrans.nets.viewport import Viewport
from vidtrans.nets.warp import warp

CITYSCAPES = street_classes()
SMALL = StreetConfig(fg_labels=foreground_classes(), channels=(4, 8, 8, 16), blocks=(1, 1, 1, 1, 1))


def window(height: int = 32, width: int = 64, frames: int = 2, batch: int = 1) -> Conditioning:
    generator = torch.Generator().manual_seed(height * width)
    ids = torch.randint(
        0, 34, (batch, frames, height, width), generator=generator, dtype=torch.uint8
    )
    return Conditioning(ids=ids, boundary=ids > 30)


@pytest.fixture
def street() -> StreetGenerator:
    torch.manual_seed(0)
    return StreetGenerator(SMALL, CITYSCAPES).eval()


def set_flow(street: StreetGenerator, x: float, y: float) -> None:
    """Makes the network see the same motion everywhere: channels 0..15 are x, the others y."""
    nn.init.zeros_(street.head_flow.weight)
    with torch.no_grad():
        street.head_flow.bias[:16], street.head_flow.bias[16:] = (
            x / SMALL.flow_scale,
            y / SMALL.flow_scale,
        )


@torch.inference_mode()
def test_first_frame_is_painted_raw(street):
    painting = street(window(), None)
    assert painting.picture.shape == (1, 3, 32, 64)
    assert painting.flow is painting.warped is painting.weight is None
    assert torch.equal(painting.raw, painting.picture)
    assert painting.scales == (painting.picture,)


@torch.inference_mode()
def test_picture_is_composed_of_its_layers(street):
    past = torch.rand(1, 3, 32, 64) * 2 - 1
    painting = street(window(), (past,))
    anew = painting.weight * painting.raw + (1 - painting.weight) * painting.warped
    expected = (
        painting.foreground_mask * painting.foreground + (1 - painting.foreground_mask) * anew
    )
    torch.testing.assert_close(painting.picture, expected)
    cars = torch.isin(window().ids[:, -1], torch.tensor(SMALL.fg_labels))
    assert torch.equal(painting.foreground_mask[:, 0].bool(), cars)


@torch.inference_mode()
def test_zero_flow_carries_the_picture_over_unmoved(street):
    set_flow(street, 0, 0)
    past = torch.rand(1, 3, 32, 64) * 2 - 1
    torch.testing.assert_close(street(window(), (past,)).warped, past, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_flow_points_to_where_the_pixel_was(street):
    set_flow(street, 3, -2)
    past = torch.rand(1, 3, 32, 64) * 2 - 1
    warped = street(window(), (past,)).warped
    torch.testing.assert_close(warped[..., 2:, :-3], past[..., :-2, 3:], atol=1e-4, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(16, 16), (48, 80), (64, 32)])
def test_any_multiple_of_its_size(street, size):
    past = torch.zeros(1, 3, *size)
    assert street(window(*size), (past,)).picture.shape[-2:] == size


def test_other_sizes_and_windows_are_refused(street):
    with pytest.raises(ValueError, match="divisible by 16"):
        street(window(40, 64), None)
    with pytest.raises(ValueError, match=r"\[N,2,H,W\]"):
        street(window(frames=3), None)
    with pytest.raises(ValueError, match="no labels"):
        street(Conditioning(), None)


@torch.inference_mode()
def test_a_frame_does_not_depend_on_the_rest_of_the_batch(street):
    two = window(batch=2)
    past = torch.rand(2, 3, 32, 64) * 2 - 1
    together = street(two, (past,)).picture
    alone = street(Conditioning(two.ids[1:], two.boundary[1:]), (past[1:],)).picture
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_crop_knows_its_position(street):
    whole = window(32, 64)
    steps = extents(whole.ids[:, -1], whole.boundary[:, -1])
    scene = estimate_scene(None, whole.ids[:, -1], None, CITYSCAPES)
    measured = SceneMeasurements(steps, scene)
    here = replace(whole, viewport=Viewport.whole((32, 64)), measured=measured)
    assert torch.equal(street(here, None).picture, street(whole, None).picture)
    crop = Viewport((128, 256), (32, 64), ((32, 64),))
    elsewhere = street(replace(whole, viewport=crop, measured=measured), None)
    assert not torch.allclose(elsewhere.picture, street(whole, None).picture)
    with pytest.raises(ValueError, match="a crop"):
        street(replace(whole, viewport=crop), None)


@torch.inference_mode()
def test_ego_motion_adds_up(street):
    road = Conditioning(torch.full((1, 2, 64, 128), 7, dtype=torch.uint8))
    set_flow(
        street, 0, -1
    )  # what is seen now was nearer the horizon a frame ago: the camera drives ahead
    first = street(road, None)
    assert first.memory[0][0, 0] == 0
    second = street(road, (first.picture, *first.memory))
    third = street(road, (second.picture, *second.memory))
    assert 0 < second.memory[0][0, 0] < third.memory[0][0, 0]
    as_if_first = street(road, (second.picture, *first.memory))
    assert not torch.equal(as_if_first.raw, third.raw)


@torch.inference_mode()
def test_longer_windows_and_no_foreground():
    config = StreetConfig(n_frames=3, fg_labels=(), channels=SMALL.channels, blocks=SMALL.blocks)
    street = StreetGenerator(config, CITYSCAPES).eval()
    past = torch.rand(1, 6, 32, 64) * 2 - 1
    painting = street(window(frames=3), (past,))
    assert painting.foreground is None
    torch.testing.assert_close(painting.warped, warp(past[:, 3:], painting.flow))
    torch.testing.assert_close(
        painting.picture, torch.lerp(painting.warped, painting.raw, painting.weight)
    )


@torch.inference_mode()
def test_what_was_another_thing_is_painted_anew(street):
    set_flow(street, 4, 0)
    ids = torch.full((1, 2, 32, 64), 7, dtype=torch.uint8)
    ids[:, 0, :, 20:24] = 26  # a car that leaves to the left: its place was hidden road
    weight = street(Conditioning(ids), (torch.zeros(1, 3, 32, 64),)).weight[0, 0]
    assert (weight[:, 16:20] == 1).all()
    assert (weight[:, 60:] == 1).all()  # from outside the picture
    assert weight[:, :16].max() < 1
    assert weight.min() >= SMALL.least_weight


def test_the_positional_mlp_is_a_1x1_convolution_of_all_planes(street):
    planes = encode_surface(
        surface_coordinates(torch.tensor([[3.0, 10.0, 7.0]]), Viewport.whole((32, 64)), 4)
    )
    mlp = street.scene_mid
    plain = mlp.third(mlp.second(mlp.first(planes.whole()).relu()).relu())
    torch.testing.assert_close(mlp(planes), plain)


@pytest.fixture
def styled() -> StreetGenerator:
    torch.manual_seed(0)
    street = StreetGenerator(
        StreetConfig(
            fg_labels=SMALL.fg_labels, channels=SMALL.channels, blocks=SMALL.blocks, feature_nc=3
        ),
        CITYSCAPES,
    ).eval()
    for layer in (street.style_mid, street.style_fine, street.style_shown):
        nn.init.normal_(layer.weight)  # as training would make them; they begin with nothing
    return street


@torch.inference_mode()
def test_styles_paint_the_things_that_have_them(styled):
    ids = torch.full((1, 2, 64, 128), 7, dtype=torch.uint8)
    ids[..., 24:40, 8:24] = 26
    grey, red = torch.zeros(1, 3, 64, 128), torch.zeros(1, 3, 64, 128)
    red[:, 0, 24:40, 8:24] = 0.8
    for history in (None, (torch.zeros(1, 3, 64, 128),)):
        plain, painted = (
            styled(Conditioning(ids, features=features), history).picture
            for features in (grey, red)
        )
        changed = (painted - plain).abs().amax(dim=(0, 1))
        assert changed[24:40, 8:24].mean() > 0.05
        assert changed[24:40, 8:24].mean() > 5 * changed[:, 96:].mean()


def test_styles_begin_with_nothing_and_are_asked_for(styled):
    torch.manual_seed(0)
    new = StreetGenerator(styled.config, CITYSCAPES).eval()
    ids = torch.full((1, 2, 32, 64), 26, dtype=torch.uint8)
    with torch.inference_mode():
        looks = [
            new(Conditioning(ids, features=torch.full((1, 3, 32, 64), value)), None).picture
            for value in (0.0, 0.7)
        ]
    assert torch.equal(*looks)
    with pytest.raises(ValueError, match="3 style planes"):
        new(Conditioning(ids), None)


def padded(window: Conditioning, view: Viewport) -> Conditioning:
    return replace(
        window,
        ids=view.reflect(window.ids),
        boundary=view.reflect(window.boundary),
        viewport=view,
    )


@torch.inference_mode()
@pytest.mark.parametrize(
    "view",
    [
        Viewport.padded((32, 64), (64, 64), StreetGenerator.padding_grid),
        Viewport.padded((32, 64), (48, 112), StreetGenerator.padding_grid),
        Viewport.padded((32, 64), (48, 96)),
    ],
    ids=["above and below", "all around", "below and right"],
)
def test_padding_changes_no_measurement(street, view):
    """Metres, extents and places are those of the film's picture, whatever is around it."""
    labels = torch.full((1, 2, 32, 64), 7, dtype=torch.uint8)
    labels[:, :, :20, :24] = labels[:, :, :18, 44:] = 11
    labels[:, :, 16:24, 2:12] = 26
    plain = Conditioning(labels, labels > 30)
    set_flow(street, 0.5, -1)
    scene, scene_padded = (
        street(window, (torch.zeros(1, 3, *window.ids.shape[-2:]),)).memory[0]
        for window in (plain, padded(plain, view))
    )
    assert torch.equal(scene_padded, scene)
    assert scene[0, 1:].tolist() != pytest.approx(DEFAULT_FACADES_M)  # the fronts are seen
    steps = extents(labels[:, -1], None)
    steps_padded = extents(padded(plain, view).ids[:, -1], None, view)
    assert torch.equal(view.crop(steps_padded), steps)
    for stride in (2, 4):
        whole, around = (
            surface_coordinates(scene, v, stride) for v in (Viewport.whole((32, 64)), view)
        )
        assert torch.equal(view.crop(around.up), whole.up)
        assert torch.equal(
            view.crop(around.ground.expand(around.shape)), whole.ground.expand(whole.shape)
        )
    assert view.crop(perspective_planes(view, 4, scene.device)).allclose(
        perspective_planes(Viewport.whole((32, 64)), 4, scene.device)
    )


@torch.inference_mode()
def test_what_comes_from_the_padding_is_painted_anew(street):
    set_flow(street, 4, 0)
    view = Viewport.padded((32, 64), (32, 96), StreetGenerator.padding_grid)
    road = Conditioning(torch.full((1, 2, 32, 96), 7, dtype=torch.uint8), viewport=view)
    weight = view.crop(street(road, (torch.zeros(1, 3, 32, 96),)).weight)[0, 0]
    assert (weight[:, 60:] == 1).all()
    assert weight[:, :60].max() < 1
