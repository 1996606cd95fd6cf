"""``vidtrans bench preview`` on a film of a few seconds."""

import json
from itertools import pairwise

import numpy as np
from typer.testing import CliRunner

from vidtrans.cli.app import app
from vidtrans.cli.measure_preview import SCENE_FRAMES, write_scenes
from vidtrans.media.reader import open_reader
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.sequence.scene_cuts import likeness


def test_figures_of_a_short_film(label_film, tiny_model):
    words = (
        f"bench preview --input {label_film} --model {tiny_model} --device cpu --size 64x32"
        " --frames 420 --play 60 --seeks 20"
    )
    result = CliRunner().invoke(app, words.split(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["frames"], figures["size"], figures["play"]["frames"]) == (420, "64x32", 60)
    assert figures["cached"]["count"] == 20
    assert 0 < figures["cached"]["median"] < figures["play"]["ms_a_frame"]
    assert 1 <= figures["replayed"]["frames_mean"] <= figures["replayed"]["frames_max"] <= 24
    assert figures["snapshots"] == 3  # frames 0, 24 and 48
    assert figures["unseen"]["first_ms"]["max"] <= figures["unseen"]["exact_ms"]["max"]
    assert figures["machine"]


def test_scenes_are_cuts(label_film, tmp_path):
    write_scenes(
        tmp_path / "long.mkv",
        ConvertSettings(input=str(label_film), output="unused.mkv"),
        SCENE_FRAMES + 2,
        (32, 64),
    )
    with open_reader(tmp_path / "long.mkv") as reader:
        frames = [frame.pixels for frame in reader]
    assert len(frames) == SCENE_FRAMES + 2
    same = [likeness(a, b) for a, b in pairwise(frames)]
    assert [at for at, value in enumerate(same, 1) if value < 0.45] == [SCENE_FRAMES]
    assert set(np.unique(frames[-1])) == set(np.unique(frames[0]))
