import pytest
import torch

from vidtrans.nets.blocks import FrameNorm, Norms, ResidualBlock, fixed_running_statistics


def test_a_frames_own_statistics_whatever_is_stored():
    norm = FrameNorm(3, affine=True, stored=True).eval()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
        norm.running_mean.fill_(50)
    x = torch.rand(2, 3, 6, 8) * 4 + 2
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    wanted = (x - mean) / (variance + 1e-5).sqrt() * norm.weight.view(1, 3, 1, 1) + norm.bias.view(
        1, 3, 1, 1
    )
    torch.testing.assert_close(norm(x), wanted, atol=1e-5, rtol=1e-5)
    assert norm.running_mean.tolist() == [50, 50, 50]


def test_stored_statistics_where_they_are_asked_for():
    norm = FrameNorm(1, affine=True, stored=True, statistics="running").eval()
    norm.running_mean.fill_(2)
    norm.running_var.fill_(4)
    assert norm(torch.full((1, 1, 2, 2), 6.0))[0, 0, 0, 0].item() == pytest.approx(2, abs=1e-4)
    with pytest.raises(ValueError, match="none are stored"):
        FrameNorm(1, affine=False, stored=False, statistics="running")


@pytest.mark.parametrize("statistics", ["frame", "running"])
def test_stored_statistics_follow_while_training_unless_they_are_fixed(statistics):
    norm = FrameNorm(2, affine=True, stored=True, statistics=statistics)
    plain = torch.nn.BatchNorm2d(2)
    x = torch.rand(1, 2, 4, 4)
    with fixed_running_statistics():
        norm(x)
    assert norm.running_mean.tolist() == [0, 0]
    torch.testing.assert_close(norm(x), plain(x))
    torch.testing.assert_close(norm.running_mean, plain.running_mean)
    torch.testing.assert_close(norm.running_var, plain.running_var)
    assert norm.num_batches_tracked.item() == 1


def test_float64_stays_float64():
    norm = FrameNorm(2, affine=True, stored=True).double()
    x = torch.rand(1, 2, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(norm(x), torch.nn.BatchNorm2d(2).double()(x), atol=1e-12, rtol=0)


def test_statistics_are_float32_inside_autocast():
    """A large mean with a small spread survives only where the statistics are not taken in
    bfloat16."""
    norm = FrameNorm(1, affine=False, stored=False)
    x = 100 + torch.rand(1, 1, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = norm(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, norm(x))


def test_tensors_have_their_published_names():
    assert set(ResidualBlock(2, Norms("batch")).state_dict()) == {
        f"conv_block.{i}.{name}"
        for i, names in {
            1: ("weight", "bias"),
            2: ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"),
            5: ("weight", "bias"),
            6: ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"),
        }.items()
        for name in names
    }
    assert set(Norms("instance", stored=False)(2).state_dict()) == set()
    assert "running_mean" in Norms("instance")(2).state_dict()
