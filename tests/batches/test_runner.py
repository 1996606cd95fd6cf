"""Jobs in one process: the model is loaded once, failures are outcomes, URLs are copied."""

import threading
from dataclasses import replace

import fsspec
import pytest

from vidtrans.batches import runner as module
from vidtrans.batches.job import Job
from vidtrans.batches.outputs import NOTHING, output_stamp
from vidtrans.batches.remote import list_url
from vidtrans.batches.runner import JobRunner, Order
from vidtrans.media.writer import parts_folder
from vidtrans.pipeline.runfolder import RunFolder


@pytest.fixture
def order(label_film, tiny_model, tmp_path):
    import json

    def make(name="film.mp4", **options):
        given = {"model": str(tiny_model), "labels": "cityscapes", "snapshot_every": 4, **options}
        job = Job(name, str(label_film), json.dumps(given))
        return Order(job, str(tmp_path / "out"), scratch=str(tmp_path / "scratch"))

    return make


@pytest.fixture
def runner():
    return JobRunner(device="cpu")


def stop_after(frames):
    cancel = threading.Event()
    return {"cancel": cancel, "on_progress": lambda p: p.done == frames and cancel.set()}


def test_the_model_is_loaded_once(order, runner, monkeypatch, tmp_path, decoded):
    loads = []
    load = module.load_model
    monkeypatch.setattr(module, "load_model", lambda *a, **k: loads.append(a) or load(*a, **k))
    for name in ("a/one.mp4", "b/two.mp4", "pngs/"):
        outcome = runner.run(order(name))
        assert (outcome.state, outcome.frames) == ("done", 12), outcome.error
    assert len(loads) == 1
    assert len(decoded(tmp_path / "out" / "a" / "one.mp4")) == 12
    assert len(list((tmp_path / "out" / "pngs").glob("*.png"))) == 12


def test_an_interrupted_job_goes_on_and_is_the_same(order, runner, tmp_path, decoded):
    runner.run(order("whole.mp4"))
    assert runner.run(order(), **stop_after(6)).state == "interrupted"
    outcome = runner.run(order())
    assert (outcome.state, outcome.frames) == ("done", 12)
    assert outcome.resumed_from >= 6
    out = tmp_path / "out"
    assert (decoded(out / "film.mp4") == decoded(out / "whole.mp4")).all()


def test_other_settings_begin_anew(order, runner):
    runner.run(order(), **stop_after(6))
    notes = []
    outcome = runner.run(order(layer="labels"), on_note=notes.append)
    assert (outcome.state, outcome.resumed_from) == ("done", 0)
    assert any("begins anew" in note for note in notes)


def test_a_foreign_output_is_not_replaced(order, runner, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "film.mp4").write_bytes(b"mine")
    outcome = runner.run(order())
    assert (outcome.state, outcome.exit_code, outcome.retry) == ("failed", 5, False)
    assert outcome.error.endswith(
        "exists already. Choose another name, or overwrite it (overwrite)."
    )
    assert runner.run(replace(order(), overwrite=True)).state == "done"


@pytest.mark.parametrize("name", ["film.mp4", "pngs/"])
def test_what_a_lost_worker_had_finished_is_done(order, runner, tmp_path, name):
    """A worker or node may die after its output is whole and before it says so."""
    assert runner.run(order(name)).state == "done"
    there = output_stamp(f"{tmp_path}/out/{name}")
    left = parts_folder(f"{tmp_path}/out/{name}".rstrip("/"))
    left.with_name(f"{left.name}.123").mkdir()  # it was killed in cleaning up
    outcome = runner.run(replace(order(name), before=NOTHING))
    assert (outcome.state, outcome.frames, outcome.resumed_from) == ("done", 12, 12)
    assert output_stamp(f"{tmp_path}/out/{name}") == there
    assert [each.name for each in (tmp_path / "out").iterdir()] == [name.rstrip("/")]
    # What was there before the lost worker began is not its own.
    outcome = runner.run(replace(order(name), before=there))
    assert (outcome.state, outcome.exit_code) == ("failed", 5)


