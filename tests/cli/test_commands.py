"""The commands through their entry point: what they print, where, and with which exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from vidtrans.cli import main
from vidtrans.cli.app import SUMMARIES, app

VIDTRANS = str(Path(sys.executable).with_name("vidtrans"))


@pytest.fixture
def run(capfd):
    """``run("convert", ...)``: exit code, stdout, stderr."""

    def call(*words):
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def convert(run, label_film, tiny_model, tmp_path):
    """``convert(...)`` of the label film with the tiny model into film.mp4."""

    def call(*words, source=label_film, output=tmp_path / "film.mp4"):
        return run(
            "convert", source, output, "--model", tiny_model, "--labels", "cityscapes", *words
        )

    return call


def test_convert_is_silent_where_nobody_looks(convert, tmp_path, decoded):
    assert convert() == (0, "", "")
    assert decoded(tmp_path / "film.mp4").shape == (12, 32, 64, 3)


def test_ids_out_of_a_lossy_film_are_warned_of_where_nobody_looks(convert, scene, tmp_path):
    import av

    with av.open(str(tmp_path / "lossy.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = 32, 64, "gray"
        for n in range(3):
            flat = np.full_like(scene(n), 7)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(flat, format="gray")))
        film.mux(stream.encode())
    code, out, err = convert(source=tmp_path / "lossy.mp4")
    assert (code, out) == (0, "")
    assert err.startswith("vidtrans: Warning: ids arrive through a lossy codec")


def test_a_warning_names_settings_as_options(convert):
    code, _, err = convert("--scene-cuts", ",".join(map(str, range(1, 12))))
    assert code == 0
    assert "11 of 12 frames begin a new scene" in err
    assert err.endswith("Where the past is to be forgotten is told by --scene-cuts.\n")


def test_json_progress_is_one_object_a_line_on_stdout(convert, tmp_path):
    code, out, err = convert("--progress", "json")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["frame"] for line in lines if line["event"] == "progress"] == list(range(1, 13))
    assert {line["frames"] for line in lines if line["event"] == "progress"} == {12}
    assert lines[0]["event"] == "note"
    assert "cityscapes:ids" in lines[0]["text"]
    assert (lines[-1]["event"], lines[-1]["frames"]) == ("done", 12)
    assert lines[-1]["output"] == str(tmp_path / "film.mp4")


def test_options_reach_the_encoder(convert, tmp_path):
    import av

    assert (
        convert(
            "--codec",
            "ffv1",
            "--pixel-format",
            "bgr0",
            "--encoder-option",
            "slices=4",
            output=tmp_path / "a.mkv",
        )[0]
        == 0
    )
    with av.open(str(tmp_path / "a.mkv")) as film:
        assert film.streams.video[0].codec_context.name == "ffv1"
        assert film.streams.video[0].codec_context.pix_fmt == "bgr0"


def test_an_image_sequence_with_its_rate(run, scene, tiny_model, tmp_path):
    from vidtrans.media.reader import open_reader

    (tmp_path / "labels").mkdir()
    for n in range(3):
        cv2.imwrite(str(tmp_path / "labels" / f"street_{n}.png"), scene(n))
    words = ("--model", tiny_model, "--labels", "cityscapes", "--rate", "10")
    assert run("convert", tmp_path / "labels", tmp_path / "film.mkv", *words)[0] == 0
    with open_reader(tmp_path / "film.mkv", labels=False) as reader:
        assert reader.info.rate == 10
        assert len(list(reader)) == 3
    assert run("convert", tmp_path / "labels" / "street_%d.png", f"{tmp_path}/out/", *words)[0] == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--size", "512:256"], "size_hw: a size is WIDTHxHEIGHT"),
        (["--layer", "flwo"], "layer: "),
        (["--encoder-option", "crf"], "takes KEY=VALUE"),
        (["--labels", "cityscape"], "cityscapes"),
        (["--scene-cuts", "sometimes"], "scene cuts are auto, off"),
        (["--progress", "loud"], "loud"),
        (["--no-such-option"], "--no-such-option"),
        (["--device", "tpu"], "tpu"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(convert, tmp_path, words, sentence):
    code, out, err = convert(*words)
    assert (code, out) == (2, "")
    assert err.startswith("vidtrans: error: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert not (tmp_path / "film.mp4").exists()


def test_a_missing_argument_names_the_help(run):
    code, _, err = run("convert", "labels.mkv")
    assert code == 2
    assert "vidtrans convert --help" in err


def test_debug_shows_where(run, tmp_path, monkeypatch):
    code, _, err = run("--debug", "inspect", tmp_path / "missing.mkv")
    assert code == 3
    assert "Traceback" in err
    monkeypatch.setenv("VIDTRANS_DEBUG", "1")
    assert "Traceback" in run("inspect", tmp_path / "missing.mkv")[2]
    monkeypatch.setenv("VIDTRANS_DEBUG", "0")
    assert "Traceback" not in run("inspect", tmp_path / "missing.mkv")[2]


def test_a_fault_of_vidtrans_is_told_as_one(run, monkeypatch):
    from vidtrans.model import library

    def broken():
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("vidtrans.model.list_bundles", broken)
    assert library
    code, _, err = run("models", "list")
    assert code == 1
    assert (
        err
        == "vidtrans: error: ZeroDivisionError: oops. This is a fault of vidtrans; VIDTRANS_DEBUG=1"
        " shows where.\n"
    )


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_list_of_commands_says_what_each_says_of_itself(name):
    command = typer.main.get_command(app).commands[name]
    assert command.help.split("\n\n")[0] == SUMMARIES[name]


def words_without(modules: set[str], *words: str) -> str:
    """What the command prints in a process of its own, in which it imports none of ``modules``."""
    code = (
        f"import sys; from vidtrans.cli import main; main({list(words)});"
        f"loaded = {modules} & set(sys.modules);"
        "sys.exit(f'imported: {loaded}' if loaded else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_help_imports_no_command():
    said = words_without({"av", "cv2", "numpy", "pydantic", "vidtrans.cli.convert"}, "--help")
    assert all(name in said for name in SUMMARIES)


def test_a_command_imports_no_other():
    others = {f"vidtrans.cli.{name}" for name in ("batch", "bench", "demo", "models")}
    words_without(others, "convert", "--help")


def test_version_and_help_come_without_torch():
    for words in (["--version"], ["--help"], ["convert", "--help"], ["bench", "memory", "--help"]):
        assert words_without({"torch"}, *words)


def test_inspect_tells_what_is_there(run, label_film):
    code, out, err = run("inspect", label_film, "--labels", "cityscapes")
    assert (code, err) == (0, "")
    assert "64x32" in out
    assert re.search(r"7\s+road\s+3\d\.\d+%\s+in 12 frames", out)
    code, out, _ = run("inspect", label_film, "--json", "--labels", "cityscapes", "--frames", "5")
    facts = json.loads(out)
    assert (facts["width"], facts["height"], facts["labels"]["frames"]) == (64, 32, 5)
    assert {c["name"] for c in facts["labels"]["classes"]} == {
        "road",
        "sidewalk",
        "building",
        "sky",
        "car",
    }
    assert sum(c["share"] for c in facts["labels"]["classes"]) == pytest.approx(1)


def test_a_name_that_is_no_text_is_read_and_told(run, label_film):
    strange = label_film.with_name(os.fsdecode(b"stra\xdfe.mkv"))
    label_film.rename(strange)
    code, out, err = run("inspect", strange)
    assert (code, err) == (0, "")
    assert "stra\\udcdfe.mkv" in out


def test_inspect_of_a_photo_prints_what_is_known_and_refuses(run, tmp_path):
    photo = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    code, out, err = run("inspect", tmp_path / "photo.png")
    assert code == 3
    assert "64x64" in out
    assert err.startswith("vidtrans: error: ")
    code, out, _ = run("inspect", tmp_path / "photo.png", "--json")
    assert code == 3
    assert json.loads(out)["labels"] is None
    assert json.loads(out)["refusal"]
    assert json.loads(out)["refusal"].endswith("in a palette file: --labels mine.toml.")


def test_models_list_and_info(run, tiny_model, monkeypatch):
    monkeypatch.setenv("VIDTRANS_MODELS", str(tiny_model.parent))
    code, out, _ = run("models", "list")
    assert code == 0
    assert re.search(r"^tiny\s+vid2vid, cityscapes, trained at 64x32", out, re.MULTILINE)
    names = [entry["name"] for entry in json.loads(run("models", "list", "--json")[1])]
    assert "tiny" in names
    code, out, _ = run("models", "info", "tiny", "--size", "128x64")
    assert code == 0
    assert "GFLOP a frame at 128x64" in out
    facts = json.loads(run("models", "info", str(tiny_model), "--json")[1])
    assert (facts["label_nc"], facts["size_multiple"]) == (35, 16)


def test_an_unusable_bundle_is_listed_with_its_problem(run, tmp_path, monkeypatch):
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    monkeypatch.setenv("VIDTRANS_MODELS", str(tmp_path))
    code, out, _ = run("models", "list")
    assert code == 0
    assert re.search(r"^broken\s+unusable: ", out, re.MULTILINE)


def test_inspect_reads_on_over_gaps_and_damage_when_asked(run, scene, tmp_path):
    for n in (0, 1, 2, 5, 6):
        cv2.imwrite(str(tmp_path / f"{n:03}.png"), scene(n))
    hurt = tmp_path / "002.png"
    hurt.write_bytes(hurt.read_bytes()[:70])
    code, _, err = run("inspect", tmp_path)
    assert code == 3
    assert "--allow-gaps" in err
    code, _, err = run("inspect", tmp_path, "--allow-gaps")
    assert code == 3
    assert "--skip-damaged" in err
    code, out, _ = run("inspect", tmp_path, "--allow-gaps", "--skip-damaged", "--json")
    assert code == 0
    assert json.loads(out)["labels"]["damaged_frames"] == [2]


def test_inspect_prints_what_is_known_where_a_scheme_does_not_fit(run, label_film):
    code, out, err = run("inspect", label_film, "--json", "--labels", "cityscapes:instances")
    assert code == 3
    assert json.loads(out)["labels"] is None
    assert json.loads(out)["refusal"] in err


def test_inspect_for_a_model_by_its_name(run, grey_film, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDTRANS_MODELS", str(tiny_model.parent))
    carla = grey_film(
        tmp_path / "carla.mkv", [np.repeat(np.array([[1], [11], [23]], np.uint8), 64, axis=1)] * 2
    )
    code, out, err = run("inspect", carla, "--labels", "carla", "--model", tiny_model.stem)
    assert (code, err) == (0, "")
    assert re.search(r"23\s+water.*the model has no such class", out)
    assert not re.search(r"1\s+road.*no such class", out)
    assert run("inspect", carla, "--labels", "carla", "--model", "nowhere")[0] == 4


def test_a_model_by_its_name(run, label_film, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDTRANS_MODELS", str(tiny_model.parent))
    words = ("--labels", "cityscapes", "--model")
    assert run("convert", label_film, tmp_path / "a.mp4", *words, "tiny")[0] == 0
    code, _, err = run("convert", label_film, tmp_path / "b.mp4", *words, "tinny")
    assert code == 4
    assert "Did you mean tiny?" in err


def test_demo(run, tiny_model, tmp_path, monkeypatch, grey_film, scene, decoded):
    """On a small clip in place of the embedded one; the real demo runs in the end-to-end tests."""
    from vidtrans.cli import demo

    frames = [scene(n) for n in range(9)]
    monkeypatch.setattr(demo, "demo_labels", lambda: grey_film(tmp_path / "l.mkv", frames))
    monkeypatch.setattr(
        demo,
        "demo_instances",
        lambda: grey_film(tmp_path / "i.mkv", [f.astype(np.uint16) for f in frames]),
    )
    out = tmp_path / "demo"
    code, said, err = run("demo", "--out", out, "--model", tiny_model)
    assert (code, err) == (0, "")
    assert sorted(p.name for p in out.iterdir()) == [
        "contact_sheet.png",
        "film.mp4",
        "side_by_side.mp4",
    ]
    assert all(
        str(out / name) in said for name in ("contact_sheet.png", "film.mp4", "side_by_side.mp4")
    )
    assert decoded(out / "film.mp4").shape == (9, 32, 64, 3)
    assert decoded(out / "side_by_side.mp4").shape == (9, 32, 128, 3)
    assert cv2.imread(str(out / "contact_sheet.png")).shape == (4 * 32, 3 * 64, 3)
    assert run("demo", "--out", out, "--model", tiny_model)[0] == 0  # an earlier demo is replaced
    (out / "contact_sheet.png").unlink()
    code, _, err = run("demo", "--out", out, "--model", tiny_model)
    assert code == 5
    assert "not from a demo" in err


def test_the_demo_draws_looks_where_the_model_has_styles(
    run, tmp_path, monkeypatch, grey_film, scene, decoded, random_networks
):
    from vidtrans.assets.demo_clip import DEMO_SEED
    from vidtrans.cli import demo
    from vidtrans.model import Card, write_bundle

    generator = {"channels": (4, 8, 8, 8), "blocks": (1, 1, 1, 1, 1), "feature_nc": 3}
    styles = {"7": [[x, -x, x] for x in (-1.0, -0.5, 0.0, 0.5, 1.0)]}
    card = Card(
        system="vid2vid",
        architecture="street",
        generator=generator,
        first_frames="raw",
        styles=styles,
    )
    networks = random_networks(card)
    write_bundle(tmp_path / "town.safetensors", card, networks.tensors())
    film = grey_film(tmp_path / "l.mkv", [scene(n) for n in range(4)])
    monkeypatch.setattr(demo, "demo_labels", lambda: film)
    monkeypatch.setattr(demo, "demo_instances", lambda: film)
    words = ("--model", tmp_path / "town.safetensors")
    assert run("demo", "--out", tmp_path / "demo", *words)[0] == 0
    drawn = decoded(tmp_path / "demo" / "film.mp4")
    for name, seed in (("seeded.mp4", ("--seed", DEMO_SEED)), ("plain.mp4", ())):
        assert run("convert", film, tmp_path / name, "--instances", film, *words, *seed)[0] == 0
    assert np.array_equal(drawn, decoded(tmp_path / "seeded.mp4"))
    assert not np.array_equal(drawn, decoded(tmp_path / "plain.mp4"))


def test_bench(run, label_film, tiny_model):
    words = ("--input", label_film, "--model", tiny_model, "--labels", "cityscapes")
    code, out, _ = run("bench", *words, "--frames", "10", "--rounds", "1")
    figures = json.loads(out)
    assert code == 0
    times = figures["ms_per_frame"]
    assert set(times) == {"decode", "labels", "generator", "encode", "end_to_end"}
    assert all(value > 0 for value in times.values())
    slowest = max(value for name, value in times.items() if name != "end_to_end")
    assert figures["ratio_end_to_end_to_slowest_stage"] == pytest.approx(
        times["end_to_end"] / slowest, rel=0.01
    )
    assert 0 < figures["share_of_matrix_product"] < 2
    assert figures["generator_gflop_per_frame"] > 0
    assert figures["machine"]["versions"]["torch"]
    assert figures["peak_memory_mib"] > 50


def test_bench_memory(run, label_film, tiny_model):
    words = (
        "--input",
        label_film,
        "--model",
        tiny_model,
        "--labels",
        "cityscapes",
        "--size",
        "32x16",
    )
    code, out, _ = run("bench", "memory", *words, "--frames", "400", "--every", "50")
    figures = json.loads(out)
    assert code == 0
    assert figures["frames"] == 400
    assert [frame for frame, _ in figures["rss_mib"]] == list(range(50, 401, 50))
    assert figures["growth_mib_after_settling"] < 64


@pytest.mark.posix
def test_ctrl_c_says_how_to_go_on(grey_film, scene, tiny_model, tmp_path, decoded):
    """The installed command, a real SIGINT, and the command that it names."""
    film = grey_film(tmp_path / "labels.mkv", [scene(n) for n in range(400)])
    words = [
        VIDTRANS,
        "convert",
        str(film),
        "film.mp4",
        "--model",
        str(tiny_model),
        "--labels",
        "cityscapes",
    ]
    process = subprocess.Popen(
        [*words, "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    for line in process.stdout:
        if '"frame": 20' in line:
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    found = re.search(
        r"(\d+) finished frames are kept; go on with: (vidtrans convert .* --resume)$", err.strip()
    )
    assert found, err
    kept, command = int(found[1]), found[2]
    assert kept >= 20
    assert not (tmp_path / "film.mp4").exists()
    import shlex

    again = subprocess.run(
        [VIDTRANS, *shlex.split(command)[1:]], capture_output=True, text=True, cwd=tmp_path
    )
    assert again.returncode == 0, again.stderr
    first = json.loads(next(line for line in again.stdout.splitlines() if '"progress"' in line))
    assert first["frame"] == kept + 1
    assert len(decoded(tmp_path / "film.mp4")) == 400


@pytest.mark.posix
def test_a_terminal_shows_a_bar(label_film, tiny_model, tmp_path):
    """On a pseudo-terminal: frames, speed, and the film at the end."""
    import pty

    ours, theirs = pty.openpty()
    words = [
        VIDTRANS,
        "convert",
        str(label_film),
        "film.mp4",
        "--model",
        str(tiny_model),
        "--labels",
        "cityscapes",
    ]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        words, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, cwd=tmp_path, env=env
    )
    os.close(theirs)
    seen = bytearray()

    def listen():
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:
                return
            if not data:
                return
            seen.extend(data)

    listener = threading.Thread(target=listen)
    listener.start()
    assert process.wait(timeout=120) == 0
    listener.join(timeout=10)
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())
    assert "12/12" in text
    assert "frames/s" in text
    assert "film.mp4: 12 frames in" in text


@pytest.mark.posix
def test_a_closed_stdout_is_told_by_the_exit_code(label_film, tmp_path):
    """``vidtrans inspect ... | head -0``."""
    command = f"{VIDTRANS} inspect {label_film} --labels cityscapes; echo $? > {tmp_path}/code"
    done = subprocess.run(["bash", "-c", f"({command}) | true"], capture_output=True, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "code").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "code").read_text().strip() == "141"
    assert done.stderr == ""
