"""The editor's project and its JSON file. Does not depend on Qt."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from vidtrans.atomic_write import whole_file
from vidtrans.errors import InputError, OutputError, UsageError
from vidtrans.labels.edit import EditList, FirstFrame, absolute_path, relative_path
from vidtrans.media.naming import is_pattern
from vidtrans.pipeline.options import reopening_fields
from vidtrans.pipeline.settings import ConvertSettings, WithRender, format_size
from vidtrans.preview import PreviewScale
from vidtrans.untrusted import UntrustedTextError, json_text, parse_json, read_text
from vidtrans.validation import did_you_mean, first_problem

SUFFIX = ".vidtrans"
VERSION = 1
_PALETTE = re.compile(r"(?P<path>.*\.(?:toml|json))(?P<encoding>:[a-z-]+)?", re.IGNORECASE)


class View(BaseModel):
    """What the window showed; nothing here changes a picture.

    Attributes:
        playhead: The current frame.
        in_point: The first frame of the range; None for the film's first.
        out_point: The last frame of the range; None for the film's last.
        loop: Whether playing loops.
        layer: The layer that is shown.
        compare: ``off``, ``wipe``, ``side`` or ``blink``.
        wipe: Where the wipe divides the picture, 0 to 1.
        zoom: Device pixels for one picture pixel; None fits the window.
        preview: The size of the preview's pictures: ``auto``, ``full``, ``half`` or ``quarter``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    playhead: int = 0
    in_point: int | None = None
    out_point: int | None = None
    loop: bool = False
    layer: str = "final"
    compare: str = "off"
    wipe: float = 0.5
    zoom: float | None = None
    preview: PreviewScale = "auto"


class Project(WithRender):
    """A film with its render settings, edits and view.

    A project is immutable: ``project.model_copy(update=...)`` makes a changed one. Paths are
    absolute in memory and relative to the project's folder in the file.

    Attributes:
        input: The label film or folder; None in an empty project.
        view: What the window showed.
    """

    input: str | None = None
    view: View = View()

    def settings(self, output: str = "unused.mkv", **values: object) -> ConvertSettings:
        """The settings for ``convert`` or the preview.

        Args:
            output: The output; the preview writes none.
            **values: Settings of an export, such as the encoder.

        Raises:
            UsageError: There is no input, or a value is not valid.
        """
        if self.input is None:
            raise UsageError(
                "the project has no film yet.",
                hint="Open a label video or a folder of label pictures.",
            )
        own = {"input": self.input, "output": output}
        return ConvertSettings.read(**own | dict(self.render) | values)


REOPENING = ("input", *reopening_fields(Project))
"""Settings whose change reopens the film in the preview. Edits do not: ``PreviewEngine.edit`` takes
them."""


@dataclass(frozen=True)
class Missing:
    """A file that the project names and that does not exist.

    Attributes:
        field: ``input``, ``instances``, ``model``, ``labels``, ``first_frame`` or ``edits``.
        path: The missing file.
        index: Its index where the field names several files.
    """

    field: str
    path: Path
    index: int = 0


@dataclass(frozen=True)
class Loaded:
    """A project that was read from a file.

    Attributes:
        project: The project.
        path: Its file.
        missing: Files that it names and that do not exist.
        ignored: A sentence for each unknown key.
        digest: Of what the file held when it was read, see ``file_digest``.
    """

    project: Project
    path: Path
    missing: tuple[Missing, ...] = ()
    ignored: tuple[str, ...] = ()
    digest: str | None = None


class ChangedOnDiskError(OutputError):
    """The project's file is not what this window read or wrote last."""


# -- the file --------------------------------------------------------------------------------------


ANY = "any"
"""A digest that every file has, see ``save_project``."""


def save_project(project: Project, path: str | Path, *, expected: str | None = ANY) -> Path:
    """Write a project's file, completely or not at all.

    Args:
        project: The project.
        path: Its file.
        expected: The digest of what the file holds; ``ANY`` replaces it whatever it holds. A file
            that is gone is written again.

    Returns:
        The absolute path.

    Raises:
        ChangedOnDiskError: The file holds something else.
        OutputError: The file cannot be written; an existing one is unchanged.
    """
    target = Path(path).absolute()
    if expected != ANY and file_digest(target) not in (None, expected):
        raise ChangedOnDiskError("was changed by another window or program.", where=target)
    with whole_file(target, what="the project") as draft:
        draft.write_text(as_text(to_data(project, target.parent)), encoding="utf-8")
    return target


