"""The export queue with real conversions: order, pause, cancel, failure, presets, and the
command that does the same."""

import shlex
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner
from vidtrans_gui.export_presets import PRESETS
from vidtrans_gui.export_queue import ExportQueue, Job
from vidtrans_gui.shell_command import command_line

from vidtrans.frame import FrameTime
from vidtrans.labels.edit import DeleteInstance, EditList, FirstFrame, RelabelClass, ResetAt
from vidtrans.media.reader import open_reader
from vidtrans.media.writer import parts_folder
from vidtrans.pipeline.runfolder import RunFolder, Span
from vidtrans.pipeline.settings import ConvertSettings

PRESET = {preset.key: preset for preset in PRESETS}


@pytest.fixture
def settings(label_film, tiny_model, tmp_path):
    """``settings(name)``: an export of twelve frames into ``name``."""

    def make(name="out.mkv", **values):
        own = {
            "input": str(label_film),
            "output": str(tmp_path / name),
            "model": str(tiny_model),
            "labels": "cityscapes",
        }
        return ConvertSettings.read(**own | values)

    return make


@pytest.fixture
def told():
    """Every job that the queue told of."""
    return []


@pytest.fixture
def queue(told):
    made = ExportQueue(told.append)
    yield made
    assert made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vidtrans")]


