"""Losses on values that a reader can check by hand."""

import torch
from vidtrans_training import street_losses as losses
from vidtrans_training.street_discriminators import MultiscaleDiscriminator, temporal_planes


def test_masked_l1_counts_only_the_mask():
    found, wanted = torch.zeros(1, 2, 1, 4), torch.full((1, 2, 1, 4), 3.0)
    mask = torch.tensor([[[[1.0, 0, 0, 1]]]])
    wanted[..., 1:3] = 100
    torch.testing.assert_close(losses.masked_l1(found, wanted, mask), torch.tensor(3.0))
    assert losses.masked_l1(found, wanted, torch.zeros_like(mask)) == 0


def test_pyramid_weighs_areas_more_than_pixels():
    wanted = torch.zeros(1, 3, 16, 16)
    area = wanted + 0.5
    checks = 0.5 - (torch.arange(16)[:, None] + torch.arange(16)) % 2 + wanted
    torch.testing.assert_close(losses.pyramid_l1(area, wanted), torch.tensor(0.5))
    torch.testing.assert_close(losses.pyramid_l1(checks, wanted), torch.tensor(0.5 / 4))
    assert losses.pyramid_l1(checks, wanted, range(1, 4)) == 0
    assert losses.gradient_l1(area, wanted) == 0
    torch.testing.assert_close(losses.gradient_l1(checks, wanted), torch.tensor(2.0))


def test_hinge_losses():
    sure, wrong = [torch.full((1, 1, 2, 2), 2.0)], [torch.full((1, 1, 2, 2), -2.0)]
    assert losses.hinge_discriminator(sure, wrong) == 0
    assert losses.hinge_discriminator(wrong, sure) == 6
    assert losses.hinge_generator(sure) == -2


def test_feature_matching_weights():
    painted = [[torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 2, 2)]]
    real = [[torch.ones(1, 2, 4, 4), torch.full((1, 4, 2, 2), 2.0)]]
    torch.testing.assert_close(
        losses.feature_matching(painted, real), torch.tensor((1 + 2) * 4 / 3)
    )


def test_trusted_flow_needs_sight_and_likeness():
    real = torch.zeros(1, 3, 1, 3)
    warped = real.clone()
    warped[..., 1] = 0.1
    visible = torch.tensor([[[[1.0, 1, 0]]]])
    assert losses.trusted_flow(warped, real, visible).flatten().tolist() == [1, 0, 0]


def test_judges_give_a_map_for_every_scale():
    judge = MultiscaleDiscriminator(3, channels=4, layers=2, scales=2, label_nc=5)
    picture, ids = torch.zeros(2, 3, 32, 64), torch.randint(0, 5, (2, 32, 64), dtype=torch.uint8)
    judged = judge(picture, ids, ids > 3)
    assert [tuple(score.shape) for score in judged.scores] == [(2, 1, 8, 16), (2, 1, 4, 8)]
    assert [len(layers) for layers in judged.activations] == [3, 3]
    other = judge(picture, (ids + 1) % 5, ids > 3)
    assert not torch.allclose(judged.scores[0], other.scores[0])


def test_temporal_planes():
    pictures, flows = torch.rand(2, 3, 3, 8, 8), torch.full((2, 2, 2, 8, 8), 10.0)
    planes = temporal_planes(pictures, flows)
    assert planes.shape == (2, 13, 8, 8)
    assert (planes[:, 9:] == 0.5).all()
