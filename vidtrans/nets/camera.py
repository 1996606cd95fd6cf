"""The camera that the street network assumes: a pinhole behind a windscreen.

A label map has no scale and no camera parameters, so they are assumed. These are the parameters of
the terrace streets of ``vidtrans-world``, on which the network was trained: a field of view of 54
degrees across a picture of 2:1, 1.4 m above the road, pitched down by 0.7 degrees.
"""

from __future__ import annotations

EYE_M = 1.4
"""Height of the camera above the road, metres; it sets the scale of all other lengths."""

FOCAL = 1.963
"""Focal length in picture heights: 1 / tan(54 / 2 degrees), for a picture twice as wide as high."""

HORIZON = 0.476
"""Height of the horizon as a share of the picture's height, from the top: a camera pitched down by
0.7 degrees has it at 0.5 - FOCAL * tan(0.7 degrees)."""
