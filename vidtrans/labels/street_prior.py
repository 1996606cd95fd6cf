"""How likely it is that the values of label pictures make a street under a scheme."""

from __future__ import annotations

import tomllib
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
    for value, share in statistics.shares.items():
        prior_share, prior_height = prior.get(canonical(names[value]), _RARE)
        deviation = (statistics.heights[value] - prior_height) / _HEIGHT_SPREAD
        total += share * (np.log(prior_share) - 0.5 * deviation**2)
    return float(total)


@lru_cache(maxsize=1)
def _prior() -> Mapping[str, tuple[float, float]]:
    table = tomllib.loads(files("vidtrans.labels").joinpath("street_prior.toml").read_text("utf-8"))
    return {canonical(name): (share, height) for name, (share, height) in table.items()}
