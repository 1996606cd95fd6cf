"""Options of commands, the command that gives settings, and the docs' table of options: all derived
from what the settings say of themselves (``vidtrans.pipeline.options``)."""

from __future__ import annotations

import inspect
import keyword
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer
from pydantic import BaseModel

from vidtrans.pipeline.options import PANELS, Option, SettingField, setting_fields, spelled_options

Command = TypeVar("Command", bound=Callable[..., Any])


def with_options(
    settings: type[BaseModel],
    *,
    piped: bool = False,
    without: Collection[str] = (),
    help: Mapping[str, str] | None = None,
) -> Callable[[Command], Command]:
    """A decorator that gives a command the options of ``settings``, in place of its ``**options``.

    The command is called with their values by parameter name: a text, a list of texts, a number, or
    True for a switch; None where an option without a default is not given. They stand before the
    command's own options, in the groups of ``PANELS``.

    Args:
        settings: A settings model whose fields carry a ``Setting``.
        piped: Only the options that make sense for frames from a pipe.
        without: Names of options that the command does not have.
        help: Other sentences about options, by option name.

    Example:
        A command that is given the options of ``convert``::

            @app.command()
            @with_options(ConvertSettings)
            def convert(input: str, output: str, **options: Any) -> None:
                settings = ConvertSettings.from_options(input=input, output=output, **options)
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        first = next((n for n, each in enumerate(own) if each.default is not each.empty), len(own))
        derived = [
            _parameter(field, option, (help or {}).get(option.name, option.help))
            for field in _by_panel(settings)
            for option in field.setting.options
            if (field.setting.piped or not piped) and option.name not in without
        ]

        @wraps(command)
        def called(**values: Any) -> Any:
            return command(**{_parameter_name(name): value for name, value in values.items()})

        # Typer builds the command from the signature.
        called.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*own[:first], *derived, *own[first:]]
        )
        return cast(Command, called)

    return decorate


def command_line(
    program: Collection[str], settings: BaseModel, edits_file: str | Path | None = None
) -> list[str]:
    """The words of a command that gives ``settings`` by options; settings with their default value
    need none.

    Args:
        program: The words before the options, as ``["vidtrans", "convert"]``.
        settings: Whose fields carry a ``Setting``.
        edits_file: Where the edits of ``settings`` are saved; without it they stand in the command.
    """
    words = list(program)
    for field, spelled in spelled_options(settings):
        if edits_file is not None and field.name == "edits":
            spelled = [(field.setting.options[0].name, str(edits_file))]
        for name, text in spelled:
            words += [f"--{name}"] if text is None else [f"--{name}", text]
    return words


def option_table(settings: type[BaseModel]) -> str:
    """The options of ``settings`` as tables in Markdown, one for each group."""
    lines: list[str] = []
    for panel in PANELS:
        rows = [
            f"| {_in_docs(option)} | {_escaped(option.help)} | {_default(field, option)} |"
            for field in setting_fields(settings)
            for option in field.setting.options
            if field.setting.panel == panel
        ]
        if rows:
            lines += [f"### {panel}", "", "| option | what it does | default |", "|---|---|---|"]
            lines += [*rows, ""]
    return "\n".join(lines)


def quoted(words: Collection[str], places: Collection[str] = ()) -> str:
    """``words`` and the arguments ``places`` behind them, quoted for a POSIX shell."""
    ends = ["--"] if any(place.startswith("-") for place in places) else []
    return shlex.join([*words, *ends, *places])


def _by_panel(settings: type[BaseModel]) -> Iterator[SettingField]:
    yield from sorted(setting_fields(settings), key=lambda field: PANELS.index(field.setting.panel))


def _identifier(parameter: str) -> str:
    """A parameter's name as Python allows it in a signature: ``from_`` for ``from``."""
    return f"{parameter}_" if keyword.iskeyword(parameter) else parameter


def _parameter_name(identifier: str) -> str:
    """The inverse of ``_identifier``."""
    return identifier[:-1] if keyword.iskeyword(identifier.rstrip("_")) else identifier


def _parameter(field: SettingField, option: Option, help: str) -> inspect.Parameter:
    """An option as a parameter from which Typer builds it."""
    kind: Any = str | None
    default = None
    if option.repeatable:
        kind = list[str] | None
    elif field.annotation is bool:
        kind, default = bool, False
    elif field.annotation in (int, int | None):
        kind = int | None
    elif _states_default(field, option):
        kind, default = str, field.default
    declared = typer.Option(
        f"--{option.name}",
        help=f"{help} Repeatable." if option.repeatable else help,
        metavar=option.metavar or None,
        rich_help_panel=field.setting.panel,
    )
    return inspect.Parameter(
        _identifier(option.parameter),
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, declared],
    )


def _in_docs(option: Option) -> str:
    metavar = f" {option.metavar}" if option.metavar else ""
    return f"`--{option.name}{_escaped(metavar)}`" + (", repeatable" if option.repeatable else "")


def _escaped(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


def _default(field: SettingField, option: Option) -> str:
    return f"`{field.default}`" if _states_default(field, option) else ""


def _states_default(field: SettingField, option: Option) -> bool:
    """Whether the field's default is a text that the option could give."""
    return option is field.setting.options[0] and isinstance(field.default, str)
