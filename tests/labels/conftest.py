"""Frames made of arrays, and the real material where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vidtrans.frame import Frame, FrameTime


@pytest.fixture
def frame_of() -> Callable[..., Frame]:
    """``frame_of(pixels, palette=None, index=0, source="clip.mkv")``."""

    def make(pixels, palette=None, index=0, source="clip.mkv") -> Frame:
        return Frame(
            index, np.ascontiguousarray(pixels), FrameTime(index, Fraction(1, 17)), palette, source
        )

    return make


@pytest.fixture(scope="session")
def real() -> Path:
    """Real Cityscapes material, which never enters the project."""
    folder = Path(os.environ.get("VIDTRANS_SHARED", Path(__file__).parents[3] / "shared")) / "real"
    if not folder.is_dir():
        pytest.skip("no real Cityscapes material here")
    return folder


@pytest.fixture(scope="session")
def street() -> np.ndarray:
    """A plain street in Cityscapes labelIds, uint8 [128,256]: sky, houses, trees, road,
    pavement, cars, poles."""
    ids = np.full((128, 256), 11, np.uint8)
    ids[:28] = 23
    ids[20:70, 150:256] = 21
    ids[70:80] = 8
    ids[78:] = 7
    ids[60:90, 30:80] = 26
    ids[66:84, 180:215] = 26
    ids[62:84, 120:128] = 24
    ids[10:78, 100:103] = 17
    ids[30:76, 230:234] = 17
    ids[24:34, 98:108] = 20
    return ids
