"""VGG19: torchvision's layers, and where its weights come from."""

import pytest
import torch
from torch import nn
from vidtrans_training import perceptual
from vidtrans_training.perceptual import VGG19, load_vgg19

from vidtrans.errors import InputError, ModelError

# torchvision's configuration E: channels of the convolutions, M for a pooling.
LAYERS = [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4]


@pytest.fixture(scope="module")
def whole():
    """torchvision's VGG19 features as one sequence, with weights small enough to add up."""
    layers, inputs = [], 3
    for layer in LAYERS:
        if layer == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(inputs, layer, 3, padding=1), nn.ReLU()]
            inputs = layer
    return nn.Sequential(*layers)


def test_the_five_layers_of_torchvisions_network(whole, tmp_path):
    torch.save({f"features.{n}": t for n, t in whole.state_dict().items()}, tmp_path / "vgg.pth")
    found = load_vgg19(tmp_path / "vgg.pth")(picture := torch.rand(1, 3, 32, 48) * 2 - 1)
    for place, layer in enumerate((2, 7, 12, 21, 30)):
        torch.testing.assert_close(found[place], whole[:layer](picture))


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "vgg.pth")
    with pytest.raises(ModelError, match=r"features\.0\.bias"):
        load_vgg19(tmp_path / "vgg.pth")


def test_without_a_network_both_ways_are_named(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    with pytest.raises(InputError) as caught:
        load_vgg19()
    for said in (perceptual.ADDRESS, "[run] vgg = ", "no_vgg_loss", "no route to host"):
        assert said in str(caught.value)


def test_it_is_never_trained():
    assert not any(parameter.requires_grad for parameter in VGG19().parameters())
