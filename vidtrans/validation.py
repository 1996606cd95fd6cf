"""What pydantic refused, and names that are nearly right, as sentences for people."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Container, Iterable
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")  # of a model, of a dataclass
_LISTED = 50
"""The longest list of names in an error; the largest built-in label scheme has 46 classes."""
_SHOWN = 60
"""Characters of a refused value that a sentence repeats."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The names of ``known`` nearest to the unknown ``name``, as a sentence.

    Args:
        name: what somebody wrote; its case does not count.
        known: every name that would have been right.

    Returns:
        ``Did you mean bus or truck?``; where no name is near ``Known: bus, car, truck.``; and an
        empty text where there are too many to list.

    Example:
        >>> did_you_mean("lables", ["labels", "model"])
        'Did you mean labels?'
    """
    spelled = {other.casefold(): other for other in known}
    # difflib's cutoff is 0.6: clases and classes have 0.92, clases and steps 0.55.
    near = difflib.get_close_matches(name.casefold(), spelled, n=3)
    if near:
        *others, last = (spelled[other] for other in near)
        return f"Did you mean {', '.join(others)} or {last}?" if others else f"Did you mean {last}?"
    return f"Known: {', '.join(spelled.values())}." if 0 < len(spelled) <= _LISTED else ""


def first_problem(error: ValidationError, schema: Any = None, *, skip: Container[str] = ()) -> str:
    """The first complaint of ``error`` as a sentence that begins with the key at fault.

    An unknown key comes first: that a required key is missing often follows from its misspelling.

    Args:
        error: what pydantic raised.
        schema: the type that was validated, a model, a dataclass or a union of them; with it an
            unknown key gets its nearest known ones.
        skip: parts of pydantic's locations that are no keys, such as the tags of a union.

    Returns:
        ``classes[3].colr: unknown key. Did you mean colour?``, ``steps: Input should be greater
        than 0 (found -1).``, or what a validator of our own says, ``size: a size is WxH, not 5.``
    """
    problems = error.errors()
    first = next((p for p in problems if p["type"] in _UNKNOWN_KEY), problems[0])
    location = [part for part in first["loc"] if part != "[key]" and part not in skip]
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    if first["type"] in _UNKNOWN_KEY:
        name = str(location[-1])
        return f"{place}: unknown key. {did_you_mean(name, _keys(schema, location[:-1]))}".rstrip()
    prefix = f"{place}: " if place else ""
    message = first["msg"].removesuffix(".")
    if first["type"] == "value_error":
        return f"{prefix}{message.removeprefix('Value error, ')}."
    value = first["input"]
    if not isinstance(value, str | int | float | None):
        return f"{prefix}{message}."
    # A text is cut before its representation is made: it may be as long as a file.
    shown = f"{value[:_SHOWN]}..." if isinstance(value, str) and len(value) > _SHOWN else value
    return f"{prefix}{message} (found {shown!r})."


def _keys(schema: Any, location: list[int | str]) -> list[str]:
    """The keys that what lies at ``location`` in a value of type ``schema`` may have."""
    kinds = _kinds(schema)
    for part in location:
        if isinstance(part, str):
            kinds = [inner for kind in kinds for inner in _kinds(_fields(kind).get(part))]
    return [key for kind in kinds for key in _fields(kind)]


def _kinds(annotation: Any) -> list[type]:
    """The models and dataclasses in an annotation, within unions, tuples and lists too."""
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    return [kind for inner in get_args(annotation) for kind in _kinds(inner)]


def _fields(kind: type) -> dict[str, Any]:
    """Names and annotations of a model's or a dataclass's fields; none of any other type."""
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    if dataclasses.is_dataclass(kind):
        return get_type_hints(kind)
    return {}
