"""One frame of a film as a picture. Does not depend on Qt."""

from __future__ import annotations

import tempfile
from pathlib import Path

from vidtrans.atomic_write import whole_file
from vidtrans.errors import OutputError
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings


def write_still(settings: ConvertSettings, target: Path) -> Path:
    """Paint one frame as ``convert`` does, and write it as a PNG; one that is there is replaced.

    Args:
        settings: Those of an export whose range is one frame.
        target: The PNG.

    Returns:
        ``target``.

    Raises:
        VidtransError: The frame cannot be painted, or the PNG not be written.
    """
    if not target.parent.is_dir():
        raise OutputError("cannot be written: its folder does not exist.", where=target)
    with tempfile.TemporaryDirectory(prefix="vidtrans-still-") as folder:
        made = convert(settings.model_copy(update={"output": f"{folder}/still/"})).output
        (picture,) = made.glob("*.png")
        with whole_file(target, what="the picture") as draft:
            draft.write_bytes(picture.read_bytes())
    return target
