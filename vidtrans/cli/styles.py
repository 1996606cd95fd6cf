"""``vidtrans styles``: a contact sheet of a model's styles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidtrans.cli.wording import size_option
from vidtrans.errors import OutputError, UsageError


def styles(
    model: Annotated[
        str,
        typer.Argument(help="A model with styles: name, .safetensors file or published folder."),
    ],
    labels: Annotated[str, typer.Argument(help="Label picture (or film; see --frame).")],
    sheet: Annotated[Path, typer.Argument(help="The picture to write, .png or .jpg.")],
    instances: Annotated[str | None, typer.Option(help="16-bit instance map beside it.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="CLASS",
            help="This class alone; repeatable (default: all with styles).",
        ),
    ] = None,
    frame: Annotated[int, typer.Option(min=0, help="Which frame of a film.")] = 0,
    scheme: Annotated[
        str, typer.Option("--labels", help="How labels are read, as in convert.")
    ] = "auto",
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Paint at this size (default: the input's own)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draw the other classes' styles by this seed.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or xpu:N.")
    ] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing sheet.")
    ] = False,
) -> None:
    """Paint a label picture in every style of every class, with the numbers that convert's
    --style takes.

    Example: vidtrans styles mymodel.safetensors labels.png sheet.png --class car
    """
    from vidtrans.media.pngs import write_picture
    from vidtrans.pipeline.setup import read_label_frame
    from vidtrans.pipeline.sizing import Sizing
    from vidtrans.sequence.loading import load_model
    from vidtrans.styles.sheet import style_sheet

    if sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError("a sheet is a .png or .jpg file.", where=sheet)
    if sheet.exists() and not overwrite:
        raise OutputError(
            "exists already.", where=sheet, hint="Give --overwrite to replace it, or another name."
        )
    loaded = load_model(model, device=device, seed=seed)
    read = read_label_frame(labels, loaded, scheme=scheme, instances=instances, frame=frame)
    read = Sizing.plan(read.size_hw, size_option(size), "resize").scale(read)
    painted = style_sheet(loaded, read, classes=tuple(only or ()))
    write_picture(sheet, painted, what="the sheet")
    typer.echo(f"{sheet}: {painted.shape[1]}x{painted.shape[0]}")
