"""The command and the function, with real worker processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import cv2
import pytest

import vidtrans
from vidtrans.batches.ledger import Ledger
from vidtrans.batches.naming import RECORD
from vidtrans.batches.owners import Owner
from vidtrans.errors import InputError, Interrupted, OutputError
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings

# Workers take seconds to load torch, on a busy machine many.
pytestmark = pytest.mark.timeout(600)


def entries(out):
    with Ledger(out / RECORD, create=False) as record:
        return {entry.name: entry for entry in record.entries()}


def command(*words, model):
    """The command as a process of its own group."""
    given = ["--model", str(model), "--labels", "cityscapes", "--device", "cpu"]
    return subprocess.Popen(
        [sys.executable, "-m", "vidtrans", "batch", "--workers", "1", *map(str, words), *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def kept(out):
    """Whether some job at work has finished frames in safety."""
    return any(out.rglob("state-*.safetensors"))


def test_a_tree_with_two_workers_and_again(films, batch, out, decoded):
    code, printed, _ = batch(films(4), out, "--workers", 2, "--progress", "json")
    assert code == 0
    lines = [json.loads(line) for line in printed.splitlines()]
    assert lines[0] == {"event": "begin", "jobs": 4}
    assert {line["job"] for line in lines if line["event"] == "done"} == {
        "a/c0.mp4", "b/c1.mp4", "a/c2.mp4", "b/c3.mp4"
    }  # fmt: skip
    assert {line["worker"] for line in lines if line["event"] == "started"} == {1, 2}
    assert len(decoded(out / "b" / "c3.mp4")) == 9
    record = entries(out)
    assert {entry.state for entry in record.values()} == {"done"}
    assert record["a/c2.mp4"].frames == record["a/c2.mp4"].done == 8
    before = {name: (out / name).stat().st_mtime_ns for name in record}
    assert batch(out.parent / "in", out) == (0, "", "")
    assert {name: (out / name).stat().st_mtime_ns for name in record} == before
    (out / "a" / "c0.mp4").unlink()
    code, printed, _ = batch(out.parent / "in", out, "--progress", "json")
    assert (code, json.loads(printed.splitlines()[0])["jobs"]) == (0, 1)
    assert {name for name in before if (out / name).stat().st_mtime_ns != before[name]} == {
        "a/c0.mp4"
    }
    assert {*out.iterdir()} == {out / "a", out / "b", out / RECORD}


def test_a_worker_does_several_jobs_together(films, batch, out, decoded, tmp_path):
    top = films(3)
    assert batch(top, tmp_path / "alone", "--workers", 1)[0] == 0
    code, printed, _ = batch(top, out, "--workers", 1, "--together", 2, "--progress", "json")
    assert code == 0
    lines = [json.loads(line) for line in printed.splitlines()]
    told = [(line["event"], line["job"]) for line in lines if line["event"] in ("started", "done")]
    assert [event for event, _ in told[:2]] == ["started", "started"]
    for name in entries(out):
        theirs, ours = decoded(out / name), decoded(tmp_path / "alone" / name)
        # 1e-3 of a picture in [-1,1] is an eighth of a step of 8 bits; coding may double a step.
        assert abs(theirs.astype(int) - ours).max() <= 2


def test_one_bad_input_among_good_ones(films, batch, out):
    top = films(2)
    (top / "a" / "bad.mkv").write_bytes(b"no film")
    code, _, err = batch(top, out.parent / "gone.mkv", out)
    assert code == 6
    assert f"{out.parent / 'gone.mkv'}: does not exist." in err
    assert "a/bad.mp4 failed:" in err
    assert err.splitlines()[-1] == (
        f"vidtrans: error: 1 jobs failed (vidtrans batch status {out} says why) and 1 inputs are"
        " missing; all others are done."
    )
    assert {name: e.state for name, e in entries(out).items()} == {
        "a/bad.mp4": "failed", "a/c0.mp4": "done", "b/c1.mp4": "done"
    }  # fmt: skip
    code, printed, _ = batch("status", out, options=False)
    assert code == 0
    assert printed.startswith("2 done  1 failed\n")
    assert "bad.mkv" in printed
    code, printed, _ = batch("status", out, "--json", options=False)
    facts = json.loads(printed)
    assert facts["jobs"] == {"waiting": 0, "running": 0, "done": 2, "failed": 1, "removed": 0}
    assert facts["failed"][0]["exit_code"] == 3


def test_a_dry_run_writes_nothing(films, batch, out):
    code, printed, _ = batch(films(2), out, "--dry-run")
    assert code == 0
    assert "c1.mkv -> b/c1.mp4  64x32, 7 frames" in printed
    assert "2 jobs to do, 0 done; about 13 frames" in printed
    assert not out.exists()


def test_a_dry_run_reads_inputs_as_the_run_will(tmp_path, scene, batch, out):
    (tmp_path / "clip").mkdir()
    for number in (1, 2, 3, 5, 6):
        cv2.imwrite(str(tmp_path / "clip" / f"{number:06d}.png"), scene(number))
    assert "000004.png is missing" in batch(tmp_path / "clip", out, "--dry-run")[1]
    assert "5 frames" in batch(tmp_path / "clip", out, "--dry-run", "--allow-gaps")[1]


def test_a_dry_run_counts_the_frames_of_a_range(films, batch, out):
    code, printed, _ = batch(films(2), out, "--dry-run", "--from", 2, "--to", 5)
    assert code == 0
    assert "c1.mkv -> b/c1.mp4  64x32, 3 frames" in printed
    assert "about 6 frames" in printed


def test_no_batch_there(batch, out):
    assert batch("status", out, options=False)[0] == 3
    code, _, err = batch(out, options=False)
    assert (code, "no record was found" in err) == (3, True)


def test_strict_refuses_a_missing_input(films, batch, out):
    gone = out.parent / "gone.mkv"
    code, _, err = batch(films(1), gone, out, "--strict")
    assert (code, err) == (3, f"vidtrans: error: {gone}: does not exist.\n")
    assert not out.exists()


def test_add_remove_reset(films, batch, out):
    top = films(3)
    with Ledger(out / RECORD):
        pass
    assert batch("add", out, top, options=False)[:2] == (0, "3 jobs added.\n")
    assert batch("remove", out, "b/*", options=False)[1] == "1 jobs removed.\n"
    with Ledger(out / RECORD) as record:
        record.finish(record.claim("w").name, frames=8, seconds=1.0)
    assert batch("reset", out, "a/c2.mp4", options=False)[1] == "1 jobs reset.\n"
    assert {name: (e.state, e.anew) for name, e in entries(out).items()} == {
        "a/c0.mp4": ("waiting", 0), "a/c2.mp4": ("waiting", 1), "b/c1.mp4": ("removed", 0)
    }  # fmt: skip
    code, _, err = batch("reset", out, "c9.mp4", options=False)
    assert code == 2
    assert "there is no job 'c9.mp4'" in err
    code, _, err = batch(out, "--seed", "4", options=False)
    assert code == 2
    assert "--seed is an option of jobs" in err


def test_shards_are_a_partition(out):
    from vidtrans.batches.job import Job
    from vidtrans.batches.record import Shard, record_folder
    from vidtrans.batches.status import read_status

    jobs = [Job(f"{n}.mp4", f"/{n}.mkv") for n in range(100)]
    shards = [Shard.parse(f"{n}/3") for n in (1, 2, 3)]
    parts = [shard.of(jobs) for shard in shards]
    assert sorted(job.name for part in parts for job in part) == sorted(job.name for job in jobs)
    assert min(map(len, parts)) > 15
    for shard, part in zip(shards, parts, strict=True):
        with Ledger(record_folder(str(out), None, shard)) as record:
            record.enter(part, {"street": ""}, exists=bool)
    assert read_status(str(out)).jobs["waiting"] == 100
    for text in ("3/2", "0/2", "1", "a/b"):
        with pytest.raises(vidtrans.UsageError, match="NUMBER/COUNT"):
            Shard.parse(text)


def test_an_unfinished_run_of_no_job_is_offered(batch, films, tiny_model, out):
    with Ledger(out / RECORD):
        pass
    stop = threading.Event()
    settings = ConvertSettings.read(
        input=str(films(1) / "a" / "c0.mkv"),
        output=str(out / "lost.mp4"),
        model=str(tiny_model),
        labels="cityscapes",
        device="cpu",
        snapshot_every=2,
    )
    with pytest.raises(Interrupted):
        convert(settings, on_progress=lambda _: stop.set(), cancel=stop)
    assert "unowned  lost.mp4  " in batch("status", out, options=False)[1]


def test_python_yields_finished_jobs(films, tiny_model, out, grey_film, scene):
    top = films(1)
    rows = [
        {"input": top / "a" / "c0.mkv", "output": f"{n}.mp4", "layer": layer}
        for n, layer in enumerate(("final", "labels"))
    ]
    bad = {"input": str(out.parent / "gone.mkv"), "output": "gone.mp4"}
    common = {"model": str(tiny_model), "labels": "cityscapes", "device": "cpu"}
    results = {r.name: r for r in vidtrans.batch([*rows, bad], out, **common)}
    assert {name: r.state for name, r in results.items()} == {
        "0.mp4": "done", "1.mp4": "done", "gone.mp4": "failed"
    }  # fmt: skip
    assert results["0.mp4"].frames == 6
    assert results["gone.mp4"].error.endswith("does not exist.")
    assert list(vidtrans.batch(rows, out, **common)) == []


def test_a_file_system_without_locks_is_refused(films, batch, out, monkeypatch):
    from vidtrans.batches import owners

    def no_locks(*args, **kwargs):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(owners, "lock_descriptor", no_locks)
    code, _, err = batch(films(1), out)
    assert code == 5
    assert "its file system has no locks" in err


def test_another_machine_is_refused(tmp_path, monkeypatch):
    from vidtrans.batches import run

    with Owner(tmp_path):
        assert run.others_at_work(tmp_path)
        monkeypatch.setattr(run.socket, "gethostname", lambda: "elsewhere")
        with pytest.raises(OutputError, match="is at work on this batch"):
            run.others_at_work(tmp_path)
    assert not run.others_at_work(tmp_path)


@pytest.mark.posix
def test_ctrl_c_finishes_the_job_at_work_and_a_second_one_stops(films, tiny_model, out, batch):
    top = films(3, frames=400)
    run = command(top, out, "--snapshot-every", 8, model=tiny_model)
    wait_for(lambda: kept(out))
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=300)
    assert run.returncode == 130
    assert "2 jobs wait; the same command goes on." in err
    assert [e.state for e in entries(out).values()].count("done") == 1
    run = command(top, out, "--snapshot-every", 8, model=tiny_model)
    wait_for(lambda: kept(out))
    os.kill(run.pid, signal.SIGINT)
    time.sleep(0.3)
    os.kill(run.pid, signal.SIGINT)
    run.communicate(timeout=300)
    assert run.returncode == 130
    record = entries(out)
    assert [e.state for e in record.values()].count("waiting") == 2
    assert kept(out)


@pytest.mark.posix
def test_kill_9_of_all_loses_nothing(films, tiny_model, out, batch, decoded, tmp_path):
    top = films(2, frames=60)
    assert batch(top, tmp_path / "whole", "--snapshot-every", 8)[0] == 0
    run = command(top, out, "--snapshot-every", 8, "--workers", 2, model=tiny_model)
    wait_for(lambda: kept(out))
    children = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True)
    for pid in [run.pid, *map(int, children.stdout.split())]:
        os.kill(pid, signal.SIGKILL)
    run.communicate()
    assert "running" in {e.state for e in entries(out).values()}
    code, printed, _ = batch(top, out, "--snapshot-every", 8, "--progress", "json")
    assert code == 0
    for name in ("a/c0.mp4", "b/c1.mp4"):
        assert (decoded(out / name) == decoded(tmp_path / "whole" / name)).all()
    started = [json.loads(line) for line in printed.splitlines()]
    assert len([line for line in started if line["event"] == "started"]) <= 2


@pytest.mark.posix
def test_a_worker_that_is_killed_is_replaced_and_its_job_goes_on(films, tiny_model, out):
    top = films(1, frames=120)
    run = command(top, out, "--snapshot-every", 8, model=tiny_model)
    wait_for(lambda: kept(out))
    (child,) = subprocess.run(
        ["pgrep", "-P", str(run.pid)], capture_output=True, text=True
    ).stdout.split()
    os.kill(int(child), signal.SIGKILL)
    _, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert "is tried again: its worker was killed (signal 9)" in err
    assert entries(out)["a/c0.mp4"].tries == 2


def test_a_poisoned_job_is_given_up_and_named(tmp_path, monkeypatch):
    """A job that ends every worker that takes it does not keep the others from being done."""
    from vidtrans.batches.job import Job
    from vidtrans.batches.run import MAX_TRIES, conclude
    from vidtrans.batches.runner import Outcome

    with Ledger(tmp_path) as record:
        record.enter([Job("a", "/a", weight=9), Job("b", "/b")], {"street": ""}, exists=bool)
        kinds = []
        while (entry := record.claim("w")) is not None:
            lost = Outcome("failed", error="its worker was killed.", exit_code=1, retry=True)
            fine = Outcome("done", frames=3)
            kinds.append(conclude(record, entry, lost if entry.name == "a" else fine).kind)
        assert kinds == ["retried"] * (MAX_TRIES - 1) + ["failed", "done"]
        assert record.entry("a").error == "its worker was killed. This was try 3."


@pytest.mark.posix
def test_a_second_command_joins(films, tiny_model, out):
    top = films(4, frames=40)
    runs = [command(top, out, model=tiny_model) for _ in range(2)]
    errors = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    record = entries(out)
    assert [(e.state, e.tries) for e in record.values()] == [("done", 1)] * 4


def test_a_job_killed_between_its_end_and_the_record_is_done(films, batch, out):
    """The output is whole, the record says at work."""
    import sqlite3

    top = films(1)
    assert batch(top, out)[0] == 0
    with sqlite3.connect(out / RECORD / "record.sqlite") as db:
        db.execute("UPDATE jobs SET state = 'running', owner = 'dead', before = '', done = 0")
    db.close()
    stamp = (out / "a" / "c0.mp4").stat().st_mtime_ns
    assert batch(top, out)[0] == 0
    assert (out / "a" / "c0.mp4").stat().st_mtime_ns == stamp
    assert entries(out)["a/c0.mp4"].done == 6


def test_no_job(tmp_path):
    with pytest.raises(vidtrans.UsageError, match="there is no job"):
        vidtrans.batch([], tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        vidtrans.batch([tmp_path / "gone.mkv"], tmp_path / "out")
