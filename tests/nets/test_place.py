"""Place planes: bounded, the same for a crop as for the whole, mirrored by a mirror."""

import torch

from vidtrans.nets.place import PLANES, place_planes, whole_picture


def test_a_crops_planes_are_a_crop_of_the_planes():
    whole = whole_picture((64, 128), 4, torch.device("cpu"))
    assert whole.shape == (1, PLANES, 16, 32)
    assert whole.abs().max() <= 1
    crop = place_planes(torch.tensor([[16.0, 64.0]]), torch.tensor([[64.0, 128.0]]), (8, 16), 4)
    torch.testing.assert_close(crop, whole[:, :, 4:12, 16:])


def test_planes_scale_with_the_picture():
    small = whole_picture((64, 128), 4, torch.device("cpu"))
    large = whole_picture((128, 256), 8, torch.device("cpu"))
    torch.testing.assert_close(small, large, atol=1e-4, rtol=0)
