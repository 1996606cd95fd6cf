"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import cv2

from vidtrans.errors import OutputError
from vidtrans.frame import Bytes


@contextmanager
def whole_file(path: str | PathLike[str], *, what: str) -> Iterator[Path]:
    """A temporary file beside ``path`` to write ``what`` into; renamed to ``path`` at the end,
    removed after a failure.

    What was there before stays until then. Raises OutputError where it cannot be written.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent or Path())
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            # mkstemp makes files for their owner alone; this one gets what any new file gets.
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{what} cannot be written: {error.strerror or error}.", where=target
        ) from error


def whole_picture(path: str | PathLike[str], picture: Bytes, *, what: str) -> None:
    """Write ``picture`` uint8 RGB [H,W,3] as a whole file, in the format of its suffix. Raises
    OutputError."""
    made, data = cv2.imencode(Path(path).suffix.lower(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert made
    with whole_file(path, what=what) as temporary:
        temporary.write_bytes(data.tobytes())
