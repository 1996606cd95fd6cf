"""``vidtrans-train init``, ``check`` and ``flow-error``: commands that look at data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vidtrans.errors import InputError, UsageError

if TYPE_CHECKING:
    from vidtrans.frame import Bytes
    from vidtrans_training.check import DataReport
    from vidtrans_training.datasets.material import Material
    from vidtrans_training.datasets.sources import Problem
    from vidtrans_training.options import System
    from vidtrans_training.settings import TrainingSettings

_NAMED = 40
"""Problems that the check prints; the last line says how many more there are."""
_SHEET_ROWS = 8

SystemName = Annotated[
    str, typer.Argument(metavar="SYSTEM", help="pix2pix, pix2pixhd, vid2vid or street.")
]
Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="Folder of the data set, in any known layout.")
]
Labels = Annotated[
    str,
    typer.Option(
        metavar="SCHEME",
        help="How label maps are read: auto, SCHEME, SCHEME:ENCODING, or a palette file.",
    ),
]
Phase = Annotated[str, typer.Option(help="The part of the data set in the folders' names.")]


def init(
    system: SystemName,
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="SYSTEM.toml")
    ] = None,
    labels: Labels = "auto",
    phase: Phase = "train",
    memory: Annotated[
        bool, typer.Option(help="Estimate the memory that the settings take (some seconds).")
    ] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
) -> None:
    """Look at a data set and write settings that suit it.

    The file is commented: sizes, classes found, how labels are read, what could
    not be understood, and an estimate of the memory that these settings take.
    """
    from vidtrans.atomic_write import check_free, whole_file
    from vidtrans_training.propose import as_toml, fit_memory, propose

    name = known_system(system)
    target = out or Path(f"{name}.toml")
    check_free(target, overwrite=overwrite)
    proposal = propose(name, data, labels=labels, phase=phase)
    facts: list[str] = []
    if memory:
        from vidtrans_training.memory import available_memory

        proposal, facts = fit_memory(proposal, available_memory())
    text = as_toml(proposal, facts=facts)
    with whole_file(target, what="the settings") as temporary:
        temporary.write_text(text, encoding="utf-8")
    for note in (*facts, *proposal.notes):
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{target}: start with vidtrans-train {name} --config {target}", err=True)


def check(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Folder of the data set, or settings (.toml)."),
    ],
    system: Annotated[
        str | None,
        typer.Option(
            metavar="SYSTEM",
            help="Whose samples the sheet shows; told from the layout if left out.",
        ),
    ] = None,
    labels: Labels = "auto",
    phase: Phase = "train",
    sheet: Annotated[
        Path | None,
        typer.Option(help="Contact sheet to write (PNG).", show_default="check-DATA.png"),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that read.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Read a whole data set and name what is wrong with it.

    Files without a partner, unreadable and mis-sized ones, label values that
    no class has; and a contact sheet of what the network will see. The exit
    code is 3 where training could not start.
    """
    from vidtrans.media.pngs import write_picture
    from vidtrans_training.check import read_everything
    from vidtrans_training.datasets.opening import layout_of, material_of

    settings = _settings(data, system, labels, phase)
    layout = layout_of(settings)
    if not layout.frames:
        report = None
        problems = layout.problems
    else:
        material = material_of(settings, layout)
        with _progress("reading", layout.frames) as show:
            report = read_everything(material, threads=threads, progress=show)
        problems = report.problems
    if as_json:
        typer.echo(json.dumps(_facts(layout.kind, report, problems), indent=2))
    else:
        typer.echo("\n".join(_lines(layout.kind, settings, report, problems)))
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        more = f" and {len(fatal) - 1} more" if len(fatal) > 1 else ""
        raise InputError(f"training cannot start: {fatal[0]}{more}", where=layout.root)
    target = sheet or Path(f"check-{data.resolve().stem}.png")
    write_picture(target, _sheet(settings, material), what="the contact sheet")
    typer.echo(f"{target}: what the network will see", err=True)


