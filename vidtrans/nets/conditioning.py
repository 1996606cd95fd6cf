"""A generator's input planes: one-hot labels, boundaries, and their coarser versions.

Most of a window's one-hot planes are empty: of Cityscapes' 35 classes a frame shows ten to fifteen.
A plane of zeros adds nothing to a convolution, so it is left out together with its slice of the
weights. That is exact at every scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidtrans.nets.constants import constant
from vidtrans.nets.inference_layers import (
    are_plain,
    channels_last,
    keeps_layout,
    pad_reflected,
)
from vidtrans.nets.label_convolution import convolve_labels
from vidtrans.nets.painting import Conditioning


@dataclass(frozen=True)
class Planes:
    """Input planes without the empty ones.

    Attributes:
        values: float [N,C,H,W].
        channels: Which of the network's input channels each of the C planes is.
        total: Input channels of the network.
    """

    values: Tensor
    channels: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class WindowPlanes:
    """A window's planes at the finest scale, made when they are first needed: a CPU convolves
    labels without them."""

    window: Conditioning
    label_nc: int
    use_boundary: bool

    @cached_property
    def dense(self) -> Planes:
        return stack_window(self.window, label_nc=self.label_nc, use_boundary=self.use_boundary)


def boundary(instances: Tensor) -> Tensor:
    """Boundaries between instances.

    Args:
        instances: integer [...,H,W], on any device.

    Returns:
        bool [...,H,W]: True where a pixel's instance differs from that of any of its four
        neighbours, so on both sides of a boundary. The picture's border is no boundary.
    """
    if instances.device.type == "cpu":  # in numpy a quarter of the time
        found = np.zeros(instances.shape, bool)
        _mark_boundary(found, instances.numpy())
        return torch.from_numpy(found)
    edge = torch.zeros_like(instances, dtype=torch.bool)
    _mark_boundary(edge, instances)
    return edge


def _mark_boundary(edge: Any, instances: Any) -> None:
    """Set ``edge``, at first False everywhere; both are arrays of numpy or tensors."""
    across = instances[..., :, 1:] != instances[..., :, :-1]
    down = instances[..., 1:, :] != instances[..., :-1, :]
    edge[..., :, 1:] |= across
    edge[..., :, :-1] |= across
    edge[..., 1:, :] |= down
    edge[..., :-1, :] |= down


def working_dtype(device: torch.device) -> torch.dtype:
    """The type that convolutions compute in here: autocast's, else the default one."""
    return (
        torch.get_autocast_dtype(device.type)
        if torch.is_autocast_enabled(device.type)
        else torch.get_default_dtype()
    )


def one_hot(ids: Tensor, classes: tuple[int, ...]) -> Tensor:
    """One-hot planes of class ids.

    Args:
        ids: integer [N,H,W].
        classes: Those that have a plane, in order.

    Returns:
        [N,len(classes),H,W], zeros and ones in the working type, in the layout that
        `inference_layers.keeps_layout` means where it applies.
    """
    wanted = constant(classes, ids.device, torch.int64).to(ids.dtype)
    if keeps_layout(ids):
        return (ids[..., None] == wanted).to(working_dtype(ids.device)).permute(0, 3, 1, 2)
    return (ids[:, None] == wanted[:, None, None]).to(working_dtype(ids.device))


def stack_window(conditioning: Conditioning, *, label_nc: int, use_boundary: bool) -> Planes:
    """The planes of a window, oldest frame first: each frame's label planes, then its boundary
    plane; after the last frame the style features, where there are any.

    Args:
        conditioning: The window.
        label_nc: Label planes of a frame. 0: the channels of its picture instead.
        use_boundary: Whether a frame has a boundary plane.

    Raises:
        ValueError: Where the conditioning lacks labels, pictures or boundaries.
    """
    shown = conditioning.ids if label_nc else conditioning.image
    if shown is None:
        raise ValueError(
            f"this network paints from {'labels' if label_nc else 'pictures'}, and none were given"
        )
    if use_boundary and conditioning.boundary is None:
        raise ValueError("this network has a boundary plane, and no boundaries were given")
    own = label_nc or shown.shape[2]
    step = own + use_boundary
    parts: list[Tensor] = []
    channels: list[int] = []
    for t in range(shown.shape[1]):
        if label_nc:
            present = (
                tuple(range(label_nc))
                if conditioning.present is None or are_plain()
                else conditioning.present[t]
            )
            parts.append(one_hot(shown[:, t], present))
        else:
            present = tuple(range(own))
            parts.append(shown[:, t])
        channels.extend(t * step + c for c in present)
        if use_boundary and conditioning.boundary is not None:
            parts.append(conditioning.boundary[:, t, None])
            channels.append(t * step + own)
    total = shown.shape[1] * step
    if conditioning.features is not None:
        parts.append(conditioning.features)
        channels.extend(range(total, total + conditioning.features.shape[1]))
        total += conditioning.features.shape[1]
    dtype = parts[0].dtype
    parts = [part.to(dtype) for part in parts]
    if keeps_layout(shown):
        parts = [channels_last(part) for part in parts]
    return Planes(torch.cat(parts, dim=1), tuple(channels), total)


