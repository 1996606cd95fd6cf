"""Ids to colours, for previews."""

from __future__ import annotations

import colorsys

import numpy as np

from vidtrans.frame import Bytes, Ids
from vidtrans.labels.scheme import Colour, Scheme, stored_ids


def palette_of(scheme: Scheme, size: int = 256) -> Bytes:
    """The colours of a scheme by stored id.

    Args:
        scheme: the scheme. Ids without a colour get a made-up one, the same every time.
        size: rows: 256 for ids of 8 bits, 65536 for ids of 16.

    Returns:
        uint8 RGB [size,3].
    """
    rows = np.array([_made_up(identity) for identity in range(size)], np.uint8)
    for entry in scheme.classes:
        for value in stored_ids(entry.id):
            if entry.colour is not None and value < size:
                rows[value] = entry.colour
    return rows


def colourise(ids: Ids, scheme: Scheme) -> Bytes:
    """A label map in its scheme's colours.

    Args:
        ids: uint8 or uint16 [H,W].
        scheme: what the ids mean.

    Returns:
        uint8 RGB [H,W,3].
    """
    size = 256 if ids.dtype == np.uint8 else 65536
    painted: Bytes = palette_of(scheme, size).take(ids, axis=0)
    return painted


def _made_up(identity: int) -> Colour:
    # Steps of the golden ratio around the hue circle keep neighbouring ids far apart.
    red, green, blue = colorsys.hsv_to_rgb(
        (identity * 0.618034) % 1, 0.45 + 0.1 * (identity % 5), 0.55 + 0.1 * (identity % 4)
    )
    return round(red * 255), round(green * 255), round(blue * 255)
