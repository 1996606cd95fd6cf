"""``make faults``: what is killed at random moments, or meets a full disk, loses nothing.

``VIDTRANS_FAULTS`` is the number of kills; the suite's short form has 8 of ``convert`` and leaves
the batches, which start workers anew after each kill, to ``make faults``.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vidtrans.batches import ledger as ledger_module
from vidtrans.batches.ledger import FILE, Ledger
from vidtrans.batches.naming import RECORD
from vidtrans.cli import main
from vidtrans.media.writer import parts_folder

KILLS = int(os.environ.get("VIDTRANS_FAULTS", "8"))
IN_BATCHES = KILLS * 3 // 10 if "VIDTRANS_FAULTS" in os.environ else 6
KINDS = ("film", "sound", "uneven", "pngs")
EACH_BATCH = 6
"""Kills of a batch; what is left is then done undisturbed."""
EACH_RUN = 4
"""Kills of a run of ``convert``, likewise."""
pytestmark = [pytest.mark.linux, pytest.mark.timeout(900)]


def write_film(path, frames, *, sound=False, uneven=False):
    """A lossless film of ids, with a tone or at uneven times where asked."""
    times = np.cumsum([1 + (n * 7) % 3 if uneven else 1 for n in range(len(frames))]) - 1
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=25)
        video.height, video.width = frames[0].shape
        video.pix_fmt = "gray"
        video.codec_context.time_base = Fraction(1, 25)
        tone = out.add_stream("aac", rate=16000) if sound else None
        for ids, at in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(ids, format="gray")
            frame.pts, frame.time_base = int(at), Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode())
        for n in range(len(frames) * 640 // 1024 if tone else 0):
            wave = np.sin(np.arange(n * 1024, n * 1024 + 1024) * 0.17).astype(np.float32)
            samples = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            samples.sample_rate, samples.pts = 16000, n * 1024
            out.mux(tone.encode(samples))
        if tone:
            out.mux(tone.encode())
    return path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, scene):
    """A film, one with sound, one of uneven times, and a folder of pictures."""
    top = tmp_path_factory.mktemp("faults") / "in"
    (top / "pngs").mkdir(parents=True)
    write_film(top / "film.mkv", [scene(n) for n in range(60)])
    write_film(top / "sound.mkv", [scene(n + 1) for n in range(50)], sound=True)
    write_film(top / "uneven.mkv", [scene(n + 2) for n in range(41)], uneven=True)
    for n in range(30):
        cv2.imwrite(str(top / "pngs" / f"s_{n:03d}.png"), scene(n))
    return top


@pytest.fixture(scope="module")
def options(tiny_model):
    given = ["--model", str(tiny_model), "--labels", "cityscapes", "--device", "cpu"]
    return [*given, "--snapshot-every", "7"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, options):
    """``run(words, ...)``: a command in a forked process; see fork_server.py."""
    log = tmp_path_factory.mktemp("log") / "log"
    script = Path(__file__).with_name("fork_server.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:

        def call(*words, **given):
            order = {"words": [*map(str, words), *options], "log": str(log), **given}
            server.stdin.write(json.dumps(order) + "\n")
            server.stdin.flush()
            return json.loads(server.stdout.readline()), log.read_text()

        yield call
        server.stdin.close()


@pytest.fixture(scope="module")
def words(inputs):
    """``words(kind, folder)``: the words of ``convert`` and the output."""

    def make(kind, folder):
        source = inputs / (kind if kind == "pngs" else f"{kind}.mkv")
        out = folder / (f"{kind}.mkv" if kind != "pngs" else kind)
        return ["convert", source, f"{out}/" if kind == "pngs" else out], out

    return make


@pytest.fixture(scope="module")
def whole(run, words, tmp_path_factory):
    """By kind: what a run that is left in peace makes, its seconds, and its changes to files."""
    found = {}
    for kind in KINDS:
        called, out = words(kind, tmp_path_factory.mktemp("whole"))
        began = time.monotonic()
        answer, log = run(*called)
        assert answer["code"] == 0, log
        found[kind] = content(out), time.monotonic() - began, answer["events"]
    return found


def content(path):
    """All packets of a film with their times, and of a folder every file."""
    if path.is_dir():
        return {each.name: each.read_bytes() for each in path.iterdir()}
    with av.open(str(path)) as film:
        return {
            (stream.index, stream.type, stream.codec_context.name, stream.time_base): [
                (packet.pts, packet.dts, packet.duration, bytes(packet))
                for packet in film.demux(stream)
                if packet.size
            ]
            for stream in film.streams
            if film.seek(0) is None
        }


def stamp(path):
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


@pytest.mark.parametrize("kind", KINDS)
def test_convert_that_is_killed_at_random_moments(run, words, whole, tmp_path, kind):
    wanted, seconds, events = whole[kind]
    draw = random.Random(kind)
    kills = -(-(KILLS - IN_BATCHES if KILLS > 8 else KILLS) // len(KINDS))
    while kills > 0:
        folder = tmp_path / str(kills)
        folder.mkdir()
        called, out = words(kind, folder)
        published = None
        for _ in range(min(EACH_RUN, kills)):
            moment = (
                {"event": draw.randint(1, events)}
                if draw.random() < 0.6
                else {"after": draw.uniform(0.0, seconds)}
            )
            answer, log = run(*called, "--resume", **moment)
            assert answer["code"] in (0, -signal.SIGKILL), log
            kills -= 1
            there = parts_folder(out).exists()
            if kind != "pngs" and out.exists():
                assert content(out) == wanted, moment
                assert published in (None, stamp(out)), "it was made twice"
                published = stamp(out)
            for name, data in content(out).items() if kind == "pngs" and out.exists() else ():
                if not name.startswith("."):
                    assert data == wanted[name], f"{name} is partial"
            if (out.exists() or answer["code"] == 0) and not there:
                break
        else:
            answer, log = run(*called, "--resume")
            assert answer["code"] == 0, log
        assert content(out) == wanted
        # A run that is killed in cleaning up, after its output has its name, may leave a folder
        # that the next run of this output, or of its batch, removes.
        left = {path.name for path in folder.iterdir() if path.suffix[1:].isdigit()}
        assert {path.name for path in folder.iterdir()} - left == {out.name}
        shutil.rmtree(folder)


def outputs(out):
    return {
        path.relative_to(out).as_posix(): path
        for path in out.rglob("*")
        if path.is_file() and RECORD not in path.parts
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(-(-IN_BATCHES // EACH_BATCH)))
def test_batch_that_is_killed_at_random_moments(inputs, options, whole, tmp_path, seed):
    draw = random.Random(seed)
    out = tmp_path / "out"
    words = ["batch", str(inputs), str(out), *options, "--workers", "2", "--name", "{path}.mkv"]
    words[1:2] = [str(inputs / f"{kind}.mkv") for kind in KINDS[:3]]
    done = {}
    for _ in range(EACH_BATCH):
        call = subprocess.Popen([sys.executable, "-m", "vidtrans", *words])
        time.sleep(draw.uniform(0.5, 12.0))
        children = subprocess.run(
            ["pgrep", "-P", str(call.pid)], capture_output=True, text=True
        ).stdout.split()
        # Sometimes the parent alone, sometimes a worker alone, sometimes all.
        every = [call.pid, *map(int, children)]
        for pid in draw.choice([every[:1], every[1:2], every]):
            if call.poll() is None or pid != call.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        try:
            call.wait(draw.uniform(0.5, 3.0))
        except subprocess.TimeoutExpired:
            call.kill()
            call.wait()
        for name, path in outputs(out).items():
            if not any(part.startswith(".") for part in Path(name).parts):
                # Whole as soon as it is there, and made once.
                assert content(path) == whole[path.stem][0]
                assert done.setdefault(name, stamp(path)) == stamp(path), f"{name} was made twice"
    assert main(words) == 0
    with Ledger(out / RECORD, create=False) as record:
        assert {entry.state for entry in record.entries()} == {"done"}
    assert {*outputs(out)} == {f"{kind}.mkv" for kind in KINDS[:3]}
    for name, path in outputs(out).items():
        assert content(path) == whole[path.stem][0], name
        assert done.setdefault(name, stamp(path)) == stamp(path)


# -- disks --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """``small_disk(options)``: a mounted file system; skips where that is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(how):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(place)], capture_output=True
        )
        if done.returncode:
            pytest.skip("file systems cannot be mounted here")
        return place

    yield mount
    subprocess.run(["umount", "-l", str(place)], capture_output=True)


