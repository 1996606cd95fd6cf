"""Schemes as films show them that were decoded with the wrong colour matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vidtrans.labels.scheme import Colour, Scheme


@dataclass(frozen=True, eq=False)
class MatrixMistake:
    """An untagged film that was encoded with one matrix and decoded with another.

    Attributes:
        description: both matrices, in words.
        transform: float64 [3,3], RGB that was meant -> RGB that is shown, both 0..255.
    """

    description: str
    transform: npt.NDArray[np.float64]

    def shown(self, scheme: Scheme) -> Scheme:
        """The scheme with its colours as such a film shows them."""

        def turned(colour: Colour) -> Colour:
            seen = np.clip(np.rint(self.transform @ colour), 0, 255).astype(int)
            red, green, blue = seen.tolist()
            return red, green, blue

        classes = (
            replace(entry, colour=turned(entry.colour)) if entry.colour else entry
            for entry in scheme.classes
        )
        return replace(scheme, classes=tuple(classes))


def _to_ycbcr(red: float, blue: float) -> npt.NDArray[np.float64]:
    """RGB -> Y'CbCr for the luma weights of red and blue (ITU-R BT.601, BT.709)."""
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack(
        [
            luma,
            (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)),
            (np.array([1, 0, 0]) - luma) / (2 * (1 - red)),
        ]
    )


_BT601, _BT709 = _to_ycbcr(0.299, 0.114), _to_ycbcr(0.2126, 0.0722)
MATRIX_MISTAKES = (
    MatrixMistake("BT.601, but decoded as BT.709", np.linalg.inv(_BT709) @ _BT601),
    MatrixMistake("BT.709, but decoded as BT.601", np.linalg.inv(_BT601) @ _BT709),
)
"""The two mistakes that films without a matrix tag are open to."""
