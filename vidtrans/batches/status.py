"""How far a batch is: numbers, what is at work, what failed, and unfinished runs of no job."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from vidtrans.batches.ledger import STATES, Entry, Ledger, State
from vidtrans.batches.owners import living
from vidtrans.batches.record import record_folders
from vidtrans.batches.remote import is_url
from vidtrans.pipeline.runfolder import kept_frames

_PARTS = re.compile(r"\.(.+)\.parts$")


@dataclass(frozen=True, slots=True)
class Unowned:
    """Finished frames of an interrupted run that no job of the batch goes on with.

    Attributes:
        output: The run's output, relative to the batch's folder.
        frames: How many are kept.
    """

    output: str
    frames: int


@dataclass(frozen=True, slots=True)
class Status:
    """How far a batch is.

    Attributes:
        jobs: Numbers of jobs by state: ``waiting``, ``running``, ``done``, ``failed``,
            ``removed``.
        frames: Frames that are made, of all jobs.
        fps: Frames a second of the workers, together.
        seconds_left: An estimate from the jobs that are done; None before the first.
        running: Jobs at work.
        failed: Jobs that failed, each with its sentence.
        unowned: Unfinished runs of no job.
    """

    jobs: dict[State, int]
    frames: int
    fps: float
    seconds_left: float | None
    running: tuple[Entry, ...]
    failed: tuple[Entry, ...]
    unowned: tuple[Unowned, ...]


def read_status(out: str, ledger: str | None = None, *, unowned: bool = True) -> Status:
    """How far a batch is, all its shards together.

    Args:
        out: The batch's folder or URL.
        ledger: The folder of its record, where one was named.
        unowned: Whether to look for unfinished runs of no job.

    Raises:
        InputError: There is no record.
        OutputError: A record is damaged.
    """
    jobs: dict[State, int] = dict.fromkeys(STATES, 0)
    frames, timed, seconds, left = 0, 0.0, 0.0, 0.0
    running: list[Entry] = []
    failed: list[Entry] = []
    names: list[str] = []
    for folder in record_folders(out, ledger):
        with Ledger(folder, create=False) as record:
            for state, total in record.totals().items():
                jobs[state] += int(total["jobs"])
                frames += int(total["frames"] or 0)
                left += total["weight_left"] or 0.0
                if state == "done":
                    timed += total["weight_timed"] or 0.0
                    seconds += total["seconds"] or 0.0
            there = living(folder)
            at_work = record.entries("state = 'running'")
            alive = [entry for entry in at_work if entry.owner in there]
            # A killed process's jobs wait for the next command.
            jobs["running"] -= len(at_work) - len(alive)
            jobs["waiting"] += len(at_work) - len(alive)
            running += alive
            failed += record.entries("state = 'failed'")
            names += record.names() if unowned else []
    estimate = None
    if timed > 0 and seconds > 0 and (jobs["waiting"] or jobs["running"]):
        estimate = left / (timed / seconds) / max(1, len(running))
    return Status(
        jobs,
        frames,
        sum(entry.fps or 0.0 for entry in running),
        estimate,
        tuple(running),
        tuple(failed),
        tuple(find_unowned(out, names)) if unowned else (),
    )


def find_unowned(out: str, names: list[str]) -> Iterator[Unowned]:
    """Unfinished runs in the folders of a batch's outputs whose output is no job's.

    Args:
        out: The batch's folder.
        names: The names of all jobs.
    """
    if is_url(out):
        return
    known = {name.rstrip("/") for name in names}
    folders = {name.rpartition("/")[0] for name in known} | {""}
    for folder in sorted(folders):
        try:
            entries = sorted(entry.name for entry in os.scandir(os.path.join(out, folder)))
        except OSError:
            continue
        for entry in entries:
            found = _PARTS.match(entry)
            if found is None:
                continue
            output = f"{folder}/{found[1]}" if folder else found[1]
            kept = kept_frames(os.path.join(out, folder, entry))
            if output not in known and kept:
                yield Unowned(output, kept)
