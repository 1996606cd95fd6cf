"""``vidtrans bench``: speed and memory, as JSON."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vidtrans.errors import InputError, UsageError

if TYPE_CHECKING:
    from vidtrans.pipeline.settings import ConvertSettings

app = typer.Typer(
    help="Measure speed and memory; figures as JSON on stdout.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Input = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="INPUT", help="Label video to measure with (default: the demo clip)."
    ),
]
ModelName = Annotated[str, typer.Option("--model", metavar="MODEL", help="As in convert.")]
Labels = Annotated[str, typer.Option("--labels", metavar="SCHEME", help="As in convert.")]
Device = Annotated[str, typer.Option("--device", metavar="DEVICE", help="As in convert.")]
Compare = Annotated[
    Path | None,
    typer.Option(
        "--compare", metavar="OLD.json", help="Compare with the output of an earlier run."
    ),
]
Precision = Annotated[str, typer.Option("--precision", metavar="TYPE", help="As in convert.")]


@app.callback()
def bench(
    context: typer.Context,
    input: Input = None,
    model: ModelName = "street",
    labels: Labels = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Measure at this size (default: the input's).")
    ] = None,
    frames: Annotated[int, typer.Option(min=10, help="Frames of each measurement.")] = 60,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the figures are their medians.")] = 3,
    compare: Compare = None,
    all_models: Annotated[
        bool, typer.Option("--suite", help="Measure all architectures instead: as bench suite.")
    ] = False,
) -> None:
    """Time the stages, alone and together.

    Decode, labels, generator and encode alone in milliseconds a frame, all of
    them together, and the ratio of that to the slowest; the generator's FLOP
    and its share of a matrix product's rate; memory; machine and versions.
    """
    if context.invoked_subcommand is not None:
        return
    if all_models:
        suite(device=device, precision=precision, compare=compare)
        return
    from vidtrans.cli.compare import compare_bench, earlier_figures
    from vidtrans.cli.machine import describe_machine, peak_memory_mib
    from vidtrans.cli.measure import measure

    old = None if compare is None else earlier_figures(compare, "bench")
    settings = _settings(
        input=input,
        model=model,
        labels=labels,
        device=device,
        precision=precision,
        size_hw=size,
        fit="resize",
    )
    figures = measure(settings, frames=frames, rounds=rounds)
    figures["peak_memory_mib"] = round(peak_memory_mib(), 1)
    if figures["device"].startswith("cuda"):
        import torch

        figures["peak_gpu_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    figures["machine"] = describe_machine(figures["device"])
    if old is not None and compare is not None:
        figures["compared"] = _compared(figures, compare, old, compare_bench)
    _print(figures)


@app.command()
def suite(
    models: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="Architectures to measure (default: all)."),
    ] = None,
    sizes: Annotated[
        str, typer.Option(metavar="WxH,...", help="Sizes to measure.")
    ] = "512x256,1024x512,2048x1024",
    device: Device = "auto",
    precision: Precision = "auto",
    seconds: Annotated[
        float, typer.Option(min=0, help="Time for each architecture at each size.")
    ] = 5.0,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Time plain PyTorch layers too, and give the ratio."),
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE.md", help="Write the Markdown table there (default: stderr)."),
    ] = None,
    compare: Compare = None,
) -> None:
    """Time the embedded and the published architectures at several sizes.

    The published ones have random weights. JSON on stdout, and a table in
    Markdown. Each row is measured in a process of its own.
    """
    from vidtrans.atomic_write import whole_file
    from vidtrans.cli.compare import compare_suites, earlier_figures
    from vidtrans.cli.machine import describe_machine
    from vidtrans.cli.measure_suite import ARCHITECTURES, Row, measure_suite
    from vidtrans.cli.measure_suite import table as as_table
    from vidtrans.cli.wording import size_option
    from vidtrans.sequence.device import choose_device, choose_precision

    names = list(ARCHITECTURES) if models is None else models.split(",")
    unknown = [name for name in names if name not in ARCHITECTURES]
    if unknown:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(f"there is no architecture {unknown[0]!r}.", hint=f"There are {known}.")
    old = None if compare is None else earlier_figures(compare, "suite")
    chosen = choose_device(device)
    rows = [
        Row(name, size, str(chosen), cast(Any, choose_precision(precision, chosen)), seconds, plain)
        for size in [size_option(text) for text in sizes.split(",")]
        for name in names
        if size is not None
    ]
    figures = []
    for row, measured in zip(rows, measure_suite(rows), strict=True):
        said = measured.get("error") or f"{measured['fps']} frames a second"
        typer.echo(f"{row.name} {measured['size']}: {said}", err=True)
        figures.append(measured)
    if table is None:
        typer.echo(as_table(figures), err=True)
    else:
        with whole_file(table, what="the table") as partial:
            partial.write_text(as_table(figures), encoding="utf-8")
    found = {"rows": figures, "machine": describe_machine(str(chosen))}
    if old is not None and compare is not None:
        found["compared"] = _compared(found, compare, old, compare_suites)
    _print(found)


@app.command()
def memory(
    input: Input = None,
    model: ModelName = "street",
    labels: Labels = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the pictures.")] = "128x64",
    frames: Annotated[int, typer.Option(min=400, help="Length of the film.")] = 3000,
    every: Annotated[int, typer.Option(min=1, help="Frames between two readings.")] = 50,
) -> None:
    """Show that memory does not depend on the film's length: resident memory over 3,000 frames."""
    from vidtrans.cli.machine import describe_machine, peak_memory_mib
    from vidtrans.cli.measure import measure_memory

    settings = _settings(
        input=input,
        model=model,
        labels=labels,
        device=device,
        precision=precision,
        size_hw=size,
        fit="resize",
    )
    with tempfile.TemporaryDirectory(prefix="vidtrans-bench-") as folder:
        film = Path(folder) / "labels.mkv"
        _write_long_film(film, settings, frames)
        figures = measure_memory(
            settings.model_copy(update={"input": str(film)}),
            frames=frames,
            every=every,
        )
    figures["peak_memory_mib"] = round(peak_memory_mib(), 1)
    _print(
        figures
        | {
            "size": size,
            "model": model,
            "machine": describe_machine("cpu" if device == "auto" else device),
        }
    )


