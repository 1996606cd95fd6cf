import math

import pytest
import torch

from vidtrans.nets.fourier import band_limited_features, fourier_features


def test_a_sine_and_a_cosine_for_each_frequency():
    found = torch.stack(fourier_features(torch.tensor([0.0, 0.25]), (1, 2)))
    torch.testing.assert_close(
        found, torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, -1.0]]), atol=1e-6, rtol=0
    )


def test_waves_fade_where_a_cell_is_as_long_as_they_are():
    metres, footprint = torch.full((4,), 1.5), torch.tensor([0.0, 1.5, 3.0, 9.0])
    valid = torch.tensor([True, True, True, True])
    sine, cosine = band_limited_features(metres, footprint, (6.0,), valid)
    assert sine.tolist() == pytest.approx([1, 0.75, 0.5, 0])
    assert cosine.abs().max() < 1e-6
    assert band_limited_features(metres, footprint, (6.0,), ~valid)[0].abs().max() == 0


def test_far_positions_keep_their_phase():
    """A street goes on for kilometres, where float32 has few digits left for an angle."""
    far = torch.tensor([48_000.75])
    sine, _ = band_limited_features(far, torch.zeros(1), (3.0,), torch.ones(1, dtype=torch.bool))
    assert sine.item() == pytest.approx(math.sin(2 * math.pi * 0.75 / 3), abs=1e-4)
