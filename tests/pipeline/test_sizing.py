"""Labels at the output's size, with known pixels."""

from fractions import Fraction

import numpy as np
import pytest

from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.pipeline.sizing import Sizing

TIME = FrameTime(0, Fraction(1, 25))


def labels(h, w):
    ids = np.arange(h * w, dtype=np.uint8).reshape(h, w)
    return LabelFrame(0, ids, TIME, instances=ids.astype(np.int32) * 70_001)


def test_no_size_changes_nothing():
    frame = labels(6, 8)
    sizing = Sizing.plan((6, 8), None, "pad")
    assert sizing.scale(frame) is frame
    assert sizing.sample_aspect(Fraction(4, 3)) == Fraction(4, 3)


def test_resize_takes_nearest_pixels_of_ids_and_instances_alike():
    frame = labels(4, 6)
    small = Sizing.plan((4, 6), (8, 12), "resize").scale(frame)
    assert np.array_equal(small.ids, np.kron(frame.ids, np.ones((2, 2), np.uint8)))
    assert np.array_equal(small.instances, small.ids.astype(np.int32) * 70_001)


def test_resize_keeps_the_shape_on_the_screen():
    sizing = Sizing.plan((256, 512), (256, 256), "resize")
    assert sizing.sample_aspect(Fraction(1)) == 2


def test_pad_keeps_the_aspect():
    frame = labels(4, 6)
    sizing = Sizing.plan((4, 6), (8, 8), "pad")
    assert sizing.scaled_hw == (5, 8)
    assert sizing.net_hw == (8, 8)
    scaled = sizing.scale(frame)
    assert scaled.ids.shape == (5, 8)
    assert np.array_equal(scaled.instances, scaled.ids.astype(np.int32) * 70_001)
    assert sizing.sample_aspect(Fraction(1)) == 1


@pytest.mark.parametrize("size", [(3, 50), (50, 3)])
def test_pad_may_be_wider_than_the_picture(size):
    assert Sizing.plan((4, 4), size, "pad").scale(labels(4, 4)).ids.shape == (3, 3)


def test_pictures_are_resized_too():
    frame = LabelFrame(0, np.zeros((0, 0), np.uint8), TIME, image=np.full((8, 8, 3), 90, np.uint8))
    scaled = Sizing.plan((8, 8), (4, 6), "pad").scale(frame)
    assert scaled.image.shape == (4, 4, 3)
    assert (scaled.image == 90).all()
