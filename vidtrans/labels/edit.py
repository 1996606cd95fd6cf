"""Edits of a label film as values: relabel, delete, restyle, a given picture, a new history.

Each edit has a range of frames. Classes are named, not numbered, so that the same edits suit
another model; `vidtrans.labels.edit_plan.EditPlan` resolves them to a model's planes and applies
them, in their order. `vidtrans.labels.edit_text` reads them as a command line writes them.

Example:
    >>> trees = RelabelClass("vegetation", "building", start=100, end=250)
    >>> edits = EditList((trees, DeleteInstance(26001)))
    >>> EditList.from_json(edits.to_json()) == edits
    True
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from vidtrans.atomic_write import whole_file
from vidtrans.errors import InputError, UsageError
from vidtrans.untrusted import UntrustedTextError, json_text, parse_json, read_text
from vidtrans.validation import first_problem

VERSION = 1
"""Version of the format that `EditList.save` writes."""
_STRICT = ConfigDict(extra="forbid")


class _Ranged:
    """An edit of the frames ``start`` (inclusive) to ``end`` (exclusive, None: the last frame)."""

    __pydantic_config__ = _STRICT
    start: int
    end: int | None

    def __post_init__(self) -> None:
        _check_start(self.start)
        if self.end is not None and self.end <= self.start:
            raise UsageError(f"an edit from frame {self.start} to {self.end} holds no frame.")

    def active(self, index: int) -> bool:
        """Whether the edit changes frame ``index`` (0-based)."""
        return self.start <= index and (self.end is None or index < self.end)


class _AtFrame:
    """An edit of the one frame ``start``."""

    __pydantic_config__ = _STRICT
    start: int

    def __post_init__(self) -> None:
        _check_start(self.start)

    @property
    def end(self) -> int:
        """The frame after it, as the ranges of other edits have it."""
        return self.start + 1

    def active(self, index: int) -> bool:
        """Whether ``index`` (0-based) is the frame."""
        return index == self.start


@dataclass(frozen=True)
class RelabelClass(_Ranged):
    """The pixels of class ``source`` become class ``target``."""

    source: str
    target: str
    start: int = 0
    end: int | None = None
    kind: Literal["relabel-class"] = "relabel-class"


@dataclass(frozen=True)
class RelabelInstance(_Ranged):
    """The pixels of one ``instance`` (an id of the instance map) become class ``target``."""

    instance: int
    target: str
    start: int = 0
    end: int | None = None
    kind: Literal["relabel-instance"] = "relabel-instance"


@dataclass(frozen=True)
class DeleteInstance(_Ranged):
    """The pixels of one instance take label and instance of the nearest area around them."""

    instance: int
    start: int = 0
    end: int | None = None
    kind: Literal["delete-instance"] = "delete-instance"


@dataclass(frozen=True)
class StyleClass(_Ranged):
    """All pixels of class ``name`` are painted in the model's style number ``style``, from 0."""

    name: str
    style: int
    start: int = 0
    end: int | None = None
    kind: Literal["style-class"] = "style-class"


@dataclass(frozen=True)
class StyleInstance(_Ranged):
    """One instance is painted in the model's style number ``style``, from 0."""

    instance: int
    style: int
    start: int = 0
    end: int | None = None
    kind: Literal["style-instance"] = "style-instance"


@dataclass(frozen=True)
class FirstFrame(_AtFrame):
    """The history is reset at frame ``start``, and the picture file ``picture`` is that frame's
    output."""

    picture: str
    start: int = 0
    kind: Literal["first-frame"] = "first-frame"


@dataclass(frozen=True)
class ResetAt(_AtFrame):
    """The generator's history is reset before frame ``start``, as at a scene cut."""

    start: int
    kind: Literal["reset-at"] = "reset-at"


Edit = (
    RelabelClass
    | RelabelInstance
    | DeleteInstance
    | StyleClass
    | StyleInstance
    | FirstFrame
    | ResetAt
)
_READ: TypeAdapter[Edit] = TypeAdapter(Annotated[Edit, Field(discriminator="kind")])


