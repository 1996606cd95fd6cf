"""How likely it is that the values of label pictures make a street under a scheme."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import numpy as np

from vidtrans.labels.frame_statistics import ValueStatistics
from vidtrans.labels.scheme import canonical

_RARE = (0.0005, 0.5)
"""Share and height of classes that ``street_prior.toml`` does not list: rarer than most that it
lists, and at no height in particular."""
_HEIGHT_SPREAD = 0.18
"""Standard deviation of a class's mean height, in picture heights. Wide enough for hills and
cameras at any height, and narrow enough to tell sky from road, 0.65 apart."""

_CORE = ("road", "building", "vegetation", "sky", "car")
"""Classes that nearly every street shows."""
_SEEN = 0.001
"""The least share at which a class of `_CORE` counts as shown."""
_ABSENT = 0.15
"""Nats a pixel that each absent class of `_CORE` adds: a street without sky and trees is unusual,
and still one."""
_BELOW_SKY = ("building", "vegetation", "road", "car")
_SKY_SLACK, _SKY_LOW = 0.1, 0.3
"""Sky whose mean height is more than the slack below that of one of `_BELOW_SKY` adds the nats a
pixel. In Cityscapes' labels sky is above all of them."""
UNLABELED_SKY = 0.35
"""Unlabeled pixels above this mean height are the sky where a scheme has none, as in CARLA before
0.9.10."""

USUAL_SURPRISE = 0.5
"""`surprise` of streets is at most about this: 0.13 to 0.46 for 13 of 14 label maps of Cityscapes
and 0.80 for one without sky."""
LARGEST_SURPRISE = 1.05
"""`surprise` over this is no street. Cityscapes' labels numbered by 1,500 random class lists and
read as each built-in scheme exceeded it in 98.7% of the cases."""


def log_likelihood(statistics: ValueStatistics, names: Mapping[int, str]) -> float:
    """The mean log likelihood of a pixel if ``names`` tells what the values mean.

    A class occurs with its prior share, and the mean height of its pixels is normally distributed
    about its prior height. Constants that all schemes share are left out.

    Args:
        statistics: the values of the pictures.
        names: the class name of every value in ``statistics``.

    Returns:
        Nats a pixel; larger is likelier. Only differences between schemes have a meaning.
    """
    prior = _prior()
    total = 0.0
    for value, name in _with_sky(statistics, names).items():
        share = statistics.shares[value]
        prior_share, prior_height = prior.get(canonical(name), _RARE)
        deviation = (statistics.heights[value] - prior_height) / _HEIGHT_SPREAD
        total += share * (np.log(prior_share) - 0.5 * deviation**2)
    return float(total)


def surprise(statistics: ValueStatistics, names: Mapping[int, str]) -> float:
    """How far the pictures are from a usual street if ``names`` tells what the values mean.

    The Kullback-Leibler divergence of the shares from the prior's, the heights' deviation, and what
    classes tell that are absent or in the wrong order.

    Args:
        statistics: the values of the pictures.
        names: the class name of every value in ``statistics``.

    Returns:
        Nats a pixel, at least about 0. See `USUAL_SURPRISE` and `LARGEST_SURPRISE`.
    """
    entropy = -sum(share * np.log(share) for share in statistics.shares.values() if share > 0)
    shares: dict[str, float] = defaultdict(float)
    rows: dict[str, float] = defaultdict(float)
    for value, name in _with_sky(statistics, names).items():
        # A vehicle of a scheme that does not tell its kind is most often a car.
        known = "car" if canonical(name) == "vehicle" else canonical(name)
        shares[known] += statistics.shares[value]
        rows[known] += statistics.shares[value] * statistics.heights[value]
    absent = sum(shares.get(name, 0.0) < _SEEN for name in _CORE)
    low_sky = 0
    if shares.get("sky", 0.0) >= _SEEN:
        sky = rows["sky"] / shares["sky"]
        low_sky = sum(
            sky > rows[name] / shares[name] + _SKY_SLACK
            for name in _BELOW_SKY
            if shares.get(name, 0.0) >= _SEEN
        )
    penalties = _ABSENT * absent + _SKY_LOW * low_sky
    return float(-entropy - log_likelihood(statistics, names) + penalties)


def usual_share(name: str) -> float:
    """The share of a street picture that a class of this name usually has, 0..1."""
    return _prior().get(canonical(name), _RARE)[0]


def known_to_prior(name: str) -> bool:
    """Whether the prior lists a class of this name."""
    return canonical(name) in _prior()


def _with_sky(statistics: ValueStatistics, names: Mapping[int, str]) -> dict[int, str]:
    """``names``, with unlabeled pixels at the top as sky where there is none."""
    found = {value: names[value] for value in statistics.shares}
    if any(canonical(name) == "sky" for name in found.values()):
        return found
    return {
        value: "sky"
        if canonical(name) == "unlabeled" and statistics.heights[value] < UNLABELED_SKY
        else name
        for value, name in found.items()
    }


@lru_cache(maxsize=1)
def _prior() -> Mapping[str, tuple[float, float]]:
    table = tomllib.loads(files("vidtrans.labels").joinpath("street_prior.toml").read_text("utf-8"))
    return {canonical(name): (share, height) for name, (share, height) in table.items()}
