"""Edits and styles in the pipe: the same words as convert's, the same pictures."""

import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture
def piped(label_film, tiny_model):
    """``piped(*words)``: the filter run on the label film through NUT; its exit code, rgb24
    bytes and words."""

    command = (sys.executable, "-m", "vidtrans_ffmpeg", "--output-format", "rawvideo")

    def run(*words, model=tiny_model):
        source = subprocess.run(
            [
                "ffmpeg",
                "-v",
                "error",
                "-nostdin",
                "-i",
                label_film,
                "-c:v",
                "rawvideo",
                "-f",
                "nut",
                "-",
            ],
            capture_output=True,
            check=True,
        )
        return subprocess.run(
            [
                *command,
                "--model",
                model,
                "--labels",
                "cityscapes",
                "--device",
                "cpu",
                *map(str, words),
            ],
            input=source.stdout,
            capture_output=True,
        )

    return run


def test_edits_give_convert_s_pictures(piped, label_film, tiny_model, tmp_path, decoded):
    from vidtrans.labels.edit_text import gather_edits
    from vidtrans.pipeline.convert import convert
    from vidtrans.pipeline.settings import ConvertSettings

    result = piped("--relabel", "sidewalk=road@3:8")
    assert result.returncode == 0, result.stderr.decode()
    settings = {
        "input": str(label_film),
        "output": f"{tmp_path}/out/",
        "model": str(tiny_model),
        "labels": "cityscapes",
    }
    edited = convert(
        ConvertSettings.read(
            **settings, edits=gather_edits(relabel=["sidewalk=road@3:8"]), device="cpu"
        )
    )
    assert np.array_equal(
        np.frombuffer(result.stdout, np.uint8).reshape(12, 32, 64, 3), decoded(edited.output)
    )


def test_mistakes_are_sentences_and_no_frames(piped, capfd):
    from vidtrans_ffmpeg.cli import main

    result = piped("--style", "car=1")
    assert result.returncode == 2
    assert b"tiny has no styles to choose from" in result.stderr
    assert b"Traceback" not in result.stderr
    assert result.stdout == b""
    assert (
        b"the identity takes no edits"
        in piped("--relabel", "sidewalk=road", model="identity").stderr
    )
    for words, said in (
        (["--style", "car"], "a style is CLASS=NUMBER"),
        (["--drop", "car"], "an instance's id"),
        (["--relabel", "sidewalk"], "CLASS=CLASS"),
    ):
        assert main(words) == 2
        shown = capfd.readouterr()
        assert said in shown.err
        assert shown.out == ""
