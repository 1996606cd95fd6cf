"""What errors of the engine say to do, in the options of ``vidtrans-filter``."""

import subprocess
import sys

import numpy as np
import typer
from vidtrans_ffmpeg.cli import app, option_words

from vidtrans.errors import Remedy


def options():
    command = typer.main.get_command(app)
    return {option for parameter in command.params for option in parameter.opts}


def test_every_option_that_is_named_exists(remedied_settings):
    worded = {setting: option_words(setting) for setting in remedied_settings}
    assert {word for word in worded.values() if word.startswith("--")} <= options()
    assert {worded[name] for name in ("labels", "size_hw", "precision", "device")} == {
        "--labels",
        "--size",
        "--precision",
        "--device",
    }


def test_a_setting_without_an_option_is_named_in_plain_words():
    remedy = Remedy("Give {overwrite}, {codec:ffv1}, {snapshot_every} or {pixel_format:gray}.")
    assert remedy.sentence(option_words) == (
        "Give overwrite, codec ffv1, snapshot every or --output-pixel-format gray."
    )


def test_the_filter_names_its_own_option(send, tiny_model):
    photo = np.random.default_rng(0).integers(0, 256, (2, 32, 64), np.uint8)
    done = subprocess.run(
        [sys.executable, "-m", "vidtrans_ffmpeg", "--model", str(tiny_model)],
        input=send(photo, "-c:v", "rawvideo", "-f", "nut"),
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == 3, said
    assert said.startswith("vidtrans-filter: error: <stdin>, frame 0: this is not a label map:")
    assert said.endswith("in a palette file: --labels mine.toml.\n")
