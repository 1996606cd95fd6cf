"""``vidtrans batch``: many sequences, with a record that survives crashes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from typer.core import TyperGroup

from vidtrans.cli.options import with_options
from vidtrans.cli.show import ProgressMode, StopFlag, clock
from vidtrans.errors import Interrupted, JobsFailed, UsageError
from vidtrans.pipeline.options import setting_fields
from vidtrans.pipeline.settings import ConvertSettings

if TYPE_CHECKING:
    from vidtrans.batches.run import Event
    from vidtrans.batches.status import Status

_LISTED = 20
"""Failed jobs that the table of ``status`` lists; ``--json`` lists all."""


class _RunByDefault(TyperGroup):
    """A group whose command ``run`` need not be named: ``vidtrans batch clips/ out/``."""

    default_command = "run"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [self.default_command, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    help="Convert many sequences; the same command again goes on.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[str, typer.Argument(metavar="OUT", help="The batch's folder, or its URL.")]
LedgerFolder = Annotated[
    str | None,
    typer.Option(
        "--ledger", metavar="FOLDER", help="Where the record lies (default: in OUT).",
        rich_help_panel="Batch",
    ),
]  # fmt: skip
Template = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="TEMPLATE",
        help="Outputs' names: {path} {folder} {stem} {suffix} {model} {layer} {seed} {number}"
        " (default: {path}.mp4, and {path}/ for images).",
        rich_help_panel="Batch",
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Refuse the batch where an input is missing.", rich_help_panel="Batch"
    ),
]
Places = Annotated[
    list[str],
    typer.Argument(
        metavar="[INPUT]... OUT",
        help="Films, folders, data sets, patterns, URLs, manifests (.csv .tsv .jsonl); then the"
        " folder of the outputs. OUT alone goes on with what it holds.",
    ),
]
WITHOUT = ("resume",)
"""Options of ``convert`` that a batch decides for itself."""
HELP = {
    "overwrite": "Replace outputs that the batch did not make.",
    "device": "auto, cpu, cuda (every GPU), or some of them: cuda:0,cuda:2.",
}


@app.command("run")
@with_options(ConvertSettings, without=WITHOUT, help=HELP)
def run(
    places: Places,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Worker processes (default: one for each GPU, or for each CPU core).",
            rich_help_panel="Batch",
        ),
    ] = None,
    together: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            help="Jobs that a worker does at the same time; frames of one size go through the"
            " generator together. For GPUs.",
            rich_help_panel="Batch",
        ),
    ] = 1,
    name: Template = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show what would be done, with sizes, time and space.",
            rich_help_panel="Batch",
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Only the jobs that failed.", rich_help_panel="Batch"),
    ] = False,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="New jobs whose output is there are done.",
            rich_help_panel="Batch",
        ),
    ] = False,
    strict: Strict = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Only part I of N, with a record of its own: for N machines at once.",
            rich_help_panel="Batch",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on a Ray cluster: auto, local, or ray://HOST:PORT.",
            rich_help_panel="Batch",
        ),
    ] = None,
    ledger: LedgerFolder = None,
    progress: Annotated[
        ProgressMode,
        typer.Option(
            help="auto shows a bar on a terminal; json writes one line an event.",
            rich_help_panel="Run",
        ),
    ] = ProgressMode.auto,
    **options: Any,
) -> None:
    """Convert many sequences into OUT.

    Outputs mirror the inputs' tree. A record beside them holds every job's
    state: the same command again does only what is missing, changed or
    failed, each from its last snapshot. Ctrl-C finishes the jobs at work; a
    second one stops at once, and keeps their finished frames.

    Also: vidtrans batch status | add | remove | reset OUT.

    Examples:

      vidtrans batch clips/ out/ --size 512x256

      vidtrans batch gtFine_sequence/val out/ --labels cityscapes:ids

      vidtrans batch jobs.csv out/ --workers 2

      vidtrans batch status out/ --watch
    """
    from vidtrans.batches.batch import BatchSettings, open_batch
    from vidtrans.batches.record import Shard

    *inputs, out = places
    device = options.pop("device") or "auto"
    overwrite = options.pop("overwrite")
    settings = BatchSettings(
        out,
        workers=workers,
        device=device,
        together=together,
        overwrite=bool(overwrite),
        skip_existing=skip_existing,
        only_failed=retry_failed,
        ledger=ledger,
        shard=None if shard is None else Shard.parse(shard),
        ray=ray,
    )
    plan = None
    shown = _shown(progress)
    if inputs:
        plan = _plan(inputs, out, options, name, strict)
        for sentence in (*plan.notes, *plan.missing):
            shown.warn(sentence)
    else:
        _refuse_alone(options, name)
    if dry_run:
        _dry_run(plan, settings, as_json=progress is ProgressMode.json)
        return
    with open_batch(plan, settings) as opened, shown, _two_stages() as stop:
        if opened.entered is not None and opened.entered.unnamed:
            shown.warn(
                f"{opened.entered.unnamed} jobs of an earlier command are not among the inputs, and"
                " rest."
            )
        if opened.joined:
            shown.warn("Another process is at work on this batch; this one joins it.")
        shown.begin(opened.ledger.waiting())
        with contextlib.closing(opened.work(stop.drain, stop.cancel)) as events:
            for event in events:
                shown.event(event)
        totals = opened.ledger.totals()
    failed = int(totals.get("failed", {}).get("jobs", 0))
    waiting = int(totals.get("waiting", {}).get("jobs", 0))
    missing = 0 if plan is None else plan.unrecorded
    shown.done(failed=failed + missing, waiting=waiting)
    if stop.drain.is_set():
        raise Interrupted(f"interrupted: {waiting} jobs wait; the same command goes on.")
    if failed or missing:
        what = []
        if failed:
            what.append(f"{failed} jobs failed (vidtrans batch status {out} says why)")
        if missing:
            what.append(f"{missing} inputs are missing")
        raise JobsFailed(f"{' and '.join(what)}; all others are done.")


@app.command()
def status(
    out: Out,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it every two seconds, until all is done.")
    ] = False,
    ledger: LedgerFolder = None,
) -> None:
    """Show how far a batch is: jobs by state, speed, time left, failures with their sentences."""
    from vidtrans.batches.status import read_status

    while True:
        found = read_status(out, ledger)
        if as_json:
            typer.echo(json.dumps(_facts(found), indent=None if watch else 2))
        else:
            if watch and sys.stdout.isatty():
                typer.echo("\x1b[2J\x1b[H", nl=False)
            typer.echo("\n".join(_table(found)))
        if not watch or not (found.jobs["waiting"] or found.jobs["running"]):
            return
        time.sleep(2.0)


@app.command()
@with_options(ConvertSettings, without=(*WITHOUT, "overwrite", "device"))
def add(
    places: Annotated[
        list[str], typer.Argument(metavar="OUT INPUT...", help="As in vidtrans batch.")
    ],
    name: Template = None,
    strict: Strict = False,
    ledger: LedgerFolder = None,
    **options: Any,
) -> None:
    """Add jobs to a batch; one that runs takes them up."""
    from vidtrans.batches.batch import add_jobs

    out, *inputs = places
    if not inputs:
        raise UsageError("there is no input to add.")
    plan = _plan(inputs, out, options, name, strict)
    for sentence in (*plan.notes, *plan.missing):
        typer.echo(f"vidtrans: {sentence}", err=True)
    typer.echo(f"{add_jobs(plan, out, ledger)} jobs added.")


@app.command()
def remove(
    out: Out,
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Names; * and ? match.")],
    ledger: LedgerFolder = None,
) -> None:
    """Take jobs out of a batch. What they made stays."""
    from vidtrans.batches.batch import change_jobs

    typer.echo(f"{change_jobs(out, jobs, 'remove', ledger)} jobs removed.")


@app.command()
def reset(
    out: Out,
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Names; * and ? match.")],
    ledger: LedgerFolder = None,
) -> None:
    """Let jobs be made anew by the next run, in place of what they made."""
    from vidtrans.batches.batch import change_jobs

    typer.echo(f"{change_jobs(out, jobs, 'reset', ledger)} jobs reset.")


def _plan(
    inputs: list[str], out: str, options: dict[str, Any], name: str | None, strict: bool
) -> Any:
    from vidtrans.batches.plan import plan_batch

    return plan_batch(inputs, out, options=_given(options), template=name, strict=strict)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, without those that are at their default."""
    defaults = {field.name: field.default for field in setting_fields(ConvertSettings)}
    return {
        option: value
        for option, value in options.items()
        if value not in (None, [], False) and value != defaults.get(option)
    }