def file_digest(path: Path) -> str | None:
    """Digest of a file's content; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError:
        return None


def load_project(path: str | Path) -> Loaded:
    """Read a project's file.

    Raises:
        InputError: The file does not exist, is no project, is damaged, or was saved by a newer
            version.
    """
    file = Path(path).absolute()
    digest = file_digest(file)  # before reading: a change in between is found when saving
    data = read_json(file, "this project")
    if not isinstance(data, dict) or not isinstance(data.get("version"), int):
        raise InputError("is not a project of vidtrans.", where=file)
    if data["version"] > VERSION:
        raise InputError(
            f"was saved by a newer vidtrans (version {data['version']} of the format; this one"
            f" reads up to {VERSION}).",
            where=file,
            hint="Open it with that vidtrans, or update this one. The file was left as it is.",
        )
    ignored: list[str] = []
    project = from_data(unversioned(data), file.parent, str(file), ignored)
    return Loaded(project, file, missing_media(project), tuple(ignored), digest)


def unversioned(data: dict[str, Any]) -> dict[str, Any]:
    """A project's data without the version of the format."""
    return {key: value for key, value in data.items() if key != "version"}


def as_text(data: dict[str, Any]) -> str:
    """Indented JSON."""
    return json_text(data)


def to_data(project: Project, folder: Path) -> dict[str, Any]:
    """A project as data for JSON, without default values, with paths relative to ``folder``."""
    data = project.model_dump(mode="json", exclude_defaults=True, exclude={"render"})
    data |= project.render.model_dump(
        mode="json", exclude_defaults=True, exclude={"edits", "size_hw", "rate"}
    )
    for field, _, text in _paths(project):
        if field not in ("edits", "first_frame"):
            data[field] = _with_path(
                field, text, _as_path(relative_path(_path_in(field, text), folder))
            )
    render = project.render
    if render.first_frame:
        data["first_frame"] = [relative_path(picture, folder) for picture in render.first_frame]
    if render.size_hw is not None:
        data["size"] = format_size(render.size_hw)
    if render.rate is not None:
        data["rate"] = str(render.rate)
    view = data.pop("view", None)
    if render.edits:
        data["edits"] = render.edits.to_json(folder)
    return {"version": VERSION} | data | ({"view": view} if view else {})


def from_data(data: dict[str, Any], folder: Path, source: str, ignored: list[str]) -> Project:
    """The inverse of ``to_data``.

    Args:
        data: The data, without the version.
        folder: The folder to which paths are relative.
        source: The file's name, for errors.
        ignored: Takes a sentence for each unknown key.

    Raises:
        InputError: A value is not valid; the error names the key and ``source``.
    """
    values = dict(data)
    if "size" in values:
        values["size_hw"] = values.pop("size")
    edits = EditList.from_json(values.pop("edits", []), source=source, relative_to=folder)
    view = values.pop("view", {})
    known = [name for name in Project.names() if name != "render"]
    _leave_out_unknown(values, [*known, "size"], ignored)
    if isinstance(view, dict):
        _leave_out_unknown(view, list(View.model_fields), ignored, inside="view.")
    try:
        project = Project.model_validate(values | {"view": view, "edits": edits})
    except ValidationError as error:
        raise InputError(first_problem(error, Project, skip=("render",)), where=source) from error
    update: dict[str, Any] = {
        field: _with_path(field, text, absolute_path(_path_in(field, text), folder))
        for field, _, text in _paths(project)
        if field not in ("edits", "first_frame")
    }
    pictures = project.render.first_frame
    update["first_frame"] = tuple(absolute_path(picture, folder) for picture in pictures)
    return project.model_copy(update=update)


