"""``init``, ``check`` and ``flow-error`` as a user calls them, on every layout."""

import json
import tomllib

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner
from vidtrans_training.cli import app, main
from vidtrans_training.datasets.feed import Feed
from vidtrans_training.datasets.opening import open_data
from vidtrans_training.datasets.samples import Draw, Lengths
from vidtrans_training.memory import MemoryEstimate
from vidtrans_training.propose import as_toml, fit_memory, propose
from vidtrans_training.settings import read_settings

from vidtrans.errors import InputError, OutputError, UsageError, VidtransError

SUITED = [
    ("pix2pix", "pix2pix"),
    ("pix2pix", "pix2pix-folders"),
    ("pix2pix", "folders-ab"),
    ("pix2pix", "cityscapes"),
    ("pix2pixhd", "folders-ab"),
    *(
        (system, kind)
        for system in ("pix2pixhd", "vid2vid")
        for kind in (
            "vid2vid",
            "cityscapes",
            "films",
            "folders",
            "world",
        )
    ),
    ("pix2pixhd", "pix2pixhd"),
    ("street", "world"),
    ("street", "films"),
]


def run(*arguments) -> str:
    if arguments[0] == "init":
        arguments += ("--no-memory",)  # its networks are of full size
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, VidtransError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("system", "kind"), SUITED)
def test_init_writes_settings_that_give_samples(tiny, system, kind):
    root, path = tiny.make(kind, 8), tiny.root / "run.toml"
    run("init", system, root, "--out", path)
    settings = read_settings(path, system=system)
    assert settings.data.root == root
    assert settings.data.layout == kind
    data = open_data(settings)
    feed = Feed(data.training, lengths=lambda epoch: Lengths(2, 2))
    clip = next(iter(feed))
    if system in ("vid2vid", "street"):
        assert len(clip) == 2 + settings.history
        assert 1 in clip.flow
    else:
        assert len(clip) == 1
    translated = system == "pix2pix" or kind == "folders-ab"
    assert (clip.labels is None) == translated
    assert (clip.images is None) != translated
    assert clip.size_hw[0] % 32 == 0


def test_the_file_tells_classes_scheme_and_what_was_not_understood(tiny):
    root, path = tiny.make("cityscapes"), tiny.root / "run.toml"
    (root / "gtFine/train/bonn/bonn_000007_000002_gtFine_labelIds.png").unlink()
    run("init", "vid2vid", root, "--out", path)
    text = path.read_text()
    assert "26  car" in text
    assert "1 of 10 pictures have no label map" in text
    content = tomllib.loads(text)
    assert content["data"]["labels"] == "cityscapes:ids"
    assert content["options"]["label_nc"] == 35
    assert content["options"]["use_instance"] is True


def test_photos_in_place_of_labels_are_taken_for_pictures_and_it_is_said(tiny):
    root, path = tiny.make("folders-ab"), tiny.root / "run.toml"
    run("init", "pix2pixhd", root, "--out", path)
    assert "label_nc = 0" in path.read_text()
    assert "The labels are taken for pictures" in path.read_text()


def test_a_palette_file_is_named_by_its_path(tiny, monkeypatch):
    root, path = tiny.make("pix2pixhd"), tiny.root / "runs/run.toml"
    path.parent.mkdir()
    classes = "".join(
        f'[[classes]]\nid = {value}\nname = "{name}"\n'
        for value, name in ((7, "tar"), (8, "slabs"), (11, "brick"), (23, "air"), (26, "tin"))
    )
    (tiny.root / "mine.toml").write_text(classes)
    monkeypatch.chdir(tiny.root)
    run("init", "pix2pixhd", root, "--labels", "mine.toml", "--out", path)
    settings = read_settings(path)
    assert settings.data.labels == str(tiny.root / "mine.toml")
    assert settings.label_nc == 27
    assert open_data(settings).training.draw(Draw(0, 0, 0, Lengths())).clip.labels.max() == 26
    assert "tin" in path.read_text()


