"""A setting is declared once; options, the command that gives it, the preview and the docs
follow."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner
from vidtrans_ffmpeg.cli import app as filter_app

from vidtrans.cli.app import app
from vidtrans.cli.options import command_line, option_table, with_options
from vidtrans.errors import InputError, UsageError
from vidtrans.labels.edit import EditList, RelabelClass, StyleClass
from vidtrans.pipeline.options import (
    Option,
    Setting,
    option_of,
    reopening_fields,
    setting_fields,
)
from vidtrans.pipeline.settings import ConvertSettings, RenderSettings, WithRender

DOCS = Path(__file__).parents[2] / "docs" / "convert.md"
PLACES = {"input": "labels.mkv", "output": "film.mp4"}


class EngineSettings(RenderSettings):
    """The settings of the pictures with one more, as a new option is added."""

    engine: Annotated[
        Literal["torch", "other"],
        Setting((Option("engine", "ENGINE", "What computes: torch or other."),), "Run"),
    ] = "torch"
    skip: Annotated[
        bool,
        Setting((Option("skip", "", "Pass over what is damaged."),), piped=False, reopens=False),
    ] = False


class EngineConvertSettings(ConvertSettings):
    """What ``convert`` would be asked to do with it."""

    render: EngineSettings = EngineSettings()


class EngineProject(WithRender):
    """What a project would hold."""

    render: EngineSettings = EngineSettings()
    input: str | None = None


def command_of(settings, **words):
    """A command with the options of ``settings``, and the list that its settings are put into."""
    made, one = [], typer.Typer()

    @one.command()
    @with_options(settings, **words)
    def command(**options: Any) -> None:
        made.append(settings.from_options(**PLACES, **options) if not words else options)

    return one, made


def options_of(command):
    return {option for parameter in command.params for option in parameter.opts}


def test_a_new_setting_is_an_option_of_the_command():
    one, made = command_of(EngineConvertSettings)
    runner = CliRunner()
    shown = runner.invoke(one, ["--help"], terminal_width=200).output
    assert "--engine" in shown
    assert "What computes: torch or other." in shown
    assert runner.invoke(one, ["--engine", "other", "--skip"]).exit_code == 0
    assert made[0].render.engine == "other"
    assert made[0].render.skip is True
    with pytest.raises(UsageError, match=r"^engine: "):
        runner.invoke(one, ["--engine", "abacus"], catch_exceptions=False, standalone_mode=False)


def test_a_new_setting_is_an_option_of_the_filter_where_it_suits_a_pipe():
    one, made = command_of(EngineSettings, piped=True)
    names = options_of(typer.main.get_command(one))
    assert "--engine" in names
    assert not {"--skip", "--rate"} & names
    assert CliRunner().invoke(one, ["--engine", "other"]).exit_code == 0
    assert EngineSettings.from_options(**made[0]).engine == "other"


def test_a_new_setting_is_in_the_command_that_repeats_a_run():
    settings = EngineConvertSettings.read(**PLACES, engine="other", skip=True)
    assert command_line(["convert"], settings) == ["convert", "--engine", "other", "--skip"]
    one, made = command_of(EngineConvertSettings)
    assert CliRunner().invoke(one, command_line([], settings)).exit_code == 0
    assert made == [settings]
    assert command_line(["convert"], EngineConvertSettings.read(**PLACES)) == ["convert"]


def test_a_new_setting_reopens_the_preview_unless_it_says_otherwise():
    names = reopening_fields(EngineProject)
    assert "engine" in names
    assert not {"skip", "layer", "edits"} & set(names)
    before = EngineProject.read(input="a.mkv")
    assert before.flat()["engine"] != before.model_copy(update={"engine": "other"}).flat()["engine"]


def test_a_new_setting_is_in_the_table_and_in_messages():
    assert "| `--engine ENGINE` | What computes: torch or other. | `torch` |" in option_table(
        EngineConvertSettings
    )
    assert option_of(EngineConvertSettings, "engine") == Option(
        "engine", "ENGINE", "What computes: torch or other."
    )
    assert option_of(EngineConvertSettings, "input") is None


def test_the_commands_have_every_option_of_the_settings():
    declared = {
        f"--{option.name}": field.setting.piped
        for field in setting_fields(ConvertSettings)
        for option in field.setting.options
    }
    assert declared.keys() <= options_of(typer.main.get_command(app).commands["convert"])
    pictures = {
        f"--{option.name}"
        for field in setting_fields(RenderSettings)
        for option in field.setting.options
        if field.setting.piped
    }
    assert pictures <= options_of(typer.main.get_command(filter_app))


def test_every_setting_of_the_pictures_has_an_option():
    assert {field.name for field in setting_fields(RenderSettings)} == set(RenderSettings.names())


def test_the_docs_hold_the_table():
    assert option_table(ConvertSettings) in DOCS.read_text(encoding="utf-8"), (
        "docs/convert.md differs from the settings; run scripts/docs_options.py"
    )


def test_the_preview_and_the_project_follow_the_settings():
    from vidtrans_gui.project import REOPENING, Project

    assert set(Project.names()) == {"input", "view", "render", *RenderSettings.names()}
    assert set(REOPENING) == {"input", *RenderSettings.names()} - {"edits", "layer"}


def test_options_become_settings(tmp_path):
    (tmp_path / "styles.toml").write_text("seed = 5\n[classes]\nbus = 2\n")
    settings = ConvertSettings.from_options(
        **PLACES,
        size="512x256",
        scene_cuts="3,9",
        first_frame=["a.png", "b.png"],
        relabel=["car=bus"],
        style=["car=1"],
        styles=str(tmp_path / "styles.toml"),
        encoder_option=["crf=18", "x265-params=a=b"],
        drop=[],
        rate=None,
    )
    assert settings.render.size_hw == (256, 512)
    assert settings.render.scene_cuts == (3, 9)
    assert settings.render.first_frame == ("a.png", "b.png")
    assert settings.render.edits == EditList(
        (RelabelClass("car", "bus"), StyleClass("bus", 2), StyleClass("car", 1))
    )
    assert settings.render.seed == 5
    assert settings.encoder_options == {"crf": "18", "x265-params": "a=b"}
    given = ConvertSettings.from_options(**PLACES, styles=str(tmp_path / "styles.toml"), seed=8)
    assert given.render.seed == 8


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"sise": "4x4"}, UsageError, "sise: unknown key. Did you mean"),
        ({"encoder_option": ["crf"]}, UsageError, "takes KEY=VALUE"),
        ({"size": "4:4"}, UsageError, "size_hw: a size is WIDTHxHEIGHT"),
        ({"from": "ten"}, UsageError, "start: a position is a frame number"),
        ({"to": "1:00"}, UsageError, "end: a position is a frame number"),
        ({"from": "9", "to": "9"}, UsageError, "from frame 9 up to frame 9 holds no frame"),
        ({"edits": "none.json"}, InputError, "cannot be read"),
    ],
)
def test_wrong_options_are_named(options, error, sentence):
    with pytest.raises(error) as caught:
        ConvertSettings.from_options(**PLACES, **options)
    assert sentence in str(caught.value)


def test_an_option_may_be_called_as_a_keyword_of_python_is():
    """``from`` is no name of a parameter in Python; in manifests it is."""
    settings = ConvertSettings.from_options(**PLACES, **{"from": "00:00:02:00", "to": "75"})
    assert (settings.start, settings.end) == ("00:00:02:00", 75)
    words = command_line([], settings)
    assert words == ["--from", "00:00:02:00", "--to", "75"]
    one, made = command_of(ConvertSettings)
    assert CliRunner().invoke(one, words).exit_code == 0
    assert made == [settings]
    assert option_of(ConvertSettings, "start").parameter == "from"


def test_settings_are_given_flat_or_contained():
    flat = ConvertSettings.read(**PLACES, model="mine", layer="flow")
    assert flat == ConvertSettings(**PLACES, render=RenderSettings(model="mine", layer="flow"))
    assert ConvertSettings.read(**flat.flat()) == flat
    assert ConvertSettings.read(**PLACES, render=flat.render, layer="raw").render.model == "mine"
    assert ConvertSettings.model_validate_json(flat.model_dump_json()) == flat
    changed = flat.model_copy(update={"layer": "raw", "output": "b.mp4"})
    assert (changed.render.layer, changed.render.model) == ("raw", "mine")
    assert changed.output == "b.mp4"


def test_a_command_is_quoted_for_a_shell():
    settings = ConvertSettings.read(**PLACES, model="my model.safetensors", resume=True)
    words = command_line(["vidtrans", "convert"], settings)
    assert shlex.split(shlex.join(words)) == words
    assert words[2:] == ["--model", "my model.safetensors", "--resume"]
