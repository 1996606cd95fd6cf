"""Prepared convolutions against plain ones."""

import pytest
import torch
import torch.nn.functional as F

from vidtrans.nets import prepared_convolution
from vidtrans.nets.prepared_convolution import PreparedConvolution

SHAPES = [(8, 12, 8, 8), (48, 96, 32, 32), (96, 96, 20, 36), (96, 96, 32, 34), (48, 96, 4, 8)]


def image(channels: int, h: int, w: int) -> torch.Tensor:
    return torch.randn(1, h, w, channels).permute(0, 3, 1, 2)


@torch.inference_mode()
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("channels", "outputs", "h", "w"), SHAPES)
def test_they_are_plain_convolutions(channels, outputs, h, w, relu, stride):
    torch.manual_seed(0)
    weight, bias = torch.randn(outputs, channels, 3, 3) * 0.05, torch.randn(outputs)
    x = image(channels, h, w)
    prepared = PreparedConvolution(weight, bias, stride)
    expected = F.conv2d(x, weight, bias, stride=stride, padding=1)
    found = prepared.of(x, relu=relu)
    torch.testing.assert_close(found, expected.relu() if relu else expected, atol=5e-5, rtol=0)
    assert found.is_contiguous(memory_format=torch.channels_last)
    before = image(outputs, *expected.shape[2:])
    summed = before + expected
    given = prepared.add_to(before, x)
    assert given is before
    torch.testing.assert_close(given, summed, atol=5e-5, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize(("channels", "outputs", "h", "w"), SHAPES)
def test_shuffled(channels, outputs, h, w):
    torch.manual_seed(0)
    weight, bias = torch.randn(outputs, channels, 3, 3) * 0.05, torch.randn(outputs)
    x, out = image(channels, h, w), image(outputs // 4, 2 * h, 2 * w)
    # The shuffle of PyTorch has the channels ordered (C, 2, 2).
    order = torch.arange(outputs).view(2, 2, -1).permute(2, 0, 1).flatten()
    convolved = F.conv2d(x, weight[order], bias[order], padding=1)
    expected = out + F.pixel_shuffle(convolved, 2)
    found = PreparedConvolution(weight, bias).add_shuffled(out, x)
    assert found is out
    torch.testing.assert_close(found, expected, atol=5e-5, rtol=0)


def test_tiles_are_taken_where_there_are_many_channels(monkeypatch):
    calls = []
    strips = prepared_convolution.winograd.Tiles.strips
    monkeypatch.setattr(
        prepared_convolution.winograd.Tiles,
        "strips",
        lambda self, x: calls.append(x.shape) or strips(self, x),
    )
    with torch.inference_mode():
        for channels, outputs, h, w in SHAPES:
            weight = torch.randn(outputs, channels, 3, 3)
            PreparedConvolution(weight, torch.zeros(outputs)).of(image(channels, h, w))
    assert calls == [(1, 48, 32, 32), (1, 96, 20, 36)]
