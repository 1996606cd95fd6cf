"""Labels blended over a photo, as annotation tools show them: recognised to be refused by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidtrans.frame import Bytes
from vidtrans.labels.scheme import Scheme

_OPACITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of the labels in the blend: what tools offer; others are near one of these."""
_NEAR = 12
"""The distance in chroma, 0..255, at which a pixel has the chroma of a blended class: streets are
nearly grey, and a photo's own chroma is blended away."""
_COLOURED = 20
"""The least chroma of a class, and of a pixel, that counts: those of greys tell nothing."""
_CLASSES, _CLASS_SHARE = 3, 0.02
"""An overlay shows at least so many classes, each in at least this share of the pixels."""
_MOST_CLASSES = 40
"""Schemes with more coloured classes have every chroma, and so tell nothing."""
_EXPLAINED, _LEAST_COLOURED = 0.8, 0.3
"""At least this share of the coloured pixels has the chroma of a class, and at least this share of
all pixels is coloured."""
_PIXELS = 20_000
"""Pixels that are looked at."""
_CHROMA = np.array([[-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]], np.float32)
"""RGB -> Cb, Cr of BT.709."""


def is_overlay(picture: Bytes, schemes: Sequence[Scheme]) -> bool:
    """Whether a picture looks like labels of one of ``schemes`` laid over a photo.

    Args:
        picture: uint8 RGB [H,W,3].
        schemes: whose colours are looked for.
    """
    flat = picture.reshape(-1, 3)
    chroma = flat[:: max(1, len(flat) // _PIXELS)].astype(np.float32) @ _CHROMA.T
    coloured = chroma[np.hypot(*chroma.T) > _COLOURED]
    if len(coloured) < _LEAST_COLOURED * len(chroma):
        return False
    return any(
        _explained(coloured, len(chroma), scheme, opacity)
        for scheme in schemes
        for opacity in _OPACITIES
    )


def _explained(coloured: np.ndarray, pixels: int, scheme: Scheme, opacity: float) -> bool:
    palette = np.array([colour for colour, _ in scheme.colours()], np.float32).reshape(-1, 3)
    centres = opacity * palette @ _CHROMA.T
    centres = centres[np.hypot(*centres.T) > _COLOURED]
    if not _CLASSES <= len(centres) <= _MOST_CLASSES:
        return False
    distance = np.hypot(*(coloured[:, None] - centres).transpose(2, 0, 1))
    near = distance.min(axis=1) <= _NEAR
    seen = np.bincount(distance.argmin(axis=1)[near], minlength=len(centres))
    return bool(
        near.mean() >= _EXPLAINED and np.count_nonzero(seen >= _CLASS_SHARE * pixels) >= _CLASSES
    )
