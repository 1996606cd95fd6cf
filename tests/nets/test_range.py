import numpy as np
import pytest
import torch

from vidtrans.nets.range import from_bytes, normalise, to_bytes


def test_every_byte_comes_back():
    picture = torch.arange(256, dtype=torch.uint8).reshape(16, 16, 1).repeat(1, 1, 3)
    assert torch.equal(to_bytes(from_bytes(picture)), picture)


def test_ends_are_clamped_and_halves_go_to_even():
    found = to_bytes(
        torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0]).reshape(1, 1, 1, 5).repeat(1, 3, 1, 1)
    )
    assert found.dtype == torch.uint8
    assert found[0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_one_channel_becomes_grey_and_batches_are_refused():
    assert to_bytes(torch.ones(1, 1, 2, 2)).shape == (2, 2, 3)
    with pytest.raises(ValueError, match="batch"):
        to_bytes(torch.ones(2, 3, 2, 2))


def test_any_number_of_pictures_and_channels():
    films = torch.randint(0, 256, (2, 3, 4, 5, 1), dtype=torch.uint8)
    found = from_bytes(films)
    assert found.shape == (2, 3, 1, 4, 5)
    assert found.dtype == torch.float32
    assert torch.equal(found[1, 2, 0], normalise(films[1, 2, :, :, 0].float()))


def test_means_of_bytes_are_normalised_as_bytes_are():
    assert normalise(np.array([0.0, 127.5, 255.0])).tolist() == [-1, 0, 1]
