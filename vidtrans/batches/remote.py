"""Inputs and outputs that are no local files: URLs that fsspec knows (``s3://``, ``gs://``,
``memory://``), copied to a local folder for a job and back."""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from vidtrans.errors import InputError, OutputError, UsageError, VidtransError
from vidtrans.media.writer import is_folder_target

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_VERSIONS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "created")
"""What file systems of fsspec tell of a file that changes with its content."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""At least two letters: ``C:/`` is a drive of Windows."""


def is_url(place: str) -> bool:
    """Whether ``place`` is a URL and not a path."""
    return bool(_URL.match(place))


def open_url(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL, and the path in it.

    Raises:
        UsageError: Nothing is installed that knows the URL's protocol.
    """
    import fsspec

    try:
        found: tuple[AbstractFileSystem, str] = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"cannot be opened: {str(error).rstrip('.')}.",
            where=url,
            hint="fsspec's packages know protocols: s3fs knows s3://, gcsfs gs://.",
        ) from error
    return found


def list_url(url: str) -> tuple[dict[str, list[str]], dict[str, tuple[int, str]], str]:
    """The files under a URL, which may be a glob pattern.

    Returns:
        The names of the files by their folder's URL, size in bytes and version by the
        file's URL, and the
        URL of the folder that was named.

    Raises:
        InputError: There is nothing, or it cannot be read.
    """
    system, path = open_url(url)
    with _errors(url):
        if glob.has_magic(path):
            entries = system.glob(path, detail=True)
            top = path[: re.search(r"[^/]*[*?\[]", path).start()]  # type: ignore[union-attr]
        else:
            entries = system.find(path, detail=True)
            top = path if path not in entries else path.rpartition("/")[0]
    listing: dict[str, list[str]] = defaultdict(list)
    sizes: dict[str, tuple[int, str]] = {}
    for place, entry in sorted(entries.items()):
        if entry["type"] == "file":
            full = system.unstrip_protocol(place)
            folder, _, name = full.rpartition("/")
            listing[folder].append(name)
            version = next((entry[key] for key in _VERSIONS if entry.get(key)), "")
            sizes[full] = int(entry.get("size") or 0), str(version)
    if not listing:
        raise InputError("does not exist.", where=url)
    return dict(listing), sizes, system.unstrip_protocol(top.rstrip("/"))


def exists_at(place: str) -> bool:
    """Whether a path or a URL is there. Raises InputError where its place cannot be reached."""
    if not is_url(place):
        return os.path.lexists(place)
    system, path = open_url(place)
    with _errors(place):
        return bool(system.exists(path.rstrip("/")))


@contextmanager
def downloaded(source: str, scratch: Path) -> Iterator[str]:
    """An input as a local one: a URL is copied into ``scratch`` first.

    A copy of the same size that an interrupted job left is used again.

    Raises:
        InputError: The URL cannot be read.
    """
    if not is_url(source):
        yield source
        return
    system, path = open_url(source)
    name = PurePosixPath(path.rstrip("/")).name
    local = scratch / name
    with _errors(source):
        scratch.mkdir(parents=True, exist_ok=True)
        if "%" in name:  # a printf pattern of some images in a folder
            local = scratch / "images"
            folder = path.rpartition("/")[0]
            shape = re.sub(r"%0?(\d*)d", r"[0-9]*", name).replace("%%", "%")
            _copy(system, system.glob(f"{folder}/{shape}", detail=True), folder, local)
            yield f"{local}/{name}"
            return
        if system.isdir(path):
            entries = system.ls(path.rstrip("/"), detail=True)
            _copy(system, {entry["name"]: entry for entry in entries}, path, local)
        elif system.exists(path):
            _copy(system, {path: system.info(path)}, path.rpartition("/")[0], scratch)
        else:
            raise InputError("does not exist.", where=source)
    yield str(local)


def stamp_of_url(url: str) -> str:
    """Size and version of the file at a URL; empty where nothing is there.

    Raises:
        InputError: The file system cannot be reached.
    """
    system, path = open_url(url)
    with _errors(url):
        try:
            entry = system.info(path.rstrip("/"))
        except FileNotFoundError:
            return ""
    return " ".join(str(entry.get(key, "")) for key in ("type", "size", *_VERSIONS))


def upload_is_partial(url: str) -> bool:
    """Whether an upload to a URL was begun and not finished."""
    system, path = open_url(url)
    with _errors(url):
        return bool(system.exists(_partial(path.rstrip("/"))))


def _partial(path: str) -> str:
    """Where an upload goes before it gets its name."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.partial"


def upload(local: Path, target: str) -> None:
    """Copy a finished film or folder to a URL.

    It is copied under a hidden name, which it leaves last. A film appears whole under its own
    name. So does a folder where the file system renames folders. Object stores have no folders:
    there the files of a folder appear one after the other, and the hidden name is gone only when
    all are there.

    Raises:
        OutputError: It cannot be written.
    """
    system, path = open_url(target)
    path = path.rstrip("/")
    partial = _partial(path)
    try:
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        if not is_folder_target(local):
            system.put_file(str(local), partial)
            system.mv(partial, path)
            return
        if system.exists(partial):
            system.rm(partial, recursive=True)  # of an upload that was interrupted
        system.makedirs(partial)
        files = sorted(local.iterdir())
        for file in files:
            system.put_file(str(file), f"{partial}/{file.name}")
        if system.exists(path):
            # It is replaced, or an interrupted upload moved some of its files.
            system.rm(path, recursive=True)
        system.mv(partial, path, recursive=True)
    except VidtransError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise OutputError(f"cannot be written: {_words(error)}.", where=target) from error


def _copy(system: Any, entries: dict[str, Any], folder: str, local: Path) -> None:
    local.mkdir(parents=True, exist_ok=True)
    for place, entry in entries.items():
        if entry["type"] != "file":
            continue
        target = local / PurePosixPath(place).name
        if target.is_file() and target.stat().st_size == entry.get("size"):
            continue
        partial = target.with_name(f".{target.name}.partial")
        system.get_file(place, str(partial))
        partial.replace(target)


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """What a file system raises as an InputError."""
    try:
        yield
    except VidtransError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise InputError(f"cannot be read: {_words(error)}.", where=url) from error


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")


def clear(folder: Path) -> None:
    """Remove a scratch folder with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)
