"""Discriminators: published names, sizes of their maps, what they hand out."""

import pytest
import torch
from vidtrans_training.discriminators import (
    MultiscaleDiscriminator,
    PatchDiscriminator,
    PixelDiscriminator,
)


def test_a_patch_of_pix2pix_sees_70_pixels():
    network = PatchDiscriminator(2, 2, 3, "batch")
    assert network(torch.rand(1, 2, 256, 256)).scores[0].shape[-2:] == (30, 30)
    x = torch.rand(1, 2, 256, 256, requires_grad=True)
    network.eval()(x).scores[0][0, 0, 15, 15].backward()
    seen = x.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


@pytest.mark.parametrize(("norm", "bias"), [("batch", False), ("instance", True)])
def test_convolutions_of_pix2pix_have_a_bias_before_instance_norms_alone(norm, bias):
    assert ("model.2.bias" in PatchDiscriminator(2, 2, 3, norm).state_dict()) is bias
    assert ("net.2.bias" in PixelDiscriminator(2, 2, norm).state_dict()) is bias


def test_a_pixel_discriminator_scores_every_pixel():
    assert PixelDiscriminator(4, 2, "batch")(torch.rand(1, 4, 5, 7)).scores[0].shape == (1, 1, 5, 7)


def test_scales_from_the_finest_to_the_coarsest():
    network = MultiscaleDiscriminator(3, [8, 4], 2, "instance", features=True)
    found = network(torch.rand(1, 3, 32, 32))
    assert [score.shape[-1] for score in found.scores] == [11, 7]
    assert [[a.shape[1] for a in scale] for scale in found.activations] == [[4, 8, 16], [8, 16, 32]]
    assert "scale1_layer3.0.weight" in network.state_dict()


def test_without_features_layers_have_other_names():
    plain = MultiscaleDiscriminator(3, [4], 3, "batch", features=False)
    assert plain(torch.rand(1, 3, 32, 32)).activations == ((),)
    convolutions = {"0", "2", "5", "8", "11"}
    found = {name.split(".")[1] for name, t in plain.state_dict().items() if t.ndim == 4}
    assert found == convolutions
    assert all(name.startswith("layer0.") for name in plain.state_dict())


def test_widths_stop_at_512():
    network = MultiscaleDiscriminator(3, [256], 4, "instance", features=True)
    assert network.get_submodule("scale0_layer4")[0].weight.shape[:2] == (512, 512)
    assert PatchDiscriminator(2, 1, 5, "batch").model[-4].weight.shape[:2] == (8, 8)
