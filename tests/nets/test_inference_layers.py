"""Layers for CPUs without gradients against those of PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vidtrans.nets import inference_layers
from vidtrans.nets.blocks import FrameNorm, Layers, Norms, down, residuals, up, wide
from vidtrans.nets.inference_layers import slim_convolution

EXACT = {"atol": 2e-5, "rtol": 1e-5}


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


@torch.inference_mode()
@pytest.mark.parametrize("size", [(1, 3), (64, 5), (70_000, 8)])
def test_statistics_of_a_small_variance_beside_a_large_mean(size):
    torch.manual_seed(0)
    rows = torch.randn(size) * 0.1 + torch.linspace(-300, 300, size[1])
    rows[: size[0] // 2] += 1  # the first half is another part of the picture
    mean, variance = inference_layers.statistics(rows)
    torch.testing.assert_close(mean.double(), rows.double().mean(dim=0), atol=1e-5, rtol=1e-6)
    expected = rows.double().var(dim=0, correction=0)
    torch.testing.assert_close(variance.double(), expected, atol=1e-7, rtol=1e-5)


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


@torch.inference_mode()
def test_equal_values_are_normalised_to_zeros():
    rows = torch.tensor([0.1, -3.3, 1e6]).expand(30_011, 3).contiguous()
    mean, variance = inference_layers.statistics(rows)
    assert torch.equal(mean, rows[0])
    assert not variance.any()
    assert not FrameNorm(3, affine=False, stored=False).eval().normalise_rows(rows).any()


@pytest.mark.parametrize("statistics", ["frame", "running"])
@pytest.mark.parametrize("planar", [True, False])
def test_layers_in_channels_last_are_the_plain_ones(statistics, planar):
    """Several pictures, each by its own statistics; and what is given is left as it is."""
    torch.manual_seed(0)
    norm = Norms("batch", statistics=statistics)
    layers = Layers(
        *wide(3, 8, norm), *down(8, 12, norm), *residuals(1, 12, norm), *up(12, 8, norm)
    ).eval()
    for parameter in layers.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 3, 18, 22)
    x = x if planar else x.contiguous(memory_format=torch.channels_last)
    kept = x.clone()
    expected = layers(x)  # with gradients: PyTorch's own
    assert expected.requires_grad
    with torch.inference_mode():
        found = layers(x)
        assert torch.equal(x, kept)
        assert torch.equal(layers(x), found)  # to the bit, every time
        after_norm = layers[1](layers[0](x))
        kept = after_norm.clone()
        layers[2:](after_norm)  # begins with a norm, of somebody else's tensor
        assert torch.equal(after_norm, kept)
        assert Layers()(x) is not None
    torch.testing.assert_close(found, expected.detach(), **EXACT)
    assert found.is_contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_results_do_not_depend_on_strides_of_axes_of_length_1():
    layers = Layers(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()).eval()
    pixels = torch.randn(16, 24, 3)
    odd = pixels.permute(2, 0, 1)[None].as_strided((1, 3, 16, 24), (3, 1, 72, 3))
    assert odd.is_contiguous(memory_format=torch.channels_last)
    found = [layers(x) for x in (odd, odd.contiguous(), pixels[None].permute(0, 3, 1, 2))]
    for other in found[1:]:
        assert torch.equal(found[0], other)
        assert found[0].stride() == other.stride()


def test_they_are_plain_layers_elsewhere():
    x = torch.zeros(1, 1, 4, 4)
    with torch.inference_mode(), inference_layers.plain_networks():
        assert not inference_layers.applies(x)
    assert not inference_layers.applies(x)  # gradients
    with torch.inference_mode():
        assert inference_layers.applies(x)
        assert not inference_layers.applies(x.double())
        assert not inference_layers.applies(x.to("meta"))
        with torch.autocast("cpu", torch.bfloat16):
            assert not inference_layers.applies(x)
