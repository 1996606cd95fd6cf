"""The styles on a model's card: read, replaced, and checked against a choice of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from vidtrans.errors import ModelError, Remedy, UsageError
from vidtrans.frame import StyleChoice
from vidtrans.labels.scheme import Scheme, builtin_schemes, load_scheme
from vidtrans.model.card import Card
from vidtrans.validation import did_you_mean

Centres = Mapping[int, Sequence[Sequence[float]]]
"""For each plane its class's styles: cluster centres of feature_nc numbers in [-1,1]."""


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
    """Checks that the card's styles suit the network.

    Raises:
        ModelError: there are styles of a plane that the network does not have, or styles that are
            not ``feature_nc`` finite numbers.
    """
    for plane, centres in card.styles.items():
        if not re.fullmatch(r"[0-9]{1,3}", plane) or int(plane) >= label_nc:
            raise ModelError(
                f"has styles of class {plane[:40]!r}, and the network's classes are 0 to"
                f" {label_nc - 1}.",
                where=where,
            )
        for number, centre in enumerate(centres):
            if len(centre) != feature_nc or not all(map(math.isfinite, centre)):
                raise ModelError(
                    f"style {number} of class {plane} is not the {feature_nc} finite numbers that"
                    " the network takes.",
                    where=where,
                )


def card_scheme(card: Card, *, where: str) -> Scheme | None:
    """The label scheme of a model's planes; None where these have numbers only.

    A card may come from anybody, so it names a built-in scheme and never a file.

    Raises:
        ModelError: the scheme is none of the built-in ones.
    """
    if card.label_scheme is None:
        return None
    if card.label_scheme not in builtin_schemes():
        raise ModelError(
            f"its labels are of the scheme {card.label_scheme[:60]!r}, which this vidtrans does not"
            " have.",
            where=where,
            hint=did_you_mean(card.label_scheme[:60], builtin_schemes()),
        )
    return load_scheme(card.label_scheme)


def class_names(card: Card) -> dict[int, str]:
    """The class names of the model's planes; none where its label scheme is not known here."""
    try:
        scheme = card_scheme(card, where="the model")
    except ModelError:  # a palette of another machine: classes are shown by number
        return {}
    if scheme is None:
        return {}
    return {entry.id: entry.name for entry in scheme.classes}


def style_counts(card: Card) -> dict[str, int]:
    """The number of styles of each class, by its name, or by its plane where it has none."""
    names = class_names(card)
    return {
        names.get(plane, str(plane)): len(centres)
        for plane, centres in sorted(centres_of(card).items())
    }


def check_choice(card: Card, feature_nc: int, choice: StyleChoice) -> None:
    """Checks that the model has the styles of ``choice``.

    Raises:
        UsageError: the model has no styles, or none of a class or number that is chosen.
    """
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
            hint=(None if card.encoder is None else "Make styles from pictures with labels first."),
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
    """Checks that class ``name``, which has ``count`` styles, has the style of this number.

    Raises:
        UsageError: it has not.
    """
    if not count:
        listed = ", ".join(f"{known} ({n})" for known, n in style_counts(card).items())
        raise UsageError(f"class {name} has no styles.", hint=f"Those with styles: {listed}.")
    if not 0 <= style < count:
        raise UsageError(f"class {name} has no style {style}; its styles are 0 to {count - 1}.")
