"""Label schemes as data: which id and which colour means which class, and how a class finds its
plane in a model.

Classes meet by name, never by number. A class whose name the model does not know tries the names of
its ``alike`` list (the stand-ins that the data set's own training ids use, such as garage ->
building); if none is there it becomes the model's unlabeled plane and is reported, never guessed.
Synonyms (pedestrian = person) stand in ``synonyms.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from os import PathLike, fspath
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vidtrans.errors import InputError, UsageError
from vidtrans.frame import Bytes
from vidtrans.untrusted import UntrustedTextError, parse_json, parse_toml, read_text
from vidtrans.validation import did_you_mean, first_problem

Colour = tuple[int, int, int]

NO_PLANE = 255
"""The entry of ids without a plane in lookup tables: models have at most 255 planes, 0 to 254."""


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class of a scheme.

    Attributes:
        id: as files hold it, -1..65534; -1 is stored as 255 in 8 bits and 65535 in 16.
        name: its name.
        colour: RGB 0..255, None where the scheme gives none.
        alike: names of stand-ins to try, in order, in a model that does not have ``name``.
        has_instances: whether instance maps tell its instances apart.
    """

    id: int
    name: str
    colour: Colour | None = None
    alike: tuple[str, ...] = ()
    has_instances: bool = False


@dataclass(frozen=True)
class Scheme:
    """A label scheme.

    Attributes:
        name: as the setting ``labels`` takes it.
        title: for people.
        classes: its classes; a colour that several share is read as the first of them.
        channel: ``red`` where a simulator stores the id in the red channel of an RGB picture
            (CARLA), else None.
    """

    name: str
    title: str
    classes: tuple[LabelClass, ...]
    channel: str | None = None

    def __str__(self) -> str:
        return self.name

    def find(self, name: str) -> LabelClass:
        """The class of a name.

        Args:
            name: case, spaces, hyphens and underscores do not count; synonyms are known.

        Raises:
            UsageError: there is no such class; the nearest are offered.
        """
        found = self._by_name.get(canonical(name))
        if found is None:
            raise UsageError(
                f"scheme {self.name} has no class '{name}'.",
                hint=did_you_mean(name, [entry.name for entry in self.classes]),
            )
        return found

    def ids(self, *names: str) -> tuple[int, ...]:
        """The ids of the classes of these names, in their order.

        Args:
            names: class names, spelled as `find` allows.

        Raises:
            UsageError: the scheme has no class of one of the names; the nearest are offered.

        Example:
            >>> load_scheme("cityscapes").ids("road", "car", "pedestrian")
            (7, 26, 24)
        """
        return tuple(self.find(name).id for name in names)

    def name_of(self, identity: int) -> str | None:
        """The name of the class with this id, None where there is none.

        255 and 65535, as which files hold -1, stand for it where they are no ids of their own.
        """
        return self._by_id.get(identity)

    def colours(self) -> tuple[tuple[Colour, int], ...]:
        """Pairs of each colour and the id that it is read as."""
        seen: dict[Colour, int] = {}
        for entry in self.classes:
            if entry.colour is not None:
                seen.setdefault(entry.colour, entry.id)
        return tuple(seen.items())

    def to_model(self, model: Scheme | None = None, planes: int | None = None) -> PlaneMap:
        """How this scheme's ids become label planes of a model.

        Where both schemes are the same, planes without a class keep their number, and a class
        whose id is no plane has none, so that reading it is an error.

        Args:
            model: the scheme that the model was trained on. None: the model knows its planes by
                number only, and ids are planes.
            planes: the model's label_nc, 1..255. None: as many as ``model`` has ids.

        Raises:
            UsageError: ``planes`` is out of range.
        """
        target = model or self
        if planes is None:
            planes = 1 + max(entry.id for entry in target.classes if entry.id < NO_PLANE)
        if not 1 <= planes <= NO_PLANE:
            raise UsageError(
                f"a model with {planes} label planes is not supported; 1 to {NO_PLANE} are."
            )
        same = model is None or model == self
        unlabeled, void = _unlabeled_plane(target, planes)
        table = np.full(65536, NO_PLANE, np.uint8)
        if same:
            table[:planes] = np.arange(planes)
        reachable = {n: c for n, c in target._by_name.items() if 0 <= c.id < planes}
        partners: dict[str, str] = {}
        unmatched: list[str] = []
        for entry in self.classes:
            # Within one scheme only an id that is never a plane (-1) looks for another class.
            names = [
                canonical(name)
                for name in (entry.name, *(() if same and entry.id >= 0 else entry.alike))
            ]
            partner = next((reachable[name] for name in names if name in reachable), None)
            if partner is not None:
                partners[entry.name] = partner.name
                table[stored_ids(entry.id)] = partner.id
            elif same and entry.id >= 0 and names[0] != "unlabeled":
                # The model's own class, but the model has fewer planes: an error when it is met.
                continue
            else:
                if names[0] != "unlabeled" or not void:
                    unmatched.append(entry.name)
                table[stored_ids(entry.id)] = unlabeled
        return PlaneMap(planes, table, MappingProxyType(partners), tuple(unmatched), unlabeled)

    @cached_property
    def _by_name(self) -> Mapping[str, LabelClass]:
        return {canonical(entry.name): entry for entry in self.classes}

    @cached_property
    def _by_id(self) -> Mapping[int, str]:
        return {
            value: entry.name
            for entry in self.classes
            for value in (entry.id, *stored_ids(entry.id))
        }


