"""Fourier features: coordinates as sines and cosines, so that a network can draw fine detail.

A network of coordinates alone learns low frequencies only; given sines and cosines of them it
learns the high ones too (Tancik et al. 2020, "Fourier Features Let Networks Learn High Frequency
Functions in Low Dimensional Domains").
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vidtrans.nets.constants import constant


def fourier_features(values: Tensor, frequencies: Sequence[float]) -> list[Tensor]:
    """Sine and cosine of ``values`` at each of ``frequencies``, in periods per unit.

    Returns:
        Planes of the shape of ``values``, sine before cosine, frequency by frequency, in [-1,1].
    """
    return [
        wave(2 * math.pi * frequency * values)
        for frequency in frequencies
        for wave in (torch.sin, torch.cos)
    ]


def band_limited_features(
    metres: Tensor, footprint: Tensor, wavelengths: Sequence[float], valid: Tensor
) -> list[Tensor]:
    """Sine and cosine of ``metres`` at each of ``wavelengths``, as far as a pixel can show them.

    A feature fades as the footprint of a cell grows and is 0 where that is as long as the wave:
    beyond, it could only alias. The purpose is that of the integrated positional encoding of Barron
    et al. 2021, "Mip-NeRF", with a linear fall-off in place of a Gaussian one.

    Args:
        metres: Positions.
        footprint: Length in metres that a cell covers there.
        wavelengths: Metres.
        valid: bool; features are 0 elsewhere.

    Returns:
        Planes of the shape that the arguments broadcast to, sine before cosine, in [-1,1].
    """
    # All wavelengths at once: the arguments are often a row or a column, and then each operation
    # costs the same however many values it has.
    along = (-1,) + (1,) * max(metres.dim(), footprint.dim(), valid.dim())
    lengths = constant(tuple(wavelengths), metres.device).view(along)
    factors = constant(tuple(2 * math.pi / length for length in wavelengths), metres.device)
    strength = (1 - footprint / lengths).clamp(min=0) * valid
    angle = metres.remainder(lengths) * factors.view(along)
    pairs = torch.stack((angle.sin() * strength, angle.cos() * strength), dim=1)
    return list(pairs.flatten(0, 1))
