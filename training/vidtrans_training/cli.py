"""The command `vidtrans-train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vidtrans.errors import VidtransError
from vidtrans_training.data_commands import check, flow_error, init

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _about() -> None:
    """Train the networks of vidtrans."""


@app.command()
def vid2vid(
    config: Annotated[Path, typer.Option(help="Settings of the run, TOML.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the checkpoint, the log and the sample sheets.")
    ] = Path("runs/vid2vid"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Processes that train together, each on crops of its own.", min=1)
    ] = 1,
) -> None:
    """Train a vid2vid generator on clips with exact flow (see `vidtrans-world render`)."""
    from vidtrans_training.config import read_config
    from vidtrans_training.parallel import helpers, joined
    from vidtrans_training.vid2vid import train

    settings = read_config(config)
    with helpers(workers, sys.argv[1:]), joined() as group:
        step = train(settings, out, resume=resume, workers=group)
    typer.echo(f"Stopped after step {step}; everything is in {out}.", err=True)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    bundle: Annotated[Path, typer.Argument(help="The model bundle to write, .safetensors.")],
) -> None:
    """Write a run's network as a model bundle."""
    from vidtrans_training.export import export as write

    typer.echo(write(run, bundle, name=bundle.stem).provenance, err=True)


app.command()(init)
app.command()(check)
app.command("flow-error")(flow_error)


def setting_words(setting: str, value: str | None = None) -> str:
    """A setting as it stands in a run's file; the two that are options as options.

    Args:
        setting: The field's name.
        value: The value that a remedy suggests.
    """
    if setting in ("overwrite", "resume"):
        return f"--{setting}"
    return setting if value is None else f'{setting} = "{value}"'


def main() -> None:
    """Entry point: a user's mistake is one sentence on stderr and an exit code, never a
    traceback."""
    try:
        app()
    except VidtransError as error:
        typer.echo(f"vidtrans-train: error: {error.sentence(setting_words)}", err=True)
        raise SystemExit(error.exit_code) from None
