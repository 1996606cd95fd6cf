"""Fingerprints of media by content, at a cost that does not grow with the length of a film."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from vidtrans.errors import InputError
from vidtrans.media.ffmpeg_errors import cannot_read
from vidtrans.media.naming import names_pictures, resolve

_BLOCK = 64 << 10
_BLOCKS = 32
"""Blocks hashed of a long file: 2 MiB, which a spinning disk with its seeks reads in half a
second. A file of up to that size is hashed whole."""
_TAIL = 4 << 10
_SAMPLED_IMAGES = 32


def fingerprint(source: str | Path) -> str:
    """Tell whether a film or an image sequence is still the one it was.

    A film's length, its first and last block and blocks spread evenly between them are hashed; a
    short file is hashed whole. Of an image sequence, every name, every length and the last 4 KiB of
    every image are hashed, and some images more closely. A PNG ends in a checksum of all its
    pixels, so a changed pixel changes the fingerprint. Folders and modification times do not count:
    a copy has the fingerprint of its original.

    Args:
        source: A file, a folder of images, or a pattern, as ``open_reader`` takes it.

    Returns:
        12 hexadecimal digits; ``unknown`` for what is no file, such as a URL.

    Raises:
        InputError: A file cannot be read.
    """
    text = str(source)
    if names_pictures(text):
        sequences = resolve(source, allow_gaps=True)
        return _digest(_of_images([path for sequence in sequences for path in sequence.files]))
    path = Path(source)
    return _digest(_of_file(path)) if path.is_file() else "unknown"


def _digest(blocks: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=6)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _of_images(files: list[Path]) -> Iterator[bytes]:
    every = max(1, len(files) // _SAMPLED_IMAGES)
    for index, path in enumerate(files):
        yield path.name.encode(errors="surrogateescape") + b"\0"
        yield from _of_file(path) if index % every == 0 else _of_tail(path)


def _of_file(path: Path) -> Iterator[bytes]:
    try:
        size = path.stat().st_size
        yield size.to_bytes(8, "big")
        with path.open("rb") as file:
            if size <= _BLOCKS * _BLOCK:
                yield file.read()
                return
            for number in range(_BLOCKS):
                file.seek((size - _BLOCK) * number // (_BLOCKS - 1))
                yield file.read(_BLOCK)
    except OSError as error:
        raise InputError(cannot_read(error), where=path) from error


def _of_tail(path: Path) -> Iterator[bytes]:
    try:
        size = path.stat().st_size
        yield size.to_bytes(8, "big")
        with path.open("rb") as file:
            file.seek(max(0, size - _TAIL))
            yield file.read()
    except OSError as error:
        raise InputError(cannot_read(error), where=path) from error
