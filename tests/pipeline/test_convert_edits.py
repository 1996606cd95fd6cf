"""Edits on their way through a conversion."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from vidtrans.errors import InputError, UsageError
from vidtrans.labels.edit import DeleteInstance, EditList, FirstFrame, RelabelClass, ResetAt
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings

SIDEWALK, ROAD = 8, 7


@pytest.fixture
def run(label_film, tiny_model, tmp_path, decoded):
    """``run(**settings)``: the pictures of a conversion."""

    def make(**values):
        settings = {
            "input": str(label_film),
            "output": str(tmp_path / "out"),
            "model": str(tiny_model),
            "labels": "cityscapes",
        }
        return decoded(
            convert(ConvertSettings.read(**settings | {"overwrite": True} | values)).output
        )

    return make


def test_a_relabelled_film_is_the_film_of_relabelled_labels(run, grey_film, scene, tmp_path):
    ids = [scene(n) for n in range(12)]
    other = [
        np.where((i == SIDEWALK) & (3 <= n < 8), ROAD, i).astype(np.uint8)
        for n, i in enumerate(ids)
    ]
    edits = EditList((RelabelClass("sidewalk", "road", 3, 8),))
    assert np.array_equal(
        run(edits=edits), run(input=str(grey_film(tmp_path / "other.mkv", other)))
    )


def test_a_reset_forgets_the_past(run, grey_film, scene, tmp_path):
    tail = run(input=str(grey_film(tmp_path / "tail.mkv", [scene(n) for n in range(5, 12)])))
    film = run(edits=EditList((ResetAt(5),)))
    assert np.array_equal(film[5:], tail)
    assert not np.array_equal(run()[5:], tail)


def test_a_given_picture_is_shown_and_gone_on_from(run, tmp_path):
    look = np.random.default_rng(1).integers(0, 256, (32, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "look.png"), look)
    plain, film = run(), run(edits=EditList((FirstFrame(str(tmp_path / "look.png"), 4),)))
    assert np.array_equal(film[:4], plain[:4])
    assert np.array_equal(film[4], look[..., ::-1])
    assert not np.array_equal(film[5], plain[5])


def test_a_relabelling_makes_no_cut(label_film, tiny_model, tmp_path):
    """Half of the picture changes class from one frame to the next, which is an edit and no
    scene."""
    edits = EditList((RelabelClass("road", "sky", 6), RelabelClass("building", "vegetation", 6)))
    settings = ConvertSettings(
        input=str(label_film),
        output=str(tmp_path / "out"),
        model=str(tiny_model),
        labels="cityscapes",
        edits=edits,
    )
    assert convert(settings).cuts == ()


def test_edits_that_do_not_suit_are_told_before_any_work(run, tmp_path):
    with pytest.raises(UsageError, match="no class 'pavment'"):
        run(edits=EditList((RelabelClass("pavment", "road"),)))
    with pytest.raises(InputError, match="does not exist"):
        run(edits=EditList((FirstFrame(str(tmp_path / "missing.png")),)))
    with pytest.raises(UsageError, match="no instance maps"):
        run(edits=EditList((DeleteInstance(26001, 2),)))
    assert not (tmp_path / "out").exists()


def test_a_run_is_resumed_with_its_own_edits_only(label_film, tiny_model, tmp_path):
    from vidtrans.errors import Interrupted

    class AfterFour:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 4

    settings = ConvertSettings(
        input=str(label_film),
        output=str(tmp_path / "out.mkv"),
        model=str(tiny_model),
        labels="cityscapes",
        resume=True,
    )
    with pytest.raises(Interrupted):
        convert(settings, cancel=AfterFour())
    with pytest.raises(UsageError, match="edits"):
        convert(settings.model_copy(update={"edits": EditList((ResetAt(3),))}))
    assert convert(settings).frames == 12


def test_the_command_takes_edits(run, label_film, tiny_model, tmp_path, decoded):
    from vidtrans.cli.app import app

    EditList((ResetAt(5),)).save(tmp_path / "edits.json")
    line = (
        f"convert {label_film} {tmp_path / 'cli'} --model {tiny_model} --labels cityscapes"
        " --progress none"
    )
    line += f" --edits {tmp_path / 'edits.json'} --relabel sidewalk=road@3:8"
    result = CliRunner().invoke(app, line.split(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    edits = EditList((ResetAt(5), RelabelClass("sidewalk", "road", 3, 8)))
    assert np.array_equal(decoded(tmp_path / "cli"), run(edits=edits))
