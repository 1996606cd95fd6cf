"""The arrays of this package: 32-bit floats, written from lists as briefly as numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]


def f32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """``values`` as a float32 array."""
    return np.asarray(values, np.float32)
