"""What goes into a generator and what comes out: the one interface that all networks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vidtrans.nets.viewport import Viewport

History = tuple[Tensor, ...]
"""What a recurrent generator remembers between two frames: a value that can be copied and saved.

First, for every scale, coarsest first, the last n_frames - 1 pictures that this scale made, oldest
first, [N, 3 * (n_frames - 1), H_s, W_s] in [-1,1]; then `Painting.memory`.
"""


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
    """What a generator paints a frame from: a window of T frames, oldest first.

    Attributes:
        ids: Label planes of the pixels, uint8 or int64 [N,T,H,W]. None for models that translate
            pictures.
        boundary: True on both sides of an instance boundary, bool [N,T,H,W]. None where the model
            has no such plane.
        image: Pictures, float [N,T,C,H,W] in [-1,1]. None for models that translate labels.
        features: Style planes of the newest frame, float [N,F,H,W]. None where unused.
        present: The classes that occur in each of the T frames, ascending; more than occur is
            allowed, fewer is not. Known to the host, so that a network can leave empty planes out
            without asking the device. None: not known.
        dropout_seed: Seed of the values that pix2pix drops at test time. None: as the network's
            configuration says.
        viewport: Which part of the film's picture all of this shows. None: all of it, without
            padding.
        measured: What was measured on the newest frame's whole picture, where the viewport is a
            crop. None: the network measures it.
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
    """What a generator makes of one frame, at the finest scale unless said otherwise.

    Parts that a network or a first frame does not have are None.

    Attributes:
        picture: The result, [N,3,H,W] in [-1,1].
        scales: Each scale's own picture, coarsest first; ``scales[-1] is picture``.
        raw: The picture as painted without the previous one, foreground included.
        warped: The previous picture, warped by the flow.
        flow: Optical flow [N,2,H,W], x then y, pixels, from this frame to where the pixel was in
            the previous one.
        weight: Occlusion weight [N,1,H,W] in [0,1]: 1 takes the raw picture, 0 the warped one.
        foreground: Picture of the foreground objects, [N,3,H,W] in [-1,1].
        foreground_mask: Where it is taken, [N,1,H,W] in [0,1].
        memory: What the generator needs in the next frame beside the pictures, tensors [N,...]; no
            published generator has any.
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
    """A generator with all its scales: a pure function of the conditioning and the history.

    A generator may also have ``padding_grid``, an int: then it wants padding on all sides, at the
    top and at the left in multiples of it (see `vidtrans.nets.viewport`). Others get padding at
    the bottom and at the right.
    """

    n_frames: int
    """T, frames in the window; 1 for models of single images, which have no history."""
    size_multiple: int
    """Height and width must be multiples of this; the caller pads."""

    def __call__(self, conditioning: Conditioning, history: History | None) -> Painting:
        """Paint the newest frame of the window.

        Args:
            conditioning: The window.
            history: What `push` gave after the frame before. None: there is no previous picture, so
                the raw picture is painted (the published ``no_first_img``).
        """
        ...


def push(history: Sequence[Tensor], painting: Painting) -> History:
    """The history after a step: at every scale the newest picture replaces the oldest one, and the
    painting's memory replaces the previous memory."""
    pictures = (
        _pushed(old, new)
        for old, new in zip(history[: len(painting.scales)], painting.scales, strict=True)
    )
    return (*pictures, *painting.memory)


def _pushed(old: Tensor, new: Tensor) -> Tensor:
    if old.shape[1] == new.shape[1]:  # one picture is kept: the newest, without a copy
        return new.to(old.dtype)
    return torch.cat([old[:, new.shape[1] :], new.to(old.dtype)], dim=1)
