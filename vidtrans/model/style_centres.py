"""A model's styles: what its card holds, and whether a choice of them suits it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from vidtrans.errors import ModelError, Remedy, UsageError, VidtransError
from vidtrans.frame import StyleChoice
from vidtrans.labels.scheme import load_scheme
from vidtrans.model.card import Card

Centres = Mapping[int, Sequence[Sequence[float]]]
"""For each class (by plane) its styles: cluster centres of feature_nc numbers."""


def centres_of(card: Card) -> Centres:
    """The card's styles by plane."""
    return {int(plane): card.styles[plane] for plane in sorted(card.styles, key=int)}


def with_styles(card: Card, centres: Centres) -> Card:
    """``card`` with these styles instead of its own; classes without any are left out."""
    styles = {
        str(plane): [[float(x) for x in centre] for centre in centres[plane]]
        for plane in sorted(centres)
    }
    return card.model_copy(
        update={"styles": {plane: listed for plane, listed in styles.items() if listed}}
    )


def check_card_styles(card: Card, *, label_nc: int, feature_nc: int, where: str) -> None:
    """Raises ModelError where the card's styles are none of the network's."""
    for plane, centres in card.styles.items():
        if not plane.isdecimal() or int(plane) >= label_nc:
            raise ModelError(
                f"has styles of class {plane!r}, and the network's classes are 0 to"
                f" {label_nc - 1}.",
                where=where,
            )
        for number, centre in enumerate(centres):
            if len(centre) != feature_nc or not all(map(math.isfinite, centre)):
                raise ModelError(
                    f"style {number} of class {plane} is no {feature_nc} finite numbers, which the"
                    " network takes.",
                    where=where,
                )


def class_names(card: Card) -> dict[int, str]:
    """Names of the model's planes, as far as its label scheme gives any."""
    if card.label_scheme is None:
        return {}
    try:
        scheme = load_scheme(card.label_scheme)
    except VidtransError:  # a scheme of somebody's own, which is not here: numbers will do
        return {}
    return {entry.id: entry.name for entry in scheme.classes}


def style_counts(card: Card) -> dict[str, int]:
    """How many styles each class has, by name (by number where the model names none)."""
    names = class_names(card)
    return {
        names.get(plane, str(plane)): len(centres)
        for plane, centres in sorted(centres_of(card).items())
    }


def check_choice(card: Card, feature_nc: int, choice: StyleChoice) -> None:
    """Raises UsageError where ``choice`` names what the model does not have."""
    name = card.name or "the model"
    if not feature_nc:
        raise UsageError(
            f"{name} has no styles to choose from: it is a {card.system} that takes no features.",
            remedy=(
                Remedy("A vid2vid takes its look from a given first frame ({first_frame}).")
                if card.system == "vid2vid"
                else Remedy("Styles are of models trained with features.")
            ),
        )
    if not card.styles:
        raise UsageError(
            f"{name} takes features, and its file holds no styles.",
            hint=(
                None
                if card.encoder is None
                else "Make them with: vidtrans models styles MODEL PICTURES LABELS OUT.safetensors"
            ),
        )
    centres = centres_of(card)
    names = class_names(card)
    for plane, style in choice.classes:
        check_number(names.get(plane, str(plane)), len(centres.get(plane, ())), style, card)
    largest = max(len(found) for found in centres.values())
    for instance, style in choice.instances:
        if not 0 <= style < largest:
            raise UsageError(
                f"there is no style {style} for instance {instance}: no class has more than 0 to"
                f" {largest - 1}."
            )


def check_number(name: str, count: int, style: int, card: Card) -> None:
    """Raises UsageError where class ``name``, with ``count`` styles, has none of this number."""
    if not count:
        listed = ", ".join(f"{known} ({n})" for known, n in style_counts(card).items())
        raise UsageError(f"class {name} has no styles.", hint=f"Those with styles: {listed}.")
    if not 0 <= style < count:
        raise UsageError(f"class {name} has no style {style}; its styles are 0 to {count - 1}.")