def foreground_plane(ids: Tensor, classes: Sequence[int]) -> Tensor:
    """[N,1,H,W], 1 where a pixel belongs to one of ``classes``: the sum of their planes, clamped
    to [0,1]."""
    planes = one_hot(ids, tuple(dict.fromkeys(classes)))
    return planes.sum(dim=1, keepdim=True).clamp_(0, 1)


def half_size(planes: Tensor) -> Tensor:
    """The next coarser scale: 3x3 means at stride 2, with only the pixels inside the border
    counted."""
    return F.avg_pool2d(planes, 3, stride=2, padding=1, count_include_pad=False)


def coarser(planes: Planes | WindowPlanes) -> Planes:
    finer = planes.dense if isinstance(planes, WindowPlanes) else planes
    return Planes(half_size(finer.values), finer.channels, finer.total)


def pyramid(picture: Tensor, scales: int) -> tuple[Tensor, ...]:
    """``picture`` [N,C,H,W] at every scale, coarsest first."""
    levels = [picture]
    for _ in range(scales - 1):
        levels.append(half_size(levels[-1]))
    return tuple(reversed(levels))


def convolve_planes(
    planes: Planes | WindowPlanes, convolutions: Sequence[nn.Conv2d], *, centred: bool = False
) -> list[Tensor]:
    """Apply 7x7 convolutions to the reflect-padded planes, in one pass for all of them.

    The sums are those of the full convolutions without their zero terms.

    Args:
        planes: The planes.
        convolutions: The convolutions, each over all planes.
        centred: Whether the results are normalised by their own mean, in which a bias leaves no
            trace. It is then left out where that saves a pass over memory.

    Returns:
        The result of each, [N,K,H,W].

    Raises:
        ValueError: Where the convolutions take another number of planes.
    """
    weight = torch.cat([c.weight for c in convolutions])
    biases = [c.bias for c in convolutions if c.bias is not None]
    bias = torch.cat(biases) if biases else None
    if isinstance(planes, WindowPlanes) and _by_lookup(planes, weight):
        out = _look_up(planes, weight, bias)
    else:
        dense = planes.dense if isinstance(planes, WindowPlanes) else planes
        out = _convolve(dense, weight, None if centred and keeps_layout(dense.values) else bias)
    return list(torch.split(out, [c.weight.shape[0] for c in convolutions], dim=1))


def _convolve(planes: Planes, weight: Tensor, bias: Tensor | None) -> Tensor:
    if weight.shape[1] != planes.total:
        raise ValueError(
            f"the convolution takes {weight.shape[1]} planes, and {planes.total} were given"
        )
    if len(planes.channels) < planes.total:
        weight = weight.index_select(1, constant(planes.channels, weight.device, torch.int64))
    pad = weight.shape[-1] // 2
    return F.conv2d(pad_reflected(planes.values, pad), weight, bias)


def _by_lookup(planes: WindowPlanes, weight: Tensor) -> bool:
    """Whether looking weights up by label is possible, and faster than convolving."""
    ids, present = planes.window.ids, planes.window.present
    if not planes.label_nc or ids is None or present is None or torch.is_grad_enabled():
        return False
    if weight.dtype != torch.float32 or are_plain():
        return False
    codes = len({c for frame in present for c in frame}) * (1 + planes.use_boundary)
    return (
        ids.device.type == "cpu" and ids.dtype == torch.uint8 and ids.shape[0] == 1 and codes <= 256
    )


def _look_up(planes: WindowPlanes, weight: Tensor, bias: Tensor | None) -> Tensor:
    window = planes.window
    assert window.ids is not None
    assert window.present is not None
    labelled = window.ids.shape[1] * (planes.label_nc + planes.use_boundary)
    features = window.features
    total = labelled + (0 if features is None else features.shape[1])
    if weight.shape[1] != total:
        raise ValueError(f"the convolution takes {weight.shape[1]} planes, and {total} were given")
    edges = window.boundary if planes.use_boundary else None
    if planes.use_boundary and edges is None:
        raise ValueError("this network has a boundary plane, and no boundaries were given")
    out = convolve_labels(
        window.ids, edges, window.present, weight[:, :labelled], bias, planes.label_nc
    )
    if features is not None:
        channels = tuple(range(features.shape[1]))
        out = out + _convolve(Planes(features, channels, len(channels)), weight[:, labelled:], None)
    return out
