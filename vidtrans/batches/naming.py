"""The outputs' names: they mirror the inputs' tree, lie in the batch's folder, and no two are the
same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Any

from vidtrans.batches.discovery import Found
from vidtrans.batches.job import DEFAULT_MODEL, Job
from vidtrans.batches.remote import is_url
from vidtrans.errors import UsageError
from vidtrans.validation import did_you_mean

RECORD = ".vidtrans-batch"
"""The folder in the batch's output that holds its record."""
_PLAIN = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.\w+", re.ASCII)
"""Names of films as most are: they have their normal form already, and need no closer look."""
FIELDS = ("path", "folder", "stem", "suffix", "model", "layer", "seed", "number")
"""What a template of names may hold."""


def output_name(
    found: Found, given: Mapping[str, Any], number: int, template: str | None = None
) -> str:
    """The output's name, relative to the batch's folder.

    Args:
        found: The sequence.
        given: Its options.
        number: Its number in the batch, from 1.
        template: A format string with ``FIELDS``; None for ``{path}.mp4`` for films and
            ``{path}/``, a folder of PNGs, for sequences of images.

    Raises:
        UsageError: The template has an unknown field, or its result is no path in the folder.
    """
    if template is None:
        name = f"{found.path}.mp4" if found.film else f"{found.path}/"
    else:
        place = PurePosixPath(found.path)
        values = {
            "path": found.path,
            "folder": str(place.parent),
            "stem": place.name,
            "suffix": found.suffix,
            "model": Path(str(given.get("model", DEFAULT_MODEL))).stem,
            "layer": str(given.get("layer", "final")),
            "seed": str(given.get("seed", "")),
            "number": str(number),
        }
        _check_template(template)
        name = template.format_map(values)
    return checked_name(name, where="the name" if template is None else template)


def _check_template(template: str) -> None:
    try:
        fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise UsageError(f"is no template ({error}).", where=template) from error
    for field in fields:
        if field not in FIELDS:
            raise UsageError(
                f"{{{field}}}: unknown field. {did_you_mean(field, FIELDS)}", where=template
            )


def checked_name(name: str, *, where: str) -> str:
    """An output's name in its normal form: ``a/./b`` is ``a/b``.

    Raises:
        UsageError: It lies outside the batch's folder, or where the record is.
    """
    if _PLAIN.fullmatch(name) and not name.startswith(f"{RECORD}/"):
        return name
    text = name.replace("\\", "/") if os.name == "nt" else name
    if is_url(text) or text.startswith("/") or os.path.isabs(text):
        raise UsageError(
            f"the output {name!r} is an absolute path, and outputs lie in the batch's folder.",
            where=where,
        )
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UsageError(f"the output {name!r} lies outside the batch's folder.", where=where)
    if not parts or parts[0] == RECORD:
        raise UsageError(f"the output {name!r} is no name of an output.", where=where)
    if "\0" in text or "\n" in text:
        raise UsageError(f"the output {name!r} holds a line break or a zero byte.", where=where)
    folder = text.endswith("/") or not os.path.splitext(parts[-1])[1]
    return "/".join(parts) + ("/" if folder else "")


def refuse_collisions(jobs: Iterable[Job]) -> None:
    """Raises UsageError where two jobs have one output; the sentence names both."""
    taken: dict[str, Job] = {}
    for job in jobs:
        key = os.path.normcase(job.name.rstrip("/"))
        other = taken.setdefault(key, job)
        if other is not job:
            raise UsageError(
                f"{_named(other)} and {_named(job)} have the same output, {job.name}.",
                hint="Give them other names: a template of names (such as"
                " {path}-{number}.mp4), or the column output of a manifest.",
            )


def _named(job: Job) -> str:
    return f"{job.input} (line {job.line})" if job.line else job.input


def refuse_links_out(out: str, jobs: Iterable[Job]) -> None:
    """Raises UsageError where an output lies outside ``out`` through a link."""
    if is_url(out):
        return
    top = os.path.realpath(out)
    outside: dict[str, frozenset[str] | None] = {}
    for job in jobs:
        folder, _, name = job.name.rstrip("/").rpartition("/")
        if folder not in outside:
            outside[folder] = _links_out(os.path.join(out, folder), top)
        links = outside[folder]
        if links is None or name in links:
            raise UsageError(
                f"the output {job.name} lies outside the batch's folder, through a link.",
                where=out,
            )


def _links_out(folder: str, top: str) -> frozenset[str] | None:
    """The links in a folder that lead out of ``top``; None where the folder itself does."""
    if not _lies_in(folder, top):
        return None
    try:
        with os.scandir(folder) as entries:
            return frozenset(
                entry.name
                for entry in entries
                if entry.is_symlink() and not _lies_in(entry.path, top)
            )
    except OSError:  # it is not there yet
        return frozenset()


def _lies_in(place: str, top: str) -> bool:
    real = os.path.realpath(place)
    return real == top or real.startswith(top.rstrip(os.sep) + os.sep)


def output_path(out: str, name: str) -> str:
    """The output of a job as ``convert`` takes it."""
    return f"{out.rstrip('/')}/{name}"
