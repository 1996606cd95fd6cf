"""Place planes: bounded, the same for a crop as for the whole, mirrored by a mirror."""

import torch

from vidtrans.nets.perspective import PLANES, perspective_planes
from vidtrans.nets.viewport import Viewport

CPU = torch.device("cpu")


def test_a_crops_planes_are_a_crop_of_the_planes():
    whole = perspective_planes(Viewport.whole((64, 128)), 4, CPU)
    assert whole.shape == (1, PLANES, 16, 32)
    assert whole.abs().max() <= 1
    crops = perspective_planes(Viewport((64, 128), (32, 64), ((16, 64), (0, 32))), 4, CPU)
    torch.testing.assert_close(crops[:1], whole[:, :, 4:12, 16:])
    torch.testing.assert_close(crops[1:], whole[:, :, :8, 8:24])


def test_planes_scale_with_the_picture():
    small = perspective_planes(Viewport.whole((64, 128)), 4, CPU)
    large = perspective_planes(Viewport.whole((128, 256)), 8, CPU)
    torch.testing.assert_close(small, large, atol=1e-4, rtol=0)
