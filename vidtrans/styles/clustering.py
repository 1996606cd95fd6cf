"""Styles made from pictures with labels: the encoder's features of every instance, clustered class
by class.

Wang et al. 2018 ("High-Resolution Image Synthesis ... with Conditional GANs"), section 3.4: k-means
on the features of all training instances of a class; each cluster's centre is a style.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.cluster.vq import kmeans2

from vidtrans.errors import InputError, ModelError
from vidtrans.frame import LabelFrame
from vidtrans.model.style_centres import Centres
from vidtrans.sequence.model import Model

CLUSTERS = 10
"""Styles of a class, as published."""
LEAST_SHARE = 1e-4
"""Instances that cover less of a picture are left out: a car of three pixels has no look."""

Features = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InstanceFeatures:
    """The instances of one frame: ``planes`` int64 [n], their classes; ``features`` float64 [n,
    F], their mean features."""

    planes: npt.NDArray[np.int64]
    features: Features


def encode_instances(
    model: Model, frame: LabelFrame, *, least_share: float = LEAST_SHARE
) -> InstanceFeatures:
    """What the model's encoder makes of each instance of ``frame``, which has its real picture as
    ``image``.

    Without an instance map (or with a model whose styles belong to classes) each class is one
    instance. Raises ModelError where the model has no encoder, InputError where the frame does not
    suit it.
    """
    encoder = model.networks.encoder
    if encoder is None or not model.label_nc:
        raise ModelError(
            "has no feature encoder, which styles are made with.",
            where=model.card.name or "the model",
        )
    if frame.image is None or frame.image.shape[:2] != frame.size_hw:
        found = (
            "no picture"
            if frame.image is None
            else f"a picture of {frame.image.shape[1]}x{frame.image.shape[0]}"
        )
        raise InputError(
            f"there is {found} to labels of {frame.size_hw[1]}x{frame.size_hw[0]}; the same size is"
            " needed.",
            frame=frame.index,
        )
    uploaded = model.upload(frame)
    assert uploaded.image is not None
    h, w = frame.size_hw
    with torch.inference_mode():
        features = encoder.model(uploaded.image).float()[0, :, :h, :w]
    flat = features.flatten(1).double().cpu().numpy()
    regions = frame.ids if frame.instances is None or encoder.config.by_label else frame.instances
    _, place, pixels = np.unique(regions, return_inverse=True, return_counts=True)
    place = place.ravel()
    sums = np.stack(
        [np.bincount(place, weights=channel, minlength=len(pixels)) for channel in flat], axis=1
    )
    votes = np.bincount(
        place * model.label_nc + frame.ids.ravel(), minlength=len(pixels) * model.label_nc
    )
    large = pixels >= least_share * h * w
    planes = votes.reshape(len(pixels), model.label_nc).argmax(axis=1)
    return InstanceFeatures(planes[large], (sums / pixels[:, None])[large])


def make_styles(
    model: Model,
    frames: Iterable[LabelFrame],
    *,
    clusters: int = CLUSTERS,
    seed: int = 0,
    least_share: float = LEAST_SHARE,
) -> Centres:
    """Each class's styles from ``frames`` with pictures: at most ``clusters``, the commonest first.

    The same frames and seed give the same styles. Raises as ``encode_instances`` does.
    """
    found: dict[int, list[Features]] = {}
    for frame in frames:
        encoded = encode_instances(model, frame, least_share=least_share)
        for plane in np.unique(encoded.planes):
            found.setdefault(int(plane), []).append(encoded.features[encoded.planes == plane])
    return cluster_classes(
        {plane: np.concatenate(parts) for plane, parts in found.items()},
        clusters=clusters,
        seed=seed,
    )


def cluster_classes(
    samples: Mapping[int, Features], *, clusters: int = CLUSTERS, seed: int = 0
) -> Centres:
    """k-means of each class's ``samples`` float [n, F]: its centres [k, F], k at most ``clusters``
    and at most the number of different samples, in the order of how many samples each stands
    for."""
    return {
        plane: _k_means(samples[plane], clusters, seed).tolist()
        for plane in sorted(samples)
        if len(samples[plane])
    }


def _k_means(samples: Features, clusters: int, seed: int) -> Features:
    different = np.unique(samples, axis=0)
    k = min(clusters, len(different))
    if k == len(different):
        centres = different
    else:
        # Features lie in [-1,1] in every channel, so no channel needs scaling. An empty cluster is
        # left out below.
        centres, _ = kmeans2(
            samples, k, iter=50, minit="++", missing="warn", seed=np.random.default_rng(seed)
        )
    nearest = ((samples[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(centres))
    order = np.argsort(-counts, kind="stable")
    return np.asarray(centres[order[counts[order] > 0]], dtype=np.float64)
