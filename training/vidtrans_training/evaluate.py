"""How far the pictures of a run are from the real ones, painted as ``vidtrans convert`` paints
them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidtrans.errors import InputError
from vidtrans.model.networks import build
from vidtrans.nets.warp import warp
from vidtrans.sequence.model import Model
from vidtrans_training.checkpoint import checkpoints
from vidtrans_training.clip import Clip
from vidtrans_training.datasets.opening import open_data
from vidtrans_training.datasets.samples import Samples
from vidtrans_training.export import TrainedRun, model_of, open_run
from vidtrans_training.run_folder import RunFolder
from vidtrans_training.settings import size_multiple
from vidtrans_training.teacher import open_teacher


@dataclass(frozen=True)
class Evaluation:
    """The pictures after a number of steps, compared with the real ones.

    Args:
        step: Steps done.
        frames: Pictures compared.
        l1: Mean absolute difference to the real pictures, which lie in [-1,1].
        warping_error: Mean absolute difference of a picture to the one before it, warped by the
            teacher's flow, where that is trusted; None where there are no sequences.
        real_warping_error: The same of the real pictures: what light, noise and errors of the flow
            leave.
    """

    step: int
    frames: int
    l1: float
    warping_error: float | None
    real_warping_error: float | None


def evaluate(
    run: Path, *, data: Path | None = None, most_frames: int = 48, all_checkpoints: bool = False
) -> Iterator[Evaluation]:
    """Paints the sequences of a data set with the averaged weights of a run.

    A style encoder sees the real pictures. Without one, and without a first picture, all that the
    model knows is the labels.

    Args:
        run: Folder of a run.
        data: Another data set of the same layout and label scheme; None: the run's own. Sequences
            that the run holds out are left out unless ``data`` is given.
        most_frames: So many frames of each sequence, from its beginning, are painted.
        all_checkpoints: One result for each checkpoint kept, instead of the newest alone.

    Raises:
        ModelError: The run or its checkpoint cannot be read.
        InputError: The data cannot be read.
    """
    found = checkpoints(RunFolder(run).checkpoints) if all_checkpoints else [None]
    clips: list[Clip] | None = None
    for checkpoint in found or [None]:
        trained = open_run(run, checkpoint)
        if clips is None:
            clips = list(_clips(trained, data, most_frames))
            if not clips:
                raise InputError("holds no frames to compare.", where=data or run)
        yield _compared(trained, clips)


def _clips(trained: TrainedRun, data: Path | None, most_frames: int) -> Iterator[Clip]:
    """The sequences, each with the teacher's flow from frame to frame."""
    settings = trained.settings
    if data is not None:
        changed = {"root": data.absolute(), "hold_out": (), "flow_cache": None}
        settings = settings.model_copy(
            update={"data": settings.data.model_copy(update=changed | {"world": None})}
        )
    samples: Samples = open_data(settings).training
    teacher = open_teacher(
        settings.data.flow,
        samples.material.layout,
        samples.transform,
        cache=settings.data.flow_cache,
        weights=settings.data.flow_weights,
    )
    samples = replace(samples, distances=(1,), teacher=teacher)
    multiple = size_multiple(settings.options)
    for sequence in samples.material.sequences:
        frames = range(min(len(sequence), most_frames))
        yield samples.whole(sequence, frames).fitted(multiple)


def _compared(trained: TrainedRun, clips: list[Clip]) -> Evaluation:
    card, tensors = model_of(trained, "run")
    model = Model(build(card, tensors, where=card.name))
    differences, warped, real_warped = [], [], []
    frames = 0
    for clip in clips:
        painted = _painted(model, clip)
        frames += len(clip)
        differences.append((painted - clip.real).abs().mean(dim=(1, 2, 3)))
        if len(clip) > 1:
            warped.append(warping_errors(painted, clip))
            real_warped.append(warping_errors(clip.real, clip))
    return Evaluation(
        step=trained.steps,
        frames=frames,
        l1=torch.cat(differences).mean().item(),
        warping_error=torch.cat(warped).mean().item() if warped else None,
        real_warping_error=torch.cat(real_warped).mean().item() if warped else None,
    )


def _painted(model: Model, clip: Clip) -> Tensor:
    """The model's pictures [T,3,H,W] for a clip."""
    has_encoder = model.networks.encoder is not None
    images = clip.real if has_encoder else clip.images
    pictures = model.translate(
        labels=None if clip.labels is None else clip.labels.numpy(),
        instances=None if clip.instances is None else clip.instances.numpy(),
        images=None if images is None else np.asarray(images.numpy()),
    )
    return torch.from_numpy(pictures)


def warping_errors(pictures: Tensor, clip: Clip) -> Tensor:
    """The mean absolute difference of each picture but the first to the one before it, warped by
    the teacher's flow, over the pixels where that is trusted.

    Args:
        pictures: [T,C,H,W] in [-1,1].
        clip: Holds flow and confidence over one frame.

    Returns:
        [T-1]; frames in which no flow is trusted are left out.
    """
    flow, trusted = clip.flow[1][1:], clip.confidence[1][1:]
    differs = (pictures[1:] - warp(pictures[:-1], flow)).abs().mean(dim=1, keepdim=True)
    pixels = trusted.sum(dim=(1, 2, 3))
    errors = (differs * trusted).sum(dim=(1, 2, 3)) / pixels.clamp(min=1)
    return errors[pixels > 0]
