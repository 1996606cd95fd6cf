"""Weights to begin with."""

import pytest
import torch
from vidtrans_training.initialise import copy_branch_biases, draw_weights

from vidtrans.nets.pix2pix import Pix2PixConfig, UNet
from vidtrans.nets.vid2vid import Vid2Vid, Vid2VidConfig


def test_deviations_and_biases():
    torch.manual_seed(0)
    network = UNet(Pix2PixConfig(channels=8, downsamplings=5))
    draw_weights(network, zero_biases=True)
    weights = torch.cat([p.flatten() for p in network.parameters() if p.ndim == 4])
    assert weights.mean().item() == pytest.approx(0, abs=1e-3)
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
    norms = torch.cat([p for n, p in network.named_parameters() if p.ndim == 1 and "weight" in n])
    assert norms.mean().item() == pytest.approx(1, abs=0.01)
    assert all(not p.any() for n, p in network.named_parameters() if n.endswith("bias"))


def test_vid2vids_copied_branches_share_their_originals_biases():
    torch.manual_seed(0)
    config = Vid2VidConfig(channels=4, downsamplings=2, blocks=2, scales=2, local_blocks=1)
    network = Vid2Vid(config)
    for scale in (network.G0, network.G1):
        draw_weights(scale, zero_biases=False)
        copy_branch_biases(scale)
        own = dict(scale.named_parameters())
        assert torch.equal(own["model_down_img.4.bias"], own["model_down_seg.4.bias"])
        assert not torch.equal(own["model_down_img.4.weight"], own["model_down_seg.4.weight"])
        assert not torch.equal(own["model_down_img.1.bias"], own["model_down_seg.1.bias"])
    parameters = dict(network.G0.named_parameters())
    for name in ("0.conv_block.1.bias", "0.conv_block.5.bias"):
        copied, original = (parameters[f"model_res_{part}.{name}"] for part in ("flow", "img"))
        assert torch.equal(copied, original)
    assert torch.equal(parameters["model_up_flow.0.bias"], parameters["model_up_img.0.bias"])
