"""TIFF's directories: what FFmpeg cannot read is refused by name, and tags that it does not know
are taken out.

FFmpeg's decoder reports damage only with ``err_detect explode``, and then refuses files for every
tag that it does not know, as OpenCV's (SampleFormat) and GDAL's. A file without these tags shows
the same pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value, by the type of a field (TIFF 6.0, section 2)."""
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
_SUBFILE, _BITS, _SAMPLE_FORMAT = 254, 258, 339
_PLACES = {273: 279, 324: 325}
"""Fields with the places of strips and tiles, and those with their sizes."""
_DECODED = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325,
     347, 529, 530, 532}
)  # fmt: skip
"""Fields that decide the pixels: sizes, bits, compression and its tables, colours, strips and
tiles, predictor, palette. Others say where and how the picture was taken."""
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """A field of a directory: its place in the file, type, number of values and their place."""

    at: int
    kind: int
    count: int
    values_at: int


@dataclass(frozen=True)
class _Directory:
    at: int
    order: str
    entries: Mapping[int, _Entry]
    following: int

    def values(self, data: bytes, tag: int, default: int = 0) -> tuple[int, ...]:
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _FORMATS:
            return (default,)
        form = f"{self.order}{entry.count}{_FORMATS[entry.kind]}"
        found: tuple[int, ...] = struct.unpack_from(form, data, entry.values_at)
        return found


def refused_tiff(data: bytes) -> str | None:
    """Why a TIFF is not read, as the end of a sentence; None where it is.

    Args:
        data: The file.
    """
    if data[:4] in (b"II+\0", b"MM\0+"):
        return "is a BigTIFF, which is not read."
    directory = _read(data)
    if directory is None:
        return None
    bits = max(directory.values(data, _BITS, 1))
    kind = max(directory.values(data, _SAMPLE_FORMAT, 1))
    if kind == 3 or bits > 16:
        what = "floating-point numbers" if kind == 3 else "whole numbers"
        return f"is a TIFF of {what} of {bits} bits; at most whole numbers of 16 bits are read."
    pages = _pages(data, directory)
    if pages > 1:
        return f"is a TIFF of {pages} pages; one picture in each file is read."
    return None


def readable_tiff(data: bytes) -> bytes | None:
    """The file with the fields alone that decide its pixels; None where it is truncated.

    Args:
        data: The file.
    """
    directory = _read(data)
    if directory is None:
        return data
    for places, sizes in _PLACES.items():
        for at, size in zip(
            directory.values(data, places), directory.values(data, sizes), strict=False
        ):
            if at + size > len(data):
                return None
    kept = [directory.entries[tag] for tag in sorted(directory.entries) if tag in _DECODED]
    if len(kept) == len(directory.entries):
        return data
    order = directory.order
    fields = b"".join(data[entry.at : entry.at + 12] for entry in kept)
    table = struct.pack(f"{order}H", len(kept)) + fields + bytes(4)
    return data[: directory.at] + table + data[directory.at + len(table) :]


def _read(data: bytes, at: int | None = None) -> _Directory | None:
    """The directory at a place, or the first one; None where there is none."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        start: int = struct.unpack_from(f"{order}I", data, 4)[0] if at is None else at
        (count,) = struct.unpack_from(f"{order}H", data, start)
        entries = {}
        for number in range(count):
            place = start + 2 + 12 * number
            tag, kind, values = struct.unpack_from(f"{order}HHI", data, place)
            size = values * _WIDTHS.get(kind, 1)
            inline = size <= 4
            values_at = place + 8 if inline else struct.unpack_from(f"{order}I", data, place + 8)[0]
            if values_at + size > len(data):
                continue
            entries[tag] = _Entry(place, kind, values, values_at)
        (following,) = struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)
    except struct.error:
        return None
    return _Directory(start, order, entries, following)


def _pages(data: bytes, first: _Directory) -> int:
    """The number of pictures, smaller copies of others (overviews) left out."""
    pages, seen = 0, set[int]()
    directory: _Directory | None = first
    while directory is not None and directory.at not in seen and len(seen) < _MOST_PAGES:
        seen.add(directory.at)
        pages += not directory.values(data, _SUBFILE)[0] & 1
        directory = _read(data, directory.following) if directory.following else None
    return pages
