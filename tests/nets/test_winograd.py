"""Convolutions in tiles against direct ones."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vidtrans.nets import winograd
from vidtrans.nets.blocks import Norms, ResidualBlock, fixed_running_statistics
from vidtrans.nets.dropout import Dropout


@torch.inference_mode()
@pytest.mark.parametrize(
    ("channels", "outputs", "size"),
    [(8, 8, (8, 12)), (3, 5, (4, 4)), (16, 4, (13, 22)), (1 << 17, 3, (4, 4)), (600, 2, (64, 64))],
)
def test_it_is_the_reflect_padded_convolution(channels, outputs, size):
    torch.manual_seed(0)
    x = torch.randn(1, channels, *size)
    weight = torch.randn(outputs, channels, 3, 3) / (9 * channels) ** 0.5
    rows = x[0].flatten(1).t()
    found = winograd.convolve(winograd.padded(rows, size), weight, size)
    expected = F.conv2d(F.pad(x.double(), (1, 1, 1, 1), mode="reflect"), weight.double())
    worst = (found.t().view(outputs, *size) - expected[0]).abs().max()
    assert worst <= 3e-5  # of results of a standard deviation of 1


def block(kind: str, statistics: str, *, dropout: bool = False, bias: bool = True) -> ResidualBlock:
    torch.manual_seed(0)
    norm = Norms(kind, stored=statistics == "running", statistics=statistics)
    made = ResidualBlock(
        winograd.LEAST_CHANNELS, norm, bias=bias, dropout=Dropout(0) if dropout else None
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        for name, buffer in made.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand_like(buffer))
    return made.eval()


@pytest.mark.parametrize("size", [(32, 64), (46, 45)])
@pytest.mark.parametrize(
    ("kind", "statistics"), [("batch", "frame"), ("instance", "frame"), ("batch", "running")]
)
@pytest.mark.parametrize("more", [{}, {"dropout": True}, {"bias": False}], ids=str)
def test_residual_blocks_are_the_same(kind, statistics, more, size, monkeypatch):
    network = block(kind, statistics, **more)
    x = torch.randn(1, winograd.LEAST_CHANNELS, *size)
    x[:, :4] += 300  # a mean that is large beside the deviation
    calls = []
    convolve = winograd.convolve
    monkeypatch.setattr(
        winograd, "convolve", lambda *given: calls.append(given) or convolve(*given)
    )
    kept = x.clone()
    seed = 5 if more.get("dropout") else None
    with torch.inference_mode():
        found = network(x, seed)
        assert len(calls) == 2
        assert torch.equal(x, kept)
        assert torch.equal(network(x, seed), found)  # to the bit, every time
    direct = network(x, seed).detach()
    exact = network.double()(x.double(), seed).detach()
    assert len(calls) == 4  # none of these, which have gradients
    # A rounding of seven times a direct convolution's on average: see the module.
    assert (found - exact).std() <= 20 * (direct - exact).std()
    assert (found - exact).abs().max() <= 50 * (direct - exact).abs().max()


def test_what_is_convolved_directly():
    many = nn.Conv2d(128, 128, 3)
    x = torch.zeros(1, 128, 32, 64)
    assert not winograd.applies(many, x)  # gradients
    with torch.inference_mode():
        assert winograd.applies(many, x)
        assert not winograd.applies(many, x.repeat(2, 1, 1, 1))
        assert not winograd.applies(many, x[..., :16, :16])
        assert not winograd.applies(many, x.double())
        assert not winograd.applies(nn.Conv2d(128, 64, 3), x)
        assert not winograd.applies(nn.Conv2d(128, 128, 3, stride=2), x)
        with torch.autocast("cpu", torch.bfloat16):
            assert not winograd.applies(many, x)


def test_training_mode_keeps_its_statistics():
    network = block("batch", "running").train()
    before = network.conv_block[2].running_mean.clone()
    with torch.no_grad(), fixed_running_statistics():
        network(torch.randn(1, 128, 32, 64))
    assert torch.equal(network.conv_block[2].running_mean, before)
    with torch.no_grad():
        network(torch.randn(1, 128, 32, 64))
    assert not torch.equal(network.conv_block[2].running_mean, before)