@dataclass(frozen=True)
class EditList:
    """All edits of a film, in the order in which they apply."""

    edits: tuple[Edit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.edits)

    @property
    def about_instances(self) -> bool:
        """Whether some edit needs instance maps."""
        return any(
            isinstance(edit, RelabelInstance | DeleteInstance | StyleInstance)
            for edit in self.edits
        )

    def added(self, edit: Edit) -> EditList:
        """With ``edit`` as the last."""
        return EditList((*self.edits, edit))

    def removed(self, place: int) -> EditList:
        """Without the edit at ``place`` (0-based)."""
        return EditList(self.edits[:place] + self.edits[place + 1 :])

    def replaced(self, place: int, edit: Edit) -> EditList:
        """With ``edit`` at ``place``."""
        return EditList((*self.edits[:place], edit, *self.edits[place + 1 :]))

    def to_json(self, relative_to: str | PathLike[str] | None = None) -> list[dict[str, Any]]:
        """The edits as plain data.

        Args:
            relative_to: a folder; paths of pictures become relative to it. None leaves them.

        Returns:
            One table for each edit, its ``kind`` first, without an ``end`` that is None.
        """
        entries = []
        for edit in self.edits:
            # The kind first, and no end that is None: people read this.
            entry = {"kind": edit.kind} | {
                k: v
                for k, v in asdict(edit).items()
                if k not in ("kind", "end") or (k == "end" and v)
            }
            if isinstance(edit, FirstFrame) and relative_to is not None:
                entry["picture"] = relative_path(edit.picture, relative_to)
            entries.append(entry)
        return entries

    @classmethod
    def from_json(
        cls, data: Any, *, source: str = "edits", relative_to: str | PathLike[str] | None = None
    ) -> EditList:
        """The inverse of `to_json`.

        Args:
            data: a list of tables, as JSON gives them.
            source: what the errors name as their place.
            relative_to: the folder that paths of pictures are relative to. None leaves them.

        Raises:
            InputError: ``data`` is no list of edits; the first wrong entry and key are named.
        """
        if not isinstance(data, list):
            raise InputError("the edits are not a list.", where=source)
        edits: list[Edit] = []
        for place, entry in enumerate(data):
            try:
                edit = _READ.validate_python(entry)
            except ValidationError as error:
                kind = str(entry.get("kind")) if isinstance(entry, dict) else ""
                problem = first_problem(error, _KINDS.get(kind), skip=_KINDS)
                raise InputError(f"edit {place + 1}, {problem}", where=source) from error
            if isinstance(edit, FirstFrame) and relative_to is not None:
                edit = replace(edit, picture=absolute_path(edit.picture, relative_to))
            edits.append(edit)
        return cls(tuple(edits))

    def save(self, path: str | PathLike[str]) -> None:
        """Write ``{"version": 1, "edits": [...]}``, whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        content = {"version": VERSION, "edits": self.to_json(Path(path).absolute().parent)}
        with whole_file(path, what="the file of edits") as draft:
            draft.write_text(json_text(content), encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> EditList:
        """Read what `save` wrote, or the edits of an editor's project.

        Raises:
            InputError: the file cannot be read, holds no edits, or is of a newer version.
        """
        try:
            data = parse_json(read_text(path))
        except OSError as error:
            raise InputError(
                f"the edits cannot be read: {error.strerror or error}.", where=path
            ) from error
        except UntrustedTextError as error:
            raise InputError(f"is not a file of edits ({error}).", where=path) from error
        if isinstance(data, dict):
            if isinstance(version := data.get("version"), int) and version > VERSION:
                raise InputError(
                    f"was written by a newer vidtrans (version {version} of the format, this one"
                    f" reads up to {VERSION}).",
                    where=path,
                )
            data = data.get("edits")
        return cls.from_json(data, source=os.fspath(path), relative_to=Path(path).absolute().parent)


def relative_path(path: str | PathLike[str], folder: str | PathLike[str]) -> str:
    """``path`` relative to ``folder``, with forward slashes; absolute from another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return Path(path).as_posix()


def absolute_path(path: str | PathLike[str], folder: str | PathLike[str]) -> str:
    """The inverse of `relative_path`. Symbolic links are not resolved."""
    return os.path.normpath(Path(folder).absolute() / path)


def _check_start(start: int) -> None:
    if start < 0:
        raise UsageError(f"an edit cannot start at frame {start}; the first frame is 0.")


_KINDS: dict[str, type] = {
    str(kind.__dataclass_fields__["kind"].default): kind
    for kind in (
        RelabelClass,
        RelabelInstance,
        DeleteInstance,
        StyleClass,
        StyleInstance,
        FirstFrame,
        ResetAt,
    )
}
