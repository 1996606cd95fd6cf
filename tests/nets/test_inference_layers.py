"""Layers without gradients against those of PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vidtrans.nets import inference_layers
from vidtrans.nets.blocks import FrameNorm, Layers, Norms, down, residuals, up, wide
from vidtrans.nets.inference_layers import normalise_pictures, pad_reflected, slim_convolution

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


# -- types and layouts that are kept ---------------------------------------------------------------

HALF_TYPES = [torch.bfloat16, torch.float16]


def in_channels_last(x):
    """Whether all of a tensor's pixels lie in channels_last, and not in planes."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


@torch.inference_mode()
@pytest.mark.parametrize("dtype", HALF_TYPES)
@pytest.mark.parametrize("channels", [8, 6, 3])  # two words, not whole ones, less than one
@pytest.mark.parametrize("pad", [1, 3])
def test_reflected_pads_keep_the_layout(dtype, channels, pad):
    for count in (1, 2):
        x = torch.randn(count, channels, 5, 9).to(dtype).to(memory_format=torch.channels_last)
        found = pad_reflected(x, pad)
        assert torch.equal(found, F.pad(x, (pad,) * 4, mode="reflect"))
        assert found.dtype == dtype
        assert in_channels_last(found)


@torch.inference_mode()
def test_parts_and_planes_are_padded_too():
    pixels = torch.randn(4 * 7 * 5 + 1).bfloat16()
    odd = pixels[1:].view(1, 5, 7, 4).permute(0, 3, 1, 2)  # begins in the middle of a word
    assert in_channels_last(odd)
    split = torch.randn(1, 8, 5, 7).bfloat16().to(memory_format=torch.channels_last)[:, 2:6]
    for x in (odd, split, split.contiguous(), split.float(), split[..., :4, :4]):
        assert torch.equal(pad_reflected(x, 2), F.pad(x, (2,) * 4, mode="reflect"))
        assert pad_reflected(x, 2).dtype == x.dtype


@torch.inference_mode()
@pytest.mark.parametrize("dtype", HALF_TYPES)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_norms_of_half_types_have_statistics_in_float32(dtype, affine, count):
    """A large mean with a small spread survives only where the statistics are not taken in the
    half type; the result differs by the type's rounding alone."""
    torch.manual_seed(0)
    norm = FrameNorm(6, affine=affine, stored=False).eval()
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    values = (40 + torch.randn(count, 10, 64, 128)).to(dtype)
    values = values.to(memory_format=torch.channels_last)
    for x in (values[:, :6].contiguous(memory_format=torch.channels_last), values[:, 2:8]):
        kept = x.clone()
        exact = F.instance_norm(
            x.double(), weight=_double(norm.weight), bias=_double(norm.bias), eps=1e-5
        )
        # Half a unit in the last place, and float32's rounding of mean and deviation.
        unit = torch.finfo(dtype).eps
        for normalised in (norm, lambda x: normalise_pictures(x, norm.weight, norm.bias)):
            found = normalised(x)
            assert torch.equal(x, kept)
            assert found.dtype == dtype
            assert in_channels_last(found)
            torch.testing.assert_close(found.double(), exact, rtol=0.51 * unit, atol=1e-4)
            if count == 2:
                assert torch.equal(found[1:], normalised(x[1:]))
    equal = torch.full_like(values[:, :6], 3.3)
    norm.bias = None
    assert not norm(equal).any()


def _double(parameter):
    return None if parameter is None else parameter.double()


@torch.inference_mode()
@pytest.mark.parametrize("dtype", HALF_TYPES)
def test_stored_statistics_keep_the_type_and_the_layout(dtype):
    norm = FrameNorm(8, affine=True, stored=True, statistics="running").eval()
    norm.running_mean.fill_(2)
    norm.running_var.fill_(4)
    x = torch.full((2, 8, 3, 5), 6.0, dtype=dtype).to(memory_format=torch.channels_last)
    found = norm(x)
    assert found.dtype == dtype
    assert in_channels_last(found)
    torch.testing.assert_close(found, torch.full_like(x, 2.0))


@torch.inference_mode()
@pytest.mark.parametrize("statistics", ["frame", "running"])
def test_a_bias_is_left_out_where_a_norm_takes_it_away(statistics):
    torch.manual_seed(0)
    norm = Norms("batch", statistics=statistics)
    layers = Layers(*wide(8, 8, norm), *down(8, 12, norm), *up(12, 8, norm)).eval()
    for parameter in layers.parameters():
        nn.init.normal_(parameter, std=0.3)
    for module in layers:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.bfloat16()
    x = torch.randn(1, 8, 18, 22).bfloat16().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found = layers(x)
        with inference_layers.plain_networks():
            wanted = layers(x)
    # Three layers that round to eight bits each.
    torch.testing.assert_close(found.float(), wanted.float(), atol=0.1, rtol=0.05)
    assert in_channels_last(found)
    biased = [m for m in layers if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for module in biased:
        module.bias.fill_(torch.nan)
    assert bool(layers(x).isnan().any()) == (statistics == "running")


def test_types_and_layouts_are_kept_on_gpus_and_in_half_types():
    x = torch.zeros(1, 1, 4, 4)
    assert not inference_layers.keeps_layout(x.bfloat16())  # gradients
    with torch.inference_mode():
        assert not inference_layers.keeps_layout(x)
        assert not inference_layers.keeps_layout(x.double())
        assert inference_layers.keeps_layout(x.half())
        assert inference_layers.keeps_layout(x.to("meta"))  # as on a GPU
        with inference_layers.plain_networks():
            assert not inference_layers.keeps_layout(x.bfloat16())


def test_norms_in_training_are_in_full_precision():
    x = torch.randn(1, 3, 4, 6).bfloat16()
    with torch.no_grad():  # as in the first pass of gradient checkpointing
        assert FrameNorm(3, affine=True, stored=True)(x).dtype == torch.float32