def test_settings_are_made_to_fit_into_memory(tiny, monkeypatch):
    asked = []

    def estimate(settings, size_hw):
        asked.append((settings.run.checkpointing, settings.options.max_frames_per_gpu))
        return MemoryEstimate(size_hw, 1 << 30, 1 << 30, (4 - len(asked)) << 30)

    monkeypatch.setattr("vidtrans_training.memory.estimate_memory", estimate)
    proposal = propose("vid2vid", tiny.make("vid2vid"))
    fitted, told = fit_memory(proposal, (1 << 30, "a small GPU"))
    assert asked == [(False, 2), (True, 2), (True, 1)]
    assert fitted.settings.run.checkpointing
    assert "checkpointing = true" in as_toml(fitted, facts=told)
    assert told[1] == "There are 1 GB on a small GPU."
    asked.clear()
    same, told = fit_memory(proposal, (1 << 40, "a cluster"))
    assert same == proposal
    assert len(told) == 2
    asked.clear()
    _, told = fit_memory(proposal, (1, "a toy"))
    assert "too little" in told[-1]


def test_init_keeps_a_file_that_is_there(tiny):
    root, path = tiny.make("pix2pix"), tiny.root / "run.toml"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        run("init", "pix2pix", root, "--out", path)
    run("init", "pix2pix", root, "--out", path, "--overwrite")
    assert path.read_text() != "mine"


def test_one_picture_makes_no_sequence(tiny):
    with pytest.raises(InputError, match="sequences of 3 frames at least; the longest here has 1"):
        run("init", "vid2vid", tiny.make("films", 1), "--out", tiny.root / "run.toml")
    run("init", "pix2pixhd", tiny.make("pix2pixhd", 1), "--out", tiny.root / "run.toml")


def test_an_unknown_system_names_the_nearest(tiny):
    with pytest.raises(UsageError, match=r"no system 'pix2pixhq'.*pix2pixhd"):
        run("init", "pix2pixhq", tiny.make("pix2pix"))


def test_check_tells_what_is_there_and_writes_a_sheet(tiny):
    sheet = tiny.root / "sheet.png"
    text = run("check", tiny.make("vid2vid"), "--sheet", sheet)
    assert "layout     vid2vid" in text
    assert "10 in 2 sequences" in text
    assert "car" in text
    assert cv2.imread(str(sheet)).shape[1] == 4 * 384


def test_check_takes_the_settings_of_a_run(tiny):
    root, path, sheet = tiny.make("pix2pixhd"), tiny.root / "run.toml", tiny.root / "s.png"
    run("init", "pix2pixhd", root, "--out", path)
    facts = json.loads(run("check", path, "--sheet", sheet, "--json"))
    assert (facts["layout"], facts["frames"], facts["problems"]) == ("pix2pixhd", 5, [])
    assert {entry["name"] for entry in facts["labels"]["classes"]} >= {"car", "road"}


def test_check_names_damaged_files_and_goes_on(tiny):
    root, sheet = tiny.make("pix2pixhd"), tiny.root / "s.png"
    (root / "train_img/0001.png").write_bytes(b"no picture")
    tiny.write(root / "train_label/0002.png", np.full((10, 20), 7, np.uint8))
    text = run("check", root, "--sheet", sheet)
    assert "0001.png: is not an image that can be read" in text
    assert "0002.png: this label map is 20x10" in text
    assert sheet.exists()


def test_check_ends_with_3_where_training_could_not_start(tiny):
    root = tiny.make("pix2pixhd")
    (root / "train_img/0001.png").unlink()
    result = CliRunner().invoke(app, ["check", str(root), "--sheet", str(tiny.root / "s.png")])
    assert isinstance(result.exception, InputError)
    assert result.exception.exit_code == 3
    assert "training cannot start" in str(result.exception)
    assert "0001.png: has no picture" in result.stdout
    assert not (tiny.root / "s.png").exists()


