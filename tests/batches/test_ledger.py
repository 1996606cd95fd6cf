"""The record: what a command finds in it, and what becomes of jobs."""

import sqlite3
import threading

import pytest

from vidtrans.batches import ledger as module
from vidtrans.batches.job import Job
from vidtrans.batches.ledger import FILE, SCHEMA, Entered, Ledger
from vidtrans.errors import InputError, OutputError

MODELS = {"street": "0" * 12}


@pytest.fixture
def record(tmp_path):
    with Ledger(tmp_path / "record") as found:
        yield found


def jobs(*names, **more):
    return [Job(name, f"/in/{name}", **more) for name in names]


def enter(record, listed, *, there=(), models=MODELS, **more):
    return record.enter(listed, models, exists=lambda name: name in there, **more)


def states(record):
    return {entry.name: entry.state for entry in record.entries()}


def test_the_heaviest_job_comes_first_and_none_twice(record):
    enter(record, [Job("a", "/a", weight=1), Job("b", "/b", weight=3), Job("c", "/c", weight=2)])
    assert [record.claim("w").name for _ in range(3)] == ["b", "c", "a"]
    assert record.claim("w") is None


def test_the_same_command_again_finds_nothing_to_do(record):
    assert enter(record, jobs("a", "b")) == Entered(2, 0, 0, 0, 0, 0)
    for _ in "ab":
        record.finish(record.claim("w").name, frames=5, seconds=1.0)
    assert enter(record, jobs("a", "b"), there="ab") == Entered(0, 0, 0, 0, 2, 0)
    assert record.claim("w") is None


def test_what_is_missing_changed_or_failed_is_done_again(record):
    enter(record, jobs("changed", "failed", "fine", "lost", "remodelled"))
    while (entry := record.claim("w")) is not None:
        if entry.name == "failed":
            record.fail("failed", "is truncated.", 3)
        else:
            record.finish(entry.name, frames=5, seconds=1.0)
    again = jobs("failed", "fine", "lost") + jobs("changed", stamp="newer")
    again += jobs("remodelled", options='{"model": "mine"}')
    found = enter(
        record, again, there={"changed", "fine", "remodelled"}, models={**MODELS, "mine": "1"}
    )
    assert found == Entered(0, 2, 1, 1, 1, 0)
    entries = {entry.name: entry for entry in record.entries("state = 'waiting'")}
    assert {*entries} == {"changed", "failed", "lost", "remodelled"}
    assert entries["changed"].anew == entries["remodelled"].anew == 1
    assert entries["lost"].anew == entries["failed"].anew == 0


def test_another_content_of_a_model_is_a_change(record):
    enter(record, jobs("a"))
    record.finish(record.claim("w").name, frames=1, seconds=1.0)
    assert enter(record, jobs("a"), there="a", models={"street": "other"}).changed == 1


def test_jobs_that_a_manifest_no_longer_names_rest(record):
    enter(record, jobs("a", "b"))
    assert enter(record, jobs("b")).unnamed == 1
    assert record.claim("w").name == "b"
    assert record.claim("w") is None
    enter(record, jobs("a", "b"))
    assert record.claim("w").name == "a"


def test_jobs_of_a_second_command_join_those_of_one_that_runs(record):
    enter(record, jobs("a"))
    enter(record, jobs("b"), alone=False)
    assert {record.claim("w").name, record.claim("w").name} == {"a", "b"}


def test_added_jobs_stay_and_removed_ones_stay_away(record):
    enter(record, jobs("a"))
    enter(record, jobs("b"), added=True)
    assert record.remove(["a"]) == 1
    enter(record, jobs("a"))
    assert states(record) == {"a": "removed", "b": "waiting"}
    assert record.claim("w").name == "b"
    enter(record, jobs("a"), added=True)
    assert states(record)["a"] == "waiting"


def test_reset_lets_a_job_replace_what_it_made(record):
    enter(record, jobs("a"))
    record.finish(record.claim("w").name, frames=5, seconds=1.0)
    assert record.reset(["a"]) == 1
    entry = record.claim("w")
    assert (entry.anew, entry.done, entry.tries) == (1, 0, 1)
    assert record.reset(["a"]) == 0  # at work


def test_existing_outputs_count_as_done_where_asked(record):
    enter(record, jobs("a", "b"), there="a", skip_existing=True)
    assert states(record) == {"a": "done", "b": "waiting"}


def test_only_failed(record):
    enter(record, jobs("a", "b"))
    record.fail(record.claim("w").name, "no.", 3)
    assert record.only_failed() == 1
    assert record.claim("w").name == "a"
    assert record.claim("w") is None


def test_claims_of_many_threads_are_each_another_job(tmp_path):
    with Ledger(tmp_path) as record:
        enter(record, jobs(*(f"{n:03d}" for n in range(60))))
    taken, lock = [], threading.Lock()

    def take():
        with Ledger(tmp_path) as own:
            while (entry := own.claim("w")) is not None:
                with lock:
                    taken.append(entry.name)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [f"{n:03d}" for n in range(60)]


def test_a_newer_version_is_refused(tmp_path):
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute(f"PRAGMA user_version={SCHEMA + 1}")
    db.close()
    with pytest.raises(OutputError, match="newer version of vidtrans"):
        Ledger(tmp_path)


@pytest.mark.parametrize("left", [20, 100, 5000])
def test_a_record_that_was_cut_off(tmp_path, left):
    with Ledger(tmp_path) as record:
        enter(record, jobs(*map(str, range(2000))))
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(OutputError, match=r"damaged|no record"), Ledger(tmp_path) as record:
        record.entries()


def test_another_sqlite_file_is_no_record(tmp_path):
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("CREATE TABLE jobs (name TEXT)")
    db.close()
    with pytest.raises(OutputError, match="is no record of a batch"):
        Ledger(tmp_path)


def test_a_locked_record_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_S", 0.1)
    with Ledger(tmp_path) as record:
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OutputError, match="had the record locked"):
            record.claim("w")
        other.close()


def test_no_record(tmp_path):
    with pytest.raises(InputError, match="no record was found"):
        Ledger(tmp_path / "nothing", create=False)


@pytest.mark.linux
def test_a_full_disk_is_told(tmp_path):
    with Ledger(tmp_path) as record:
        record._db.execute("PRAGMA max_page_count=12")
        with pytest.raises(OutputError, match="no space left on the disk"):
            enter(record, jobs(*(f"{n:06d}" * 20 for n in range(2000))))
        assert states(record) == {}
