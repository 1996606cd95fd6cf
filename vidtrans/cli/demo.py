"""``vidtrans demo``: the embedded label clip through the embedded model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidtrans.assets.demo_clip import DEMO_SEED, demo_instances, demo_labels
from vidtrans.cli.show import ProgressMode, interruptible, progress_shown
from vidtrans.errors import OutputError
from vidtrans.startup import loading_modules

if TYPE_CHECKING:
    from vidtrans.frame import Bytes

FILES = ("film.mp4", "side_by_side.mp4", "contact_sheet.png")
SHEET_COLUMNS = 3
SHEET_ROWS = 2


def demo(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Folder for the three files; made where it is missing."
        ),
    ] = Path("vidtrans-demo"),
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Another model than the embedded one.")
    ] = "street",
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:N, mps, xpu or xpu:N.")
    ] = "auto",
    progress: Annotated[
        ProgressMode, typer.Option(help="auto shows a bar on a terminal.")
    ] = ProgressMode.auto,
) -> None:
    """Paint the embedded label clip: a film, a film beside its labels, and a contact sheet.

    An earlier demo in the folder is replaced; anything else of the same name is not.
    """
    import time

    with loading_modules():
        from vidtrans.labels.report import ReportBuilder
        from vidtrans.media.writer import open_writer
        from vidtrans.pipeline.progress import ProgressMeter
        from vidtrans.pipeline.settings import ConvertSettings
        from vidtrans.pipeline.setup import open_input
        from vidtrans.pipeline.stream import translate_stream
        from vidtrans.sequence.loading import load_model

    film, beside, sheet = (out / name for name in FILES)
    there = [path for path in (film, beside, sheet) if path.exists()]
    if there and len(there) < len(FILES):
        raise OutputError(
            "exists already, and is not from a demo.",
            where=there[0],
            hint="Give another folder with --out.",
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder cannot be made ({error.strerror}).", where=out) from error
    began = time.monotonic()
    loaded = load_model(model, device=device)
    settings = ConvertSettings.read(
        input=str(demo_labels()),
        instances=str(demo_instances()),
        output=str(film),
        model=model,
        device=device,
        seed=DEMO_SEED if loaded.card.styles else None,
        layer="compare",
    )
    with (
        progress_shown(progress, "demo") as shown,
        interruptible() as cancel,
        open_input(settings, model=loaded) as render,
    ):
        info, (height, width) = render.info, render.painter.sizing.scaled_hw
        report = ReportBuilder(render.label_reader.scheme, render.label_reader.encoding)
        meter = ProgressMeter(info.frames)
        open_film = partial(open_writer, rate=info.rate, time_base=info.time_base, overwrite=True)
        rows: list[Bytes] = []
        wanted = _spread(info.frames or render.reader.count(), SHEET_COLUMNS * SHEET_ROWS)
        with (
            open_film(film, size_hw=(height, width)) as film_writer,
            open_film(beside, size_hw=(height, 2 * width)) as beside_writer,
        ):
            stream = translate_stream(
                render.frames,
                render.label_reader,
                render.painter,
                instances=render.instances,
                report=report,
                cancel=cancel,
            )
            for translation in stream:
                picture = translation.picture
                beside_writer.write(picture, translation.time)
                film_writer.write(picture[:, width:].copy(), translation.time)
                if translation.index in wanted:
                    rows.append(picture)
                shown.update(meter.frame())
            film_writer.finish()
            beside_writer.finish()
        _write_sheet(sheet, rows)
    seconds = time.monotonic() - began
    typer.echo(
        f"{report.report().frames} frames in {seconds:.0f} s on {render.painter.model.device}:"
    )
    for path, what in (
        (film, "the film"),
        (beside, "labels beside the film"),
        (sheet, "a contact sheet"),
    ):
        typer.echo(f"  {path}  ({what})")


def _spread(frames: int, count: int) -> set[int]:
    """``count`` frame numbers, spread evenly over ``frames`` frames."""
    return {round((i + 0.5) * frames / count - 0.5) for i in range(count)}


def _write_sheet(path: Path, pairs: list[Bytes]) -> None:
    """Write a grid of cells: each shows a frame's labels above its picture.

    Args:
        path: The file to write.
        pairs: Labels at the left of the picture, uint8 RGB [H,2W,3].
    """
    import numpy as np

    from vidtrans.media.pngs import write_picture

    if not pairs:
        return
    width = pairs[0].shape[1] // 2
    cells = [np.vstack([pair[:, :width], pair[:, width:]]) for pair in pairs]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % SHEET_COLUMNS)
    rows = [np.hstack(cells[i : i + SHEET_COLUMNS]) for i in range(0, len(cells), SHEET_COLUMNS)]
    write_picture(path, np.vstack(rows), what="the contact sheet")
