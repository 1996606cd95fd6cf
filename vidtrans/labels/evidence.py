"""Measures that tell a label map from a photo and one scheme from another; ``detect`` decides
with them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt

from vidtrans.frame import Bytes, Ids
from vidtrans.labels.scheme import Colour, Scheme, canonical

_SAMPLED_ROWS = 256
_RARE = (0.0005, 0.5)
_HEIGHT_SPREAD = 0.18
_CLEAN_COLOURS = 64


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
    ("BT.601, but decoded as BT.709", np.linalg.inv(_BT709) @ _BT601),
    ("BT.709, but decoded as BT.601", np.linalg.inv(_BT601) @ _BT709),
)
"""What the commonest mistake with untagged films does to colours: how they were encoded, RGB
meant -> RGB seen."""


@dataclass(frozen=True, slots=True)
class ValueEvidence:
    """Values of grey pictures: ``shares`` value -> 0..1 of all pixels; ``heights`` value -> mean
    height, 0 top to 1 bottom; ``flat``: share of pixels that equal their right neighbour."""

    shares: Mapping[int, float]
    heights: Mapping[int, float]
    flat: float


@dataclass(frozen=True, slots=True)
class ColourEvidence:
    """Colours of the inner parts of areas: ``colours`` uint8 [N,3] and their ``shares`` (sum 1);
    ``inner``: the share of the picture that is inner, 0..1; ``fringed``: there are far more colours
    than classes, as a lossy codec leaves."""

    colours: Bytes
    shares: npt.NDArray[np.float64]
    inner: float
    fringed: bool


def value_evidence(pictures: Sequence[Ids], rare: float = 0.0) -> ValueEvidence:
    """[H,W] grey pictures of 8 or 16 bits, all frames taken together; values with at most the
    share ``rare`` are left out."""
    shares, counts, rows = np.zeros(65536), np.zeros(65536), np.zeros(65536)
    flat = 0.0
    for picture in pictures:
        # Heights come from a sample; shares from all pixels, since a value that occurs anywhere
        # must be known.
        shares += np.bincount(picture.ravel(), minlength=65536) / picture.size
        flat += float((picture[:, 1:] == picture[:, :-1]).mean()) if picture.shape[1] > 1 else 1.0
        thin = picture[_sampled(picture.shape[0])][:, _sampled(picture.shape[1])]
        height = np.broadcast_to(
            (np.arange(thin.shape[0])[:, None] + 0.5) / thin.shape[0], thin.shape
        )
        counts += np.bincount(thin.ravel(), minlength=65536)
        rows += np.bincount(thin.ravel(), weights=height.ravel(), minlength=65536)
    heights = np.where(counts > 0, rows / np.maximum(counts, 1), 0.5)
    used = [int(value) for value in np.flatnonzero(shares > rare * len(pictures))]
    return ValueEvidence(
        {value: float(shares[value] / len(pictures)) for value in used},
        {value: float(heights[value]) for value in used},
        flat / len(pictures),
    )


def colour_evidence(pictures: Sequence[Bytes]) -> ColourEvidence:
    """RGB [H,W,3] pictures. A picture of few colours is inner all over; else inner pixels are those
    whose 3x3 neighbourhood differs by at most 8 in each channel: a lossy codec leaves them alone
    but for a few steps, so the fringe does not count against a scheme."""
    kernel = np.ones((3, 3), np.uint8)
    found: list[Bytes] = []
    inner, fringed = 0.0, False
    for picture in pictures:
        flat = picture.reshape(-1, 3)
        if len(np.unique(_packed(flat[:: max(1, len(flat) // 50_000)]))) > _CLEAN_COLOURS:
            spread = cv2.subtract(cv2.dilate(picture, kernel), cv2.erode(picture, kernel)).max(
                axis=2
            )
            chosen = picture[spread <= 8]
            fringed = True
        else:
            chosen = flat
        inner += len(chosen) / len(flat)
        found.append(chosen[:: max(1, len(chosen) // 100_000)])
    values, counts = np.unique(_packed(np.concatenate(found)), return_counts=True)
    colours = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1).astype(np.uint8)
    return ColourEvidence(colours, counts / max(counts.sum(), 1), inner / len(pictures), fringed)


def colour_fit(
    evidence: ColourEvidence, scheme: Scheme, distance: float
) -> tuple[float, frozenset[int]]:
    """Share 0..1 of the inner pixels within ``distance`` of one of the scheme's colours, and the
    ids seen in more than one pixel in two thousand."""
    pairs = scheme.colours()
    if not pairs or not len(evidence.colours):
        return 0.0, frozenset()
    palette = np.array([colour for colour, _ in pairs], np.float32)
    far = ((evidence.colours[:, None].astype(np.float32) - palette) ** 2).sum(axis=2)
    nearest = far.argmin(axis=1)
    near = far.min(axis=1) <= distance**2
    shares = np.bincount(nearest[near], weights=evidence.shares[near], minlength=len(pairs))
    return float(evidence.shares[near].sum()), frozenset(
        pairs[at][1] for at in np.flatnonzero(shares > 0.0005)
    )


def turned_scheme(scheme: Scheme, turned: npt.NDArray[np.float64]) -> Scheme:
    """The scheme with its colours as a film with a matrix mistake shows them (an entry of
    ``MATRIX_MISTAKES``)."""

    def seen(colour: Colour) -> Colour:
        red, green, blue = np.clip(np.rint(turned @ colour), 0, 255).astype(int).tolist()
        return red, green, blue

    classes = (
        replace(entry, colour=seen(entry.colour)) if entry.colour else entry
        for entry in scheme.classes
    )
    return replace(scheme, classes=tuple(classes))


def street_score(evidence: ValueEvidence, names: Mapping[int, str]) -> float:
    """How much the values look like a street if ``names`` tells what they mean: nats a pixel,
    larger is likelier.

    The mean log probability of a pixel's class and of the height at which its class lies, under
    ``street_prior.toml``.
    """
    prior = _prior()
    score = 0.0
    for value, share in evidence.shares.items():
        usual, height = prior.get(canonical(names[value]), _RARE)
        off = (evidence.heights[value] - height) / _HEIGHT_SPREAD
        score += share * (np.log(usual) - 0.5 * off * off)
    return float(score)


@lru_cache(maxsize=1)
def _prior() -> Mapping[str, tuple[float, float]]:
    table = tomllib.loads(files("vidtrans.labels").joinpath("street_prior.toml").read_text("utf-8"))
    return {canonical(name): (share, height) for name, (share, height) in table.items()}


def _packed(colours: Bytes) -> npt.NDArray[np.uint32]:
    """[N,3] -> one number for each colour."""
    weights = np.array([65536, 256, 1], np.uint32)
    numbers: npt.NDArray[np.uint32] = colours.astype(np.uint32) @ weights
    return numbers


def _sampled(length: int) -> slice:
    return slice(None, None, max(1, length // _SAMPLED_ROWS))
