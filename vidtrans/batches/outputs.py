"""What is there under the name of a job's output, and whether the job made it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from vidtrans.batches.remote import is_url, stamp_of_url, upload_is_partial
from vidtrans.errors import InputError
from vidtrans.media.reader import open_reader
from vidtrans.media.writer import parts_folder
from vidtrans.pipeline import runfolder

NOTHING = ""
"""The stamp of an output that is not there."""


def output_stamp(path: str) -> str:
    """What is there under an output's name.

    Args:
        path: The output's path or URL.

    Returns:
        Identity, size and time of a file or folder; size and version of a file at a URL;
        ``NOTHING`` where nothing is there.
    """
    if is_url(path):
        return stamp_of_url(path)
    try:
        found = os.stat(path.rstrip("/"))
    except OSError:
        return NOTHING
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def is_partial(path: str) -> bool:
    """Whether unfinished work of a run is kept beside an output."""
    if is_url(path):
        return upload_is_partial(path)
    return os.path.lexists(parts_folder(path.rstrip("/")))


def made_since(path: str, before: str) -> bool:
    """Whether an output is whole and was made after a job began.

    A film appears under its name when it is whole, and the unfinished frames beside a folder of
    PNGs are removed last. So an output that has changed, with nothing unfinished beside it, is
    whole. A process that was killed leaves the unfinished frames.

    Args:
        path: The output's path or URL.
        before: Its stamp when the job began.
    """
    return output_stamp(path) not in (NOTHING, before) and not is_partial(path)


def discard_left(path: str) -> None:
    """Remove what a run left beside its finished output as it was killed in cleaning up."""
    if not is_url(path):
        runfolder.discard_left(Path(path.rstrip("/")))


def frames_of(path: str) -> int | None:
    """The number of frames of an output; None where that is not cheap to know."""
    if is_url(path):
        return None
    with contextlib.suppress(InputError), open_reader(path, labels=False) as reader:
        return reader.info.frames or reader.count()
    return None