@pytest.mark.parametrize("kind", ["film", "pngs"])
def test_a_full_disk(run, words, whole, small_disk, kind):
    """It is told, nothing is there under the final name of a film, and with room it goes on."""
    place = small_disk("size=120k")
    called, out = words(kind, place)
    answer, log = run(*called)
    assert answer["code"] == 5, log
    assert "no space left on the disk" in log
    assert "Traceback" not in log
    assert kind == "pngs" or not out.exists()
    subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
    answer, log = run(*called, "--resume")
    assert answer["code"] == 0, log
    assert content(out) == whole[kind][0]


@pytest.mark.parametrize("kind", ["film", "pngs"])
def test_files_that_may_not_grow(run, words, whole, tmp_path, kind):
    """As a quota or the file system's own limit; a PNG of these has 4 KiB, and a film 60."""
    called, out = words(kind, tmp_path)
    answer, log = run(*called, file_bytes=2000)
    assert answer["code"] == 5, log
    assert "the file would be larger than this system allows" in log
    assert not out.exists() or not any(out.iterdir())
    assert run(*called, "--resume")[0]["code"] == 0
    assert content(out) == whole[kind][0]


def test_a_disk_that_is_read_only(run, words, small_disk):
    place = small_disk("size=1m,ro")
    called, _ = words("film", place)
    answer, log = run(*called)
    assert (answer["code"], "read-only" in log) == (5, True), log
    answer, log = run("batch", called[1], place / "out")
    assert (answer["code"], "read-only" in log) == (5, True), log


