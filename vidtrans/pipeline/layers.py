"""What a painting is made of, as pictures for the eye."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidtrans.errors import UsageError
from vidtrans.frame import Bytes, LabelFrame
from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import load_scheme
from vidtrans.nets.painting import Painting
from vidtrans.nets.range import to_bytes
from vidtrans.pipeline.settings import LAYERS

# A flow of this share of the picture's width is shown in full colour; a fixed scale keeps films
# from flickering.
_FULL_COLOUR = 1 / 24


def render_layer(
    painting: Painting, layer: str, labels: LabelFrame, scheme: str | None = "cityscapes"
) -> Tensor:
    """One layer as uint8 RGB [H,W,3] on the painting's device (``compare``: [H,2W,3]).

    ``final``: the picture. ``raw``: painted anew, with the foreground. ``warped``: the previous
    picture moved by the flow; black where there is none. ``flow``: direction as hue, length as
    saturation; white where nothing moves, and where there is no flow. ``occlusion``: white is
    painted anew, black carried over; white where nothing could be carried over. ``foreground``: the
    foreground's own picture on grey, grey alone where there is none. ``labels``: in the colours of
    ``scheme`` (Cityscapes' where None). ``compare``: labels at the left of the picture. On a
    sequence's first frames, which have no flow, these are the neutral pictures. Raises UsageError
    for another name.
    """
    if layer == "final":
        return to_bytes(painting.picture)
    if layer == "raw":
        # What was not carried over was painted anew.
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
        return torch.from_numpy(label_colours(labels, scheme)).to(painting.picture.device)
    if layer == "compare":
        left = torch.from_numpy(label_colours(labels, scheme)).to(painting.picture.device)
        return torch.cat([left, to_bytes(painting.picture)], dim=1)
    raise UsageError(
        f"there is no layer called {layer!r}.", hint=f"Layers are {', '.join(LAYERS)}."
    )


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