def wait(condition, timeout_s=60.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def state(queue, job):
    return next(found.state for found in queue.jobs() if found.id == job.id)


@pytest.fixture
def slow(monkeypatch):
    """Painting waits until ``slow`` is set, after the first three frames."""
    from vidtrans.pipeline.stream import Painter

    go, painted, paint = threading.Event(), [], Painter.paint

    def gated(self, state, read):
        painted.append(read.frame.index)
        if len(painted) > 3:
            assert go.wait(60)
        return paint(self, state, read)

    monkeypatch.setattr(Painter, "paint", gated)
    go.painted = painted
    yield go
    go.set()


def test_jobs_run_in_order_and_tell_how_far_they_are(queue, told, settings, tmp_path):
    one, two = queue.add(settings("a.mkv")), queue.add(settings("b.mkv"))
    wait(lambda: all(job.ended for job in queue.jobs()))
    assert [job.state for job in queue.jobs()] == ["done", "done"]
    assert (tmp_path / "a.mkv").is_file()
    assert (tmp_path / "b.mkv").is_file()
    states = [(job.id, job.state) for job in told]
    assert states.index((one.id, "done")) < states.index((two.id, "running"))
    last = queue.jobs()[0]
    assert (last.done, last.total, last.fraction, last.ended) == (12, 12, 1.0, True)
    assert last.seconds > 0


def test_a_failed_job_says_why_and_the_next_one_runs(queue, settings, tmp_path):
    bad = queue.add(settings("none/out.mkv"))
    queue.add(settings("good.mkv"))
    wait(lambda: all(job.ended for job in queue.jobs()))
    failed, done = queue.jobs()
    assert (failed.state, done.state) == ("failed", "done")
    assert "none" in failed.message
    assert failed.details == ""
    (tmp_path / "none").mkdir()
    queue.retry(bad.id)
    wait(lambda: state(queue, bad) == "done")
    assert (tmp_path / "none" / "out.mkv").is_file()


def test_what_nobody_expected_is_told_with_details(queue, settings, monkeypatch):
    import vidtrans_gui.export_queue as module

    def broken(*args, **kwargs):
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(module, "convert", broken)
    queue.add(settings())
    wait(lambda: queue.jobs()[0].ended)
    job = queue.jobs()[0]
    assert job.state == "failed"
    assert "the sky fell" in job.message
    assert "Traceback" in job.details


def test_a_paused_job_lets_the_next_one_pass_and_goes_on_where_it_stopped(
    queue, settings, slow, decoded, tmp_path
):
    one, two = queue.add(settings("a.mkv", **LOSSLESS)), queue.add(settings("b.mkv", **LOSSLESS))
    wait(lambda: len(slow.painted) > 3)
    queue.pause(one.id)
    slow.set()
    wait(lambda: state(queue, two) == "done")
    assert state(queue, one) == "paused"
    assert not (tmp_path / "a.mkv").exists()
    painted = len(slow.painted)
    queue.resume(one.id)
    wait(lambda: state(queue, one) == "done")
    assert len(slow.painted) - painted < 12  # not from the beginning
    assert np.array_equal(decoded(tmp_path / "a.mkv"), decoded(tmp_path / "b.mkv"))


LOSSLESS = {"codec": "ffv1", "pixel_format": "bgr0"}


@pytest.mark.parametrize("name", ["a.mkv", "pngs"])
def test_a_cancelled_job_leaves_nothing(queue, settings, slow, tmp_path, name):
    before = sorted(tmp_path.iterdir())
    one, two = queue.add(settings(name)), queue.add(settings("b.mkv"))
    wait(lambda: len(slow.painted) > 3)
    queue.cancel(two.id)
    assert state(queue, two) == "cancelled"
    queue.cancel(one.id)
    slow.set()
    wait(lambda: state(queue, one) == "cancelled")
    assert sorted(tmp_path.iterdir()) == before
    queue.remove(one.id)
    assert [job.id for job in queue.jobs()] == [two.id]
    queue.retry(two.id)
    wait(lambda: state(queue, two) == "done")


def test_a_cancelled_job_leaves_what_was_there_before(queue, settings, slow, tmp_path):
    (tmp_path / "pngs").mkdir()
    (tmp_path / "pngs" / "mine.png").write_bytes(b"x")
    job = queue.add(settings("pngs", overwrite=True))
    wait(lambda: len(slow.painted) > 3)
    queue.cancel(job.id)
    slow.set()
    wait(lambda: state(queue, job) == "cancelled")
    assert (tmp_path / "pngs" / "mine.png").read_bytes() == b"x"


def test_a_paused_job_that_is_cancelled_leaves_nothing(queue, settings, slow, tmp_path):
    before = sorted(tmp_path.iterdir())
    job = queue.add(settings("a.mkv"))
    wait(lambda: len(slow.painted) > 3)
    queue.pause(job.id)
    slow.set()
    wait(lambda: state(queue, job) == "paused")
    assert parts_folder(tmp_path / "a.mkv").is_dir()
    queue.cancel(job.id)
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def paused(queue, settings, slow):
    """``paused(name)``: a job that was paused after some frames of its output."""

    def make(name):
        job = queue.add(settings(name))
        wait(lambda: len(slow.painted) > 3)
        queue.pause(job.id)
        slow.set()
        wait(lambda: state(queue, job) == "paused")
        return job

    return make


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["a.mkv", "pngs"])
def test_a_cancelled_job_leaves_the_parts_that_another_run_holds(queue, paused, tmp_path, name):
    job = paused(name)
    parts = parts_folder(job.output)
    with RunFolder.open(job.output, {}, resume=False, overwrite=True) as another:
        picture = another.path_for("part", 0, ".nut")
        picture.write_bytes(b"of another run")
        before = sorted(tmp_path.rglob("*.png"))
        queue.cancel(job.id)
        assert state(queue, job) == "cancelled"
        assert picture.read_bytes() == b"of another run"
        assert files(parts) == ["lock", picture.name, "run.json"]
        assert sorted(tmp_path.rglob("*.png")) == before


def test_a_cancelled_job_leaves_what_another_run_kept_in_its_place(queue, paused):
    job = paused("a.mkv")
    with RunFolder.open(job.output, {}, resume=False, overwrite=True) as another:
        span = Span("rest", 0, 1, 0, (FrameTime(0, Fraction(1, 25), 1),))
        another.keep(span, lambda path: path.write_bytes(b"state"))
    before = files(parts_folder(job.output))
    queue.cancel(job.id)
    assert state(queue, job) == "cancelled"
    assert files(parts_folder(job.output)) == before


def test_a_job_that_never_held_the_parts_removes_none(queue, settings, slow):
    wanted = settings("a.mkv")
    output = Path(wanted.output)
    with RunFolder.open(output, {}, resume=False, overwrite=False):
        job = queue.add(wanted)
        wait(lambda: state(queue, job) == "failed")
        assert "another run is writing this output" in queue.jobs()[0].message
        queue.add(settings("b.mkv"))
        wait(lambda: len(slow.painted) > 3)  # the retried job waits behind it
        queue.retry(job.id)
        queue.cancel(job.id)
        assert state(queue, job) == "cancelled"
        assert files(parts_folder(output)) == ["lock", "run.json"]