# -- inputs, memory, clocks, records --------------------------------------------------------------


def test_an_input_that_vanishes_midway(inputs, words, whole, tmp_path, tiny_model):
    """Pictures of a sequence are gone as their turn comes: told with the file; put back, the run
    goes on."""
    from vidtrans.errors import InputError
    from vidtrans.pipeline.convert import convert
    from vidtrans.pipeline.settings import ConvertSettings

    source = shutil.copytree(inputs / "pngs", tmp_path / "in" / "pngs")
    away = tmp_path / "away"

    def vanish(progress):
        if progress.done == 12 and source.exists():
            source.rename(away)

    given = {"input": str(source), "output": f"{tmp_path}/pngs/", "model": str(tiny_model)}
    given |= {"labels": "cityscapes", "device": "cpu", "snapshot_every": 7}
    with pytest.raises(InputError) as caught:
        convert(ConvertSettings.read(**given), on_progress=vanish)
    assert str(source) in str(caught.value)
    away.rename(source)
    convert(ConvertSettings.read(**given, resume=True))
    assert content(tmp_path / "pngs") == whole["pngs"][0]


def test_a_film_that_vanishes_before_its_sound_is_copied(inputs, tmp_path, tiny_model):
    from vidtrans.errors import VidtransError
    from vidtrans.pipeline.convert import convert
    from vidtrans.pipeline.settings import ConvertSettings

    source = tmp_path / "sound.mkv"
    shutil.copy(inputs / "sound.mkv", source)
    given = {"input": str(source), "output": f"{tmp_path}/out.mkv", "model": str(tiny_model)}
    given |= {"labels": "cityscapes", "device": "cpu", "snapshot_every": 7}
    with pytest.raises(VidtransError) as caught:
        convert(
            ConvertSettings.read(**given),
            on_progress=lambda progress: progress.done == 45 and source.unlink(missing_ok=True),
        )
    assert "sound.mkv" in str(caught.value)
    assert not (tmp_path / "out.mkv").exists()
    shutil.copy(inputs / "sound.mkv", source)
    assert convert(ConvertSettings.read(**given, resume=True)).frames == 50


