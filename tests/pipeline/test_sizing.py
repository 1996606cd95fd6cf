"""Labels at the network's size and pictures back, with known pixels."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.nets.painting import Painting
from vidtrans.pipeline.sizing import Sizing

TIME = FrameTime(0, Fraction(1, 25))


def painting_of(ids):
    picture = torch.from_numpy(ids)[None, None].float().expand(1, 3, -1, -1)
    return Painting(picture, (picture,), weight=picture[:, :1])


def labels(h, w):
    ids = np.arange(h * w, dtype=np.uint8).reshape(h, w)
    return LabelFrame(0, ids, TIME, instances=ids.astype(np.int32) * 70_001)


def test_no_size_changes_nothing():
    frame = labels(6, 8)
    sizing = Sizing.plan((6, 8), None, "pad")
    assert sizing.to_net(frame) is frame
    painting = painting_of(frame.ids)
    assert sizing.from_net(frame, painting) == (frame, painting)
    assert sizing.sample_aspect(Fraction(4, 3)) == Fraction(4, 3)


def test_resize_takes_nearest_pixels_of_ids_and_instances_alike():
    frame = labels(4, 6)
    small = Sizing.plan((4, 6), (8, 12), "resize").to_net(frame)
    assert np.array_equal(small.ids, np.kron(frame.ids, np.ones((2, 2), np.uint8)))
    assert np.array_equal(small.instances, small.ids.astype(np.int32) * 70_001)


def test_resize_keeps_the_shape_on_the_screen():
    sizing = Sizing.plan((256, 512), (256, 256), "resize")
    assert sizing.sample_aspect(Fraction(1)) == 2


def test_pad_keeps_the_aspect_and_reflects_the_rest():
    frame = labels(4, 6)
    sizing = Sizing.plan((4, 6), (8, 8), "pad")
    assert sizing.scaled_hw == (5, 8)
    net = sizing.to_net(frame)
    assert net.ids.shape == (8, 8)
    assert np.array_equal(net.ids[5:], net.ids[3:0:-1])
    assert np.array_equal(net.instances, net.ids.astype(np.int32) * 70_001)
    cropped, painting = sizing.from_net(net, painting_of(net.ids))
    assert np.array_equal(cropped.ids, net.ids[:5])
    assert np.array_equal(cropped.instances, net.instances[:5])
    assert np.array_equal(painting.picture[0, 0].numpy(), net.ids[:5])
    assert painting.weight.shape == (1, 1, 5, 8)
    assert painting.flow is None
    assert sizing.sample_aspect(Fraction(1)) == 1


@pytest.mark.parametrize("size", [(3, 50), (50, 3)])
def test_pad_may_be_wider_than_the_picture(size):
    net = Sizing.plan((4, 4), size, "pad").to_net(labels(4, 4))
    assert net.ids.shape == size


def test_pictures_are_resized_too():
    frame = LabelFrame(0, np.zeros((0, 0), np.uint8), TIME, image=np.full((8, 8, 3), 90, np.uint8))
    net = Sizing.plan((8, 8), (4, 6), "pad").to_net(frame)
    assert net.image.shape == (4, 6, 3)
    assert (net.image == 90).all()
