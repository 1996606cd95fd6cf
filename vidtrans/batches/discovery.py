"""What a user names, as sequences: films, folders, data sets, patterns."""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from vidtrans.batches.remote import is_url, list_url
from vidtrans.errors import InputError
from vidtrans.media.naming import (
    IMAGE_SUFFIXES,
    NamedSequence,
    exists,
    is_image_name,
    is_pattern,
    named_sequences,
)

FILM_SUFFIXES = frozenset(
    {
        *(".mkv", ".mp4", ".m4v", ".mov", ".webm", ".avi", ".nut", ".y4m"),
        *(".ts", ".mts", ".mpg", ".mpeg", ".mxf", ".ogv", ".wmv", ".flv"),
    }
)
"""Files that are taken for films in a folder. A file that is named itself may have any suffix."""
_LABELS = "labelids"
_INSTANCES = "instanceids"
_NO_LABELS = ("leftimg8bit", "rightimg8bit", "disparity")
"""Kinds of image, in lower case, that Cityscapes has; photographs and depth are no labels."""

OnSkipped = Callable[[str], None]
Sizes = Callable[[str], tuple[int, str]]
"""The size in bytes and the time of modification of a file."""


@dataclass(frozen=True, slots=True)
class Found:
    """A sequence that was found.

    Attributes:
        path: Its place under the input that was named, without suffix, with ``/`` between parts:
            the outputs mirror it.
        source: What ``convert`` reads: an absolute path, a pattern or a URL.
        film: Whether it is a film, not a sequence of images.
        suffix: A film's suffix.
        weight: Bytes of the input, roughly; 0 where unknown.
        instances: The instance maps beside it.
        stamp: Its time of modification; of a sequence of images in a tree, their number and the
            time of the last one.
    """

    path: str
    source: str
    film: bool
    suffix: str = ""
    weight: int = 0
    instances: str | None = None
    stamp: str = ""


def find(source: str, *, outside: str | None = None, skipped: OnSkipped) -> tuple[Found, ...]:
    """The sequences that ``source`` names.

    Args:
        source: A film, a folder (of images, of films, of folders; Cityscapes' tree), a printf or
            glob pattern, or a URL that fsspec knows.
        outside: A folder that is not searched: the batch's output.
        skipped: Is told of what is left out, in a sentence.

    Raises:
        InputError: ``source`` is missing or holds nothing to convert.
    """
    found = tuple(_find(source, outside, skipped))
    if not found:
        raise InputError("holds no film and no sequence of images.", where=source)
    return found


def find_one(source: str) -> Found:
    """What ``source`` names as one sequence, as ``convert`` would read it.

    Raises:
        InputError: It is missing.
    """
    # Without pathlib: a manifest of 100,000 lines is read in seconds.
    folder, _, name = source.rstrip("/").rpartition("/")
    stem, suffix = os.path.splitext(name)
    if is_url(source):
        film = suffix.lower() in FILM_SUFFIXES
        return Found(stem if film else name, source, film, suffix)
    place = f"{_absolute(folder)}/{name}" if folder and name.strip(".") else _absolute(source)
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        if is_pattern(source):
            return Found(os.path.basename(folder) or "sequence", place, film=False)
        raise InputError("does not exist.", where=source) from None
    stamp = str(found.st_mtime_ns)
    if stat.S_ISDIR(found.st_mode):
        return Found(os.path.basename(place), place, film=False, stamp=stamp)
    if not stat.S_ISREG(found.st_mode):
        raise InputError("is a pipe or a device, not a file.", where=source)
    film = suffix.lower() not in IMAGE_SUFFIXES
    return Found(stem, place, film, suffix, found.st_size, stamp=stamp)


def _find(source: str, outside: str | None, skipped: OnSkipped) -> Iterator[Found]:
    path = Path(source)
    if is_url(source):
        listing, sizes, top = list_url(source)
        yield from _sorted_out(listing, top, sizes.__getitem__, skipped)
    elif exists(path) and path.is_dir():
        top = _absolute(source)
        yield from _sorted_out(_walk(top, outside), top, _size_and_time, skipped)
    elif glob.has_magic(source) and is_pattern(source):
        matches = [_absolute(name) for name in glob.glob(source, recursive=True)]
        if not matches:
            raise InputError("matches nothing.", where=source)
        listing = defaultdict[str, list[str]](list)
        for name in matches:
            if Path(name).is_dir():
                for folder, names in _walk(name, outside).items():
                    listing[folder] += names
            else:
                listing[str(Path(name).parent)].append(Path(name).name)
        unique = {folder: sorted(set(names)) for folder, names in listing.items()}
        yield from _sorted_out(unique, _fixed_part(source), _size_and_time, skipped)
    else:
        yield find_one(source)


