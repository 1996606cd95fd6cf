"""PatchGAN discriminators: of a picture with its labels, and of three consecutive pictures with the
flows between them.

They follow pix2pixHD's multi-scale discriminators (Wang et al. 2018) in a light form: fewer
channels, and labels are looked up instead of convolved as planes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidtrans.nets.lookup import LabelLookup


@dataclass(frozen=True, eq=False)
class Judgement:
    """For every scale, finest first: ``scores`` [N,1,h,w], high for real, and the inner
    ``activations`` before them."""

    scores: tuple[Tensor, ...]
    activations: tuple[tuple[Tensor, ...], ...]


class PatchDiscriminator(nn.Module):
    """One scale: ``layers`` convolutions 4x4 of stride 2 (the channels double), one of stride 1,
    and the scores; instance norm after all but the first and the last."""

    def __init__(self, picture_nc: int, channels: int, layers: int, label_nc: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(picture_nc, channels, 4, stride=2, padding=1)
        self.labels = LabelLookup(label_nc, channels, patch=2) if label_nc else None
        inner = []
        for layer in range(1, layers + 1):
            wide = min(channels * 2, 512)
            stride, kernel, padding = (2, 4, 1) if layer < layers else (1, 3, 1)
            inner.append(nn.Conv2d(channels, wide, kernel, stride, padding))
            channels = wide
        self.inner = nn.ModuleList(inner)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, picture: Tensor, ids: Tensor | None, edges: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        x = self.first(picture.contiguous(memory_format=torch.channels_last))
        if self.labels is not None:
            x = x + self.labels(ids, edges)
        activations = [F.leaky_relu(x, 0.2)]
        for layer in self.inner:
            activations.append(F.leaky_relu(F.instance_norm(layer(activations[-1])), 0.2))
        return self.last(activations[-1]), tuple(activations)


class MultiscaleDiscriminator(nn.Module):
    """The same judge at several sizes, each half the last."""

    def __init__(
        self, picture_nc: int, channels: int, layers: int, scales: int, label_nc: int = 0
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchDiscriminator(picture_nc, channels, layers, label_nc) for _ in range(scales)
        )

    def forward(
        self, picture: Tensor, ids: Tensor | None = None, edges: Tensor | None = None
    ) -> Judgement:
        """``picture`` [N,picture_nc,H,W]; with labels: ``ids`` [N,H,W] and ``edges`` bool
        [N,H,W]."""
        judged = []
        for scale, judge in enumerate(self.scales):
            if scale:
                picture = F.avg_pool2d(picture, 2)
            step = 2**scale
            small_ids = None if ids is None else ids[:, None, ::step, ::step].contiguous()
            small_edges = None if edges is None else edges[:, None, ::step, ::step].contiguous()
            judged.append(judge(picture, small_ids, small_edges))
        return Judgement(tuple(score for score, _ in judged), tuple(layers for _, layers in judged))


TEMPORAL_FRAMES = 3


def temporal_planes(pictures: Tensor, flows: Tensor) -> Tensor:
    """Three consecutive pictures [N,3,3,H,W] and the two flows between them [N,2,2,H,W] (pixels)
    -> [N,13,H,W]."""
    return torch.cat([pictures.flatten(1, 2), flows.flatten(1, 2) / 20], dim=1)
