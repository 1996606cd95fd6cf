"""What is kept of a run that did not end: whole spans only, taken up only by the same settings."""

import errno
import os
import pathlib
import subprocess
import sys
from fractions import Fraction

import pytest

from vidtrans.errors import OutputError, UsageError
from vidtrans.frame import FrameTime
from vidtrans.media.writer import parts_folder
from vidtrans.pipeline import runfolder
from vidtrans.pipeline.runfolder import RunFolder, Span

FACTS = {"model": "street", "layer": "final"}


def times(first, end):
    return tuple(FrameTime(n * 3, Fraction(1, 90), 3) for n in range(first, end))


def keep(run, kind, first, end, *, file=True):
    path = run.path_for(kind, first, ".nut")
    if file:
        path.write_bytes(b"pictures")
    shown = times(end - 1 if kind == "part" else first, end)
    run.keep(
        Span(kind, first, end, 1000 + end, shown, path.name if file else None),
        lambda p: p.write_bytes(b"s"),
    )


@pytest.fixture
def output(tmp_path):
    return tmp_path / "film.mp4"


def begin(output, *, resume=False, overwrite=False, facts=FACTS):
    return RunFolder.open(output, facts, resume=resume, overwrite=overwrite)


def names(output):
    return sorted(p.name for p in parts_folder(output).iterdir())


def test_a_run_without_finished_frames_leaves_nothing(output):
    with begin(output) as run:
        run.path_for("part", 0, ".nut").write_bytes(b"half")
    assert list(output.parent.iterdir()) == []


