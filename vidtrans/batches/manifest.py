"""Manifests: CSV or JSON lines, a job each, with any option of ``convert``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidtrans.batches.job import OPTIONS, OWN_OPTIONS, REPEATED, refuse_unknown
from vidtrans.errors import InputError
from vidtrans.pipeline.options import spelled_options
from vidtrans.pipeline.settings import ConvertSettings

SUFFIXES = frozenset({".csv", ".tsv", ".jsonl"})
COLUMNS = ("input", "output")
"""The columns that are no options of ``convert``."""
_LINE_BYTES = 1 << 20
"""The longest line: 1 MiB, far more than a list of edits takes, so that a file that is no manifest
is refused before it fills the memory."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a manifest.

    Attributes:
        line: Its number, from 1.
        values: What it gives, by column.
    """

    line: int
    values: Mapping[str, Any]


def is_manifest(source: str) -> bool:
    """Whether the suffix is that of a manifest."""
    return Path(source).suffix.lower() in SUFFIXES


def read_manifest(path: str | Path) -> tuple[Row, ...]:
    """The rows of a manifest.

    Args:
        path: A CSV file (``.csv``, tabs in ``.tsv``) whose first line names the columns, or JSON
            lines (``.jsonl``), an object each. In CSV several values of one option are divided by
            ``;``.

    Raises:
        InputError: The file cannot be read, is empty, or a line of it makes no sense.
        UsageError: A column is unknown; the sentence names the nearest known one.
    """
    place = Path(path)
    try:
        with place.open(encoding="utf-8-sig", newline="") as file:
            lines = _bounded(file, place)
            if place.suffix.lower() == ".jsonl":
                rows = tuple(_json_rows(lines, place))
            else:
                dialect = "excel-tab" if place.suffix.lower() == ".tsv" else "excel"
                rows = tuple(_csv_rows(lines, place, dialect))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError("is no UTF-8 text.", where=path) from error
    if not rows:
        raise InputError("holds no job.", where=path, hint="A manifest has a line for each.")
    return rows


def _bounded(file: Any, place: Path) -> Iterator[str]:
    number = 0
    while line := file.readline(_LINE_BYTES + 1):
        number += 1
        if len(line) > _LINE_BYTES:
            raise InputError(f"line {number} is longer than 1 MiB.", where=place)
        yield line


def _csv_rows(lines: Iterator[str], place: Path, dialect: str) -> Iterator[Row]:
    reader = csv.reader(lines, dialect=dialect, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        check_columns(names, str(place))
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InputError(f"has the column {twice[0]} twice.", where=place)
        lists = REPEATED.intersection(names)
        for cells in reader:
            if len(cells) > len(names):
                raise InputError(
                    f"line {reader.line_num} has more values than there are columns.", where=place
                )
            values: dict[str, Any] = {
                name: text for name, text in zip(names, cells, strict=False) if text
            }
            for name in lists.intersection(values):
                values[name] = [each for part in values[name].split(";") if (each := part.strip())]
            if values:
                yield Row(reader.line_num, values)
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: {error}.", where=place) from error


def _json_rows(lines: Iterator[str], place: Path) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number} is no JSON ({error}).", where=place) from error
        if not isinstance(values, dict):
            raise InputError(f"line {number} is no JSON object.", where=place)
        check_columns(values, f"{place}, line {number}")
        yield Row(number, values)


def row_of(settings: ConvertSettings, *, output: str | None = None) -> dict[str, Any]:
    """The row that asks for what ``settings`` ask for, as values of JSON.

    Args:
        settings: Those of ``convert``. What a batch decides itself, ``resume`` and ``overwrite``,
            is left out.
        output: The output's name in the batch; None for that of ``settings``.
    """
    row: dict[str, Any] = {"input": settings.input, "output": output or settings.output}
    for field, spelled in spelled_options(settings):
        if field.name in OWN_OPTIONS:
            continue
        options = {option.name: option for option in field.setting.options}
        for name, text in spelled:
            column = options[name].parameter
            if options[name].repeatable:
                row.setdefault(column, []).append(text)
            else:
                row[column] = True if text is None else text
    return row


def manifest_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as JSON lines, which ``read_manifest`` reads."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def check_columns(names: Any, where: str) -> None:
    """Refuse unknown columns, and a row without an input.

    Raises:
        UsageError: A column is unknown; the sentence names the nearest known one.
        InputError: There is no column ``input``.
    """
    refuse_unknown(names, (*COLUMNS, *OPTIONS), where=where)
    if names and "input" not in names:
        raise InputError("has no column input.", where=where)
