"""What a setting says of itself, once, beside its field: how command lines give it, and whether
changing it reopens the preview.

A field of a settings model carries a ``Setting`` in its annotation. The options of ``vidtrans
convert`` and of ``vidtrans-filter``, the command that the editor copies, the fields that reopen its
preview and the table in the docs are derived from these, so that a new option is one new field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel

Panel = Literal["Input", "Pictures", "Encoding", "Run"]
PANELS: tuple[Panel, ...] = get_args(Panel)
"""Groups of options, in the order in which help and docs show them."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command line.

    Args:
        name: In lower case with hyphens, without the leading ones: ``scene-cuts``.
        metavar: What stands for its value in help and docs. A switch shows none.
        help: One sentence, or two short ones.
        repeatable: Whether it may be given several times; help and docs say so.
    """

    name: str
    metavar: str
    help: str
    repeatable: bool = False

    @property
    def parameter(self) -> str:
        """The option's name in Python and in manifests: ``scene_cuts``."""
        return self.name.replace("-", "_")


Spelled = Sequence[tuple[str, str | None]]
"""Options by their names, each with its text; None for a switch."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a field of a settings model is given, put into its annotation.

    Args:
        options: Those that give the field. The first names it in messages.
        panel: The group that help and docs list it in.
        spell: The options that give a value that is not the default. Default: the first option,
            once for each item of a tuple.
        gather: From the values of its options, by parameter name, to fields of the settings. What
            other options give these fields goes before. Default: the first option's value, which
            the field's own type reads.
        piped: Whether ``vidtrans-filter`` has it too. False for what is about files.
        reopens: Whether the editor's preview must be reopened when it changes.

    Example:
        >>> class Settings(BaseModel):
        ...     gain: Annotated[int, Setting((Option("gain", "N", "Multiply by N."),))] = 1
    """

    options: tuple[Option, ...]
    panel: Panel = "Pictures"
    spell: Callable[[Any], Spelled] | None = None
    gather: Callable[..., Mapping[str, Any]] | None = None
    piped: bool = True
    reopens: bool = True

    def spelled(self, value: Any) -> Spelled:
        """The options, with their texts, that give ``value``, which is not the field's default."""
        if self.spell is not None:
            return self.spell(value)
        name = self.options[0].name
        if isinstance(value, bool):
            return [(name, None)]
        return [(name, str(item)) for item in (value if isinstance(value, tuple) else (value,))]


@dataclass(frozen=True, slots=True)
class SettingField:
    """A field that carries a ``Setting``; ``annotation`` is its type without it."""

    name: str
    annotation: Any
    default: Any
    setting: Setting


def setting_fields(settings: type[BaseModel]) -> Iterator[SettingField]:
    """The fields of a settings model that carry a ``Setting``, those of models that it contains
    included, in the order of their declaration."""
    for name, field in settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_fields(field.annotation)
        for setting in field.metadata:
            if isinstance(setting, Setting):
                yield SettingField(name, field.annotation, field.default, setting)


def option_of(settings: type[BaseModel], field: str) -> Option | None:
    """The option that gives ``field``; None where no option does."""
    found = (each for each in setting_fields(settings) if each.name == field)
    return next((each.setting.options[0] for each in found), None)


def reopening_fields(settings: type[BaseModel]) -> tuple[str, ...]:
    """The fields whose change reopens a preview."""
    return tuple(field.name for field in setting_fields(settings) if field.setting.reopens)


def values_from_options(settings: type[BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options, by parameter name, as values of fields that ``settings`` is made from.

    None and empty lists are options that were not given. Names that are no option's stay as they
    are: fields that no option gives, or mistakes, which the settings then name.

    Raises:
        UsageError: An option's text makes no sense.
        InputError: A file that an option names cannot be read.
    """
    given = {name: value for name, value in options.items() if value is not None and value != []}
    direct: dict[str, Any] = {}
    gathered: dict[str, Any] = {}
    for field in setting_fields(settings):
        names = [option.parameter for option in field.setting.options]
        own = {name: given.pop(name) for name in names if name in given}
        if field.setting.gather is not None:
            gathered |= field.setting.gather(**own) if own else {}
        elif own:
            direct[field.name] = own[names[0]]
    return gathered | direct | given


def spelled_options(settings: BaseModel) -> Iterator[tuple[SettingField, Spelled]]:
    """The options that give ``settings``; fields with their default value need none."""
    kind = type(settings)
    for name, field in kind.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from spelled_options(value)
        for setting in field.metadata:
            if isinstance(setting, Setting) and value != field.default:
                found = SettingField(name, field.annotation, field.default, setting)
                yield found, setting.spelled(value)