def _refuse_alone(options: dict[str, Any], name: str | None) -> None:
    """Options of jobs say nothing where no input is named: the record has them."""
    given = [*_given(options), *(["name"] if name else [])]
    if given:
        raise UsageError(
            f"--{given[0].replace('_', '-')} is an option of jobs, and no input is named.",
            hint="Without inputs the jobs in the record go on with their own options.",
        )


def _dry_run(plan: Any, settings: Any, *, as_json: bool) -> None:
    from vidtrans.batches.estimate import estimate

    found = estimate(plan, settings)
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    typer.echo("\n".join(found.lines()))


@dataclass
class _Stages:
    """What Ctrl-C asked for."""

    drain: StopFlag = field(default_factory=StopFlag)
    cancel: StopFlag = field(default_factory=StopFlag)


@contextlib.contextmanager
def _two_stages() -> Iterator[_Stages]:
    """SIGINT or SIGTERM lets the jobs at work finish, a second one lets their frames at work
    finish, a third ends the process."""
    stages = _Stages()
    if threading.current_thread() is not threading.main_thread():
        yield stages
        return

    def asked(number: int, frame: FrameType | None) -> None:
        if stages.cancel.is_set():
            raise KeyboardInterrupt
        text = b"\nFinishing the jobs at work; Ctrl-C again stops at once.\n"
        if stages.drain.is_set():
            stages.cancel.set()
            text = b"\nKeeping what is finished.\n"
        stages.drain.set()
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), text)  # not print: it may be at work

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stages
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Shown(Protocol):
    """The display of a batch."""

    def warn(self, sentence: str) -> None: ...
    def begin(self, jobs: int) -> None: ...
    def event(self, event: Event) -> None: ...
    def done(self, *, failed: int, waiting: int) -> None: ...
    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...


