"""Losses against values computed by hand, and their gradients against finite differences."""

import math

import pytest
import torch
from vidtrans_training.losses import (
    discriminator_loss,
    feature_matching,
    generator_loss,
    masked_l1,
    perceptual_loss,
)

COARSE, FINE = torch.tensor([[[[0.5, -1.0]]]]), torch.tensor([[[[2.0]]]])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("kind", "real", "wanted"),
    [
        ("ls", True, (0.25 + 4) / 2 + 1),
        ("ls", False, (0.25 + 1) / 2 + 4),
        ("log", True, (softplus(-0.5) + softplus(1)) / 2 + softplus(-2)),
        ("log", False, (softplus(0.5) + softplus(-1)) / 2 + softplus(2)),
        ("hinge", True, (0.5 + 2) / 2 + 0),
        ("hinge", False, (1.5 + 0) / 2 + 3),
    ],
)
def test_a_discriminators_loss_is_summed_over_its_scales(kind, real, wanted):
    assert discriminator_loss([FINE, COARSE], real=real, kind=kind).item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("ls", (0.25 + 4) / 2 + 1),
        ("log", (softplus(-0.5) + softplus(1)) / 2 + softplus(-2)),
        ("hinge", -(-0.25 + 2)),
    ],
)
def test_a_generators_loss_wants_real(kind, wanted):
    assert generator_loss([FINE, COARSE], kind).item() == pytest.approx(wanted)


def test_feature_matching_weights_layers_and_scales():
    fake = ((torch.tensor([1.0, 3.0]), torch.tensor([2.0])), (torch.tensor([0.0]), FINE))
    real = ((torch.tensor([0.0, 0.0]), torch.tensor([5.0])), (torch.tensor([0.5]), FINE))
    # Mean distances 2 and 3 at one scale, 0.5 and 0 at the other; 4 / (2 + 1) / 2 of their sum.
    assert feature_matching(fake, real, 2).item() == pytest.approx(4 / 3 / 2 * 5.5)


def test_feature_matching_learns_from_the_fake_alone():
    fake, real = torch.rand(3, requires_grad=True), torch.rand(3, requires_grad=True)
    feature_matching(((fake,),), ((real,),), 3).backward()
    assert fake.grad is not None
    assert real.grad is None


def test_a_masked_loss_is_divided_by_all_elements():
    found, wanted = torch.tensor([[[[1.0, 5.0]], [[2.0, 9.0]]]]), torch.zeros(1, 2, 1, 2)
    trusted = torch.tensor([[[[1.0, 0.0]]]])
    assert masked_l1(found, wanted, trusted).item() == pytest.approx((1 + 2) / 4)
    assert masked_l1(found, wanted, torch.zeros(1, 1, 1, 2)).item() == 0


def test_perceptual_weights():
    ones, zeros = [torch.ones(2)] * 5, [torch.zeros(2)] * 5
    assert perceptual_loss(ones, zeros).item() == pytest.approx(1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1)


SMOOTH = {
    "ls": lambda x: discriminator_loss([x], real=True, kind="ls"),
    "log": lambda x: discriminator_loss([x], real=False, kind="log"),
    "hinge of the generator": lambda x: generator_loss([x], "hinge"),
    "log of the generator": lambda x: generator_loss([x], "log"),
    # Far from 1, where the hinge bends.
    "hinge": lambda x: discriminator_loss([x - 5], real=True, kind="hinge"),
    "masked": lambda x: masked_l1(x + 3, torch.zeros_like(x), torch.ones(1, 1, 2, 3).double()),
    "features": lambda x: feature_matching(((x + 3,),), ((torch.zeros_like(x),),), 3),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_agree_with_finite_differences(name):
    x = torch.rand(1, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(SMOOTH[name], (x,))
