"""A run that is interrupted in any way and resumed writes the same film as one that was not."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vidtrans.errors import InputError, Interrupted, OutputError, UsageError
from vidtrans.media.writer import parts_folder
from vidtrans.pipeline import convert as convert_module
from vidtrans.pipeline import facts, outputs
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings

FRAMES = 50
CUT = 23


@pytest.fixture(scope="module")
def film(tmp_path_factory, grey_film, scene):
    frames = [scene(n) if n < CUT else scene(n)[:, ::-1] for n in range(FRAMES)]
    return grey_film(tmp_path_factory.mktemp("film") / "labels.mkv", frames)


@pytest.fixture
def settings(film, tiny_model, tmp_path):
    """Lossy settings: a segment that began elsewhere would show in the pixels."""

    def make(**values):
        values = {
            "output": str(tmp_path / "film.mp4"),
            "snapshot_every": 10,
            "scene_cuts": str(CUT),
            **values,
        }
        return ConvertSettings.read(
            input=str(film), model=str(tiny_model), labels="cityscapes", **values
        )

    return make


@pytest.fixture
def whole(settings, decoded, tmp_path):
    """The frames of an uninterrupted run."""
    return decoded(convert(settings(output=str(tmp_path / "whole.mp4"))).output)


def stop_after(frames):
    """A cancel that is set once ``frames`` frames are written."""
    cancel = threading.Event()

    def written(progress):
        if progress.done == frames:
            cancel.set()

    return {"cancel": cancel, "on_progress": written}


@pytest.mark.parametrize("stop", [3, 10, 14, CUT - 4, CUT])
def test_ctrl_c_keeps_every_frame_and_resume_gives_the_same_film(
    settings, whole, decoded, tmp_path, stop
):
    with pytest.raises(Interrupted) as caught:
        convert(settings(), **stop_after(stop))
    kept = caught.value.kept_frames
    assert f"{kept} finished frames are kept; run again with resume=True" in str(caught.value)
    assert kept >= stop
    assert not (tmp_path / "film.mp4").exists()
    seen = []
    summary = convert(settings(resume=True), on_progress=seen.append)
    assert summary.resumed_from == kept
    assert seen[0].done == kept + 1
    assert summary.frames == FRAMES
    assert np.array_equal(decoded(summary.output), whole)
    assert not parts_folder(summary.output).exists()


def test_a_run_may_be_interrupted_again_and_again(settings, whole, decoded, tmp_path):
    done = 0
    while True:
        try:
            summary = convert(settings(resume=True), **stop_after(done + 3))
            break
        except Interrupted as error:
            done = error.kept_frames
    assert summary.frames == FRAMES
    assert np.array_equal(decoded(summary.output), whole)


def test_a_film_of_nv12_planes_is_resumed(settings, whole, decoded, tmp_path, monkeypatch):
    """As on a GPU, which makes them: what is kept of an open segment is NV12 too."""
    monkeypatch.setattr(convert_module, "_makes_nv12", lambda model: True)
    kept = []
    save = np.save
    monkeypatch.setattr(
        np, "save", lambda file, array, **k: kept.append(array) or save(file, array)
    )
    planes = decoded(convert(settings(output=str(tmp_path / "planes.mp4"))).output)
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(14))
    assert {array.shape for array in kept if array.dtype == np.uint8} == {(48, 64)}
    assert np.array_equal(decoded(convert(settings(resume=True)).output), planes)
    # Two lossy encodings of noise, which an untrained model paints: 2.1.
    assert 0 < np.abs(planes.astype(int) - whole).mean() < 4
    # PNGs are RGB there too.
    pngs = decoded(convert(settings(output=f"{tmp_path}/a/")).output)
    monkeypatch.undo()
    assert np.array_equal(pngs, decoded(convert(settings(output=f"{tmp_path}/b/")).output))


def test_a_folder_of_pngs_is_resumed(settings, decoded, tmp_path):
    whole = decoded(convert(settings(output=f"{tmp_path}/whole/")).output)
    with pytest.raises(Interrupted):
        convert(settings(output=f"{tmp_path}/pngs/"), **stop_after(14))
    kept = len(list((tmp_path / "pngs").glob("*.png")))
    assert 14 <= kept < FRAMES
    summary = convert(settings(output=f"{tmp_path}/pngs/", resume=True))
    assert summary.resumed_from == kept
    assert np.array_equal(decoded(summary.output), whole)
    assert not parts_folder(tmp_path / "pngs").exists()


def test_slow_models_are_put_in_safety_by_the_clock(
    settings, whole, decoded, monkeypatch, tmp_path
):
    """Where a segment takes longer than SNAPSHOT_SECONDS its pictures are kept as they are."""
    monkeypatch.setattr(outputs, "SNAPSHOT_SECONDS", 0.0)
    spans = []
    keep = outputs.RunFolder.keep

    def seen(self, span, save):
        spans.append((span.kind, span.first, span.end))
        keep(self, span, save)

    monkeypatch.setattr(outputs.RunFolder, "keep", seen)
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(13))
    assert spans[:11] == [
        *(("rest", n, n + 1) for n in range(9)),
        ("part", 0, 10),
        ("rest", 10, 11),
    ]
    assert np.array_equal(decoded(convert(settings(resume=True)).output), whole)


def test_a_failure_keeps_whole_segments(settings, whole, decoded, monkeypatch):
    from vidtrans.pipeline.stream import Painter, PipelineError

    paint = Painter.paint

    def fails(self, state, read):
        if read.frame.index == 27:
            raise MemoryError
        return paint(self, state, read)

    monkeypatch.setattr(Painter, "paint", fails)
    with pytest.raises(PipelineError, match="20 finished frames are kept") as caught:
        convert(settings())
    assert caught.value.frame == 27
    monkeypatch.setattr(Painter, "paint", paint)
    assert np.array_equal(decoded(convert(settings(resume=True)).output), whole)


@pytest.mark.posix
@pytest.mark.parametrize("kind", ["film.mp4", "pngs/"])
def test_kill_nine(settings, decoded, tmp_path, film, tiny_model, kind):
    """SIGKILL, as the kernel or a power cut would: nothing of Python runs any more."""
    whole = decoded(convert(settings(output=str(tmp_path / f"whole-{kind}"))).output)
    output = f"{tmp_path}/{kind}"
    settled = settings(output=output)
    # Two segments are whole, the third is at work, and there it waits for its end.
    program = (
        "import sys, time\nfrom vidtrans.pipeline.convert import convert\nfrom"
        " vidtrans.pipeline.settings import"
        " ConvertSettings\nconvert(ConvertSettings.model_validate_json(sys.argv[1]),"
        " on_progress=lambda p: time.sleep(p.done // 25 * 60))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, settled.model_dump_json()],
        stderr=subprocess.PIPE,
        text=True,
    )
    ledger = parts_folder(Path(output)) / "ledger.jsonl"
    deadline = time.monotonic() + 60
    while not (ledger.exists() and ledger.read_text().count("\n") >= 2):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    summary = convert(settings(output=output, resume=True))
    assert 20 <= summary.resumed_from < FRAMES
    assert np.array_equal(decoded(summary.output), whole)
    leftovers = [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert leftovers == []


def test_killed_before_the_first_snapshot(settings, whole, decoded, tmp_path):
    """What such a run leaves is in nobody's way."""
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(3))
    parts = parts_folder(tmp_path / "film.mp4")
    for path in parts.iterdir():
        if path.name not in ("run.json", "lock"):
            path.unlink()
    (parts / ".000000.packets.1.partial").write_bytes(b"half")
    assert convert(settings()).frames == FRAMES
    assert not parts.exists()


