"""The commands, and what ``--help`` says of them."""

from __future__ import annotations

from typing import Annotated

import typer

from vidtrans.cli import batch, bench, convert, demo, inspect, models, styles

app = typer.Typer(
    name="vidtrans",
    help="Label video in, street video out: pix2pix, pix2pixHD and vid2vid as a media tool.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 done, 2 wrong usage, 3 unreadable input, 4 unusable model, 5 output cannot"
        " be written, 6 some jobs of a batch failed, 130 interrupted."
        " VIDTRANS_DEBUG=1 or --debug shows where an error came from."
    ),
)
app.command("demo")(demo.demo)
app.command("convert")(convert.convert)
app.command("inspect")(inspect.inspect)
app.command("styles")(styles.styles)
app.add_typer(batch.app, name="batch")
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"vidtrans {version('vidtrans')}")
        raise typer.Exit


@app.callback()
def vidtrans(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Label video in, street video out: pix2pix, pix2pixHD and vid2vid as a media tool."""
