"""What a picture, a flow and a weight are measured by. Pictures [N,3,H,W] in [-1,1], masks
[N,1,H,W] in {0, 1}."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_l1(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference where ``mask`` is 1; 0 where it is 1 nowhere."""
    total = ((found - wanted).abs() * mask).sum()
    return total / (mask.sum() * found.shape[1] + 1e-6)


def pyramid_l1(found: Tensor, wanted: Tensor, levels: range = range(4)) -> Tensor:
    """Mean of the L1 distances at sizes halved as often as ``levels`` says: colour errors of large
    areas count at all of them. Without the first levels, detail may be anywhere."""
    distances = []
    for level in range(levels.stop):
        if level:
            found, wanted = F.avg_pool2d(found, 2), F.avg_pool2d(wanted, 2)
        if level in levels:
            distances.append(F.l1_loss(found, wanted))
    return torch.stack(distances).mean()


def gradient_l1(found: Tensor, wanted: Tensor) -> Tensor:
    """L1 distance of the horizontal and vertical differences: edges where edges are, and none
    where there are none."""
    across = F.l1_loss(found.diff(dim=-1), wanted.diff(dim=-1))
    down = F.l1_loss(found.diff(dim=-2), wanted.diff(dim=-2))
    return across + down


def trusted_flow(
    warped_real: Tensor, real: Tensor, visible: Tensor, tolerance: float = 0.02
) -> Tensor:
    """Where the teacher's flow explains the picture: visible before, and the RGB error (squares
    summed over channels, as published for pictures in [-1,1]) under ``tolerance``."""
    return visible * ((warped_real - real).square().sum(1, keepdim=True) < tolerance)


def hinge_discriminator(real: Sequence[Tensor], painted: Sequence[Tensor]) -> Tensor:
    """Hinge loss of a discriminator, over its scales."""
    per_scale = [
        F.relu(1 - r.float()).mean() + F.relu(1 + p.float()).mean()
        for r, p in zip(real, painted, strict=True)
    ]
    return torch.stack(per_scale).mean()


def hinge_generator(painted: Sequence[Tensor]) -> Tensor:
    """Hinge loss of a generator, over the discriminator's scales."""
    return -torch.stack([p.float().mean() for p in painted]).mean()


def feature_matching(
    painted: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]
) -> Tensor:
    """L1 between a discriminator's inner activations on painted and on real pictures, scale by
    scale and layer by layer; each scale's mean over its layers, times 4 / (layers + 1) * layers as
    published, averaged over the scales."""
    per_scale = []
    for p_layers, r_layers in zip(painted, real, strict=True):
        layers = [
            F.l1_loss(p.float(), r.detach().float())
            for p, r in zip(p_layers, r_layers, strict=True)
        ]
        per_scale.append(torch.stack(layers).sum() * 4 / (len(layers) + 1))
    return torch.stack(per_scale).mean()