def test_closing_keeps_what_is_done_for_the_command(settings, slow, tmp_path, told, decoded):
    from vidtrans.pipeline.convert import convert

    queue = ExportQueue(told.append)
    queue.add(settings("a.mkv"))
    wait(lambda: len(slow.painted) > 3)
    threading.Timer(0.05, slow.set).start()
    assert queue.close()
    assert queue.jobs()[0].state == "paused"
    summary = convert(settings("a.mkv", resume=True))
    assert summary.resumed_from >= 3


@pytest.mark.parametrize("key", PRESET)
def test_presets_make_films_that_open(queue, settings, tmp_path, key, decoded):
    preset = PRESET[key]
    output = preset.output_for(tmp_path / "street.mp4")
    job = queue.add(preset.applied(settings(output.name)))
    wait(lambda: queue.jobs()[0].ended)
    assert (queue.jobs()[0].state, queue.jobs()[0].message) == ("done", "")
    assert job.output == output
    with open_reader(output, labels=False) as reader:
        assert reader.count() == 12
        expected = {"h264": "h264", "prores": "prores", "vp9": "vp9", "png": "png", "ffv1": "ffv1"}
        assert expected[key] in reader.info.codec
    if key in ("ffv1", "png"):
        reference = queue.add(settings("reference"))
        wait(lambda: state(queue, reference) == "done")
        assert np.array_equal(decoded(output), decoded(tmp_path / "reference"))


def test_preset_names_of_outputs():
    assert PRESET["h264"].output_for("a/street.mkv").name == "street.mp4"
    assert PRESET["h264"].output_for("a/street.v2").name == "street.v2.mp4"
    assert PRESET["png"].output_for("a/street.v2.mov").name == "street_v2"


RELABELLED = EditList(
    (
        RelabelClass("traffic light", "pole"),
        RelabelClass("car", "bus", 5),
        RelabelClass("bus", "car", 2, 3),
    )
)
EDITS = EditList(
    (
        ResetAt(4),
        DeleteInstance(26001),
        FirstFrame("it's here.png", 2),
        RelabelClass("car", "truck"),
    )
)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {
            "size_hw": "512x256",
            "fit": "resize",
            "layer": "flow",
            "scene_cuts": (3, 9),
            "rate": "30000/1001",
        },
        {
            "scene_cuts": "off",
            "first_frame": ("a b.png", "c.png"),
            "instances": "i/",
            "device": "cpu",
            "precision": "fp32",
        },
        {
            "codec": "libx265",
            "encoder_options": {"crf": "20", "x265-params": "a=b:c=d"},
            "pixel_format": "yuv420p10le",
        },
        {
            "resume": True,
            "overwrite": True,
            "snapshot_every": 7,
            "seed": 3,
            "labels": "carla",
            "model": "my model.safetensors",
        },
        {
            "edits": EditList(
                (
                    RelabelClass("traffic light", "pole"),
                    RelabelClass("car", "bus", 5),
                    RelabelClass("bus", "car", 2, 3),
                )
            )
        },
        {"edits": EDITS},
        {"output": "-odd.mkv"},
    ],
)
def test_the_command_does_the_same(settings, monkeypatch, values):
    """The line, parsed by the command itself, gives the same settings."""
    import vidtrans.pipeline.convert as module
    from vidtrans.cli.app import app

    class Caught(Exception):
        pass

    def catch(given, **_):
        raise Caught(given)

    monkeypatch.setattr(module, "convert", catch)
    wanted = settings(**values)
    words = shlex.split(command_line(wanted))
    assert words[:2] == ["vidtrans", "convert"]
    result = CliRunner().invoke(
        app, [*words[1:], "--progress", "none"] if "--" not in words else words[1:]
    )
    assert isinstance(result.exception, Caught), result.output
    assert result.exception.args[0] == wanted


def test_the_command_can_name_a_file_of_edits(settings, tmp_path):
    EDITS.save(tmp_path / "edits.json")
    words = shlex.split(command_line(settings(edits=EDITS), tmp_path / "edits.json"))
    assert words[words.index("--edits") + 1] == str(tmp_path / "edits.json")


def test_a_job_of_unknown_length_has_no_fraction(settings):
    assert Job(1, settings(), done=5).fraction is None
    assert Job(1, settings(), done=5, total=10).fraction == 0.5
