"""What goes into a generator and what comes out: the one interface that all networks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vidtrans.nets.viewport import Viewport

History = tuple[Tensor, ...]
"""For every scale, coarsest first, the last n_frames_G - 1 pictures that this scale made, oldest
first, [N, 3 * (n_frames_G - 1), H_s, W_s] in [-1,1]; then what else the generator remembers
(`Painting.memory`). A value: copy it, save it, give it back."""


@dataclass(frozen=True, eq=False)
class SceneMeasurements:
    """What only a whole picture tells of a street, for networks that see a crop of it in training.

    Attributes:
        extents: Those of the newest labels, cropped as these are, uint8 [N,4,H/4,W/4]; see
            `vidtrans.nets.extent.extents`.
        scene: Metres travelled and metres to the house fronts, float [N,3]; see
            `vidtrans.nets.street_geometry.estimate_scene`.
    """

    extents: Tensor
    scene: Tensor


@dataclass(frozen=True)
class Conditioning:
    """The window of frames that a generator paints from, oldest first; the newest is the one to
    paint.

    ``ids``: uint8 or int64 [N,T,H,W], the label plane of every pixel (None for picture-to-picture
    models). ``boundary``: bool [N,T,H,W], True on both sides of an instance boundary (None where
    the model has no such plane). ``image``: float [N,T,C,H,W] in [-1,1] (None for label models).
    ``features``: float [N,F,H,W], style planes of the newest frame (None where unused).
    ``present``: for each of the T frames, the classes that occur in it, ascending (more than occur
    is allowed, fewer is not). Known to the host, so that a network may leave empty planes out
    without asking the device. None: not known. ``dropout_seed``: of the values that pix2pix drops
    at test time; None: as its configuration says. ``viewport``: which part of the film's picture
    all of this shows; None: all of it, without padding. ``measured``: what was measured on the
    whole of the newest picture where the viewport is a crop; None: the network measures it.
    """

    ids: Tensor | None = None
    boundary: Tensor | None = None
    image: Tensor | None = None
    features: Tensor | None = None
    present: tuple[tuple[int, ...], ...] | None = None
    dropout_seed: int | None = None
    viewport: Viewport | None = None
    measured: SceneMeasurements | None = None


@dataclass(frozen=True)
class Painting:
    """What a generator made of one frame; all at the finest scale unless said otherwise.

    ``picture`` [N,3,H,W] in [-1,1], final. ``raw``: painted anew (with the foreground composed in,
    as ``picture`` is). ``warped``: the previous picture moved by the flow. ``flow`` [N,2,H,W]: x
    then y, pixels, from this frame to where the pixel was in the previous one. ``weight``
    [N,1,H,W]: 1 = paint anew, 0 = carry over. ``foreground`` [N,3,H,W] and ``foreground_mask``
    [N,1,H,W]. ``scales``: each scale's own picture, coarsest first, ``scales[-1] is picture``.
    ``memory``: what the generator wants to be told in the next frame beside the pictures, [N,...];
    no published one does. Parts that a network or a first frame does not have are None.
    """

    picture: Tensor
    scales: tuple[Tensor, ...]
    raw: Tensor | None = None
    warped: Tensor | None = None
    flow: Tensor | None = None
    weight: Tensor | None = None
    foreground: Tensor | None = None
    foreground_mask: Tensor | None = None
    memory: tuple[Tensor, ...] = ()


class Generator(Protocol):
    """A whole generator, all its scales: a pure function of the window and the history."""

    n_frames: int
    """T: frames in the window (n_frames_G); 1 for image systems, which have no history."""
    size_multiple: int
    """Height and width must be multiples of this (others are padded by the caller, see
    `vidtrans.nets.viewport`). A generator with an attribute ``padding_grid`` wants padding on all
    sides, at the top and the left in multiples of that; others have it at the bottom and right."""

    def __call__(self, conditioning: Conditioning, history: History | None) -> Painting:
        """``history`` None: there is no previous picture, so paint raw (the published
        ``no_first_img`` first step)."""
        ...


def push(history: Sequence[Tensor], painting: Painting) -> History:
    """The history after a step: the oldest picture of every scale out, those of ``painting`` and
    its memory in."""
    pictures = (
        torch.cat([old[:, new.shape[1] :], new.to(old.dtype)], dim=1)
        for old, new in zip(history[: len(painting.scales)], painting.scales, strict=True)
    )
    return (*pictures, *painting.memory)