def flow_error(
    data: Annotated[Path, typer.Argument(metavar="CLIPS", help="Clips of vidtrans-world render.")],
    teacher: Annotated[str, typer.Option(help="dis or raft.")] = "dis",
    weights: Annotated[Path | None, typer.Option(help="RAFT's weights.")] = None,
    width: Annotated[int, typer.Option(min=32, help="Pictures are scaled to this width.")] = 512,
    distance: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Frames between two pictures; may be repeated.", metavar="G"),
    ] = None,
) -> None:
    """Measure an estimated flow against the exact flow of the procedural street."""
    from vidtrans_training.datasets.geometry import Transform
    from vidtrans_training.datasets.layouts import find_layout
    from vidtrans_training.datasets.material import open_material
    from vidtrans_training.teacher import open_teacher
    from vidtrans_training.teacher_error import flow_errors

    if teacher not in ("dis", "raft"):
        raise UsageError(f"there is no estimating teacher '{teacher}'; there are dis and raft.")
    layout = find_layout(data, kind="world")
    material = open_material(layout, labels="cityscapes:ids")
    transform = Transform("vid2vid", "scaleWidth", width, width)
    estimating = open_teacher(
        "raft" if teacher == "raft" else "dis", layout, transform, weights=weights
    )
    for error in flow_errors(material, estimating, transform, distance or [1, 3]):
        typer.echo(json.dumps(asdict(error)))


def known_system(text: str) -> System:
    """The system of this name, in any case. Raises UsageError with the nearest one."""
    from vidtrans.validation import did_you_mean
    from vidtrans_training.options import OPTIONS

    name = text.lower()
    if name in OPTIONS:
        return cast("System", name)
    raise UsageError(f"there is no system '{text}'.", hint=did_you_mean(text, OPTIONS))


def _settings(data: Path, system: str | None, labels: str, phase: str) -> TrainingSettings:
    """The settings in a file, or those that suit a folder."""
    from vidtrans_training.datasets.layouts import find_layout
    from vidtrans_training.propose import propose
    from vidtrans_training.settings import read_settings

    if data.suffix.lower() == ".toml":
        return read_settings(data, system=None if system is None else known_system(system))
    if system is not None:
        name = known_system(system)
    else:
        layout = find_layout(data, phase=phase)
        by_layout: dict[str, System] = {
            "pix2pix": "pix2pix",
            "pix2pix-folders": "pix2pix",
            "folders-ab": "pix2pix",
            "pix2pixhd": "pix2pixhd",
            "world": "street",
        }
        sequences = any(len(clip) > 2 for clip in layout.sequences)
        name = by_layout.get(layout.kind, "vid2vid" if sequences else "pix2pixhd")
    return propose(name, data, labels=labels, phase=phase).settings


def _sheet(settings: TrainingSettings, material: Material) -> Bytes:
    from vidtrans_training.contact_sheet import contact_sheet
    from vidtrans_training.datasets.feed import Feed
    from vidtrans_training.datasets.opening import samples_of
    from vidtrans_training.datasets.samples import Lengths

    samples = samples_of(settings, material)
    feed = Feed(samples, lengths=lambda epoch: Lengths(2, 1))
    clips = []
    for clip in feed:
        clips.append(clip)
        if len(clips) == _SHEET_ROWS:
            break
    scheme = None if material.labels is None else material.labels.model_scheme
    return contact_sheet(clips, scheme)


def _facts(kind: str, report: DataReport | None, problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "layout": kind,
        "sequences": 0 if report is None else report.sequences,
        "frames": 0 if report is None else report.frames,
        "longest": 0 if report is None else report.longest,
        "sizes": []
        if report is None
        else [{"width": w, "height": h, "frames": n} for (h, w), n in report.sizes],
        "labels": None if report is None or report.labels is None else report.labels.to_dict(),
        "problems": [
            {
                "kind": problem.kind,
                "path": str(problem.path),
                "message": problem.message,
                "fatal": problem.fatal,
            }
            for problem in problems
        ],
    }


def _lines(
    kind: str,
    settings: TrainingSettings,
    report: DataReport | None,
    problems: Sequence[Problem],
) -> Iterator[str]:
    yield f"{settings.data.root}"
    yield f"  layout     {kind}"
    if report is not None:
        yield (
            f"  frames     {report.frames} in {report.sequences} sequences, the longest"
            f" {report.longest}"
        )
        for (height, width), frames in report.sizes:
            yield f"  size       {width}x{height}: {frames} pictures"
        if report.labels is not None:
            yield f"  labels     {report.labels.scheme}:{report.labels.encoding}"
            for entry in report.labels.classes:
                yield (
                    f"    {entry.id:>5}  {entry.name:<24} {entry.share:>8.3%}"
                    f"  in {entry.frames} frames"
                )
            for note in report.labels.notes():
                yield f"  note       {note}"
    for problem in problems[:_NAMED]:
        yield f"  {'error' if problem.fatal else 'warning':<9}  {problem}"
    if len(problems) > _NAMED:
        yield f"             and {len(problems) - _NAMED} more (all of them: --json)"


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