def _walk(top: str, outside: str | None) -> dict[str, list[str]]:
    """The names of the files of every folder under ``top``. Links are followed, each folder is
    entered once, hidden ones are not."""
    listing: dict[str, list[str]] = {}
    entered: set[str] = set()
    for folder, folders, names in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered or (outside is not None and real == outside):
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        listing[folder] = names
    return listing


def _sorted_out(
    listing: Mapping[str, list[str]], top: str, sizes: Sizes, skipped: OnSkipped
) -> Iterator[Found]:
    """The sequences in folders, by the names of their files."""
    for folder in sorted(listing):
        inside = _relative(folder, top)
        films = [n for n in listing[folder] if PurePosixPath(n).suffix.lower() in FILM_SUFFIXES]
        for name in sorted(name for name in films if not name.startswith(".")):
            place = _joined(folder, name)
            stem = PurePosixPath(name)
            size, stamp = sizes(place)
            yield Found(_joined(inside, stem.stem), place, True, stem.suffix, size, stamp=stamp)
        images = [name for name in listing[folder] if is_image_name(Path(name))]
        if images:
            yield from _images(folder, inside, top, images, sizes, skipped)


def _images(
    folder: str, inside: str, top: str, names: Iterable[str], sizes: Sizes, skipped: OnSkipped
) -> Iterator[Found]:
    """The label sequences of one folder, each with the instance maps beside it."""
    sequences = named_sequences(folder, names)
    labels = [each for each in sequences if _LABELS in each.kind.lower()]
    maps = {each.name: each.source for each in sequences if _INSTANCES in each.kind.lower()}
    others = [each for each in sequences if each not in labels]
    if labels:
        left = sorted({each.kind for each in others if _INSTANCES not in each.kind.lower()})
        if left:
            skipped(f"{folder}: {', '.join(left)} are left out beside the labelIds.")
    else:
        labels = [each for each in sequences if not each.kind.lower().startswith(_NO_LABELS)]
        if not labels:
            skipped(f"{folder}: {sequences[0].kind} are no labels, and are left out.")
            return
        mixed = sorted({a.kind for a in labels for b in labels if _overlap(a, b)})
        if mixed:
            skipped(
                f"{folder}: holds several kinds of image ({', '.join(mixed)}) and is left out; name"
                f" one kind with a pattern, such as '{folder}/*{mixed[0]}.*'."
            )
            return
    alone = len(labels) == 1 and len(labels[0].files) > 1
    called = Counter(each.name for each in labels)
    for each in labels:
        if alone:
            path = inside or PurePosixPath(top.rstrip("/")).name
        else:
            name = each.name.strip("_-. ")
            both = f"{name}_{each.kind}".strip("_") if called[each.name] > 1 else name
            path = _joined(inside, both or each.kind or "sequence")
        size, stamp = sizes(each.files[-1])
        stamp = f"{len(each.files)} {stamp}"
        yield Found(
            path, each.source, False, "", len(each.files) * size, maps.get(each.name), stamp
        )


def _overlap(one: NamedSequence, other: NamedSequence) -> bool:
    """Whether two kinds of image show the same frames of a sequence."""
    return one.kind != other.kind and one.name == other.name and len(one.files) > 1


def _fixed_part(pattern: str) -> str:
    """The folder above the first part of a pattern that is no plain name."""
    plain = []
    for part in Path(_absolute(pattern)).parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    return str(Path(*plain))


def _relative(folder: str, top: str) -> str:
    """``folder`` under ``top``, with ``/`` between its parts; empty for ``top`` itself."""
    inside = "" if folder == top else os.path.relpath(folder, top)
    return inside.replace(os.sep, "/")


def _joined(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else name


def _size_and_time(path: str) -> tuple[int, str]:
    found = os.stat(path)
    return found.st_size, str(found.st_mtime_ns)


@lru_cache(maxsize=4096)  # many jobs have inputs in one folder
def _absolute_from(here: str, source: str) -> str:
    return os.path.normpath(os.path.join(here, source))


def _absolute(source: str) -> str:
    return _absolute_from("" if os.path.isabs(source) else os.getcwd(), source)
