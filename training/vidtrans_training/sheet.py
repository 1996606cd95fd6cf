"""The sample sheet: what the network paints on a clip it never saw, for the eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import load_scheme
from vidtrans.media.pngs import write_picture
from vidtrans.nets.range import to_bytes
from vidtrans_training.rollout import Rollout


def write_sheet(path: Path, rollout: Rollout, frames: tuple[int, ...] = (0, 1, 4, 12, 23)) -> None:
    """A row for each of ``frames``: labels, real picture, raw, weight (white = painted anew),
    final."""
    scheme = load_scheme("cityscapes")
    rows = []
    for t in frames:
        if t >= len(rollout.paintings):
            break
        painting = rollout.paintings[t]
        raw = painting.picture if painting.raw is None else painting.raw
        weight = (
            torch.ones_like(raw)
            if painting.weight is None
            else painting.weight.expand_as(raw) * 2 - 1
        )
        ids = rollout.batch.ids[0, t].cpu().numpy()
        pictures = [
            colourise(ids, scheme),
            *(_bytes(p) for p in (rollout.batch.real[:, t], raw, weight, painting.picture)),
        ]
        rows.append(np.hstack(pictures))
    write_picture(path, np.vstack(rows), what="the sample sheet")


def _bytes(picture: Tensor) -> npt.NDArray[np.uint8]:
    return to_bytes(picture).cpu().numpy()