def test_a_lost_worker_that_finishes_while_its_job_is_taken_up(order, runner, monkeypatch):
    """It still holds the output as the job begins again, and is done before it is released."""
    convert = module.convert

    def late(settings, **given):
        convert(settings, **given)
        return convert(settings, **given)

    monkeypatch.setattr(module, "convert", late)
    outcome = runner.run(replace(order(), before=NOTHING))
    assert (outcome.state, outcome.frames) == ("done", 12)


def test_a_failure_is_a_sentence(order, runner, tmp_path):
    missing = order()
    missing = replace(missing, job=replace(missing.job, input=str(tmp_path / "gone.mkv")))
    outcome = runner.run(missing)
    assert (outcome.state, outcome.exit_code, outcome.retry) == ("failed", 3, False)
    assert outcome.error.endswith("gone.mkv: does not exist.")


def test_a_fault_gets_another_try(order, runner, monkeypatch):
    monkeypatch.setattr(module, "convert", lambda *a, **k: 1 / 0)
    outcome = runner.run(order())
    assert (outcome.exit_code, outcome.retry) == (1, True)
    assert outcome.error.startswith("ZeroDivisionError")


def test_an_output_that_somebody_writes_is_waited_for(order, runner, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_BUSY_S", 0.0)
    (tmp_path / "out").mkdir()
    with RunFolder.open(tmp_path / "out" / "film.mp4", {}, resume=False, overwrite=False):
        outcome = runner.run(order())
    assert (outcome.exit_code, outcome.retry) == (5, True)
    assert "another run is writing this output" in outcome.error


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def test_urls_in_and_out(order, runner, memory, label_film, tmp_path, decoded):
    memory.pipe_file("/in/film.mkv", label_film.read_bytes())
    runner.run(order("local.mp4"))
    remote = order("clips/film.mp4")
    remote = replace(
        remote, job=replace(remote.job, input="memory://in/film.mkv"), out="memory://out"
    )
    outcome = runner.run(remote)
    assert outcome.state == "done", outcome.error
    (tmp_path / "copy.mp4").write_bytes(memory.cat_file("/out/clips/film.mp4"))
    assert (decoded(tmp_path / "copy.mp4") == decoded(tmp_path / "out" / "local.mp4")).all()
    assert memory.glob("/out/clips/.*") == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_folder_by_url(order, runner, memory, pictures, tmp_path):
    for path in pictures(tmp_path / "seq", [f"s_{n:03d}.png" for n in range(3)]).iterdir():
        memory.pipe_file(f"/in/seq/{path.name}", path.read_bytes())
    listing, sizes, top = list_url("memory://in")
    assert (list(listing), top) == (["memory:///in/seq"], "memory:///in")
    assert len(sizes) == 3
    remote = order("seq/")
    for source in ("memory://in/seq", "memory://in/seq/s_%03d.png"):
        given = replace(remote, job=replace(remote.job, input=source), out="memory://out")
        outcome = runner.run(replace(given, overwrite=True))
        assert outcome.state == "done", outcome.error
        assert len(memory.glob("/out/seq/*.png")) == 3


def test_a_url_that_is_missing_and_one_that_nobody_knows(order, runner):
    remote = order()
    gone = replace(remote, job=replace(remote.job, input="memory://nothing.mkv"))
    assert "does not exist" in runner.run(gone).error
    unknown = replace(remote, job=replace(remote.job, input="nosuch://x.mkv"))
    outcome = runner.run(unknown)
    assert outcome.exit_code == 2
    assert "Protocol not known: nosuch" in outcome.error


def test_an_upload_that_was_cut_off_is_begun_again(order, runner, memory):
    memory.pipe_file("/out/.seq.partial/000000.png", b"half")
    memory.pipe_file("/out/seq/000000.png", b"half")
    outcome = runner.run(replace(order("seq/"), out="memory://out"))
    assert outcome.state == "done", outcome.error
    assert len(memory.glob("/out/seq/*.png")) == 12
    assert not memory.exists("/out/.seq.partial")
    assert memory.cat_file("/out/seq/000000.png") != b"half"


def test_an_existing_url_is_not_replaced(order, runner, memory):
    memory.pipe_file("/out/film.mp4", b"mine")
    outcome = runner.run(replace(order(), out="memory://out"))
    assert (outcome.exit_code, memory.cat_file("/out/film.mp4")) == (5, b"mine")
    assert not parts_folder("film.mp4").exists()