def _leave_out_unknown(
    values: dict[str, Any], known: list[str], ignored: list[str], inside: str = ""
) -> None:
    for key in [key for key in values if key not in known]:
        del values[key]
        ignored.append(
            f"The project's {inside}{key} is unknown and was left out. {did_you_mean(key, known)}"
        )


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file; ``what`` names it in errors.

    Raises:
        InputError: The file cannot be read or holds no JSON.
    """
    try:
        return parse_json(read_text(path))
    except FileNotFoundError:
        raise InputError(f"{what} does not exist.", where=path) from None
    except OSError as error:
        raise InputError(
            f"{what} cannot be read: {error.strerror or error}.", where=path
        ) from error
    except UntrustedTextError as error:
        raise InputError(
            f"{what} is damaged, or no project at all ({error}).", where=path
        ) from error


# -- the files that a project names ----------------------------------------------------------------


def missing_media(project: Project) -> tuple[Missing, ...]:
    """The files that a project names and that do not exist."""
    found = []
    for field, index, text in _paths(project):
        path = _path_in(field, text)
        # Of a pattern only the folder is checked; the reader checks which files it matches.
        looked_for = Path(path).parent if is_pattern(path) else Path(path)
        if not looked_for.exists():
            found.append(Missing(field, Path(path), index))
    return tuple(found)


def relink(project: Project, missing: Missing, found: str | Path) -> Project:
    """Replace the path of a missing file, and of others that moved along with it.

    Args:
        project: The project.
        missing: One of its missing files.
        found: That file's new path.

    Returns:
        The project with new paths for it and for every other missing file that exists at the same
        position relative to it, or in its folder.
    """
    new = Path(found).absolute()
    project, old_root, new_root = _replaced(project, missing, new), missing.path.parent, new.parent
    while (
        old_root.name and old_root.name == new_root.name
    ):  # /a/film/x.mkv now in /b/film: it is /a that moved to /b
        old_root, new_root = old_root.parent, new_root.parent
    for other in missing_media(project):
        candidates = [new.parent / other.path.name]
        with suppress(ValueError):
            candidates.insert(0, new_root / other.path.relative_to(old_root))
        there = next(
            (
                path
                for path in candidates
                if (path.parent if is_pattern(str(path)) else path).exists()
            ),
            None,
        )
        if there is not None:
            project = _replaced(project, other, there)
    return project


def _paths(project: Project) -> Iterator[tuple[str, int, str]]:
    """(field, index, text) of every file that a project names."""
    for field in ("input", "instances"):
        text = project.input if field == "input" else project.render.instances
        if text is not None and "://" not in text:
            yield field, 0, text
    if _is_model_path(project.render.model):
        yield "model", 0, project.render.model
    if _PALETTE.fullmatch(project.render.labels):
        yield "labels", 0, project.render.labels
    for index, picture in enumerate(project.render.first_frame):
        yield "first_frame", index, picture
    for index, edit in enumerate(project.render.edits.edits):
        if isinstance(edit, FirstFrame):
            yield "edits", index, edit.picture


def _is_model_path(model: str) -> bool:
    """Whether ``model`` is a path, which has the suffix or a slash, and not a model's name."""
    return model.endswith(".safetensors") or any(sign in model for sign in ("/", os.sep))


def _as_path(text: str) -> str:
    """``text`` with a slash, so that it is not a model's name."""
    return text if "/" in text else f"./{text}"


def _path_in(field: str, text: str) -> str:
    found = _PALETTE.fullmatch(text) if field == "labels" else None
    return found["path"] if found else text


def _with_path(field: str, text: str, path: str) -> str:
    found = _PALETTE.fullmatch(text) if field == "labels" else None
    return path + (found["encoding"] or "") if found else path


def _replaced(project: Project, missing: Missing, path: Path) -> Project:
    field, text = missing.field, str(path)
    if field == "edits":
        edit = project.render.edits.edits[missing.index]
        assert isinstance(edit, FirstFrame)
        value: Any = project.render.edits.replaced(missing.index, replace(edit, picture=text))
    elif field == "first_frame":
        pictures = project.render.first_frame
        value = tuple(text if at == missing.index else old for at, old in enumerate(pictures))
    else:
        value = _with_path(field, project.flat()[field], text)
    return project.model_copy(update={field: value})
