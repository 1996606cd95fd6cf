"""Settings are read once, frozen, and a wrong one is named."""

from fractions import Fraction

import pytest
from pydantic import ValidationError

from vidtrans.errors import UsageError
from vidtrans.pipeline.settings import ConvertSettings, RenderSettings

BASE = {"input": "labels.mkv", "output": "film.mp4"}


def test_words_become_values():
    settings = ConvertSettings.read(
        **BASE, size_hw="512x256", rate="30000/1001", scene_cuts="300, 120"
    )
    assert settings.render.size_hw == (256, 512)
    assert settings.render.rate == Fraction(30000, 1001)
    assert settings.render.scene_cuts == (120, 300)


def test_none_leaves_the_default():
    assert ConvertSettings.read(**BASE, model=None, size_hw=None) == ConvertSettings(**BASE)


def test_cuts_from_a_file(tmp_path):
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("# shot changes\n0120\n300  # the tunnel\n")
    assert ConvertSettings.read(**BASE, scene_cuts=str(cuts)).render.scene_cuts == (120, 300)


def test_many_cuts_are_a_list_and_no_file_name():
    cuts = tuple(range(3, 1000, 7))
    given = ConvertSettings.read(**BASE, scene_cuts=",".join(map(str, cuts)))
    assert given.render.scene_cuts == cuts


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        ConvertSettings(**BASE).render = RenderSettings()
    with pytest.raises(ValidationError):
        ConvertSettings(**BASE).render.model = "other"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"size_hw": "512:256"}, "size_hw: a size is WIDTHxHEIGHT, as 512x256, not '512:256'"),
        ({"size_hw": "0x4"}, "at least 1x1"),
        ({"size_hw": "20000x100"}, "at most 16384"),
        ({"output": ""}, "one of them is empty"),
        ({"rate": "fast"}, "rate: a rate is a number"),
        ({"rate": "1/0"}, "rate: a rate is a number"),
        ({"rate": "-5"}, "more than 0"),
        ({"scene_cuts": "sometimes"}, "scene cuts are auto, off"),
        ({"scene_cuts": "a" * 300}, "scene cuts are auto, off"),
        ({"layer": "flwo"}, "layer: "),
        ({"precision": "fp8"}, "precision: "),
        (
            {"encoder_option": {"crf": "9"}},
            "encoder_option: unknown key. Did you mean encoder_options",
        ),
        ({"frobnicate": 1}, "frobnicate: unknown key."),
    ],
)
def test_a_wrong_value_is_named(values, sentence):
    with pytest.raises(UsageError) as caught:
        ConvertSettings.read(**BASE | values)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
