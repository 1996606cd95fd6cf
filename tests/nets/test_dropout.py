"""Test-time dropout that can be repeated."""

import pytest
import torch

from vidtrans.nets.dropout import Dropout, SeededSequential, has_dropout
from vidtrans.nets.painting import Conditioning
from vidtrans.nets.pix2pix import Pix2PixConfig, UNet
from vidtrans.nets.resnet import Resnet, ResnetConfig


@pytest.fixture
def layers():
    return SeededSequential(Dropout(0), torch.nn.ReLU(), Dropout(1)).eval()


def test_half_is_dropped_and_the_rest_doubled(layers):
    values = layers[0](torch.ones(1, 64, 16, 16), 3)
    assert set(values.unique().tolist()) == {0.0, 2.0}
    assert abs(float(values.mean()) - 1) < 0.05
    assert torch.equal(values, layers[0](torch.ones(1, 64, 16, 16), 3))


def test_layers_and_seeds_drop_different_values(layers):
    ones = torch.ones(1, 64, 16, 16)
    first, second = layers[0](ones, 3), layers[2](ones, 3)
    for other in (second, layers[0](ones, 4)):
        assert 0.4 < float((first == other).float().mean()) < 0.6


def test_without_a_seed_nothing_is_dropped(layers):
    ones = torch.ones(1, 4, 8, 8)
    assert not torch.equal(layers(ones, 3), ones)
    assert torch.equal(layers(ones), ones)


NETWORKS = {
    "unet": lambda **more: UNet(Pix2PixConfig(channels=2, downsamplings=6, **more)),
    "resnet": lambda **more: Resnet(
        ResnetConfig(channels=2, blocks=2, dropout_layers=True, **more)
    ),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_networks_paint_by_the_seed_that_they_are_given(make):
    torch.manual_seed(0)
    network = make().eval()
    assert has_dropout(network)
    image = torch.randn(1, 1, 3, 64, 64)

    @torch.inference_mode()
    def painted(seed):
        return network(Conditioning(image=image, dropout_seed=seed), None).picture

    before = {name: vars(module).copy() for name, module in network.named_modules()}
    plain, one, two, again = painted(None), painted(1), painted(2), painted(1)
    assert torch.equal(one, again)
    assert not torch.equal(one, two)
    assert not torch.equal(plain, one)
    assert torch.equal(plain, painted(None))
    assert {name: vars(module) for name, module in network.named_modules()} == before


def test_a_network_configured_to_drop_does_so_by_seed_0():
    torch.manual_seed(0)
    network = NETWORKS["unet"](dropout=True).eval()
    image = torch.randn(1, 1, 3, 64, 64)
    with torch.inference_mode():
        plain = network(Conditioning(image=image), None).picture
        assert torch.equal(plain, network(Conditioning(image=image, dropout_seed=0), None).picture)
        assert not torch.equal(
            plain, network(Conditioning(image=image, dropout_seed=1), None).picture
        )
