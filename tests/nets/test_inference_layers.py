"""Layers for CPUs without gradients against those of PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vidtrans.nets import inference_layers
from vidtrans.nets.blocks import FrameNorm
from vidtrans.nets.inference_layers import slim_convolution

EXACT = {"atol": 2e-5, "rtol": 1e-5}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (8, 16)])
def test_transposed_convolutions(size, bias):
    torch.manual_seed(0)
    layer = inference_layers.ConvTranspose2d(
        6, 4, 3, stride=2, padding=1, output_padding=1, bias=bias
    )
    x = torch.randn(2, 6, *size)
    expected = layer(x)  # with gradients: PyTorch's own
    assert expected.requires_grad
    with torch.inference_mode():
        found = layer(x)
        assert torch.equal(layer(x), found)
    torch.testing.assert_close(found, expected.detach(), **EXACT)
    assert found.is_contiguous()


def test_transposed_convolutions_of_other_kinds():
    layer = inference_layers.ConvTranspose2d(3, 2, 4, stride=2, padding=1)
    x = torch.randn(1, 3, 4, 6)
    with torch.inference_mode():
        assert torch.equal(layer(x), nn.ConvTranspose2d.forward(layer, x))


@torch.inference_mode()
@pytest.mark.parametrize(
    ("outputs", "kernel"), [(1, 7), (2, 7), (3, 7), (4, 7), (6, 7), (3, 3), (3, 1), (64, 7)]
)
def test_convolutions_to_few_outputs(outputs, kernel):
    torch.manual_seed(0)
    x = torch.randn(2, 8, 11, 17)
    weight, bias = torch.randn(outputs, 8, kernel, kernel) * 0.05, torch.randn(outputs)
    found = slim_convolution(x, weight, bias)
    torch.testing.assert_close(found, F.conv2d(x, weight, bias), **EXACT)


def test_heads_hold_the_tensors_of_plain_ones():
    layer = inference_layers.Conv2d(8, 3, 7)
    plain = nn.Conv2d(8, 3, 7)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(1, 8, 10, 12)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), plain(x), **EXACT)
    assert torch.equal(layer(x), plain(x))  # with gradients


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (2, 5, 3, 7), (1, 300, 16, 32), (1, 2, 512, 300)])
def test_norms_keep_small_variances_beside_large_means(shape, affine):
    torch.manual_seed(0)
    norm = FrameNorm(shape[1], affine=affine, stored=False).eval()
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x = torch.randn(shape) * 0.5 + 100
    exact = norm.double()(x.double()).detach()
    norm.float()
    kept = x.clone()
    plain = norm(x).detach() if affine else F.instance_norm(x, eps=1e-5)
    with torch.inference_mode():
        found = norm(x)
    assert torch.equal(x, kept)
    assert (found - exact).abs().max() <= 3 * (plain - exact).abs().max() + 1e-5


def test_they_are_plain_layers_elsewhere():
    x = torch.zeros(1, 1, 4, 4)
    assert not inference_layers.applies(x)  # gradients
    with torch.inference_mode():
        assert inference_layers.applies(x)
        assert not inference_layers.applies(x.double())
        assert not inference_layers.applies(x.to("meta"))
        with torch.autocast("cpu", torch.bfloat16):
            assert not inference_layers.applies(x)
