"""Candidate schemes for label pictures, each with its score on what the pictures hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidtrans.labels.frame_statistics import ColourStatistics, ValueStatistics, colour_coverage
from vidtrans.labels.scheme import Scheme, builtin_schemes, canonical, load_scheme
from vidtrans.labels.street_prior import (
    known_to_prior,
    log_likelihood,
    surprise,
    usual_share,
)

PREFERENCE = (
    "cityscapes",
    "gta5",
    "kitti-360",
    "bdd100k",
    "carla",
    "carla-0.9.13",
    "cityscapes-train",
    "kitti-step",
    "mapillary",
    "mapillary-2",
    "ade20k",
    "ade20k-train",
    "coco-stuff",
    "synthia",
    "waymo",
    "nuscenes",
)
"""Where several schemes give all that was seen the same meaning, the first of these is named: the
commoner one, and before its own extensions the plain one. Other schemes come after them."""

_SAME_MEANING = 0.2
"""Nats a pixel by which schemes may differ that give colours nearly the same meaning: one names
kinds of what the other has in one class. A road that is read as another class costs more."""


@dataclass(frozen=True, slots=True)
class ValueScore:
    """A scheme that has a class for every value seen.

    Attributes:
        scheme: the scheme.
        names: the class name of every value seen.
        log_likelihood: of a pixel under the street prior, nats; larger is likelier.
        surprise: how far this is from a usual street, nats a pixel (`street_prior.surprise`).
    """

    scheme: Scheme
    names: Mapping[int, str]
    log_likelihood: float
    surprise: float

    def agrees(self, other: ValueScore) -> bool:
        """Whether both schemes give every value seen the same meaning."""
        return all(
            canonical(name) == canonical(other.names[value]) for value, name in self.names.items()
        )


@dataclass(frozen=True, slots=True)
class ColourScore:
    """A scheme with colours.

    Attributes:
        scheme: the scheme, its colours as the pictures show them.
        coverage: the share of inner pixels that have one of its colours, 0..1.
        ids: the ids of the classes seen.
    """

    scheme: Scheme
    coverage: float
    ids: frozenset[int]

    @property
    def names(self) -> dict[int, str]:
        """The class name of every id seen, by id."""
        return {value: self.scheme.name_of(value) or "" for value in sorted(self.ids)}


def candidate_schemes(expected: Scheme | None = None) -> list[Scheme]:
    """The built-in schemes in the order of `PREFERENCE`, and ``expected``, the model's own."""
    schemes = [load_scheme(name) for name in sorted(builtin_schemes(), key=_rank)]
    if expected is not None and expected not in schemes:
        schemes.append(expected)
    return schemes


def score_values(statistics: ValueStatistics, schemes: Iterable[Scheme]) -> list[ValueScore]:
    """The scores of the schemes that have a class for every value, likeliest first."""
    scores = []
    for scheme in schemes:
        names = {value: scheme.name_of(value) for value in statistics.shares}
        named = {value: name for value, name in names.items() if name is not None}
        if len(named) == len(names):
            street = {value: _street_name(scheme, name) for value, name in named.items()}
            scores.append(
                ValueScore(
                    scheme,
                    named,
                    log_likelihood(statistics, street),
                    surprise(statistics, street),
                )
            )
    return sorted(scores, key=lambda score: -score.log_likelihood)


def _street_name(scheme: Scheme, name: str) -> str:
    """The name that the street prior knows a class by: its own, or the first of its stand-ins."""
    return next((each for each in (name, *scheme.find(name).alike) if known_to_prior(each)), name)


def score_colours(
    statistics: ColourStatistics, schemes: Iterable[Scheme], distance: float
) -> list[ColourScore]:
    """The scores of the schemes that have colours, in the order of ``schemes``.

    Args:
        statistics: the colours of the pictures.
        schemes: the candidates.
        distance: the largest Euclidean distance in RGB (0..255) at which two colours are the same.
    """
    return [
        ColourScore(scheme, *colour_coverage(statistics, scheme, distance))
        for scheme in schemes
        if scheme.colours()
    ]


def likely_meaning(
    statistics: ColourStatistics, scores: Sequence[ColourScore], distance: float
) -> list[ColourScore]:
    """Those of ``scores`` under which the classes seen are likeliest in a street, in their order.

    Colours of different data sets may coincide; where they mean the same, all scores stay.
    """
    found = []
    for score in scores:
        pairs = score.scheme.colours()
        entries = statistics.near([colour for colour, _ in pairs], distance)
        usual = np.array(
            [
                usual_share(_street_name(score.scheme, score.scheme.name_of(value) or ""))
                for _, value in pairs
            ]
        )
        known = entries >= 0
        found.append(float((statistics.shares[known] * np.log(usual[entries[known]])).sum()))
    best = max(found)
    return [s for s, nats in zip(scores, found, strict=True) if best - nats < _SAME_MEANING]


def distinct(scores: Iterable[ValueScore]) -> list[ValueScore]:
    """One score of each meaning that the values may have, in the order of `PREFERENCE`."""
    kept: list[ValueScore] = []
    for score in sorted(scores, key=lambda score: _rank(score.scheme.name)):
        if not any(score.agrees(other) for other in kept):
            kept.append(score)
    return kept


def _rank(name: str) -> int:
    return PREFERENCE.index(name) if name in PREFERENCE else len(PREFERENCE)