@app.command()
def preview(
    input: Input = None,
    model: ModelName = "street",
    device: Device = "auto",
    precision: Precision = "auto",
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the pictures.")] = "512x256",
    frames: Annotated[
        int, typer.Option(min=100, help="Length of the film, at 17 frames a second.")
    ] = 10_200,
    play: Annotated[
        int, typer.Option(min=50, help="Frames that are played before the seeks among them.")
    ] = 1000,
    seeks: Annotated[int, typer.Option(min=10, help="Seeks of each kind.")] = 100,
) -> None:
    """Scrub a ten-minute film as the editor does: cached frames, and frames painted again from
    a snapshot."""
    from vidtrans.cli.machine import describe_machine, peak_memory_mib
    from vidtrans.cli.measure_preview import measure_preview, write_scenes

    settings = _settings(
        input=input,
        model=model,
        labels="cityscapes:ids",
        device=device,
        precision=precision,
        size_hw=size,
    )
    assert settings.render.size_hw is not None
    with tempfile.TemporaryDirectory(prefix="vidtrans-bench-") as folder:
        film = Path(folder) / "labels.mkv"
        write_scenes(film, settings, frames, settings.render.size_hw)
        settings = settings.model_copy(update={"input": str(film)})
        figures = measure_preview(settings, play=play, seeks=seeks)
    figures["peak_memory_mib"] = round(peak_memory_mib(), 1)
    _print(figures | {"machine": describe_machine(figures["device"])})


@app.command()
def start(
    input: Input = None,
    model: ModelName = "street",
    labels: Labels = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Starts; the figures are their medians.")] = 5,
) -> None:
    """Wall and processor time from the start of convert to its first picture, in new processes."""
    from vidtrans.cli.machine import describe_machine
    from vidtrans.cli.measure_start import measure_convert
    from vidtrans.sequence.device import choose_device

    settings = _settings(input=input, model=model, labels=labels, device=device)
    options = ["--model", model, "--labels", labels, "--device", device, "--precision", precision]
    with tempfile.TemporaryDirectory(prefix="vidtrans-bench-") as folder:
        figures = measure_convert(settings.input, Path(folder), rounds=rounds, options=options)
    chosen = str(choose_device(device))
    _print(
        {"model": model, "device": chosen, "convert": figures, "machine": describe_machine(chosen)}
    )


@app.command()
def batch(
    input: Input = None,
    model: ModelName = "street",
    device: Device = "cpu",
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the pictures.")] = "512x256",
    films: Annotated[int, typer.Option(min=0, help="Jobs of each run; 0 measures none.")] = 4,
    jobs: Annotated[int, typer.Option(min=100, help="Jobs in the record.")] = 100_000,
) -> None:
    """Jobs an hour with one worker and with two, and the cost of a record of 100,000 jobs."""
    from vidtrans.cli.machine import describe_machine
    from vidtrans.cli.measure_batch import measure_record, measure_workers

    settings = _settings(input=input, model=model, device=device, size_hw=size, fit="resize")
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="vidtrans-bench-") as folder:
        if films:
            figures["workers"] = measure_workers(settings, Path(folder), jobs=films)
        figures["record"] = measure_record(Path(folder), jobs=jobs)
    _print(figures | {"machine": describe_machine(device)})


def _compared(
    figures: dict[str, Any],
    path: Path,
    old: dict[str, Any],
    compare: Callable[[Any, Any], dict[str, Any]],
) -> dict[str, Any]:
    """Ratios to an earlier run; sentences on stderr say what got slower.

    Raises:
        InputError: The runs cannot be compared.
    """
    from vidtrans.cli.compare import sentences

    try:
        compared = compare(old, figures)
    except ValueError as error:
        raise InputError(f"cannot be compared with: {error}.", where=str(path)) from error
    for sentence in sentences(compared, path):
        typer.echo(sentence, err=True)
    return compared


def _settings(input: str | None, **values: Any) -> ConvertSettings:
    from vidtrans.assets.demo_clip import demo_labels
    from vidtrans.pipeline.settings import ConvertSettings

    return ConvertSettings.read(input=input or str(demo_labels()), output="bench.mp4", **values)


def _write_long_film(path: Path, settings: ConvertSettings, frames: int) -> None:
    """Write a lossless grey film that repeats the input's first 100 frames at the measured size.

    Raises:
        UsageError: The input is no film of 8-bit grey ids.
    """
    import av
    import cv2
    import numpy as np

    from vidtrans.media.reader import open_reader

    assert settings.render.size_hw is not None
    height, width = settings.render.size_hw
    with open_reader(settings.input) as reader:
        pictures = [np.asarray(frame.pixels, dtype=np.uint8) for frame in islice(reader, 100)]
        if reader.info.kind != "grey8":
            raise UsageError("bench memory takes a film of 8-bit grey ids.", where=settings.input)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = width, height, "gray"
        # Forwards and backwards in turn, so that the film has no cuts.
        for picture in islice(cycle(pictures + pictures[-2:0:-1]), frames):
            small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
            frame = av.VideoFrame.from_ndarray(np.asarray(small, dtype=np.uint8), format="gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _print(figures: dict[str, Any]) -> None:
    typer.echo(json.dumps(figures, indent=2))
