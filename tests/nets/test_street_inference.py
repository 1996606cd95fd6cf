"""The street generator's path for CPUs against the plain network, which training runs."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from vidtrans.model.street_classes import foreground_classes, street_classes
from vidtrans.nets import street_inference
from vidtrans.nets.extent import extents
from vidtrans.nets.painting import Conditioning, SceneMeasurements
from vidtrans.nets.street import StreetConfig, StreetGenerator
from vidtrans.nets.viewport import Viewport

CITYSCAPES = street_classes()
SMALL = StreetConfig(
    fg_labels=foreground_classes(), channels=(4, 8, 8, 16), blocks=(1, 1, 1, 1, 1), feature_nc=3
)
LAYERS = ("picture", "raw", "warped", "flow", "weight", "foreground", "foreground_mask")


def made(config: StreetConfig) -> StreetGenerator:
    """A generator in which every layer has its say."""
    torch.manual_seed(0)
    street = StreetGenerator(config, CITYSCAPES).eval()
    with torch.no_grad():
        for weight in street.parameters():
            weight.add_(torch.randn_like(weight) * 0.05)
    return street


def town(height: int, width: int, frames: int = 2) -> Conditioning:
    """Labels of a road between houses with cars, and single pixels of every label."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.full((1, frames, height, width), 7, dtype=torch.uint8)
    ids[..., : height // 2, :] = 11
    ids[..., : height // 4, width // 4 : -width // 4] = 23
    for t in range(frames):
        ids[:, t, height // 3 : height // 2 + 8, 4 + 2 * t : 24 + 2 * t] = 26
        ids[:, t, height // 3 : height // 2 + 8, 40:44] = 24
        spots = torch.randint(0, height * width, (60,), generator=generator)
        values = torch.randint(0, 35, (60,), generator=generator, dtype=torch.uint8)
        ids[0, t].flatten()[spots] = values
    boundary = torch.zeros_like(ids, dtype=torch.bool)
    boundary[..., height // 3, 4:24] = True
    features = torch.rand(1, 3, height, width, generator=generator) * 2 - 1
    return Conditioning(ids, boundary, features=features)


def both(street: StreetGenerator, conditioning: Conditioning, history):
    """Paintings of the plain network and of the prepared one."""
    plain = street(conditioning, history)  # with gradients
    with torch.inference_mode():
        assert street_inference.applies(street, conditioning)
        return plain, street(conditioning, history)


def assert_same(plain, fast):
    for name in LAYERS:
        expected, found = getattr(plain, name), getattr(fast, name)
        assert (expected is None) == (found is None), name
        if expected is not None:
            torch.testing.assert_close(found, expected.detach(), atol=2e-4, rtol=1e-4, msg=name)
    torch.testing.assert_close(fast.memory[0], plain.memory[0].detach(), atol=1e-4, rtol=1e-4)
    assert fast.scales == (fast.picture,)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, feature_nc=0),
        replace(SMALL, fg_labels=()),
        replace(SMALL, n_frames=3, blocks=(2, 2, 0, 1, 2)),
    ],
    ids=["with styles", "without styles", "no foreground", "three frames"],
)
def test_pictures_and_layers_are_those_of_the_plain_network(config):
    street = made(config)
    window = town(64, 128, config.n_frames)
    past = torch.rand(1, 3 * (config.n_frames - 1), 64, 128) * 2 - 1
    scene = torch.tensor([[31.7, 9.0, 6.5]])
    for history in (None, (past,), (past, scene)):
        assert_same(*both(street, window, history))
    without = replace(window, boundary=None)
    assert_same(*both(street, without, (past, scene)))


@pytest.mark.parametrize("size", [(16, 16), (48, 80), (64, 32)])
def test_sizes_that_are_no_power_of_two(size):
    past = torch.rand(1, 3, *size) * 2 - 1
    assert_same(*both(made(SMALL), town(*size), (past,)))


@pytest.mark.parametrize(
    "view",
    [
        Viewport.padded((48, 112), (64, 128), StreetGenerator.padding_grid),
        Viewport.padded((50, 110), (64, 128)),
    ],
    ids=["all around", "below and right"],
)
def test_padding(view):
    past = torch.rand(1, 3, 64, 128) * 2 - 1
    assert_same(*both(made(SMALL), replace(town(64, 128), viewport=view), (past,)))


def test_a_crop_of_a_measured_picture():
    whole = town(64, 128)
    measured = SceneMeasurements(
        extents(whole.ids[:, -1], whole.boundary[:, -1])[..., 4:12, 8:24],
        torch.tensor([[3.0, 9.0, 7.0]]),
    )
    crop = Conditioning(
        whole.ids[..., 16:48, 32:96],
        whole.boundary[..., 16:48, 32:96],
        features=whole.features[..., 16:48, 32:96],
        viewport=Viewport((64, 128), (32, 64), ((16, 32),)),
        measured=measured,
    )
    assert_same(*both(made(SMALL), crop, (torch.rand(1, 3, 32, 64) * 2 - 1,)))


def test_a_sequence_stays_the_same():
    """Differences do not grow as pictures and scenes are carried from frame to frame."""
    street = made(SMALL)
    window = town(64, 128)
    plain = fast = None
    for _ in range(8):
        painting = street(window, plain)
        plain = (painting.picture.detach(), painting.memory[0].detach())
        with torch.inference_mode():
            painting = street(window, fast)
            fast = (painting.picture, *painting.memory)
    torch.testing.assert_close(fast[0], plain[0], atol=1e-3, rtol=0)


@torch.inference_mode()
def test_the_same_bits_every_time():
    street = made(SMALL)
    history = (torch.rand(1, 3, 64, 128) * 2 - 1,)
    first, second = (street(town(64, 128), history) for _ in range(2))
    for name in LAYERS:
        assert torch.equal(getattr(first, name), getattr(second, name))


@torch.inference_mode()
def test_history_and_window_are_left_as_they_are():
    street = made(SMALL)
    window, past, scene = town(64, 128), torch.rand(1, 3, 64, 128), torch.tensor([[1.0, 9, 7]])
    copies = [part.clone() for part in (window.ids, window.boundary, window.features, past, scene)]
    street(window, (past, scene))
    for part, copy in zip(
        (window.ids, window.boundary, window.features, past, scene), copies, strict=True
    ):
        assert torch.equal(part, copy)


def test_weights_that_changed_are_prepared_again():
    street = made(SMALL)
    window = town(32, 64)
    assert_same(*both(street, window, None))
    with torch.no_grad():
        street.head.bias.add_(0.1)
    assert_same(*both(street, window, None))
    with torch.inference_mode():
        nn.init.zeros_(street.up_mid.weight)
    assert_same(*both(street, window, None))
    street.load_state_dict(made(replace(SMALL)).state_dict())
    assert_same(*both(street, window, None))


def test_what_it_does_not_paint():
    street = made(SMALL)
    window = town(32, 64)
    assert not street_inference.applies(street, window)  # gradients
    with torch.inference_mode():
        assert street_inference.applies(street, window)
        assert not street_inference.applies(street, replace(window, ids=window.ids.long()))
        two = Conditioning(window.ids.repeat(2, 1, 1, 1))
        assert not street_inference.applies(street, two)
        assert not street_inference.applies(made(SMALL).double(), window)
        with torch.autocast("cpu", torch.bfloat16):
            assert not street_inference.applies(street, window)
