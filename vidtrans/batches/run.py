"""The work on a batch: jobs from the record to workers, and what comes of them into the record."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import psutil

from vidtrans.batches.ledger import Entry, Ledger
from vidtrans.batches.naming import output_path
from vidtrans.batches.outputs import discard_left, frames_of, made_since, output_stamp
from vidtrans.batches.owners import Owner, living
from vidtrans.batches.processes import WorkerPlan, WorkerProcess
from vidtrans.batches.runner import Order, Outcome
from vidtrans.errors import OutputError, VidtransError

MAX_TRIES = 3
"""Tries of a job whose worker was killed or failed by no mistake of the user's: a passing want of
memory gets another chance, a sequence that kills every worker does not keep the batch busy."""
WORKER_BYTES = 2 << 30
"""Memory that a worker on a CPU may need: the embedded model takes 1.2 GiB at 512x256."""
_POLL_S = 0.25
"""How often flags are looked at while no worker says anything."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to a job.

    Attributes:
        kind: ``started``; ``progress``; ``note``; ``done``; ``failed``; ``retried``, when a failure
            is followed by another try; ``interrupted``, with all finished frames kept.
        name: The job's name.
        input: Its input.
        frames: Of the whole sequence; None where unknown.
        done: Frames that are made.
        fps: Frames a second.
        seconds: Of this run of the job.
        text: An error's or a note's sentence.
        exit_code: That ``convert`` would end with.
        worker: The number of the worker.
    """

    kind: Literal["started", "progress", "note", "done", "failed", "retried", "interrupted"]
    name: str
    input: str
    frames: int | None = None
    done: int = 0
    fps: float = 0.0
    seconds: float = 0.0
    text: str = ""
    exit_code: int = 0
    worker: int = 0


class Flag(Protocol):
    """Whether something is asked for: a ``threading.Event`` is one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Never:
    """A flag that is never set."""

    def is_set(self) -> bool:
        return False


def others_at_work(folder: Path) -> bool:
    """Whether other processes of this machine are at work on a record.

    Raises:
        OutputError: Those of another machine are.
    """
    there = living(folder)
    for host in there.values():
        if host != socket.gethostname():
            raise OutputError(
                f"the machine {host} is at work on this batch.",
                where=folder,
                hint="Several machines take a shard each (1/2, 2/2), or work through Ray.",
            )
    return bool(there)


def recover(ledger: Ledger, folder: Path, out: str) -> int:
    """Let the jobs of processes that were killed wait again; those whose output is whole are done.

    Returns:
        The number of these jobs.
    """
    there = living(folder)
    dead = [e for e in ledger.entries("state = 'running'") if e.owner not in there]
    for entry in dead:
        path = output_path(out, entry.name)
        if entry.before is not None and made_since(path, entry.before):
            discard_left(path)
            ledger.finish(entry.name, frames=frames_of(path) or entry.frames, seconds=0.0)
        else:
            ledger.give_back(entry.name, counts=False)
    return len(dead)


