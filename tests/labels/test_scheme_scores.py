"""Candidate schemes and their scores: what the detector decides with."""

import cv2
import numpy as np
import pytest

from vidtrans.labels import colourise, load_scheme
from vidtrans.labels.colour_mistakes import MATRIX_MISTAKES
from vidtrans.labels.frame_statistics import (
    colour_coverage,
    colour_statistics,
    flat_share,
    palette_statistics,
    value_statistics,
)
from vidtrans.labels.palette import palette_of
from vidtrans.labels.scheme_scores import (
    candidate_schemes,
    distinct,
    score_colours,
    score_values,
)
from vidtrans.labels.street_prior import log_likelihood

CITY = load_scheme("cityscapes")


def test_shares_heights_and_flatness_of_values():
    picture = np.zeros((4, 4), np.uint8)
    picture[2:] = 7
    picture[3, 3] = 9
    found = value_statistics([picture])
    assert found.shares == {0: 0.5, 7: 7 / 16, 9: 1 / 16}
    assert found.heights[0] == pytest.approx(0.25)  # rows 0 and 1, at 1/8 and 3/8
    assert found.heights[9] == pytest.approx(0.875)
    assert found.flat == flat_share(picture) == 11 / 12
    assert set(value_statistics([picture], rare=0.1).shares) == {0, 7}


def test_the_likelihood_of_a_street_falls_with_every_wrong_meaning(street):
    statistics = value_statistics([street])
    names = {value: CITY.name_of(value) for value in statistics.shares}
    right = log_likelihood(statistics, names)
    upside_down = log_likelihood(value_statistics([np.ascontiguousarray(street[::-1])]), names)
    swapped = log_likelihood(statistics, names | {7: "sky", 23: "road"})
    assert upside_down < right - 1
    assert swapped < right - 1


def test_values_are_scored_under_the_schemes_that_have_them_all(street):
    scores = score_values(value_statistics([street]), candidate_schemes())
    assert scores[0].scheme == CITY or scores[0].agrees(
        next(score for score in scores if score.scheme == CITY)
    )
    assert [s.log_likelihood for s in scores] == sorted(
        (s.log_likelihood for s in scores), reverse=True
    )
    assert "cityscapes-train" not in {s.scheme.name for s in scores}  # it has no 26
    # gta5 and kitti-360 give these values the meaning that Cityscapes gives them.
    assert distinct(scores)[0].scheme == CITY
    assert len(distinct(scores)) < len(scores)


def test_a_model_with_a_scheme_of_its_own_adds_a_candidate(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('classes = [{ id = 1, name = "road" }]')
    assert candidate_schemes(load_scheme(path))[-1].name == "mine"
    assert candidate_schemes(CITY) == candidate_schemes()


def test_colours_are_scored_by_the_share_that_a_palette_covers(street):
    colours = colourise(street, CITY)
    colours[:32] = (1, 2, 200)
    statistics = colour_statistics([colours])
    assert not statistics.fringed
    assert statistics.inner == 1
    coverage, ids = colour_coverage(statistics, CITY, 10)
    assert coverage == pytest.approx(0.75)
    assert {7, 11, 26} <= ids
    scores = {score.scheme.name: score for score in score_colours(statistics, [CITY], 10)}
    assert scores["cityscapes"].names[26] == "car"
    assert colour_coverage(statistics, CITY, 0) == (coverage, ids)


def test_only_the_inside_of_areas_counts_after_a_lossy_codec(street):
    large = cv2.resize(street, (512, 256), interpolation=cv2.INTER_NEAREST)
    blurred = cv2.GaussianBlur(colourise(large, CITY), (5, 5), 0)
    statistics = colour_statistics([blurred])
    assert statistics.fringed
    assert 0.5 < statistics.inner < 1
    assert colour_coverage(statistics, CITY, 10)[0] > 0.99


def test_a_palette_counts_by_its_pixels(frame_of, street):
    statistics = palette_statistics([frame_of(street, palette_of(CITY))] * 2)
    assert statistics.shares.sum() == pytest.approx(1)
    assert len(statistics.colours) == len(np.unique(street))


@pytest.mark.parametrize("mistake", MATRIX_MISTAKES, ids=lambda mistake: mistake.description)
def test_a_wrong_matrix_moves_colours_and_keeps_greys(mistake):
    np.testing.assert_allclose(mistake.change(np.array([128.0] * 3)), [128] * 3, atol=1e-9)
    shown = mistake.shown(CITY)
    assert [entry.id for entry in shown.classes] == [entry.id for entry in CITY.classes]
    assert shown.find("building").colour == CITY.find("building").colour  # a grey
    assert shown.find("car").colour != CITY.find("car").colour
