"""A whole batch: plan, record, work. What ``vidtrans batch`` and ``vidtrans.batch`` do."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vidtrans.atomic_write import cannot_write
from vidtrans.batches.ledger import Entered, Ledger
from vidtrans.batches.naming import output_path
from vidtrans.batches.outputs import is_partial
from vidtrans.batches.plan import Plan, plan_batch
from vidtrans.batches.record import Shard, record_folder, record_folders
from vidtrans.batches.remote import exists_at, is_url
from vidtrans.batches.run import Event, Flag, others_at_work, recover, work, worker_plans
from vidtrans.errors import OutputError, UsageError
from vidtrans.model import model_digest
from vidtrans.validation import did_you_mean


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a batch is run.

    Attributes:
        out: The folder of the outputs, or its URL.
        workers: Worker processes; None for one for each GPU, or for each core of a CPU.
        device: ``auto``, ``cpu``, ``cuda`` (every GPU), or names divided by commas.
        together: Jobs that each worker does at the same time.
        overwrite: Whether outputs that the batch did not make may be replaced.
        skip_existing: Whether new jobs whose output is there count as done.
        only_failed: Whether nothing but the jobs that failed is done.
        ledger: A folder for the record; None for one in ``out``.
        shard: The part that this machine does.
        ray: The address of a Ray cluster; None for this machine.
    """

    out: str
    workers: int | None = None
    device: str = "auto"
    together: int = 1
    overwrite: bool = False
    skip_existing: bool = False
    only_failed: bool = False
    ledger: str | None = None
    shard: Shard | None = None
    ray: str | None = None


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose jobs are in its record.

    Attributes:
        settings: How it is run.
        ledger: The record, open.
        folder: Its folder.
        entered: What was found as the jobs were put in; None where none were named.
        joined: Whether other processes are at work on it.
    """

    settings: BatchSettings
    ledger: Ledger
    folder: Path
    entered: Entered | None
    joined: bool

    def work(
        self, drain: Flag | None = None, cancel: Flag | None = None
    ) -> Generator[Event, None, None]:
        """Do what waits; see ``run.work``.

        Raises:
            VidtransError: A worker cannot start.
        """
        settings = self.settings
        if settings.ray is not None:
            from vidtrans.batches.on_ray import work_on_ray

            yield from work_on_ray(
                self.ledger,
                self.folder,
                settings.out,
                address=settings.ray,
                workers=settings.workers,
                device=settings.device,
                together=settings.together,
                overwrite=settings.overwrite,
                drain=drain,
                cancel=cancel,
            )
            return
        if not self.ledger.waiting():
            recover(self.ledger, self.folder, settings.out)
            if not self.ledger.waiting():
                return
        workers = settings.workers or (1 if self.joined else None)
        plans = worker_plans(settings.device, workers, together=settings.together)
        yield from work(
            self.ledger,
            self.folder,
            settings.out,
            plans,
            overwrite=settings.overwrite,
            drain=drain,
            cancel=cancel,
        )


@contextlib.contextmanager
def open_batch(plan: Plan | None, settings: BatchSettings) -> Iterator[OpenBatch]:
    """Put the jobs of a plan into the record of a batch.

    Args:
        plan: The jobs; None to go on with those in the record.
        settings: How it is run.

    Raises:
        InputError: There is no plan and no record.
        ModelError: A model is missing.
        OutputError: The record cannot be written, or another machine is at work on it.
    """
    folder = record_folder(settings.out, settings.ledger, settings.shard)
    out = settings.out
    if plan is not None and not is_url(out):
        try:
            Path(out).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(cannot_write(error), where=out) from error
    with Ledger(folder, create=plan is not None) as ledger:
        joined = others_at_work(folder)
        recover(ledger, folder, out)
        entered = None
        if plan is not None:
            jobs = plan.jobs if settings.shard is None else settings.shard.of(plan.jobs)
            models = {model: model_digest(model) for model in {job.model for job in jobs}}

            def whole(name: str) -> bool:
                path = output_path(out, name)
                return exists_at(path.rstrip("/")) and not is_partial(path)

            entered = ledger.enter(
                jobs,
                models,
                exists=whole,
                alone=not joined,
                skip_existing=settings.skip_existing,
            )
        else:
            ledger.resume_all()
        if settings.only_failed:
            ledger.only_failed()
        yield OpenBatch(settings, ledger, folder, entered, joined)


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job that has ended.

    Attributes:
        name: Its output, relative to the batch's folder.
        input: What was converted.
        output: The output's path or URL.
        state: ``done`` or ``failed``.
        frames: Of the output; 0 where the job failed.
        seconds: Of this run's work.
        error: Why it failed, in a sentence; empty where it is done.
        exit_code: That ``vidtrans convert`` would have ended with.
    """

    name: str
    input: str
    output: str
    state: Literal["done", "failed"]
    frames: int
    seconds: float
    error: str
    exit_code: int


