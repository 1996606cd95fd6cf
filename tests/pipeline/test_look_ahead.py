"""Frames that tell nothing at the start do not spoil how labels are read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.labels import colourise, load_scheme, parse_labels
from vidtrans.media.reader import open_reader
from vidtrans.pipeline import look_ahead as module
from vidtrans.pipeline.look_ahead import look_ahead

CITY = load_scheme("cityscapes")


@pytest.fixture
def street() -> np.ndarray:
    ids = np.full((64, 128), 7, np.uint8)
    ids[:14], ids[14:34, :60], ids[14:34, 60:] = 23, 11, 21
    ids[30:40, 20:40] = 26
    return ids


def folder(path, pictures):
    path.mkdir()
    for number, picture in enumerate(pictures):
        order = picture if picture.ndim == 2 else picture[..., ::-1]
        cv2.imwrite(str(path / f"{number:06d}.png"), order)
    return path


def title(shape):
    card = np.zeros((*shape, 3), np.uint8)
    cv2.putText(card, "RUN 7", (8, 40), 0, 1, (255, 255, 255), 2, cv2.LINE_AA)
    return card


@pytest.mark.parametrize("before", [0, 1, 5, 40])
@pytest.mark.parametrize("kind", ["black", "title", "fade", "ids"])
def test_frames_before_the_labels(tmp_path, street, before, kind):
    colours = colourise(street, CITY)
    first = {
        "black": [0 * colours] * before,
        "title": [title(street.shape)] * before,
        "fade": [(colours * (n / before)).astype(np.uint8) for n in range(before)],
        "ids": [0 * street] * before,
    }[kind]
    labels = street if kind == "ids" else colours
    pictures = [*first, *[labels] * 8]
    with open_reader(folder(tmp_path / "in", pictures)) as reader:
        found = look_ahead(reader, parse_labels("auto"))
        assert str(found.detection) == f"cityscapes:{'ids' if kind == 'ids' else 'colours'}"
        read = [frame.pixels for frame in found.frames]
    assert len(read) == len(pictures)
    for got, put in zip(read, pictures, strict=True):
        np.testing.assert_array_equal(got, put)


def test_one_frame_is_enough_where_it_tells(tmp_path, street):
    with open_reader(folder(tmp_path / "in", [street] * 4)) as reader:
        found = look_ahead(reader, parse_labels("auto"), 1)
        assert len(found.telling) == 1
        assert [frame.index for frame in found.frames] == [0, 1, 2, 3]


def test_long_beginnings_are_not_held_in_memory(tmp_path, street, monkeypatch):
    monkeypatch.setattr(module, "_MOST_HELD", 3 * street.size)
    with open_reader(folder(tmp_path / "in", [0 * street] * 20 + [street] * 4)) as reader:
        found = look_ahead(reader, parse_labels("auto"))
        assert [frame.index for frame in found.frames] == list(range(24))


def test_the_first_refusal_is_told(tmp_path, street):
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 128, 3), dtype=np.uint8)
    with (
        open_reader(folder(tmp_path / "in", list(noise))) as reader,
        pytest.raises(InputError, match="frame 0: this is not a label map"),
    ):
        look_ahead(reader, parse_labels("auto"))


def test_labels_under_transparent_pixels_are_warned_of(street, tmp_path):
    alpha = np.full(street.shape, 255, np.uint8)
    alpha[:16] = 0
    picture = np.dstack([colourise(street, CITY)[..., ::-1], alpha])
    path = tmp_path / "in"
    path.mkdir()
    for number in range(3):
        assert cv2.imwrite(str(path / f"{number}.png"), picture)
    with open_reader(path) as reader:
        (warning,) = look_ahead(reader, parse_labels("auto")).detection.warnings
    assert "25.0% of the pixels are transparent" in warning
