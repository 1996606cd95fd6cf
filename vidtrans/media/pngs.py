"""Writes pictures as image files: one, or a folder of PNGs. Each is there whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import count, takewhile
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from vidtrans.atomic_write import (
    cannot_write,
    check_writable,
    replaced_file,
    sync_folder,
    whole_file,
)
from vidtrans.errors import OutputError, Remedy
from vidtrans.frame import Bytes, FrameTime

# Level 1 with the Sub filter: a third of the time of zlib's default level for a tenth more bytes.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def write_picture(path: str | PathLike[str], picture: Bytes, *, what: str) -> None:
    """Write one picture, whole or not at all.

    Args:
        path: The file; its suffix names the format.
        picture: uint8 RGB [H,W,3].
        what: What is written, for the error's sentence: ``"the sheet"``.

    Raises:
        OutputError: It cannot be written.
    """
    made, data = cv2.imencode(Path(path).suffix.lower(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert made
    with whole_file(path, what=what) as temporary:
        temporary.write_bytes(data.tobytes())


def png_names(stems: Sequence[str] | None) -> Callable[[int], str]:
    """The name of each frame's PNG.

    Args:
        stems: The names without suffix, frame by frame; None, or names that come twice: 000000,
            000001, ...
    """
    named = () if _numbered(stems) else stems or ()

    def name(index: int) -> str:
        return f"{named[index]}.png" if index < len(named) else f"{index:06d}.png"

    return name


def _numbered(stems: Sequence[str] | None) -> bool:
    return stems is None or len(set(stems)) < len(stems)


class FolderWriter:
    """A ``Writer`` of PNGs. See ``vidtrans.media.writer.open_writer``.

    Pictures that are written stay after ``abort``: a resumed run goes on after them.

    Args:
        folder: Where the PNGs go; made where it is missing.
        size_hw: Height and width of the pictures.
        overwrite: Whether the folder may hold PNGs already, which are replaced.
        stems: The PNGs' names without suffix, frame by frame; None, or names that come twice:
            000000, 000001, ...
        first_index: The first frame that will be written, in a resumed run.

    Raises:
        OutputError: The folder cannot be written, or holds PNGs and ``overwrite`` is False.
    """

    def __init__(
        self,
        folder: Path,
        *,
        size_hw: tuple[int, int],
        overwrite: bool = False,
        stems: Sequence[str] | None = None,
        first_index: int = 0,
    ) -> None:
        self._folder = folder
        self._size_hw = size_hw
        self._name = png_names(stems)
        self._numbered = _numbered(stems)
        self._index = first_index
        self._overwrite = overwrite
        self._made = False
        if folder.exists() and not folder.is_dir():
            raise OutputError("is a file, not a folder.", where=folder)
        if first_index == 0 and not overwrite and folder.is_dir() and any(folder.glob("*.png")):
            raise OutputError(
                "holds PNGs already.",
                where=folder,
                remedy=Remedy("Choose another folder, or overwrite them ({overwrite})."),
            )
        try:
            self._made = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            check_writable(folder)
        except OSError as error:
            raise OutputError(cannot_write(error), where=folder) from error

    def path_of(self, index: int) -> Path:
        """The file that frame ``index`` goes into."""
        return self._folder / self._name(index)

    def write(self, picture: Bytes, time: FrameTime) -> None:
        """See ``Writer.write``. A PNG has no timestamp; its name gives the order."""
        target = self.path_of(self._index)
        if picture.shape != (*self._size_hw, 3) or picture.dtype != np.uint8:
            raise OutputError(
                f"a picture of {picture.dtype} {picture.shape} was made; uint8"
                f" {(*self._size_hw, 3)} was announced.",
                where=target,
                frame=self._index,
            )
        made, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _PNG)
        if not made:
            raise OutputError("cannot be coded as PNG.", where=target, frame=self._index)
        try:
            with replaced_file(target, sync_name=False) as partial:
                partial.write_bytes(data.tobytes())
        except OSError as error:
            raise OutputError(cannot_write(error), where=target, frame=self._index) from error
        self._index += 1

    def finish(self) -> Path:
        """See ``Writer.finish``.

        PNGs that follow the last one, of a longer run that is overwritten, are removed.
        """
        if self._overwrite and self._numbered:
            for stale in takewhile(Path.is_file, map(self.path_of, count(self._index))):
                try:
                    stale.unlink()
                except OSError as error:
                    raise OutputError(cannot_write(error), where=stale) from error
        self.sync()
        self._made = False  # it is an output now, which ``abort`` leaves alone
        return self._folder

    def sync(self) -> None:
        """Wait until the names of all pictures so far are on the disk. Raises OutputError."""
        try:
            sync_folder(self._folder)
        except OSError as error:
            raise OutputError(cannot_write(error), where=self._folder) from error

    def abort(self) -> None:
        """See ``Writer.abort``."""
        if self._made:
            with contextlib.suppress(OSError):  # not empty: it stays
                self._folder.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()
