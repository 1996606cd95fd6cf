"""NV12 planes against those of FFmpeg's scaler."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorRange

from vidtrans.media.encoders import NV12_MATRIX, choose_encoding
from vidtrans.media.encoding import _FLAGS
from vidtrans.nets.nv12 import to_nv12


def encoding(size_hw=(64, 96), pixel_format="nv12"):
    return choose_encoding(
        Path("film.mp4"),
        size_hw=size_hw,
        rate=Fraction(25),
        time_base=Fraction(1, 25),
        pixel_format=pixel_format,
    )


PLANES = encoding().nv12


def converted(picture):
    return to_nv12(torch.from_numpy(picture), PLANES).numpy()


def by_ffmpeg(picture):
    """As the encoders of films are given their pictures."""
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format="nv12",
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        dst_colorspace=NV12_MATRIX,
        interpolation=_FLAGS,
    )
    return frame.to_ndarray()


def differences(found, wanted, height):
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype == np.uint8
    off = np.abs(found.astype(int) - wanted)
    return off[:height], off[height:]


def smooth(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 3 % 256], -1).astype(np.uint8)


def test_smooth_pictures_are_within_one_level():
    # The blue ramp breaks off somewhere; an edge of chroma is FFmpeg's own over some rows more.
    luma, chroma = differences(converted(smooth(64, 96)), by_ffmpeg(smooth(64, 96)), 64)
    assert luma.max() <= 1
    assert np.quantile(chroma, 0.9) <= 1
    ramp = smooth(64, 96)
    ramp[..., 2] = 128
    luma, chroma = differences(converted(ramp), by_ffmpeg(ramp), 64)
    assert max(luma.max(), chroma.max()) <= 1


def test_luma_of_noise_is_within_one_level_and_chroma_that_of_pairs_of_rows():
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    luma, _ = differences(converted(noise), by_ffmpeg(noise), 64)
    assert luma.max() <= 1
    stripes = np.repeat(noise[:1], 64, axis=0)  # nothing to filter along columns
    luma, chroma = differences(converted(stripes), by_ffmpeg(stripes), 64)
    assert max(luma.max(), chroma.max()) <= 1


def test_real_pictures(shared):
    import cv2

    files = sorted((shared / "real" / "pairs" / "images").glob("*.png"))
    picture = np.ascontiguousarray(cv2.imread(str(files[0]))[:512, :1024, ::-1])
    luma, chroma = differences(converted(picture), by_ffmpeg(picture), 512)
    assert luma.max() <= 1
    assert np.quantile(chroma, 0.99) <= 1
    assert chroma.max() <= 8


@pytest.mark.parametrize(
    ("colour", "wanted"),
    [
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 0, 255), (32, 240, 118)),
    ],
)
def test_colours_of_the_recommendation(colour, wanted):
    found = converted(np.full((2, 4, 3), colour, np.uint8))
    assert found.tolist() == [[wanted[0]] * 4] * 2 + [[*wanted[1:]] * 2]


@pytest.mark.parametrize("size_hw", [(5, 8), (6, 7), (5, 7), (1, 1)])
def test_odd_sides_are_filled_with_their_last_pixels(size_hw):
    picture = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    more = [(0, side % 2) for side in size_hw]
    filled = np.pad(picture, (*more, (0, 0)), "edge")
    assert np.array_equal(converted(picture), converted(filled))


def test_which_encoders_take_them():
    assert encoding().nv12 == encoding(pixel_format="yuv420p").nv12
    assert encoding(pixel_format="yuv444p").nv12 is None
    assert encoding((63, 96), pixel_format="yuv444p").nv12 is None
