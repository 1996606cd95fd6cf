"""The layers of a painting as pictures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidtrans.errors import UsageError
from vidtrans.frame import Bytes, LabelFrame
from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import load_scheme
from vidtrans.nets.constants import to_device
from vidtrans.nets.painting import Painting
from vidtrans.nets.range import to_bytes
from vidtrans.pipeline.settings import LAYERS

_FULL_COLOUR = 1 / 24
"""The length of flow shown at full saturation, as a share of the picture's width. It is fixed: a
scale for each frame would flicker."""


def render_layer(
    painting: Painting, layer: str, labels: LabelFrame, scheme: str | None = "cityscapes"
) -> Tensor:
    """One layer of a painting as a picture.

    A layer that the painting lacks, as flow on the first frames of a sequence, is a neutral
    picture.

    Args:
        painting: The painted frame.
        layer: One of

            - ``final``: the finished picture.
            - ``raw``: the picture before blending with the warped one, with the foreground.
            - ``warped``: the previous picture moved by the flow; neutral: black.
            - ``flow``: direction as hue, length as saturation; neutral, as no motion: white.
            - ``occlusion``: the blending weight: white is newly painted, black carried over;
              neutral: white.
            - ``foreground``: the foreground's own picture on grey; neutral: grey.
            - ``labels``: the labels in the colours of ``scheme``.
            - ``compare``: the labels at the left of the finished picture.
        labels: The labels of the frame, for ``labels`` and ``compare``.
        scheme: The scheme whose colours the labels are shown in. None: the picture that the model
            paints from, or Cityscapes' colours where there is none.

    Returns:
        uint8 RGB [H,W,3] on the painting's device; [H,2W,3] for ``compare``.

    Raises:
        UsageError: There is no such layer.
    """
    if layer == "final":
        return to_bytes(painting.picture)
    if layer == "raw":
        # What was not carried over was newly painted.
        return to_bytes(painting.picture if painting.raw is None else painting.raw)
    if layer == "warped":
        return to_bytes(
            torch.full_like(painting.picture, -1.0) if painting.warped is None else painting.warped
        )
    if layer == "flow":
        return to_bytes(
            flow_colours(
                torch.zeros_like(painting.picture[:, :2])
                if painting.flow is None
                else painting.flow
            )
        )
    if layer == "occlusion":
        weight = (
            torch.ones_like(painting.picture[:, :1]) if painting.weight is None else painting.weight
        )
        return to_bytes(weight * 2 - 1)
    if layer == "foreground":
        if painting.foreground is None or painting.foreground_mask is None:
            return to_bytes(torch.zeros_like(painting.picture))
        return to_bytes(painting.foreground * painting.foreground_mask)
    if layer == "labels":
        return _uploaded_colours(labels, scheme, painting)
    if layer == "compare":
        left = _uploaded_colours(labels, scheme, painting)
        return torch.cat([left, to_bytes(painting.picture)], dim=1)
    raise UsageError(
        f"there is no layer called {layer!r}.", hint=f"Layers are {', '.join(LAYERS)}."
    )


def _uploaded_colours(labels: LabelFrame, scheme: str | None, painting: Painting) -> Tensor:
    return to_device(torch.from_numpy(label_colours(labels, scheme)), painting.picture.device)


def label_colours(labels: LabelFrame, scheme: str | None = "cityscapes") -> Bytes:
    """The layer ``labels`` alone, which needs no painting: uint8 RGB [H,W,3]."""
    if scheme is None and labels.image is not None:
        coloured = labels.image
    else:
        coloured = colourise(labels.ids, load_scheme(scheme or "cityscapes"))
    return np.ascontiguousarray(coloured)


def flow_colours(flow: Tensor) -> Tensor:
    """Flow [N,2,H,W] as a picture [N,3,H,W] in [-1,1]: direction as hue, length as saturation."""
    import kornia  # takes a second to load, and only this layer needs it

    x, y = flow[:, 0], flow[:, 1]
    hue = torch.atan2(y, x) % (2 * torch.pi)
    length = torch.hypot(x, y) / (flow.shape[-1] * _FULL_COLOUR)
    hsv = torch.stack([hue, length.clamp(0, 1), torch.ones_like(hue)], dim=1)
    return kornia.color.hsv_to_rgb(hsv) * 2 - 1