def test_a_part_replaces_the_rests_inside_it(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        keep(run, "rest", 4, 6)
        keep(run, "rest", 6, 7)
        assert [s.file for s in run.rests] == ["rest-00000004.nut", "rest-00000006.nut"]
        keep(run, "part", 4, 8)
        assert run.rests == ()
        assert [p.name for p in run.parts] == ["part-00000000.nut", "part-00000004.nut"]
        assert run.frames == 8
    assert names(output) == sorted(
        [
            "lock",
            "run.json",
            "ledger.jsonl",
            "part-00000000.nut",
            "part-00000004.nut",
            "state-00000004.safetensors",
            "state-00000008.safetensors",
        ]
    )


def test_what_was_kept_is_found_again_and_half_files_are_swept(output):
    with begin(output, overwrite=True) as run:
        keep(run, "part", 0, 4)
        keep(run, "rest", 4, 6)
        spans = run.spans
        run.path_for("part", 4, ".nut").write_bytes(b"half")
    with begin(output, resume=True) as run:
        assert run.spans == spans
        assert run.frames == 6
        assert run.overwrite
        assert run.state_file.is_file()
        assert not run.path_for("part", 4, ".nut").exists()


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_line_is_as_if_it_had_not_been_written(output, cut):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        state = run.state_file.read_bytes()
    ledger = parts_folder(output) / "ledger.jsonl"
    whole = ledger.read_text()
    with begin(output, resume=True) as run:
        keep(run, "part", 4, 8)
    second = ledger.read_text()[len(whole) :]
    # The power goes while the second line is written: the first line's state is still there.
    (parts_folder(output) / "state-00000004.safetensors").write_bytes(state)
    ledger.write_text(whole + second[:-cut])
    with begin(output, resume=True) as run:
        assert run.frames == 4
        keep(run, "part", 4, 8)
    with begin(output, resume=True) as run:
        assert run.frames == 8


def test_frames_are_not_thrown_away_without_a_word(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
    with pytest.raises(OutputError, match="4 frames of an interrupted run") as caught:
        begin(output)
    assert "Give resume=True to go on with it" in str(caught.value)
    with begin(output, overwrite=True) as run:
        assert run.frames == 0
    assert not parts_folder(output).exists()


def test_a_run_that_was_left_is_opened_again_only_by_its_identifier(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        assert RunFolder.reopen(output, run.id) is None, "it is held"
    with begin(output, resume=True) as resumed:
        assert resumed.id == run.id
    left = RunFolder.reopen(output, run.id)
    with left:
        assert left.frames == 4
        with pytest.raises(OutputError, match="another run is writing"):
            begin(output, resume=True)
    with begin(output, overwrite=True) as another:
        keep(another, "part", 0, 4)
    assert RunFolder.reopen(output, run.id) is None, "another run took its place"
    with RunFolder.reopen(output, another.id) as again:
        again.remove()
    assert RunFolder.reopen(output, another.id) is None
    assert list(output.parent.iterdir()) == []


def test_other_settings_cannot_resume(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
    with pytest.raises(UsageError, match="started with layer final, this one has flow"):
        begin(output, resume=True, facts={**FACTS, "layer": "flow"})
    with begin(output, resume=True) as run:
        assert run.frames == 4


def test_resuming_nothing_begins(output):
    with begin(output, resume=True) as run:
        assert run.frames == 0


def test_a_run_of_another_version_is_refused(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
    (parts_folder(output) / "run.json").write_text('{"format": 999}')
    with pytest.raises(OutputError, match="another version"):
        begin(output, resume=True)


def test_missing_files_start_anew(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        run.parts[0].unlink()
    with begin(output, resume=True) as run:
        assert run.frames == 0


def flip(path, at=0):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("hurt", ["flipped", "missing"])
def test_a_damaged_part_costs_what_it_held(output, hurt):
    with begin(output) as run:
        for first in (0, 4, 8):
            keep(run, "part", first, first + 4)
        if hurt == "flipped":
            flip(run.parts[1])
        else:
            run.parts[1].unlink()
    with begin(output, resume=True) as run:
        assert run.frames == 12
        assert [(span.first, span.end) for span in run.damaged] == [(4, 8)]
        assert run.span_before(4).end == 4
        new = run.folder / "new"
        new.write_bytes(b"pictures")
        run.replace(run.damaged[0], new)
        assert run.damaged == ()
    with begin(output, resume=True) as run:
        assert run.frames == 12
        assert run.damaged == ()


def test_a_damaged_last_state_falls_back_to_the_one_before(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        keep(run, "part", 4, 8)
        flip(run.state_file)
    with begin(output, resume=True) as run:
        assert run.frames == 4


def test_a_damaged_rest_ends_what_is_kept(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        for first in (4, 5, 6):
            keep(run, "rest", first, first + 1)
        flip(run.folder / run.rests[1].file)
    with begin(output, resume=True) as run:
        assert [(s.kind, s.end) for s in run.spans] == [("part", 4), ("rest", 5)]


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_an_altered_line_counts_as_none(output, place):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        keep(run, "part", 4, 8)
        spans = run.spans
    flip(parts_folder(output) / "ledger.jsonl", place)
    with begin(output, resume=True) as run:
        assert run.spans in (spans[:1], ())


def test_a_damaged_picture_is_seen(output, tmp_path):
    def picture(number):
        return tmp_path / "pngs" / f"{number}.png"

    picture(0).parent.mkdir()
    for number in range(8):
        picture(number).write_bytes(b"picture")
    facts = {"facts": FACTS, "resume": True, "overwrite": False, "picture": picture}
    with RunFolder.open(output, *[facts.pop("facts")], **facts) as run:
        keep(run, "part", 0, 4, file=False)
        keep(run, "part", 4, 8, file=False)
    flip(picture(2))
    with RunFolder.open(output, FACTS, **facts) as run:
        assert [(s.first, s.end) for s in run.damaged] == [(0, 4)]
        run.replace(run.damaged[0], None)
        assert run.damaged == ()


def test_states_take_no_more_than_their_share_of_the_disk(output, monkeypatch):
    monkeypatch.setattr(runfolder, "STATES_BYTES", 3)  # the states here have 1 byte each
    with begin(output) as run:
        for first in range(0, 64, 4):
            keep(run, "part", first, first + 4)
        ends = [s.end for s in run.spans if run.state_after(s.end).exists()]
        assert len(ends) == 5
        assert ends[-2:] == [60, 64]
        assert run.span_before(60).end in ends
        assert run.span_before(3) is None


def published(output, *, before_rename=False):
    """A run that died after its film had its name, or just before."""

    def join(whole):
        whole.write_bytes(b"film")

    with begin(output) as run:
        keep(run, "part", 0, 4)
        run.publish(output, join)
        if before_rename:
            output.rename(run.folder / f"joined{output.suffix}")


def test_a_run_that_died_after_the_rename_is_done(output):
    published(output)
    with begin(output, resume=True) as run:
        assert run.published
        assert run.frames == 4
        run.remove()
    assert [p.name for p in output.parent.iterdir()] == [output.name]


def test_a_run_that_died_before_the_rename_is_joined_again(output):
    published(output, before_rename=True)
    with begin(output, resume=True) as run:
        assert not run.published
        assert run.frames == 4


def test_a_finished_film_that_was_removed_is_joined_again(output):
    published(output)
    output.unlink()
    with begin(output, resume=True) as run:
        assert not run.published


def test_a_folder_and_a_link_to_it_are_one_output(tmp_path):
    (tmp_path / "pngs").mkdir()
    (tmp_path / "link").symlink_to("pngs")
    with begin(tmp_path / "pngs"), pytest.raises(OutputError, match="another run is writing"):
        begin(tmp_path / "link")


def test_the_longest_names_have_parts_of_their_own(tmp_path):
    longest = [tmp_path / ("x" * 250 + letter + ".mkv") for letter in "ab"]
    with begin(longest[0]) as one, begin(longest[1]) as other:
        keep(one, "part", 0, 4)
        keep(other, "part", 0, 4)
        one.remove()
        assert other.parts[0].exists()


def test_partial_files_of_dead_processes_are_removed(output):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = output.with_name(f".{output.name}.{process.pid}-0123abcd.partial")
    alive = output.with_name(f".{output.name}.{os.getpid()}-0123abcd.partial")
    other = output.with_name(f".other.mkv.{process.pid}-0123abcd.partial")
    for path in (dead, alive, other):
        path.touch()
    with begin(output):
        assert [path.exists() for path in (dead, alive, other)] == [False, True, True]


def test_files_that_cannot_be_removed_are_a_warning(output, monkeypatch, caplog):
    def refused(self, missing_ok=False):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with begin(output) as run:
        keep(run, "rest", 0, 1)
        keep(run, "rest", 1, 2)
        monkeypatch.setattr(pathlib.Path, "unlink", refused)
        keep(run, "part", 0, 4)
        assert run.frames == 4
    assert len([r for r in caplog.records if "cannot be removed" in r.message]) == 1


def test_two_runs_do_not_write_one_output(output):
    with begin(output), pytest.raises(OutputError, match="another run is writing"):
        begin(output)


def test_a_run_that_ends_while_the_next_begins_takes_nothing_of_it_away(output, monkeypatch):
    first, lock = begin(output), runfolder._lock

    def late(file, place):
        first.remove()  # it was whole between the second run's opening the lock file and locking it
        lock(file, place)

    monkeypatch.setattr(runfolder, "_lock", late)
    with pytest.raises(OutputError, match=r"ended just now.*again"):
        begin(output)
    monkeypatch.undo()
    with begin(output) as run:
        keep(run, "part", 0, 4)
    assert run.parts[0].exists()


def test_a_run_that_is_refused_takes_nothing_of_the_other_away(output, monkeypatch):
    lock, others = runfolder._lock, []

    def late(file, place):
        monkeypatch.undo()
        others.append(begin(output))  # it came first after all
        lock(file, place)

    monkeypatch.setattr(runfolder, "_lock", late)
    with pytest.raises(OutputError, match="another run is writing"):
        begin(output)
    with others[0] as run:
        keep(run, "part", 0, 4)
        assert run.parts[0].exists()


def test_parts_of_an_output_of_a_longer_name_are_not_its(tmp_path):
    with begin(tmp_path / "film.mp4.parts.mkv") as other:
        keep(other, "part", 0, 4)
        with begin(tmp_path / "film.mp4"):
            assert other.parts[0].exists()


def test_what_a_run_left_that_was_killed_while_it_tidied_up(output):
    left = output.with_name(".film.mp4.parts.123")
    left.mkdir()
    (left / "part").write_bytes(b"x")
    with begin(output):
        assert not left.exists()


def test_pictures_in_their_folder_need_no_file(output):
    with begin(output) as run:
        keep(run, "part", 0, 4, file=False)
        assert run.parts == ()
        assert run.frames == 4


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        begin(tmp_path / "file" / "film.mp4")


def test_remove(output):
    with begin(output) as run:
        keep(run, "part", 0, 4)
        run.remove()
    assert list(output.parent.iterdir()) == []