def test_killed_while_the_film_is_joined(settings, whole, decoded, monkeypatch):
    """All frames are made, only the film is not there yet."""
    from vidtrans.pipeline import convert as module

    def killed(*_, **__):
        raise KeyboardInterrupt

    join = module.join_segments
    monkeypatch.setattr(module, "join_segments", killed)
    with pytest.raises(KeyboardInterrupt):
        convert(settings())
    monkeypatch.setattr(module, "join_segments", join)
    summary = convert(settings(resume=True))
    assert summary.resumed_from == summary.frames == FRAMES
    assert np.array_equal(decoded(summary.output), whole)


def test_all_but_the_last_segment_is_only_a_rest(settings, whole, decoded, monkeypatch):
    """Interrupted by the very last frame: nothing is left to paint, only to encode."""
    from vidtrans.pipeline.outputs import FilmOutput

    finish = FilmOutput.finish

    def interrupted(self):
        self.keep()
        raise KeyboardInterrupt

    monkeypatch.setattr(FilmOutput, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(settings(snapshot_every=60))
    monkeypatch.setattr(FilmOutput, "finish", finish)
    summary = convert(settings(snapshot_every=60, resume=True))
    assert summary.resumed_from == FRAMES
    assert decoded(summary.output).shape == whole.shape


def test_other_settings_do_not_resume(settings):
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(14))
    with pytest.raises(UsageError, match="started with layer final, this one has flow"):
        convert(settings(resume=True, layer="flow"))
    with pytest.raises(UsageError, match="encoder options"):
        convert(settings(resume=True, encoder_options={"crf": "30"}))
    with pytest.raises(OutputError, match="interrupted run are kept"):
        convert(settings())
    assert convert(settings(resume=True)).frames == FRAMES


def test_another_film_of_the_same_name_does_not_resume(settings, film, tmp_path, grey_film, scene):
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(14))
    other = tmp_path / "elsewhere" / film.name
    other.parent.mkdir()
    grey_film(other, [scene(n + 9) for n in range(FRAMES)])
    with pytest.raises(UsageError, match=r"started with input labels\.mkv \(.*content"):
        convert(settings(resume=True).model_copy(update={"input": str(other)}))


def test_another_film_of_the_same_fingerprint_does_not_resume(
    settings, film, tmp_path, grey_film, scene, monkeypatch
):
    """A fingerprint of a long film is made of samples; the last frame that is kept is compared
    whole."""
    monkeypatch.setattr(facts, "fingerprint", lambda source: "the same")
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(14))
    other = tmp_path / "elsewhere" / film.name
    other.parent.mkdir()
    grey_film(other, [scene(n + 9) for n in range(FRAMES)])
    with pytest.raises(InputError, match="not what the interrupted run began with"):
        convert(settings(resume=True).model_copy(update={"input": str(other)}))