def work(
    ledger: Ledger,
    folder: Path,
    out: str,
    plans: tuple[WorkerPlan, ...],
    *,
    overwrite: bool = False,
    drain: Flag | None = None,
    cancel: Flag | None = None,
) -> Generator[Event, None, None]:
    """Do the jobs that wait, heaviest first, until none does.

    Closing the generator ends the workers; all finished frames are kept.

    Args:
        ledger: The record.
        folder: Its folder.
        out: The batch's folder or URL.
        plans: A worker each.
        overwrite: Whether outputs that the batch did not make may be replaced.
        drain: Once set, jobs at work are finished and no other one begins.
        cancel: Once set, jobs at work end with the frame at work.

    Raises:
        VidtransError: A worker cannot start.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(Owner(folder))
        floor = _Floor(ledger, folder, out, plans, overwrite=overwrite)
        stack.callback(floor.close)
        yield from floor.work(drain or Never(), cancel or Never())


class _Floor:
    """Workers, and the jobs that they are at."""

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        out: str,
        plans: tuple[WorkerPlan, ...],
        *,
        overwrite: bool,
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._out = out
        self._overwrite = overwrite
        self._events: queue.Queue[tuple[WorkerProcess, dict[str, Any]]] = queue.Queue()
        # A worker that does several jobs at once has as many places.
        self._idle: list[WorkerProcess] = []
        self._starting: list[WorkerProcess] = []
        self._busy: dict[str, tuple[WorkerProcess, Entry]] = {}  # by the job's name
        self._number = 0
        self._plans = plans

    def work(self, drain: Flag, cancel: Flag) -> Iterator[Event]:
        recover(self._ledger, self._folder, self._out)
        waiting = self._ledger.waiting()
        for plan in self._plans:
            self._start(plan)
            waiting -= plan.together
            if waiting <= 0:
                break
        stopped = False
        while True:
            draining = drain.is_set() or cancel.is_set()
            if cancel.is_set() and not stopped:
                stopped = True
                for worker in {worker for worker, _ in self._busy.values()}:
                    worker.stop()
            if not draining:
                yield from self._give_out()
            if not self._busy and (draining or not self._more()):
                return
            try:
                worker, event = self._events.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            yield from self._hear(worker, event)

    def _more(self) -> bool:
        """Whether there is, or may be, another job for these workers."""
        return bool(self._ledger.waiting()) or bool(
            recover(self._ledger, self._folder, self._out) and self._ledger.waiting()
        )

    def _start(self, plan: WorkerPlan) -> None:
        self._number += 1
        self._starting.append(WorkerProcess(self._number, plan, self._folder, self._events))

    def _give_out(self) -> Iterator[Event]:
        while self._idle:
            entry = self._ledger.claim(self._idle[-1].owner)
            if entry is None:
                return
            worker = self._idle.pop()
            self._busy[entry.name] = worker, entry
            scratch = str(self._folder / "scratch")
            worker.send(order_of(self._ledger, entry, self._out, scratch, self._overwrite))
            yield Event(
                "started", entry.name, entry.input, entry.frames, entry.done, worker=worker.number
            )

    def _hear(self, worker: WorkerProcess, event: dict[str, Any]) -> Iterator[Event]:
        kind = event.pop("event")
        _, entry = self._busy.get(event.pop("job", ""), (worker, None))
        if kind == "ready":
            worker.owner = event["owner"]
            self._starting.remove(worker)
            self._idle += [worker] * worker.plan.together
        elif kind == "gone":
            yield from self._gone(worker)
        elif entry is None:
            return
        elif kind == "progress":
            if entry.anew == 1:  # from now on its unfinished frames are its own
                self._ledger.began_anew(entry.name)
            self._ledger.progress(entry.name, **event)
            yield Event("progress", entry.name, entry.input, worker=worker.number, **event)
        elif kind == "note":
            yield Event("note", entry.name, entry.input, text=event["text"], worker=worker.number)
        else:
            del self._busy[entry.name]
            self._idle.append(worker)
            yield conclude(self._ledger, entry, Outcome(**event), worker.number)

    def _gone(self, worker: WorkerProcess) -> Iterator[Event]:
        """A worker has ended by itself: its jobs get another try, and its place another worker."""
        how = worker.ended_by()
        if worker in self._starting:
            self._starting.remove(worker)
            if not self._idle and not self._busy and not self._starting:
                words = worker.last_words()
                raise VidtransError(f"a worker could not start: it {how}. {words}".strip())
            return
        self._idle = [each for each in self._idle if each is not worker]
        worker.close()
        lost = [entry for other, entry in self._busy.values() if other is worker]
        for entry in lost:
            del self._busy[entry.name]
            outcome = Outcome("failed", error=f"its worker {how}.", exit_code=1, retry=True)
            yield conclude(self._ledger, entry, outcome, worker.number, lost=True)
        self._start(worker.plan)

    def close(self) -> None:
        """End the workers, all at once; the jobs at work wait."""
        workers = {*(worker for worker, _ in self._busy.values()), *self._idle, *self._starting}
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.close()
        for _, entry in self._busy.values():
            self._ledger.give_back(entry.name, counts=False)


def order_of(ledger: Ledger, entry: Entry, out: str, scratch: str, overwrite: bool) -> Order:
    """What a worker is to do for a job that was claimed.

    Args:
        ledger: The record.
        entry: The job.
        out: The batch's folder or URL.
        scratch: A folder for copies, on the worker's machine.
        overwrite: Whether outputs that the batch did not make may be replaced.
    """
    if entry.before is None:
        ledger.began(entry.name, output_stamp(output_path(out, entry.name)))
    return Order(
        entry.job,
        out,
        overwrite=overwrite or entry.anew > 0,
        anew=entry.anew == 1,
        before=entry.before,
        scratch=scratch,
    )


def conclude(
    ledger: Ledger,
    entry: Entry,
    outcome: Outcome,
    worker: int = 0,
    *,
    lost: bool = False,
    counts: bool = True,
) -> Event:
    """Put the end of a job into the record.

    Args:
        ledger: The record.
        entry: The job, as it was claimed.
        outcome: How it ended.
        worker: The worker's number.
        lost: Whether the worker was lost and this outcome is not its own.
        counts: Whether a failure is one of the job's tries: the death of a whole node is not.

    Returns:
        What is told of it.
    """
    if outcome.state == "done":
        frames = outcome.frames or entry.frames
        ledger.finish(entry.name, frames=frames, seconds=outcome.seconds)
        made = outcome.frames - outcome.resumed_from
        fps = made / outcome.seconds if outcome.seconds > 0 else 0.0
        return Event(
            "done",
            entry.name,
            entry.input,
            frames,
            frames or 0,
            fps,
            outcome.seconds,
            worker=worker,
        )
    if outcome.state == "interrupted":
        ledger.give_back(entry.name, seconds=outcome.seconds, counts=False)
        return Event("interrupted", entry.name, entry.input, seconds=outcome.seconds, worker=worker)
    error = outcome.error
    if outcome.retry and (entry.tries < MAX_TRIES or not counts):
        ledger.give_back(entry.name, error=error, seconds=outcome.seconds, counts=counts, lost=lost)
        kind: Literal["retried", "failed"] = "retried"
    else:
        if entry.tries > 1:
            error = f"{error} This was try {entry.tries}."
        ledger.fail(entry.name, error, outcome.exit_code, seconds=outcome.seconds)
        kind = "failed"
    return Event(
        kind,
        entry.name,
        entry.input,
        seconds=outcome.seconds,
        text=error,
        exit_code=outcome.exit_code,
        worker=worker,
    )


def worker_plans(
    device: str, workers: int | None, *, together: int = 1, cores: int | None = None
) -> tuple[WorkerPlan, ...]:
    """Workers for devices: one for each GPU; on a CPU one for each core, as far as memory goes.

    On two cores two workers with a thread each did 1.22 times the jobs of one with two threads
    (``vidtrans bench batch``; docs/batch.md).

    Args:
        device: ``auto``, ``cpu``, ``cuda`` (every GPU), or names divided by commas.
        workers: How many; None for the default.
        together: Jobs that each does at the same time.
        cores: Of the CPU; None to ask the system.
    """
    names = _devices(device)
    cores = cores or _cores()
    memory = psutil.virtual_memory().available // WORKER_BYTES
    on_cpu = max(1, min(cores, memory)) if names == ["cpu"] else len(names)
    count = workers or on_cpu
    threads = max(1, cores // count)
    return tuple(WorkerPlan(names[n % len(names)], threads, together) for n in range(count))


def _devices(device: str) -> list[str]:
    names = [name.strip() for name in device.split(",") if name.strip()] or ["auto"]
    if names in (["auto"], ["cuda"]):
        import torch

        found = [f"cuda:{n}" for n in range(torch.cuda.device_count())]
        return found or (["cpu"] if names == ["auto"] else names)
    return names


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
