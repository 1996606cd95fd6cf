"""The losses of the three systems, each a mean over elements.

Pictures are float [N,C,H,W] in [-1,1]. A discriminator's scores are one map [N,1,h,w] for each of
its scales; losses of several scales are summed, not averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vidtrans.nets.precision import full_precision

GanKind = Literal["ls", "log", "hinge"]
"""Least squares (Mao et al. 2017), log loss (Goodfellow et al. 2014), hinge (Lim and Ye 2017)."""


def discriminator_loss(scores: Sequence[Tensor], *, real: bool, kind: GanKind) -> Tensor:
    """How far a discriminator's ``scores`` are from what they should be.

    Args:
        scores: Of pictures that are all real or all generated, one map for each scale.
        real: Which of the two.
        kind: ``ls``: squared distance to 1 or 0. ``log``: cross entropy, scores being logits.
            ``hinge``: max(0, 1 - score) or max(0, 1 + score).

    Returns:
        A scalar, summed over the scales.
    """
    return _summed(_to_target(full_precision(score), real, kind) for score in scores)


def generator_loss(scores: Sequence[Tensor], kind: GanKind) -> Tensor:
    """What a generator makes of the ``scores`` of its pictures: as if they should be real.

    With ``hinge`` it is the negative mean. A scalar, summed over the scales.
    """
    if kind == "hinge":
        return _summed(-full_precision(score).mean() for score in scores)
    return discriminator_loss(scores, real=True, kind=kind)


def _to_target(score: Tensor, real: bool, kind: GanKind) -> Tensor:
    if kind == "hinge":
        return F.relu(1 - score if real else 1 + score).mean()
    target = torch.full_like(score, float(real))
    if kind == "log":
        return F.binary_cross_entropy_with_logits(score, target)
    return F.mse_loss(score, target)


def _summed(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum()


def feature_matching(
    fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]], n_layers: int
) -> Tensor:
    """L1 between a discriminator's inner activations on generated and on real pictures (Wang et al.
    2018a, eq. 4), real ones detached.

    Args:
        fake: For each scale the activations of all layers but the last.
        real: The same of the real pictures.
        n_layers: ``n_layers_D``; each layer counts 4 / (n_layers + 1), each scale 1 / scales.

    Returns:
        A scalar, without ``lambda_feat``.
    """
    weight = 4 / (n_layers + 1) / len(fake)
    return weight * _summed(
        F.l1_loss(full_precision(f), full_precision(r.detach()))
        for fakes, reals in zip(fake, real, strict=True)
        for f, r in zip(fakes, reals, strict=True)
    )


def masked_l1(found: Tensor, wanted: Tensor, confidence: Tensor) -> Tensor:
    """L1 between ``found`` and ``wanted`` where ``confidence`` [N,1,H,W] is 1; the mean is over
    **all** elements, trusted or not."""
    return F.l1_loss(found * confidence, wanted * confidence)


PERCEPTUAL_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Of VGG19's relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""


def perceptual_loss(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Weighted L1 between five layers of VGG19 on generated and on real pictures (Johnson et al.
    2016), real ones detached."""
    return _summed(
        weight * F.l1_loss(full_precision(f), full_precision(r.detach()))
        for weight, f, r in zip(PERCEPTUAL_WEIGHTS, fake, real, strict=True)
    )
