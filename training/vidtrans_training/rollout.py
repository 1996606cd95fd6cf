"""Painting a sequence frame by frame, each from the pictures before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vidtrans.nets.painting import Conditioning, History, Painting
from vidtrans.nets.street import StreetGenerator
from vidtrans.nets.warp import warp
from vidtrans_training.data import Clip, Sequences, whole_sequence
from vidtrans_training.street_losses import masked_l1


def paint(
    generator: StreetGenerator,
    batch: Sequences,
    frames: range,
    pictures: list[Tensor] | None = None,
) -> Iterator[tuple[int, Painting]]:
    """Paints ``frames`` of the batch one after another.

    ``pictures`` are those before ``frames.start``, oldest first; with fewer than n_frames - 1 of
    them there is no history yet and frames are painted raw. Gradients do not run from a frame into
    the ones before it.
    """
    past = generator.n_frames - 1
    pictures = list(pictures or [])[-past:]
    for t in frames:
        history: History | None = (torch.cat(pictures, dim=1),) if len(pictures) == past else None
        window = window_at(batch, t, generator.n_frames if history else 1, generator.n_frames)
        painting = generator(window, history)
        yield t, painting
        pictures = [*pictures, painting.picture.detach()][-past:]


def window_at(batch: Sequences, t: int, known: int, n_frames: int) -> Conditioning:
    """The labels of frame ``t`` and those before it, ``n_frames`` in all; only the last ``known``
    of them are there, and the oldest is repeated, as at the beginning of a film and after a cut.
    Its style planes are those of frame ``t``."""
    index = [max(t - min(back, known - 1), 0) for back in reversed(range(n_frames))]
    return Conditioning(
        batch.ids[:, index],
        batch.edges[:, index],
        features=batch.styles[:, t],
        viewport=batch.viewport,
        measured=batch.measured(t),
    )


@dataclass(frozen=True, eq=False)
class Rollout:
    """A clip painted from its labels alone: ``paintings`` of the first ``len(paintings)`` frames,
    and figures over them.

    ``error``: mean L1 to the real pictures. ``flicker``: mean L1 between each picture and the one
    before it, moved by the exact flow, where that is visible; ``flicker_real``: the same of the
    real pictures (shadows, reflections, sampling).
    """

    batch: Sequences
    paintings: tuple[Painting, ...]
    error: float
    flicker: float
    flicker_real: float


@torch.inference_mode()
def roll_out(generator: StreetGenerator, clip: Clip, frames: int) -> Rollout:
    """Paints the first ``frames`` frames of a clip; figures in [-1,1] units."""
    batch = whole_sequence(clip).to(next(generator.parameters()).device)
    painted = tuple(p for _, p in paint(generator, batch, range(min(frames, clip.frames))))
    errors, flickers, flickers_real = [0.0], [0.0], [0.0]
    for t in range(1, len(painted)):
        moved = warp(painted[t - 1].picture, batch.flow[:, t])
        moved_real = warp(batch.real[:, t - 1], batch.flow[:, t])
        errors.append(float((painted[t].picture - batch.real[:, t]).abs().mean()))
        flickers.append(float(masked_l1(painted[t].picture, moved, batch.trusted[:, t])))
        flickers_real.append(float(masked_l1(batch.real[:, t], moved_real, batch.trusted[:, t])))
    count = max(len(painted) - 1, 1)
    return Rollout(
        batch, painted, sum(errors) / count, sum(flickers) / count, sum(flickers_real) / count
    )
