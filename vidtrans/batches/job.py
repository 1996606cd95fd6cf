"""One sequence of a batch: what is converted, into what, with which options."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from vidtrans.errors import InputError, UsageError
from vidtrans.pipeline.options import setting_fields
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.validation import did_you_mean

FILE_OPTIONS = frozenset(
    {"labels", "instances", "model", "scene_cuts", "first_frame", "edits", "styles"}
)
"""Options whose value may be the path of a file or folder."""
OWN_OPTIONS = frozenset({"input", "output", "resume", "overwrite"})
"""Settings of ``convert`` that the batch itself gives to each job."""
REPEATED = frozenset(
    option.parameter
    for field in setting_fields(ConvertSettings)
    for option in field.setting.options
    if option.repeatable
)
"""Options that take several values."""
OPTIONS = frozenset(
    {
        *(
            option.parameter
            for field in setting_fields(ConvertSettings)
            for option in field.setting.options
        ),
        *ConvertSettings.names(),
    }
    - OWN_OPTIONS
    - {"render"}
)
"""The options and settings of ``convert`` that a job can have."""

DEFAULT_MODEL = str(ConvertSettings.model_fields["render"].default.model)


@dataclass(frozen=True, slots=True)
class Job:
    """A whole sequence to convert: the unit of work, since the generator is recurrent.

    Attributes:
        name: The output, relative to the batch's folder, with ``/`` between its parts and at the
            end of a folder's name. It identifies the job.
        input: What ``convert`` reads: an absolute path, a pattern or a URL.
        options: Options of ``convert`` as the text of a JSON object, by parameter name.
        weight: The input's size in bytes, 0 where unknown; heavier jobs begin first.
        stamp: Changes when the input does: its time of modification.
        line: The line of the manifest that asks for it; 0 where there is none.
    """

    name: str
    input: str
    options: str = "{}"
    weight: int = 0
    stamp: str = ""
    line: int = 0

    def settings(self, output: str, **more: Any) -> ConvertSettings:
        """What ``convert`` is to do.

        Args:
            output: Where the result goes.
            more: Settings that the batch gives: ``resume``, ``overwrite``.

        Raises:
            UsageError: An option's value is wrong.
            InputError: A file that an option names cannot be read.
        """
        return ConvertSettings.from_options(
            input=self.input, output=output, **json.loads(self.options), **more
        )

    @property
    def model(self) -> str:
        """The name or path of its model."""
        return _model_of(self.options)


@cache
def _model_of(options: str) -> str:
    return str(json.loads(options).get("model", DEFAULT_MODEL))


def absolute_options(values: Mapping[str, Any], base: str) -> dict[str, Any]:
    """Options that are given, with the paths of files made absolute.

    Args:
        values: Values by option name. None and empty ones are options that are not given.
        base: The folder that relative paths start from.
    """
    return {
        name: _absolute(value, base) if name in FILE_OPTIONS else value
        for name, value in values.items()
        if value is not None and value not in ("", [], ())
    }


def option_text(values: Mapping[str, Any], *, where: str) -> str:
    """Options as the text that a job holds, after their values were checked.

    Raises:
        UsageError: A value is wrong.
        InputError: A file that an option names cannot be read.
    """
    try:
        text = json.dumps(values, sort_keys=True, ensure_ascii=False)
        Job("-", "-", text).settings("-")
    except (UsageError, InputError) as error:
        if error.where is not None:
            raise
        raise type(error)(error.message, where=where, hint=error.hint) from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"holds a value that is no option's ({error}).", where=where) from error
    return text


def refuse_unknown(names: Iterable[str], known: Iterable[str], *, where: str) -> None:
    """Raises UsageError for the first of ``names`` that is not ``known``."""
    known = set(known)
    for name in names:
        if name not in known:
            raise UsageError(
                f"{name}: unknown column. {did_you_mean(name, sorted(known))}".rstrip(), where=where
            )


class Fingerprints:
    """Tells whether a job is still the one it was.

    Inputs and the files that options name count by name, size and time of modification, not by
    their place: a data set that was moved is the same. What they hold is not read here; ``convert``
    compares contents when it resumes a run. A model counts by its content, see ``Ledger``.
    """

    def __init__(self) -> None:
        self._of_options: dict[str, str] = {}  # many jobs share their options

    def of(self, job: Job) -> str:
        """16 hexadecimal digits that change with the job's input and options."""
        options = self._of_options.get(job.options)
        if options is None:
            options = self._of_options[job.options] = _stamped(json.loads(job.options))
        name = job.input.rstrip("/").rpartition("/")[2]
        text = f"{name}\n{job.weight}\n{job.stamp}\n{options}"
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _stamped(options: Mapping[str, Any]) -> str:
    shown = []
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        if name == "model":
            values = [os.path.basename(str(value))]
        elif name in FILE_OPTIONS:
            values = [_file_stamp(str(each)) for each in values]
        shown.append(f"{name}={values}")
    return "\n".join(shown)


def _file_stamp(place: str) -> str:
    """Name, size and time of a file or folder; of a pattern, the time of its folder."""
    name = os.path.basename(place.rstrip("/"))
    for path in (place, os.path.dirname(place)):
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            continue
        return f"{name} {found.st_size} {found.st_mtime_ns}"
    return name


def _absolute(value: Any, base: str) -> Any:
    if isinstance(value, list | tuple):
        return [_absolute(each, base) for each in value]
    if not isinstance(value, str | os.PathLike):
        return value
    text = os.fspath(value)
    if "://" in text or os.path.isabs(text):
        return text
    place = os.path.join(base, text)
    try:
        there = os.path.exists(place) or ("/" in text and os.path.isdir(os.path.dirname(place)))
    except ValueError:  # a zero byte, which the option itself refuses
        return text
    return os.path.abspath(place) if there else text