def test_training_refuses_what_check_finds_fatal(tiny):
    root, path = tiny.make("pix2pixhd"), tiny.root / "run.toml"
    run("init", "pix2pixhd", root, "--out", path)
    (root / "train_inst/0001.png").unlink()
    with pytest.raises(InputError, match=r"0001\.png: has no instance map.*vidtrans-train check"):
        open_data(read_settings(path))


def test_training_refuses_crops_larger_than_the_pictures(tiny):
    root, path = tiny.make("pix2pixhd"), tiny.root / "run.toml"
    path.write_text(
        f'system = "pix2pixhd"\n[data]\nroot = "{root}"\nresize_or_crop = "crop"\n'
        'labels = "cityscapes:ids"\n'
    )
    with pytest.raises(InputError, match=r"crop of 512x512 does not fit.*128x64"):
        open_data(read_settings(path))


def test_held_out_sequences_are_not_trained_on(tiny):
    root, path = tiny.make("vid2vid"), tiny.root / "run.toml"
    run("init", "vid2vid", root, "--out", path)
    path.write_text(path.read_text().replace("[data]", '[data]\nhold_out = ["drive_1"]'))
    data = open_data(read_settings(path))
    assert [clip.name for clip in data.training.material.sequences] == ["drive_0"]
    assert [clip.name for clip in data.held_out.material.sequences] == ["drive_1"]
    path.write_text(path.read_text().replace("drive_1", "drive_9"))
    with pytest.raises(UsageError, match="no sequence 'drive_9'"):
        open_data(read_settings(path))


def test_streets_are_rendered_on_demand(tiny):
    path = tiny.root / "run.toml"
    path.write_text(
        'system = "street"\n[data]\nroot = "streets"\nload_size = 64\n'
        '[data.world]\nstreets = 2\nframes = 3\nsize = "64x32"\n'
    )
    data = open_data(read_settings(path))
    clip = next(iter(Feed(data.training, lengths=lambda epoch: Lengths(1, 1))))
    assert clip.size_hw == (32, 64)
    assert clip.flow[1].abs().max() > 0


def test_the_error_of_the_teacher_is_printed_as_json(tiny):
    lines = run("flow-error", tiny.make("world"), "--width", 128, "--distance", 1).splitlines()
    (error,) = map(json.loads, lines)
    assert error["pairs"] == 4
    assert error["motion"] == pytest.approx(tiny.SHIFT)
    assert error["median"] < 0.5
    with pytest.raises(UsageError, match="no estimating teacher 'exact'"):
        run("flow-error", tiny.root / "world", "--teacher", "exact")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("check", "EMPTY"), 3, "holds no known layout"),
        (("check", "NONE"), 3, "does not exist"),
        (("init", "pix2pixhd", "EMPTY"), 3, "holds no known layout"),
        (("init", "cyclegan", "EMPTY"), 2, "there is no system 'cyclegan'"),
        (("check", "NONE.toml"), 2, "the settings cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    tmp_path, monkeypatch, capsys, arguments, code, sentence
):
    (tmp_path / "EMPTY").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vidtrans-train", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    said = capsys.readouterr().err
    assert said.startswith("vidtrans-train: error: ")
    assert sentence in said
    assert said.count("\n") == 1


def test_real_pictures_are_found_and_understood(tmp_path, shared):
    pairs = propose("pix2pixhd", shared / "real/pairs")
    assert pairs.settings.data.labels == "cityscapes:ids"
    assert pairs.settings.options.no_instance is False
    assert [line.value for line in pairs.lines if line.name == "load_size"] == [1024]
    film = propose("vid2vid", shared / "real/sequence")
    assert film.report.longest == 10
    data = film.settings.data.model_copy(update={"load_size": 128, "flow_cache": tmp_path})
    samples = open_data(film.settings.model_copy(update={"data": data})).training
    clip = samples.draw(Draw(0, 0, 0, Lengths(4, 2))).clip
    assert clip.size_hw == (64, 128)
    # Consecutive frames of a drive: DIS explains most of what is seen.
    assert clip.confidence[1][1:].mean() > 0.7
