"""Names of a model's styles. Does not depend on Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vidtrans.model.card import Card

_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "black": (25, 25, 25), "dark grey": (75, 75, 75), "grey": (125, 125, 125),
    "light grey": (180, 180, 180), "white": (235, 235, 235), "red": (190, 40, 40),
    "dark red": (100, 25, 25), "orange": (220, 130, 40), "brown": (110, 75, 50),
    "beige": (200, 180, 145), "yellow": (220, 205, 60), "green": (60, 140, 60),
    "dark green": (30, 70, 40), "olive": (110, 110, 50), "turquoise": (60, 160, 160),
    "light blue": (140, 180, 220), "blue": (50, 90, 180), "dark blue": (25, 35, 90),
    "violet": (120, 70, 150), "pink": (220, 140, 170),
}  # fmt: skip
"""Names of colours that cars and clothes have, RGB."""


@dataclass(frozen=True)
class StyleNames:
    """What a model's styles are called.

    Attributes:
        centres: The styles by class name, and by the plane's number as text.
    """

    centres: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)

    def name(self, of: str | None, style: int) -> str:
        """The name of a style: its colour where the style is one, else empty.

        Args:
            of: The class, or its plane as text; None where it is not known.
            style: The number, from 0.
        """
        listed = self.centres.get(of or "", ())
        if not 0 <= style < len(listed) or len(listed[style]) != 3:
            return ""
        rgb = [round((value + 1) * 127.5) for value in listed[style]]
        return min(_COLOURS, key=lambda name: _distance(rgb, _COLOURS[name]))


def _distance(one: Sequence[int], other: Sequence[int]) -> float:
    """Distance of two colours, weighted as eyes see them (the "redmean" approximation)."""
    red = (one[0] + other[0]) / 2
    dr, dg, db = (a - b for a, b in zip(one, other, strict=True))
    return (2 + red / 256) * dr**2 + 4 * dg**2 + (2 + (255 - red) / 256) * db**2


def style_names(card: Card, class_names: Mapping[int, str]) -> StyleNames:
    """The names of a model's styles.

    Args:
        card: The model's card.
        class_names: The classes' names by plane.
    """
    if card.architecture != "street":
        return StyleNames()  # features without a meaning of their own
    return StyleNames(
        {class_names.get(int(plane), plane): centres for plane, centres in card.styles.items()}
        | card.styles
    )