@dataclass(frozen=True, eq=False)
class PlaneMap:
    """A mapping from a scheme's ids to a model's planes.

    Attributes:
        planes: the model's label_nc.
        table: uint8 [65536], stored id -> plane, `NO_PLANE` where there is none; the first 256
            entries serve ids of 8 bits.
        partners: class name -> the model's class name.
        unmatched: the names of classes without a partner, which are read as ``unlabeled``.
        unlabeled: the plane of pixels without a class.
    """

    planes: int
    table: Bytes
    partners: Mapping[str, str]
    unmatched: tuple[str, ...]
    unlabeled: int


def canonical(name: str) -> str:
    """The form of a class name that is compared.

    Example:
        >>> canonical("Traffic_Light"), canonical("pedestrian")
        ('trafficlight', 'person')
    """
    plain = re.sub(r"[\s_-]+", "", name).casefold()
    return _synonyms().get(plain, plain)


@lru_cache(maxsize=1)
def _synonyms() -> Mapping[str, str]:
    pairs = tomllib.loads(files("vidtrans.labels").joinpath("synonyms.toml").read_text("utf-8"))

    def squeeze(name: str) -> str:
        return re.sub(r"\s+", "", name)

    return {squeeze(word): squeeze(meaning) for word, meaning in pairs.items()}


def stored_ids(identity: int) -> list[int]:
    """The values as which files of 8 and of 16 bits hold an id: -1 wraps around."""
    return [255, 65535] if identity < 0 else [identity]


def _unlabeled_plane(model: Scheme, planes: int) -> tuple[int, bool]:
    """The plane of pixels without a class, and whether it is the plane of no other class: that of
    the class unlabeled, else the first without a class, else 0."""
    void = next((entry.id for entry in model.classes if canonical(entry.name) == "unlabeled"), None)
    if void is not None and 0 <= void < planes:
        return void, True
    spare = 1 + max((entry.id for entry in model.classes if entry.id < NO_PLANE), default=-1)
    return (spare, True) if spare < planes else (0, False)


# --- files ----------------------------------------------------------------------------------------


def _hex_colour(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            raise ValueError("a colour is [red, green, blue] or '#rrggbb'")
        return [int(value[at : at + 2], 16) for at in (1, 3, 5)]
    return value


_Byte = Annotated[int, Field(ge=0, le=255, strict=True)]


class _ClassEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    id: int = Field(ge=-1, le=65534, strict=True)
    name: str = Field(min_length=1)
    colour: Annotated[tuple[_Byte, _Byte, _Byte] | None, BeforeValidator(_hex_colour)] = None
    alike: tuple[str, ...] = ()
    instances: bool = False


class _SchemeFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str | None = None
    channel: Literal["red"] | None = None
    classes: tuple[_ClassEntry, ...] = Field(min_length=1)


@cache
def builtin_schemes() -> tuple[str, ...]:
    """The names of the schemes that come with vidtrans, sorted."""
    folder = files("vidtrans.labels").joinpath("schemes")
    return tuple(
        sorted(
            entry.name.removesuffix(".toml")
            for entry in folder.iterdir()
            if entry.name.endswith(".toml")
        )
    )


def load_scheme(name_or_path: str | PathLike[str]) -> Scheme:
    """A label scheme.

    Args:
        name_or_path: the name of a built-in scheme, or a palette file, ``.toml`` or ``.json``. The
            file has ``classes``, a list of ``id``, ``name`` and optional ``colour`` ([r, g, b] or
            "#rrggbb"), ``alike`` and ``instances``; and optional ``title`` and ``channel``. Its
            name without the suffix is the scheme's name.

    Raises:
        UsageError: there is no such scheme; the nearest are offered.
        InputError: the file is missing or wrong; the key at fault is named.
    """
    text = fspath(name_or_path)
    if text in builtin_schemes():
        return _builtin(text)
    path = Path(text)
    if path.suffix.casefold() not in (".toml", ".json"):
        raise UsageError(
            f"there is no label scheme '{text}'.",
            hint=did_you_mean(text, builtin_schemes()) + " A palette file ends in .toml or .json.",
        )
    try:
        content = read_text(path)
    except FileNotFoundError:
        raise InputError("this palette file does not exist.", where=path) from None
    except (OSError, UntrustedTextError) as error:
        raise InputError(f"this palette file cannot be read ({error}).", where=path) from None
    return _parse(path.stem, content, path)


@lru_cache(maxsize=32)
def _builtin(name: str) -> Scheme:
    path = files("vidtrans.labels").joinpath("schemes", f"{name}.toml")
    return _parse(name, path.read_text("utf-8"), Path(f"{name}.toml"))


def _parse(name: str, content: str, path: Path) -> Scheme:
    try:
        data = (parse_json if path.suffix.casefold() == ".json" else parse_toml)(content)
    except UntrustedTextError as error:
        raise InputError(
            f"this palette file is not valid {path.suffix[1:].upper()}: {error}.", where=path
        ) from None
    try:
        read = _SchemeFile.model_validate(data)
    except ValidationError as error:
        raise InputError(first_problem(error, _SchemeFile), where=path) from None
    ids: set[int] = set()
    names: set[str] = set()
    for place, entry in enumerate(read.classes):
        if entry.id in ids:
            raise InputError(
                f"classes[{place}].id: {entry.id} is taken by an earlier class.", where=path
            )
        if canonical(entry.name) in names:
            raise InputError(
                f"classes[{place}].name: '{entry.name}' is taken by an earlier class.", where=path
            )
        ids.add(entry.id)
        names.add(canonical(entry.name))
    classes = tuple(LabelClass(c.id, c.name, c.colour, c.alike, c.instances) for c in read.classes)
    return Scheme(name, read.title or name, classes, read.channel)
