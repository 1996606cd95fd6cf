"""Schemes as pictures show them whose colours a mistake changed, the same everywhere: the wrong
colour matrix, red and blue exchanged, a gamma, the wrong range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vidtrans.labels.scheme import Colour, Scheme

_Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ColourMistake:
    """A mistake that changes every colour in the same way.

    Attributes:
        description: what happened, as what follows "the colours are".
        change: float64 RGB [3] that was meant, 0..255 -> RGB that is shown, not yet clipped.
    """

    description: str
    change: Callable[[_Vector], _Vector]

    def shown(self, scheme: Scheme) -> Scheme:
        """The scheme with its colours as such pictures show them."""

        def changed(colour: Colour) -> Colour:
            seen = np.clip(np.rint(self.change(np.array(colour, np.float64))), 0, 255).astype(int)
            red, green, blue = seen.tolist()
            return red, green, blue

        classes = (
            replace(entry, colour=changed(entry.colour)) if entry.colour else entry
            for entry in scheme.classes
        )
        return replace(scheme, classes=tuple(classes))


def _matrix_mistake(meant: str, shown: str, transform: npt.NDArray[np.float64]) -> ColourMistake:
    return ColourMistake(
        f"those of a film encoded with {meant}, but decoded as {shown}, so its matrix tag is"
        " missing or wrong",
        lambda colour: transform @ colour,
    )


def _gamma_mistake(gamma: float) -> ColourMistake:
    return ColourMistake(
        f"those of label pictures to which a gamma of about {gamma:g} was applied",
        lambda colour: 255 * (colour / 255) ** gamma,
    )


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
    _matrix_mistake("BT.601", "BT.709", np.linalg.inv(_BT709) @ _BT601),
    _matrix_mistake("BT.709", "BT.601", np.linalg.inv(_BT601) @ _BT709),
)
"""The two mistakes that films without a matrix tag are open to."""

COLOUR_MISTAKES = (
    *MATRIX_MISTAKES,
    ColourMistake(
        "those of label pictures whose red and blue are exchanged (RGB written as BGR, which is"
        " OpenCV's order)",
        lambda colour: colour[::-1],
    ),
    ColourMistake(
        "those of a film of limited range that was decoded as full range",
        lambda colour: 16 + colour * (219 / 255),
    ),
    ColourMistake(
        "those of a film of full range that was decoded as limited range",
        lambda colour: (colour - 16) * (255 / 219),
    ),
    *(_gamma_mistake(round(1.1**step, 2)) for step in range(-9, 10) if abs(step) > 1),
)
"""All mistakes that are looked for. Gammas go from 0.42 to 2.36, beyond linear light's 2.2 and its
inverse, in steps at which a colour moves by at most 15: within the distance of 10 at which
colours count as the same there is always one."""
