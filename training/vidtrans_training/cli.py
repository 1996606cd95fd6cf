"""The command `vidtrans-train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidtrans.errors import VidtransError
from vidtrans_training.data_commands import check, flow_error, init

if TYPE_CHECKING:
    from vidtrans_training.options import System

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _about() -> None:
    """Train the networks of vidtrans."""


Config = Annotated[Path, typer.Option("--config", help="Settings of the run, TOML.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="The run's folder; default: runs/NAME-OF-CONFIG.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the newest checkpoint in the folder.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="End the run at the first file that cannot be read.")
]


def _train(system: System, config: Path, out: Path | None, resume: bool, strict: bool) -> None:
    from vidtrans_training.loop import train
    from vidtrans_training.settings import read_settings

    folder = out or Path("runs") / config.stem
    settings = read_settings(config, system=system)
    if strict:
        data = settings.data.model_copy(update={"strict": True})
        settings = settings.model_copy(update={"data": data})
    step = train(settings, folder, resume=resume)
    typer.echo(f"Done after step {step}; everything is in {folder}.", err=True)


@app.command()
def pix2pix(
    config: Config, out: Out = None, resume: Resume = False, strict: Strict = False
) -> None:
    """Train pix2pix: one picture becomes another."""
    _train("pix2pix", config, out, resume, strict)


@app.command()
def pix2pixhd(
    config: Config, out: Out = None, resume: Resume = False, strict: Strict = False
) -> None:
    """Train pix2pixHD: labels become a picture."""
    _train("pix2pixhd", config, out, resume, strict)


@app.command()
def vid2vid(
    config: Config, out: Out = None, resume: Resume = False, strict: Strict = False
) -> None:
    """Train vid2vid: label video becomes video."""
    _train("vid2vid", config, out, resume, strict)


@app.command()
def street(config: Config, out: Out = None, resume: Resume = False, strict: Strict = False) -> None:
    """Train the small street network: vid2vid for CPUs."""
    _train("street", config, out, resume, strict)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[
        Path,
        typer.Argument(help="A model bundle, .safetensors, or a folder of published checkpoints."),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace checkpoints in the folder.")
    ] = False,
) -> None:
    """Write a run's networks as a model."""
    from vidtrans_training.export import export as write

    typer.echo(write(run, out, overwrite=overwrite).provenance, err=True)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    data: Annotated[
        Path | None, typer.Option(help="Another data set of the same layout; default: the run's.")
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, help="So many frames of each sequence are compared.")
    ] = 48,
    all_checkpoints: Annotated[
        bool, typer.Option("--all-checkpoints", help="One result for each checkpoint kept.")
    ] = False,
) -> None:
    """Compare a run's pictures with the real ones: L1, and warping error along the flow.

    Prints one line of JSON for each checkpoint.
    """
    from dataclasses import asdict

    from vidtrans_training.evaluate import evaluate as compare

    for result in compare(run, data=data, most_frames=frames, all_checkpoints=all_checkpoints):
        typer.echo(json.dumps(asdict(result)))


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