def test_memory_that_is_not_there(tmp_path, inputs, tiny_model):
    """A job that wants more than the system gives fails with a sentence; the next one is done."""
    code = (
        "import resource, sys, json; from vidtrans.batches.job import Job;"
        "from vidtrans.batches.runner import JobRunner, Order;"
        "runner = JobRunner(device='cpu', threads=1); out = sys.argv[2];"
        "given = {'model': sys.argv[3], 'labels': 'cityscapes', 'max_pixels': '8192x8192'};"
        "job = lambda name, **more: Job(name, sys.argv[1], json.dumps({**given, **more}));"
        "runner.run(Order(job('first.mkv'), out));"
        "used = int(open('/proc/self/statm').read().split()[5]) * 4096;"
        "resource.setrlimit(resource.RLIMIT_DATA, (used + (1 << 30),) * 2);"
        "print(json.dumps([[o.state, o.error, o.exit_code, o.retry] for o in ("
        "runner.run(Order(job('big.mkv', size='8192x8192'), out)),"
        "runner.run(Order(job('small.mkv'), out)))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(inputs / "film.mkv"), str(tmp_path), str(tiny_model)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    big, small = json.loads(done.stdout.splitlines()[-1])
    assert (big[0], big[2], big[3]) == ("failed", 1, True)
    assert "ran out of memory" in big[1]
    assert "Traceback" not in done.stderr
    assert small[0] == "done", small


def test_a_clock_that_is_set_back(tmp_path, inputs, tiny_model, monkeypatch):
    """Neither the record nor a resumed run asks what time it is to know what is to be done."""
    from vidtrans.batches.job import Job
    from vidtrans.batches.run import conclude
    from vidtrans.batches.runner import JobRunner, Order
    from vidtrans.batches.status import read_status

    now = [2e9]

    def back():
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", back)
    given = {"model": str(tiny_model), "labels": "cityscapes", "snapshot_every": 7}
    job = Job("film.mkv", str(inputs / "film.mkv"), json.dumps(given))
    runner, out = JobRunner(device="cpu"), tmp_path / "out"
    stop = threading.Event()
    with Ledger(out / RECORD) as record:
        record.enter([job], {str(tiny_model): ""}, exists=bool)
        outcome = runner.run(
            Order(job, str(out)), cancel=stop, on_progress=lambda p: p.done == 9 and stop.set()
        )
        assert conclude(record, record.claim("w"), outcome).kind == "interrupted"
        entry = record.claim("w")
        outcome = runner.run(Order(entry.job, str(out)))
        assert (outcome.state, outcome.frames) == ("done", 60)
        assert outcome.resumed_from >= 9
        assert outcome.seconds > 0
        conclude(record, entry, outcome)
    status = read_status(str(out))
    assert (status.jobs["done"], status.seconds_left) == (1, None)


def test_a_poisoned_sequence_among_a_hundred(tmp_path, scene, options):
    """The hundred are done; the one that takes every worker with it is given up, and named."""
    top, out = tmp_path / "in", tmp_path / "out"
    top.mkdir()
    # The heaviest job begins first. It is long enough to be met at work.
    write_film(top / "poison.mkv", [scene(n, 64, 128) for n in range(3000)])
    for n in range(100):
        cv2.imwrite(str(top / f"{n:03d}.png"), scene(n))
    manifest = top / "jobs.jsonl"
    rows = [{"input": f"{n:03d}.png", "output": f"{n:03d}/"} for n in range(100)]
    manifest.write_text(
        "\n".join(map(json.dumps, [{"input": "poison.mkv", "output": "poison.mkv"}, *rows]))
    )
    with (tmp_path / "log").open("w") as log:
        call = subprocess.Popen(
            [sys.executable, "-m", "vidtrans", "batch", str(manifest), str(out), *options,
             "--workers", "1", "--progress", "json"],
            stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        kinds = []
        for line in call.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["job"] == "poison.mkv":
                children = subprocess.run(
                    ["pgrep", "-P", str(call.pid)], capture_output=True, text=True
                )
                for pid in children.stdout.split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            elif event["event"] in ("retried", "failed", "done"):
                kinds.append((event["event"], event["job"]))
        assert call.wait(60) == 6, (tmp_path / "log").read_text()
    assert [kind for kind, job in kinds if job == "poison.mkv"] == ["retried", "retried", "failed"]
    assert len([kind for kind, _ in kinds if kind == "done"]) == 100
    with Ledger(out / RECORD, create=False) as record:
        (failed,) = record.entries("state = 'failed'")
    assert failed.name == "poison.mkv"
    assert failed.error.endswith("This was try 3.")


def test_a_record_that_is_cut_off_or_locked(run, inputs, tmp_path, monkeypatch, capfd):
    """Told in a sentence; moved away, outputs that are whole are taken as done."""
    import sqlite3

    out = tmp_path / "out"
    words = ["batch", str(inputs / "film.mkv"), str(out), "--workers", "1", "--device", "cpu"]
    words += ["--layer", "labels", "--labels", "cityscapes"]
    assert main(words) == 0
    made = stamp(out / "film.mp4")
    capfd.readouterr()
    record = out / RECORD / FILE
    other = sqlite3.connect(record, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(ledger_module, "_BUSY_S", 0.1)
    assert main(words) == 5
    assert "had the record locked" in capfd.readouterr().err
    other.close()
    record.write_bytes(record.read_bytes()[:5000])
    for path in record.parent.glob(f"{FILE}-*"):
        path.unlink()
    assert main(words) == 5
    said = capfd.readouterr().err
    assert "the record is damaged" in said
    assert "Traceback" not in said
    record.rename(tmp_path / "old")
    assert main([*words, "--skip-existing"]) == 0
    assert stamp(out / "film.mp4") == made