def batch(
    jobs: Iterable[str | os.PathLike[str] | Mapping[str, Any]],
    out: str | os.PathLike[str],
    *,
    workers: int | None = None,
    device: str = "auto",
    together: int = 1,
    name: str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    strict: bool = False,
    ledger: str | os.PathLike[str] | None = None,
    ray: str | None = None,
    **options: Any,
) -> Iterator[JobResult]:
    """Convert many sequences; finished jobs come as they end.

    The jobs are in a record beside the outputs, as those of ``vidtrans batch`` are: the same call
    again does only what is missing, changed or failed, and goes on where work was cut off. Closing
    the iterator ends the workers and keeps all finished frames.

    Args:
        jobs: Films, folders, patterns, URLs and manifests, or mappings with ``input``, perhaps
            ``output``, and any option of ``convert``.
        out: The folder of the outputs, or its URL.
        workers: Worker processes; None for one for each GPU, or for each core of a CPU.
        device: ``auto``, ``cpu``, ``cuda`` (every GPU), or names divided by commas.
        together: Jobs that each worker does at the same time; frames of one size go through the
            generator together.
        name: A template of the outputs' names, such as ``{path}.mkv``.
        overwrite: Whether outputs that the batch did not make may be replaced.
        skip_existing: Whether new jobs whose output is there count as done.
        strict: Refuse the batch where an input is missing.
        ledger: A folder for the record; None for one in ``out``.
        ray: The address of a Ray cluster; None for this machine.
        options: Options of ``convert`` for all jobs, by parameter name: ``size="512x256"``.

    Returns:
        The jobs that ended in this call: done ones, and failed ones with their sentence.

    Raises:
        UsageError: An option or a name is wrong, or two jobs have one output.
        InputError: All inputs are missing, or one is and ``strict``.
        ModelError: A model is missing.
        OutputError: The record cannot be written.

    Example:
        Two looks of one film::

            jobs = [{"input": "a.mkv", "seed": n, "output": f"a-{n}.mp4"} for n in (1, 2)]
            for result in vidtrans.batch(jobs, "out", workers=2):
                print(result.name, result.state, result.error)
    """
    place = os.fspath(out)
    inputs: Sequence[str | Mapping[str, Any]] = [
        each if isinstance(each, Mapping) else os.fspath(each) for each in jobs
    ]
    if not inputs:
        raise UsageError("there is no job.")
    plan = plan_batch(inputs, place, options=options, template=name, strict=strict)
    settings = BatchSettings(
        place,
        workers=workers,
        device=device,
        together=together,
        overwrite=overwrite,
        skip_existing=skip_existing,
        ledger=None if ledger is None else os.fspath(ledger),
        ray=ray,
    )
    return _results(plan, settings)


def _results(plan: Plan, settings: BatchSettings) -> Iterator[JobResult]:
    with open_batch(plan, settings) as opened, contextlib.closing(opened.work()) as events:
        for event in events:
            if event.kind in ("done", "failed"):
                yield JobResult(
                    event.name,
                    event.input,
                    output_path(settings.out, event.name),
                    "done" if event.kind == "done" else "failed",
                    event.frames or 0,
                    event.seconds,
                    event.text,
                    event.exit_code,
                )


def add_jobs(plan: Plan, out: str, ledger: str | None = None) -> int:
    """Put more jobs into the record of a batch, new or there already; how many wait by it.

    Args:
        plan: The jobs.
        out: The batch's folder or URL.
        ledger: The folder of its record, where one was named.

    Raises:
        InputError: There is no record.
    """
    folder = record_folders(out, ledger)[0]
    with Ledger(folder, create=False) as record:
        before = record.waiting()
        models = {model: model_digest(model) for model in {job.model for job in plan.jobs}}
        record.enter(
            plan.jobs,
            models,
            exists=lambda name: exists_at(output_path(out, name).rstrip("/")),
            added=True,
        )
        return record.waiting() - before


def change_jobs(
    out: str, patterns: Iterable[str], how: Literal["remove", "reset"], ledger: str | None = None
) -> int:
    """Remove jobs from a batch, or let them be made anew; their number.

    Args:
        out: The batch's folder or URL.
        patterns: Names of jobs, in which ``*`` and ``?`` match.
        how: What is done.
        ledger: The folder of its record, where one was named.

    Raises:
        InputError: There is no record.
        UsageError: A pattern matches no job, or only jobs that are at work.
    """
    changed = 0
    unmatched = list(patterns)
    near: list[str] = []
    for folder in record_folders(out, ledger):
        with Ledger(folder, create=False) as record:
            names = record.names()
            near += names[:1000]  # enough for a hint
            for pattern in list(unmatched):
                slashed = {pattern, f"{pattern}/"}
                found = [n for n in names if n in slashed] or fnmatch.filter(names, pattern)
                if not found:
                    continue
                number = record.remove(found) if how == "remove" else record.reset(found)
                if not number:
                    raise UsageError(f"{found[0]} is being worked on.", where=out)
                changed += number
                unmatched.remove(pattern)
    if unmatched:
        raise UsageError(
            f"there is no job {unmatched[0]!r}.", where=out, hint=did_you_mean(unmatched[0], near)
        )
    return changed
