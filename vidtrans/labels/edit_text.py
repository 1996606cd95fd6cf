"""Edits as text: on a command line (``car=bus``, ``instance:26001=5``, ``26001@100:250``), and in
styles files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidtrans.errors import InputError, UsageError
from vidtrans.labels.edit import (
    DeleteInstance,
    Edit,
    EditList,
    RelabelClass,
    RelabelInstance,
    StyleClass,
    StyleInstance,
)
from vidtrans.untrusted import UntrustedTextError, parse_json, parse_toml, read_text
from vidtrans.validation import first_problem

_RANGE = r"(?:@\s*(\d*)\s*:\s*(\d*)\s*)?"
_INSTANCE = r"(?:instance\s*:\s*)?(\d{1,9})"


@dataclass(frozen=True)
class StyleFile:
    """What a styles file says.

    Attributes:
        edits: a style for each class and instance that the file names.
        seed: draws the styles of all other instances; None where the file has none.
    """

    edits: tuple[StyleClass | StyleInstance, ...] = ()
    seed: int | None = None


def parse_relabel(text: str) -> RelabelClass | RelabelInstance:
    """Reads a relabelling: ``vegetation=building``, ``instance:26001=truck``, ``car=bus@100:250``.

    ``@100:250`` means frames 100 to 249; either number may be left out.

    Raises:
        UsageError: ``text`` is no relabelling.
    """
    found = re.fullmatch(r"\s*([^=@]+?)\s*=\s*([^=@]+?)\s*" + _RANGE, text)
    if not found:
        raise UsageError(
            "a relabelling is CLASS=CLASS or instance:ID=CLASS, as vegetation=building or"
            f" car=bus@100:250, not {text!r}."
        )
    source, target, start, end = found.groups()
    frames = _frames(start, end)
    instance = _named_instance(source, "instance:26001=truck")
    return (
        RelabelClass(source, target, *frames)
        if instance is None
        else RelabelInstance(instance, target, *frames)
    )


def parse_style(text: str) -> StyleClass | StyleInstance:
    """Reads a choice of style: ``car=3``, ``instance:26001=5``, ``car=3@100:250``.

    Raises:
        UsageError: ``text`` is no choice of style.
    """
    found = re.fullmatch(r"\s*([^=@]+?)\s*=\s*(\d{1,4})\s*" + _RANGE, text)
    if not found:
        raise UsageError(
            "a style is CLASS=NUMBER or instance:ID=NUMBER, as car=3 or instance:26001=5, not"
            f" {text!r}."
        )
    name, style, start, end = found.groups()
    frames = _frames(start, end)
    instance = _named_instance(name, "instance:26001=5")
    return (
        StyleClass(name, int(style), *frames)
        if instance is None
        else StyleInstance(instance, int(style), *frames)
    )


def parse_drop(text: str) -> DeleteInstance:
    """Reads an instance to delete: ``instance:26001``, ``26001``, ``26001@100:250``.

    Raises:
        UsageError: ``text`` is no instance.
    """
    found = re.fullmatch(rf"\s*{_INSTANCE}\s*" + _RANGE, text, re.IGNORECASE)
    if not found:
        raise UsageError(
            f"what to drop is an instance's id, as instance:26001 or 26001@100:250, not {text!r}."
        )
    instance, start, end = found.groups()
    return DeleteInstance(int(instance), *_frames(start, end))


def _frames(start: str | None, end: str | None) -> tuple[int, int | None]:
    """First frame and end of a range that `_RANGE` matched; the whole film without a range."""
    return int(start or 0), int(end) if end else None


def _named_instance(name: str, example: str) -> int | None:
    """The id in ``instance:ID``, None for the name of a class. Raises UsageError where ID is no
    number."""
    if not name.casefold().startswith("instance:"):
        return None
    instance = re.fullmatch(r"\d{1,9}", name.split(":", 1)[1].strip())
    if not instance:
        raise UsageError(f"an instance is a number, as in {example}, not {name!r}.")
    return int(instance[0])


def gather_edits(
    edits: EditList | None = None,
    *,
    relabel: Sequence[str] = (),
    drop: Sequence[str] = (),
    styles: StyleFile | None = None,
    style: Sequence[str] = (),
) -> EditList:
    """The edits of a command line, in the order in which they apply.

    Args:
        edits: those of a file; they apply first.
        relabel: texts for `parse_relabel`.
        drop: texts for `parse_drop`.
        styles: a styles file; its edits apply before those of ``style``.
        style: texts for `parse_style`.

    Raises:
        UsageError: one of the texts is wrong.
    """
    found: list[Edit] = list(edits.edits if edits is not None else ())
    found += map(parse_relabel, relabel)
    found += map(parse_drop, drop)
    found += styles.edits if styles is not None else ()
    found += map(parse_style, style)
    return EditList(tuple(found))


def spell_edits(edits: EditList) -> list[tuple[str, str]]:
    """Options of a command line that give these edits, with their texts: ``relabel`` for each where
    it can say them all, else ``edits`` with the JSON. None for no edits."""
    relabellings = [edit for edit in edits.edits if isinstance(edit, RelabelClass)]
    if len(relabellings) == len(edits.edits) and not any(
        set("=@") & set(edit.source + edit.target) for edit in relabellings
    ):
        return [("relabel", _spell_relabel(edit)) for edit in relabellings]
    return [("edits", json.dumps(edits.to_json(), ensure_ascii=False))]


def _spell_relabel(edit: RelabelClass) -> str:
    """The inverse of ``parse_relabel``."""
    if edit.start == 0 and edit.end is None:
        return f"{edit.source}={edit.target}"
    return f"{edit.source}={edit.target}@{edit.start}:{'' if edit.end is None else edit.end}"


_Number = Annotated[int, Field(ge=0, lt=10000, strict=True)]


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: dict[str, _Number] = {}
    instances: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], _Number] = {}
    seed: Annotated[int, Field(ge=0, strict=True)] | None = None


def load_styles(path: str | PathLike[str]) -> StyleFile:
    """Reads a styles file.

    Args:
        path: TOML, or JSON where its name ends so. Its keys are optional: ``classes`` (class
            name = style), ``instances`` (instance id = style), ``seed``.

    Raises:
        InputError: the file cannot be read, or a key or value in it is wrong.
    """
    file = Path(path)
    try:
        text = read_text(file)
    except (OSError, UntrustedTextError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"the styles cannot be read: {reason}.", where=file) from error
    try:
        data = (parse_json if file.suffix.casefold() == ".json" else parse_toml)(text)
    except UntrustedTextError as error:
        kind = "JSON" if file.suffix.casefold() == ".json" else "TOML"
        raise InputError(f"this styles file is not valid {kind}: {error}.", where=file) from error
    if not isinstance(data, dict):
        raise InputError("the file is no table of classes, instances and a seed.", where=file)
    try:
        content = _Content.model_validate(data)
    except ValidationError as error:
        raise InputError(first_problem(error, _Content), where=file) from error
    edits: list[StyleClass | StyleInstance] = [
        StyleClass(name, style) for name, style in content.classes.items()
    ]
    edits += [StyleInstance(int(instance), style) for instance, style in content.instances.items()]
    return StyleFile(tuple(edits), content.seed)