def test_a_copy_of_the_film_resumes(settings, film, whole, decoded, tmp_path):
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(14))
    copy = tmp_path / "elsewhere" / film.name
    copy.parent.mkdir()
    copy.write_bytes(film.read_bytes())
    summary = convert(settings(resume=True).model_copy(update={"input": str(copy)}))
    assert np.array_equal(decoded(summary.output), whole)


@pytest.mark.parametrize("kind", ["film", "folder"])
def test_replaced_instance_maps_of_the_same_name_and_size_do_not_resume(
    settings, tmp_path, grey_film, scene, kind
):
    maps = tmp_path / ("maps.nut" if kind == "film" else "maps")

    def write(swapped: bool) -> list[int]:
        """Bare pixels, so that other maps make a file of the same size."""
        values = [np.where(scene(n) == 26, 26_000 + n % 2 ^ swapped, 7) for n in range(FRAMES)]
        pictures = [value.astype(np.uint16) for value in values]
        if kind == "film":
            grey_film(maps, pictures, codec="rawvideo")
            return [maps.stat().st_size]
        maps.mkdir(exist_ok=True)
        for number, picture in enumerate(pictures):
            path = maps / f"{number:06d}.png"
            cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 0])
        return [path.stat().st_size for path in sorted(maps.iterdir())]

    sizes = write(swapped=False)
    with pytest.raises(Interrupted):
        convert(settings(instances=str(maps)), **stop_after(14))
    assert write(swapped=True) == sizes
    with pytest.raises(UsageError, match=rf"started with instances {maps.name} \(content"):
        convert(settings(instances=str(maps), resume=True))
    write(swapped=False)
    assert convert(settings(instances=str(maps), resume=True)).frames == FRAMES


@pytest.mark.parametrize("output", ["film.mp4", "pngs/"])
@pytest.mark.parametrize(
    "hurt",
    ["000000.packets", "000001.packets", "000002.packets", "rest-*.npy", "last state", "states"],
)
def test_a_damaged_file_costs_only_what_it_held(settings, whole, decoded, tmp_path, output, hurt):
    """Wherever a disk has altered a byte, the film is that of a run without damage."""
    with pytest.raises(Interrupted):
        convert(settings(output=f"{tmp_path}/{output}"), **stop_after(34))
    parts = parts_folder(tmp_path / output)
    states = sorted(parts.glob("state-*"))
    if hurt.endswith(".packets") and output == "pngs/":
        hurt = f"../pngs/{10 * int(hurt[:6]) + 4:06d}.png"
    elif hurt == "rest-*.npy" and output == "pngs/":
        hurt = "../pngs/000032.png"
    damaged = {"last state": states[-1:], "states": states}.get(hurt)
    for path in sorted(parts.glob(hurt)) if damaged is None else damaged:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 16
        path.write_bytes(data)
    summary = convert(settings(output=f"{tmp_path}/{output}", resume=True))
    kept = {"states": 0, "last state": 30, "rest-*.npy": 30, "../pngs/000032.png": 30}
    assert kept.get(hurt, 34) <= summary.resumed_from <= kept.get(hurt, 40)
    if output == "pngs/":
        whole = decoded(convert(settings(output=f"{tmp_path}/whole/")).output)
    assert np.array_equal(decoded(summary.output), whole)


def test_a_run_that_died_after_its_film_had_its_name_is_done(settings, whole, decoded, monkeypatch):
    remove = outputs.RunFolder.remove
    monkeypatch.setattr(outputs.RunFolder, "remove", lambda self: None)
    convert(settings())
    monkeypatch.setattr(outputs.RunFolder, "remove", remove)
    parts = parts_folder(Path(settings().output))
    assert parts.is_dir()
    summary = convert(settings(resume=True))
    assert summary.frames == summary.resumed_from == FRAMES
    assert np.array_equal(decoded(summary.output), whole)
    assert not parts.exists()


def test_a_resumed_run_computes_with_as_many_threads_as_it_began(settings, monkeypatch):
    """Sums in another order give other pictures (13 of 100 frames differed by a level)."""
    number = torch.get_num_threads()
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(14))
    try:
        torch.set_num_threads(number + 1)
        seen = set()
        convert(settings(resume=True), on_progress=lambda _: seen.add(torch.get_num_threads()))
        assert seen == {number}
        assert torch.get_num_threads() == number + 1
    finally:
        torch.set_num_threads(number)


def test_the_ledger_is_readable(settings, tmp_path):
    with pytest.raises(Interrupted):
        convert(settings(), **stop_after(14))
    lines = (parts_folder(tmp_path / "film.mp4") / "ledger.jsonl").read_text().splitlines()
    spans = [json.loads(line) for line in lines]
    assert [(s["kind"], s["first"]) for s in spans] == [("part", 0), ("rest", 10)]
