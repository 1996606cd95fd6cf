"""The demo's input: a held-out street's labels and instances as lossless grey videos."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from vidtrans.atomic_write import whole_file
from vidtrans.errors import OutputError
from vidtrans_world.camera import FPS
from vidtrans_world.render import label_clip
from vidtrans_world.street import Kind

DEMO_SEED = 9006
"""A street that no training sees."""


def write_demo(
    out: Path, seed: int, frames: int, size_hw: tuple[int, int], kind: Kind = "terrace"
) -> tuple[Path, Path]:
    """Writes ``demo_labels.mkv`` (FFV1, gray) and ``demo_instances.mkv`` (FFV1, gray16le) to the
    folder ``out``.

    Raises ``OutputError`` where they cannot be written; nothing half-written keeps their names.
    """
    labels, instances = out / "demo_labels.mkv", out / "demo_instances.mkv"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder: {error.strerror or error}.", where=out
        ) from error
    shown = list(label_clip(seed, frames, size_hw, kind))
    with whole_file(labels, what="the demo's labels") as draft:
        _write_grey(draft, (label for label, _ in shown), "gray", size_hw)
    with whole_file(instances, what="the demo's instance maps") as draft:
        _write_grey(draft, (instance for _, instance in shown), "gray16le", size_hw)
    return labels, instances


def _write_grey(
    path: Path,
    pictures: Iterable[npt.NDArray[np.uint8] | npt.NDArray[np.uint16]],
    pixels: str,
    size_hw: tuple[int, int],
) -> None:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(
            "ffv1",
            rate=FPS,
            options={"level": "3", "context": "1", "coder": "1", "g": "300", "slices": "4"},
        )
        stream.width, stream.height, stream.pix_fmt = size_hw[1], size_hw[0], pixels
        stream.time_base = Fraction(1, FPS)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format=pixels)
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
