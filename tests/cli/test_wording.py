"""What errors of the engine say to do, in the options of the command line."""

import pytest
import typer

from vidtrans.cli import main
from vidtrans.cli.app import app
from vidtrans.cli.wording import option_words, size_option
from vidtrans.errors import Remedy, UsageError
from vidtrans.model.options import IMPORT_OPTIONS


def test_every_setting_of_a_remedy_is_an_option_of_convert(remedied_settings):
    command = typer.main.get_command(app).commands["convert"]
    options = {option for parameter in command.params for option in parameter.opts}
    of_convert = remedied_settings - IMPORT_OPTIONS
    assert {option_words(setting) for setting in of_convert} <= options


def test_options_of_published_models_are_those_of_the_import(remedied_settings):
    command = typer.main.get_command(app).commands["models"].commands["import"]
    assert "--option" in {option for parameter in command.params for option in parameter.opts}
    named = remedied_settings & IMPORT_OPTIONS
    assert {"which_epoch", "label_nc"} <= named
    assert option_words("label_nc") == "--option label_nc=..."


def test_a_value_follows_its_option():
    remedy = Remedy("Try {precision:bf16}, a smaller {size_hw} or {pixel_format:yuv444p}.")
    assert remedy.sentence(option_words) == (
        "Try --precision bf16, a smaller --size or --pixel-format yuv444p."
    )


def test_the_command_names_its_own_option(capsys, label_film, tiny_model, tmp_path):
    (tmp_path / "film.mp4").touch()
    words = ["convert", str(label_film), str(tmp_path / "film.mp4"), "--model", str(tiny_model)]
    assert main(words) == 5
    assert capsys.readouterr().err == (
        f"vidtrans: error: {tmp_path / 'film.mp4'}: exists already."
        " Give --overwrite to replace it, or another name.\n"
    )


def test_a_size_is_read_as_height_and_width():
    assert size_option(None) is None
    assert size_option("512x256") == (256, 512)
    with pytest.raises(UsageError, match=r"^--size: a size is WIDTHxHEIGHT"):
        size_option("huge")


def test_a_missing_system_library_is_named_with_its_package():
    from vidtrans.startup import missing_library

    gone = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    assert "apt-get install libgl1" in missing_library(gone)
    other = ImportError("libfoo.so.2: cannot open shared object file: No such file or directory")
    assert "libfoo.so.2 is missing" in missing_library(other)
    assert missing_library(ImportError("No module named x")) is None
    assert missing_library(ValueError("libGL.so.1")) is None
