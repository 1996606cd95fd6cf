"""The commands, and what ``--help`` says of them.

A command's module is imported when the command is needed: ``vidtrans --help`` lists the commands
by the sentences that stand here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from vidtrans.startup import loading_modules

if TYPE_CHECKING:
    from typer.core import TyperCommand

SUMMARIES = {
    "demo": (
        "Paint the embedded label clip: a film, a film beside its labels, and a contact sheet."
    ),
    "convert": "Translate a label video into a street video.",
    "inspect": "Describe a label video and how its labels are read.",
    "styles": (
        "Paint a label picture in every style of every class, with the numbers that convert's\n"
        "--style takes."
    ),
    "batch": "Convert many sequences; the same command again goes on.",
    "models": "List, describe, import and export models, and make styles.",
    "bench": "Measure speed and memory; figures as JSON on stdout.",
}
"""The first paragraph of each command's help, by the name of the command and of its module."""


@cache
def _command(name: str) -> TyperCommand | TyperGroup:
    """A command of ``SUMMARIES``, whose module has a function of its name or a group ``app``."""
    with loading_modules():
        module = import_module(f"vidtrans.cli.{name}")
    parent = typer.Typer()
    if hasattr(module, "app"):
        parent.add_typer(module.app, name=name)
    else:
        parent.command(name)(getattr(module, name))
    return cast("TyperCommand | TyperGroup", typer.main.get_group(parent).commands[name])


class _Commands(Mapping[str, Any]):
    """The commands by name; each is imported when it is first asked for."""

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in SUMMARIES:
            raise KeyError(name)
        return _command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


class _ImportedWhenNeeded(TyperGroup):
    """A group that lists its commands without importing them."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._listed = self.commands
        self.commands = cast(Any, _Commands())

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self._listed)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._listed.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else self.commands[name], rest


app = typer.Typer(
    name="vidtrans",
    cls=_ImportedWhenNeeded,
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


def _list(name: str, summary: str) -> None:
    def listed() -> None:
        """Stands for the command in the list of commands."""

    app.command(name, help=summary)(listed)


for _name, _summary in SUMMARIES.items():
    _list(_name, _summary)


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
