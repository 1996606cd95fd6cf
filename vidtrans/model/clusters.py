"""The published cluster files: pix2pixHD's styles, k-means centres of features for each class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from vidtrans.errors import ModelError
from vidtrans.model.inert_pickle import RefusedError, read_inert
from vidtrans.model.styles import Centres

PATTERN = "features_clustered_*.np[yz]"
_LARGEST = 64 << 20
_ADVICE = (
    'Where you trust the file, save it again as plain arrays: python -c "import numpy as n; '
    "n.savez('features_clustered_010.npz', "
    "**{str(k): v for k, v in n.load('FILE.npy', allow_pickle=True).item().items()})\""
)


def read_clusters(path: str | PathLike[str]) -> Centres:
    """The centres of every class in a cluster file: the published ``.npy`` (a pickled dictionary: class number -> float
    [k, F]), a ``.npz`` of arrays named by class number, or a plain ``.npy`` [classes, k, F] (rows of NaN left out).

    Nothing in the file is run. Raises ModelError where it cannot be read, or holds anything but such arrays.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _LARGEST:
            raise ModelError("is too large for a file of cluster centres.", where=file)
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}.", where=file) from error
    try:
        content = _content(data)
    except RefusedError as error:
        raise ModelError(
            f"is refused: it holds {error}, and nothing in a model file is run.", where=file, hint=_ADVICE
        ) from error
    except (ValueError, KeyError, EOFError, OSError, TypeError) as error:
        raise ModelError(f"is no whole file of cluster centres ({error}).", where=file) from error
    return _centres(content, file)


def write_clusters(path: str | PathLike[str], centres: Centres) -> None:
    """The published form: what the published code loads, and ``read_clusters`` reads without running it."""
    arrays = {plane: np.asarray(found, dtype=np.float32) for plane, found in sorted(centres.items())}
    with Path(path).open("wb") as file:
        np.save(file, arrays, allow_pickle=True)  # type: ignore[arg-type]  # a dictionary becomes an array of one object


def _content(data: bytes) -> Mapping[Any, Any]:
    if data[:4] == b"PK\x03\x04":
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format {version[0]}.{version[1]} of npy")
    shape, _, kind = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(stream)
    if not kind.hasobject:
        array = np.load(io.BytesIO(data), allow_pickle=False)
        if array.ndim != 3:
            raise ValueError(f"an array of the shape {list(array.shape)}, where [classes, styles, features] is needed")
        return {plane: rows[np.isfinite(rows).all(axis=1)] for plane, rows in enumerate(array)}
    content = read_inert(stream.read())
    if shape != () or not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], dict):
        raise ValueError("no dictionary of arrays")
    return content[0]


def _centres(content: Mapping[Any, Any], file: Path) -> Centres:
    found: dict[int, list[list[float]]] = {}
    for name, value in content.items():
        if not str(name).isdecimal():
            raise ModelError(f"has an entry called {name!r}, and class numbers are expected.", where=file)
        array = np.asarray(value)
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise ModelError(
                f"has an array {list(array.shape)} of {array.dtype} for class {name}: [styles, features] is needed.", where=file
            )
        if array.size:
            found[int(name)] = [[float(x) for x in row] for row in array.astype(np.float32)]
    return found
