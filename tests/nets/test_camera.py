"""The assumed camera is the one that the training streets were filmed with."""

import math

import pytest

from vidtrans.nets.camera import FOCAL, HORIZON
from vidtrans.nets.perspective import ENCODED_HORIZON


def test_focal_length_and_horizon_follow_from_the_angles():
    assert pytest.approx(1 / math.tan(math.radians(54 / 2)), abs=1e-3) == FOCAL
    assert pytest.approx(0.5 - FOCAL * math.tan(math.radians(0.7)), abs=1e-3) == HORIZON


def test_the_encoding_has_its_origin_near_the_horizon():
    assert abs(ENCODED_HORIZON - HORIZON) < 0.01
