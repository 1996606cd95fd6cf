"""How wrong an estimated flow is: its end-point error against the street's exact flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidtrans.errors import InputError
from vidtrans_training.datasets.geometry import Geometry, Motion, Transform
from vidtrans_training.datasets.material import Material
from vidtrans_training.teacher import ExactTeacher, Teacher


@dataclass(frozen=True, slots=True)
class FlowError:
    """End-point errors in pixels, over all pixels that were visible in the earlier frame.

    Args:
        back: Frames between the two pictures.
        pairs: Pairs of pictures.
        motion: Mean length of the exact flow.
        mean: Mean error.
        median: Median error.
        over_one: Share of errors over 1 pixel.
        trusted: Share of the visible pixels whose estimate is trusted.
        mean_trusted: Mean error where the estimate is trusted.
        wrongly_trusted: Share of the hidden pixels, which no estimate can know, that are trusted.
    """

    back: int
    pairs: int
    motion: float
    mean: float
    median: float
    over_one: float
    trusted: float
    mean_trusted: float
    wrongly_trusted: float


def flow_errors(
    material: Material, teacher: Teacher, transform: Transform, distances: Sequence[int]
) -> list[FlowError]:
    """Measure a teacher on clips with exact flow.

    Args:
        material: The clips.
        teacher: Whose estimates are measured, at the size that ``transform`` scales to.
        transform: Gives the size.
        distances: Frame distances g; one result for each.

    Raises:
        InputError: The data has no exact flow, or no clip is long enough.
    """
    if not material.layout.has_flow:
        raise InputError("has no exact flow to measure against.", where=material.layout.root)
    return [_errors(material, teacher, transform, back) for back in distances]


def _errors(material: Material, teacher: Teacher, transform: Transform, back: int) -> FlowError:
    lengths, errors, trusted, hidden = [], [], [], []
    pairs = 0
    for exact, estimate in _pairs(material, teacher, transform, back):
        pairs += 1
        visible = exact.trusted
        lengths.append(_length(exact.flow)[visible])
        errors.append(_length(exact.flow - estimate.flow)[visible])
        trusted.append(estimate.trusted[visible])
        hidden.append(estimate.trusted[~visible])
    if not pairs:
        raise InputError(f"no clip has more than {back} frames.", where=material.layout.root)
    error, sure = np.concatenate(errors), np.concatenate(trusted)
    unseen = np.concatenate(hidden)
    return FlowError(
        back=back,
        pairs=pairs,
        motion=float(np.concatenate(lengths).mean()),
        mean=float(error.mean()),
        median=float(np.median(error)),
        over_one=float((error > 1).mean()),
        trusted=float(sure.mean()),
        mean_trusted=float(error[sure].mean()) if sure.any() else float("nan"),
        wrongly_trusted=float(unseen.mean()) if unseen.size else 0.0,
    )


def _pairs(
    material: Material, teacher: Teacher, transform: Transform, back: int
) -> Iterator[tuple[Motion, Motion]]:
    exactly = ExactTeacher()
    for sequence in material.sequences:
        for index in range(back, len(sequence)):
            frames = material.read(sequence, [index, index - back])
            pictures = frames[0].picture, frames[1].picture
            geometry: Geometry = transform.whole(frames[0].size_hw)
            yield (
                geometry.motion(exactly.motion(sequence, index, back, *pictures)),
                geometry.motion(teacher.motion(sequence, index, back, *pictures)),
            )


def _length(flow: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    length: npt.NDArray[np.float32] = np.hypot(flow[0], flow[1])
    return length
