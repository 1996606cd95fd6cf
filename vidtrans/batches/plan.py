"""From what a user names to the jobs of a batch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vidtrans.batches.discovery import Found, find, find_one
from vidtrans.batches.job import Job, absolute_options, option_text
from vidtrans.batches.manifest import Row, check_columns, is_manifest, read_manifest
from vidtrans.batches.naming import (
    checked_name,
    output_name,
    refuse_collisions,
    refuse_links_out,
)
from vidtrans.batches.remote import is_url
from vidtrans.errors import InputError, UsageError
from vidtrans.garbage import no_collection
from vidtrans.media.naming import is_pattern

COMMAND = "the command"


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs of a batch.

    Attributes:
        jobs: Every one has an output of its own.
        missing: Inputs that are not there, a sentence each.
        unrecorded: How many of these have no job: the command names them, and no manifest does.
        notes: What was left out, a sentence each.
    """

    jobs: tuple[Job, ...]
    missing: tuple[str, ...] = ()
    unrecorded: int = 0
    notes: tuple[str, ...] = ()


def plan_batch(
    inputs: Sequence[str | Mapping[str, Any]],
    out: str,
    *,
    options: Mapping[str, Any] | None = None,
    template: str | None = None,
    strict: bool = False,
) -> Plan:
    """Find the sequences and name their outputs. Nothing is written.

    Args:
        inputs: Films, folders, patterns, URLs, manifests, or rows of a manifest as mappings.
        out: The folder of the outputs, or its URL.
        options: Options of ``convert`` for all jobs; a row's own go before.
        template: A template of the outputs' names, see ``output_name``.
        strict: Refuse the batch where an input is missing.

    Raises:
        UsageError: An option or a name is wrong, two jobs have one output, or an output lies
            outside ``out``.
        InputError: An input is missing and ``strict``, all are, or a manifest cannot be read.
    """
    # The collector would look through the rows of a long manifest again and again: a quarter of
    # the time that 100,000 take.
    with no_collection():
        return _plan(inputs, out, options=options, template=template, strict=strict)


def _plan(
    inputs: Sequence[str | Mapping[str, Any]],
    out: str,
    *,
    options: Mapping[str, Any] | None,
    template: str | None,
    strict: bool,
) -> Plan:
    here = os.getcwd()
    collected = _Collected(absolute_options(options or {}, here), template)
    real_out = None if is_url(out) else os.path.realpath(out)
    for position, source in enumerate(inputs, 1):
        if isinstance(source, Mapping):
            check_columns(source, f"job {position}")
            collected.row(Row(position, source), here, "the jobs given")
        elif is_manifest(source) and not is_url(source):
            folder = os.path.dirname(os.path.abspath(source))
            for row in read_manifest(source):
                collected.row(row, folder, source)
        else:
            try:
                for found in find(source, outside=real_out, skipped=collected.notes.append):
                    collected.add(found)
            except InputError as error:
                collected.missing.append(str(error))
                collected.unrecorded += 1
    if collected.missing and (strict or not collected.jobs):
        more = len(collected.missing) - 1
        raise InputError(collected.missing[0] + (f" ({more} more like it.)" if more else ""))
    refuse_collisions(collected.jobs)
    refuse_links_out(out, collected.jobs)
    return Plan(
        tuple(collected.jobs),
        tuple(collected.missing),
        collected.unrecorded,
        tuple(collected.notes),
    )


class _Collected:
    """The jobs found so far.

    Args:
        common: Options for all jobs.
        template: Of the outputs' names.

    Raises:
        UsageError: An option's value is wrong.
    """

    def __init__(self, common: Mapping[str, Any], template: str | None) -> None:
        self.jobs: list[Job] = []
        self.missing: list[str] = []
        self.notes: list[str] = []
        self.unrecorded = 0
        self._common = common
        self._template = template
        self._common_text = option_text(common, where=COMMAND)
        self._checked: dict[str, tuple[dict[str, Any], str]] = {}

    def add(self, found: Found) -> None:
        """A sequence that was found."""
        options, text = self._common, self._common_text
        if found.instances is not None and "instances" not in options:
            options = {**options, "instances": found.instances}
            text = json.dumps(options, sort_keys=True, ensure_ascii=False)
        name = output_name(found, options, len(self.jobs) + 1, self._template)
        self.jobs.append(Job(name, found.source, text, found.weight, found.stamp))

    def row(self, row: Row, folder: str, where: str) -> None:
        """A row of a manifest whose relative paths start from ``folder``."""
        place = f"{where}, line {row.line}"
        values = dict(row.values)
        source, output = values.pop("input", None), values.pop("output", None)
        if not isinstance(source, str | os.PathLike) or not os.fspath(source):
            raise InputError("gives no input.", where=place)
        source = os.fspath(source)
        if "\0" in source:
            raise InputError("the input's name holds a zero byte.", where=place)
        options, text = self._options(values, folder, place)
        given = source if is_url(source) else os.path.join(folder, source)
        try:
            found = find_one(given)
        except InputError as error:
            self.missing.append(f"{place}: {error}")
            stem, suffix = os.path.splitext(source)
            # A job of its own: the record names it, and it is done once the input is there.
            found = Found(os.path.basename(stem), os.path.abspath(given), bool(suffix), suffix)
        if output is not None:
            if not isinstance(output, str):
                raise UsageError("the output is no path.", where=place)
            name = checked_name(output, where=place)
        else:
            if not (os.path.isabs(source) or is_url(source) or ".." in source.split("/")):
                mirrored = os.path.splitext(source)[0] if found.film else source
                if not is_pattern(given):
                    found = replace(found, path=mirrored.strip("/"))
            name = output_name(found, options, len(self.jobs) + 1, self._template)
        self.jobs.append(Job(name, found.source, text, found.weight, found.stamp, row.line))

    def _options(
        self, values: Mapping[str, Any], folder: str, place: str
    ) -> tuple[Mapping[str, Any], str]:
        """The options of a row, and their text; equal ones are checked once."""
        if not values:
            return self._common, self._common_text
        key = repr(values)
        if key not in self._checked:
            options = {**self._common, **absolute_options(values, folder)}
            self._checked[key] = options, option_text(options, where=place)
        return self._checked[key]
