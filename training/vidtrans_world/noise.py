"""Noise that sticks to the world and never aliases: hashes of integers, and a tiling fractal
texture with its mipmaps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from vidtrans_world.arrays import Floats

_SIZE = 512
_LEVELS = 9


def hashed(*cells: npt.ArrayLike) -> Floats:
    """A number in [0, 1) for each tuple of integers, the same on every machine (a 32-bit integer
    hash)."""
    state = np.asarray(0x9E3779B9, np.uint32)
    for cell in cells:
        value = np.asarray(cell).astype(np.int64).astype(np.uint32)
        state = (state ^ value) * np.uint32(0x85EBCA6B)
        state = (state ^ (state >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        state = state ^ (state >> np.uint32(16))
    return (np.asarray(state) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


@lru_cache(maxsize=2)
def _pyramid(kind: str) -> tuple[Floats, npt.NDArray[np.int64]]:
    rng = np.random.default_rng(7 if kind == "fractal" else 8)
    picture = np.zeros((_SIZE, _SIZE))
    for octave in range(8) if kind == "fractal" else (5, 6, 7):
        cells = 4 << octave
        grid = rng.normal(size=(min(cells, _SIZE), min(cells, _SIZE)))
        big = ndimage.zoom(
            np.pad(grid, 2, mode="wrap"),
            _SIZE / len(grid),
            order=2,
            grid_mode=True,
            mode="grid-wrap",
        )
        edge = 2 * _SIZE // len(grid)
        picture += big[edge : edge + _SIZE, edge : edge + _SIZE] * (
            0.62**octave if kind == "fractal" else 1.0
        )
    picture = (picture - picture.mean()) / picture.std()
    levels, starts, start = [], [], 0
    for _ in range(_LEVELS):
        levels.append(picture.astype(np.float32).ravel())
        starts.append(start)
        start += picture.size
        picture = picture.reshape(len(picture) // 2, 2, len(picture) // 2, 2).mean((1, 3))
    return np.concatenate(levels), np.array(starts)


def fractal(
    u: Floats, v: Floats, period: float, footprint: Floats, kind: str = "fractal"
) -> Floats:
    """Noise of mean 0 and deviation about 1 that repeats every ``period`` metres; what is finer
    than ``footprint`` (metres, the width of a pixel there) is averaged away, so it neither aliases
    nor flickers. Kind ``grain``: fine only."""
    texels, starts = _pyramid(kind)
    level = np.clip(
        np.log2(np.maximum(footprint * np.float32(_SIZE / period), 1.0)).astype(np.int64),
        0,
        _LEVELS - 1,
    )
    size = (_SIZE >> level).astype(np.int64)
    x = u * (size / np.float32(period)).astype(np.float32) - 0.5
    y = v * (size / np.float32(period)).astype(np.float32) - 0.5
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = (x - x0).astype(np.float32), (y - y0).astype(np.float32)
    mask = size - 1
    xa, ya = x0.astype(np.int64) & mask, y0.astype(np.int64) & mask
    xb, yb = (xa + 1) & mask, (ya + 1) & mask
    base = starts[level]
    low, high = base + ya * size, base + yb * size
    top = texels[low + xa] * (1 - fx) + texels[low + xb] * fx
    bottom = texels[high + xa] * (1 - fx) + texels[high + xb] * fx
    mixed: Floats = top * (1 - fy) + bottom * fy
    return mixed


def band(x: Floats, low: Floats | float, high: Floats | float, footprint: Floats | float) -> Floats:
    """How much of a pixel of width ``footprint`` at ``x`` lies between ``low`` and ``high``: 0
    to 1, box-filtered."""
    width = np.maximum(footprint, 1e-4)
    half = np.float32(0.5) * width
    return np.clip((np.minimum(x + half, high) - np.maximum(x - half, low)) / width, 0, 1).astype(
        np.float32
    )


def stripes(
    x: Floats, period: Floats | float, low: float, high: float, footprint: Floats | float
) -> Floats:
    """How much of a pixel lies in the part [low, high] (0 to 1) of a repeating pattern,
    box-filtered at any width."""
    width: Floats = np.maximum(footprint / np.asarray(period), 1e-4)
    phase: Floats = x / period

    def integral(p: Floats) -> Floats:
        whole = np.floor(p)
        return whole * (high - low) + np.clip(p - whole, low, high) - low

    return np.clip(
        (integral(phase + width / 2) - integral(phase - width / 2)) / width, 0, 1
    ).astype(np.float32)
