"""The cluster files of published pix2pixHD checkpoints: k-means centres of features by class."""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from vidtrans.errors import ModelError
from vidtrans.model.card_styles import Centres
from vidtrans.model.inert_pickle import RefusedError, read_inert
from vidtrans.untrusted import parse_literal

PATTERN = "features_clustered_*.np[yz]"
"""The names of such files in a checkpoint folder."""
_LARGEST = 4 << 20
"""Bytes, of a million float32 numbers; published files hold 35 classes of ten styles of three. Of a
compressed file its content counts."""
_LARGEST_HEADER = 1 << 14  # numpy's own limit is 10,000
_ADVICE = (
    'Where you trust the file, save it again as plain arrays: python -c "import numpy as n; '
    "n.savez('features_clustered_010.npz', "
    "**{str(k): v for k, v in n.load('FILE.npy', allow_pickle=True).item().items()})\""
)
# What numpy and zipfile raise on damaged bytes; zipfile says RuntimeError to encrypted ones.
_DAMAGED = (
    ValueError,
    KeyError,
    EOFError,
    OSError,
    TypeError,
    OverflowError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_clusters(path: str | PathLike[str]) -> Centres:
    """The centres of every class in a cluster file. Nothing in the file is run.

    Args:
        path: the published ``.npy`` (a pickled dictionary: class number -> float [k, F]), a
            ``.npz`` of arrays named by class number, or a plain ``.npy`` [classes, k, F], in which
            rows with NaN are left out.

    Raises:
        ModelError: the file cannot be read, or holds anything but such arrays.
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
            f"is refused: it holds {error}, and nothing in a model file is run.",
            where=file,
            hint=_ADVICE,
        ) from error
    except _DAMAGED as error:
        raise ModelError(f"is no whole file of cluster centres ({error}).", where=file) from error
    return _centres(content, file)


def write_clusters(path: str | PathLike[str], centres: Centres) -> None:
    """Writes a published cluster file, a pickled dictionary, which `read_clusters` reads too."""
    arrays = {
        plane: np.asarray(found, dtype=np.float32) for plane, found in sorted(centres.items())
    }
    with Path(path).open("wb") as file:
        np.save(file, arrays, allow_pickle=True)  # type: ignore[arg-type]  # a dictionary becomes an array of one object


def _content(data: bytes) -> Mapping[Any, Any]:
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError(f"it unfolds to more than {_LARGEST >> 20} MiB")
            return {
                entry.filename.removesuffix(".npy"): _array(archive.read(entry))
                for entry in archive.infolist()
            }
    stream, shape, _, kind = _opened(data)
    if not kind.hasobject:
        array = _array(data)
        if array.ndim != 3:
            raise ValueError(
                f"an array of the shape {list(array.shape)}, where [classes, styles, features] is"
                " needed"
            )
        return {plane: rows[np.isfinite(rows).all(axis=1)] for plane, rows in enumerate(array)}
    content = read_inert(stream.read())
    if (
        shape != ()
        or not isinstance(content, list)
        or len(content) != 1
        or not isinstance(content[0], dict)
    ):
        raise ValueError("it holds no dictionary of arrays")
    return content[0]


def _opened(data: bytes) -> tuple[io.BytesIO, tuple[int, ...], bool, np.dtype[Any]]:
    """A ``.npy`` after its header; the shape, whether it is told by columns, and the type.

    numpy's own reader of headers raises what its tokenizer raises, and builds any type that a
    header describes, however large.
    """
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format {version[0]}.{version[1]} of npy")
    size = 2 if version == (1, 0) else 4
    length = int.from_bytes(stream.read(size), "little")
    if length > _LARGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    text = stream.read(length)
    if len(text) < length:
        raise ValueError("a truncated header")
    # Python 2 wrote the sides of an array as 10L.
    header = parse_literal(re.sub(r"(\d)L", r"\1", text.decode("latin1").strip()))
    if not isinstance(header, dict) or header.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("a header of another form")
    kind, shape = header["descr"], header["shape"]
    if not isinstance(kind, str) or not re.fullmatch(r"[<>=|]?[biufO][1-8]?", kind):
        raise ValueError("an array of no plain numbers")
    if not isinstance(shape, tuple) or not all(isinstance(side, int) for side in shape):
        raise ValueError("an array of no shape")
    if any(side < 0 for side in shape):
        raise ValueError("an array of a negative size")
    return stream, shape, bool(header["fortran_order"]), np.dtype(kind)


def _array(data: bytes) -> npt.NDArray[Any]:
    """A ``.npy`` of plain numbers. numpy's own reader takes the memory that the header claims
    before it looks."""
    stream, shape, by_columns, kind = _opened(data)
    if kind.kind not in "fiu":
        raise ValueError(f"an array of {kind}")
    raw = stream.read()
    if math.prod(shape) * kind.itemsize != len(raw):
        raise ValueError("an array whose size is not its shape's")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if by_columns else "C")


def _centres(content: Mapping[Any, Any], file: Path) -> Centres:
    found: dict[int, list[list[float]]] = {}
    for name, value in content.items():
        if not re.fullmatch(r"[0-9]{1,3}", str(name)):
            raise ModelError(
                f"has an entry called {str(name)[:60]!r}, and class numbers are expected.",
                where=file,
            )
        array = np.asarray(value)
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise ModelError(
                f"has an array {list(array.shape)} of {array.dtype} for class {name}: [styles,"
                " features] is needed.",
                where=file,
            )
        if array.size:
            found[int(name)] = [[float(x) for x in row] for row in array.astype(np.float32)]
    return found
