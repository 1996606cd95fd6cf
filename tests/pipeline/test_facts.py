"""What a run is only resumed with."""

from typing import Annotated

import pytest

from vidtrans.pipeline.facts import facts_of
from vidtrans.pipeline.options import Option, Setting
from vidtrans.pipeline.settings import ConvertSettings, RenderSettings
from vidtrans.pipeline.setup import open_input


class EngineSettings(RenderSettings):
    """The settings of the pictures with one more, as a new option is added."""

    engine: Annotated[str, Setting((Option("engine", "ENGINE", "What computes."),))] = "torch"


class EngineConvertSettings(ConvertSettings):
    """What ``convert`` would be asked to do with it."""

    render: EngineSettings = EngineSettings()


@pytest.fixture
def facts(label_film, tiny_model, tmp_path):
    """``facts(**values)``: of a run with these settings."""

    def make(kind=ConvertSettings, **values):
        own = {"model": str(tiny_model), "labels": "cityscapes", "device": "cpu"}
        places = {"input": str(label_film), "output": str(tmp_path / "film.mp4")}
        settings = kind.read(**places | own | values)
        with open_input(settings) as render:
            return facts_of(settings, render)

    return make


def test_every_setting_that_decides_the_film_is_a_fact(facts):
    names = {name.replace("_", " ") for name in ConvertSettings.names()}
    names -= {"render", "output", "resume", "overwrite", "size hw", "fit"}
    assert facts().keys() == names | {"vidtrans", "torch", "size"}


@pytest.mark.parametrize(
    "values",
    [
        {"size_hw": "32x16"},
        {"layer": "flow"},
        {"scene_cuts": "3,5"},
        {"codec": "ffv1"},
        {"encoder_options": {"crf": "3"}},
        {"pixel_format": "yuv444p"},
        {"snapshot_every": 3},
    ],
)
def test_another_setting_is_another_fact(facts, values):
    assert facts(**values) != facts()


def test_what_only_says_how_a_run_goes_is_no_fact(facts):
    assert facts(resume=True) == facts(overwrite=True) == facts()
    assert facts(fit="resize") == facts()


def test_a_new_setting_is_a_fact(facts):
    assert facts(EngineConvertSettings)["engine"] == "default"
    assert facts(EngineConvertSettings, engine="other")["engine"] == "other"