def _shown(mode: ProgressMode) -> _Shown:
    if mode is ProgressMode.json:
        return _Lines()
    if mode is ProgressMode.auto and sys.stderr.isatty():
        return _Bar()
    return _Quiet()


class _Quiet:
    """Shows failures and warnings, on stderr."""

    def warn(self, sentence: str) -> None:
        print(f"vidtrans: {sentence}", file=sys.stderr, flush=True)

    def begin(self, jobs: int) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        if event.kind in ("failed", "retried", "note"):
            self.warn(_sentence(event))

    def done(self, *, failed: int, waiting: int) -> None:
        """Nothing."""

    def __enter__(self) -> object:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""


class _Lines(_Quiet):
    """One JSON object a line on stdout."""

    def warn(self, sentence: str) -> None:
        self._line(event="warning", text=sentence)

    def begin(self, jobs: int) -> None:
        self._line(event="begin", jobs=jobs)

    def event(self, event: Event) -> None:
        self._line(
            event=event.kind,
            job=event.name,
            input=event.input,
            frame=event.done,
            frames=event.frames,
            fps=round(event.fps, 3),
            seconds=round(event.seconds, 3),
            text=event.text,
            exit_code=event.exit_code,
            worker=event.worker,
        )

    def done(self, *, failed: int, waiting: int) -> None:
        self._line(event="end", failed=failed, waiting=waiting)

    def _line(self, **values: Any) -> None:
        print(json.dumps(values), flush=True)


class _Bar(_Quiet):
    """A bar over the jobs, and one for each job at work, on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            console=self._console,
        )
        self._jobs = self._bar.add_task("jobs", total=None, speed="")
        self._at_work: dict[str, Any] = {}

    def warn(self, sentence: str) -> None:
        self._console.print(sentence, style="yellow", highlight=False, markup=False)

    def begin(self, jobs: int) -> None:
        self._bar.update(self._jobs, total=jobs)

    def event(self, event: Event) -> None:
        super().event(event)
        if event.kind == "started":
            self._at_work[event.name] = self._bar.add_task(event.name, total=event.frames, speed="")
        elif event.kind == "progress" and event.name in self._at_work:
            self._bar.update(
                self._at_work[event.name],
                completed=event.done,
                total=event.frames,
                speed=f"{event.fps:.1f} frames/s",
            )
        elif event.kind != "note" and event.name in self._at_work:
            self._bar.remove_task(self._at_work.pop(event.name))
            self._bar.advance(self._jobs, 1 if event.kind in ("done", "failed") else 0)

    def __enter__(self) -> object:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _sentence(event: Event) -> str:
    words = {"failed": "failed", "retried": "is tried again"}
    what = f" {words[event.kind]}:" if event.kind in words else ":"
    return f"{event.name}{what} {event.text}"


def _facts(found: Status) -> dict[str, Any]:
    return {
        "jobs": found.jobs,
        "frames": found.frames,
        "fps": round(found.fps, 3),
        "seconds_left": None if found.seconds_left is None else round(found.seconds_left, 1),
        "running": [
            {"job": e.name, "done": e.done, "frames": e.frames, "fps": e.fps} for e in found.running
        ],
        "failed": [
            {"job": e.name, "input": e.input, "tries": e.tries, "exit_code": e.exit_code,
             "error": e.error}
            for e in found.failed
        ],
        "unowned": [{"output": u.output, "frames": u.frames} for u in found.unowned],
    }  # fmt: skip


def _table(found: Status) -> Iterator[str]:
    yield "  ".join(f"{count} {state}" for state, count in found.jobs.items() if count) or "no jobs"
    left = "" if found.seconds_left is None else f", about {clock(found.seconds_left)} left"
    yield f"{found.frames} frames made, {found.fps:.1f} frames/s{left}"
    for entry in found.running:
        yield f"  at work  {entry.name}  {entry.done} of {entry.frames or '?'} frames"
    for entry in found.failed[:_LISTED]:
        yield f"  failed   {entry.name}  {entry.error}"
    if len(found.failed) > _LISTED:
        yield f"  and {len(found.failed) - _LISTED} more; --json lists all"
    for each in found.unowned:
        yield (
            f"  unowned  {each.output}  {each.frames} frames of an interrupted run that is no"
            " job's: add its input to go on, or remove the hidden folder beside it"
        )
