"""Styles made from pictures: the encoder's features of every instance, clustered class by class.

Wang et al. 2018, "High-Resolution Image Synthesis and Semantic Manipulation with Conditional
GANs", section 3.4: k-means on the features of all training instances of a class; the centre of each
cluster is a style.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.cluster.vq import kmeans2, vq

from vidtrans.errors import InputError, ModelError
from vidtrans.frame import LabelFrame
from vidtrans.model.card_styles import Centres
from vidtrans.sequence.model import Model

CLUSTERS = 10
"""The largest number of styles of a class, as published."""
LEAST_SHARE = 1e-4
"""The least share of a picture that an instance covers: 13 pixels at 512x256. The features of fewer
pixels are those of the edges around them."""
_ITERATIONS = 50
"""Of k-means: after scipy's default of 10 the centres may still move."""

Features = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InstanceFeatures:
    """The instances of one frame.

    Attributes:
        planes: int64 [n], the plane of each instance's class.
        features: float64 [n, F] in [-1,1], the mean of its pixels' features.
    """

    planes: npt.NDArray[np.int64]
    features: Features


def encode_instances(
    model: Model, frame: LabelFrame, *, least_share: float = LEAST_SHARE
) -> InstanceFeatures:
    """The features that the model's encoder finds in each instance of a frame.

    Args:
        model: a model with an encoder.
        frame: labels, the real picture as ``image``, and an instance map. Without one, or where the
            model's styles belong to classes, each class is one instance.
        least_share: instances that cover a smaller share of the frame (0..1) are left out.

    Raises:
        ModelError: the model has no encoder.
        InputError: the frame has no picture, or one of another size.
    """
    encoder = model.networks.encoder
    if encoder is None or not model.label_nc:
        raise ModelError(
            "has no feature encoder, and styles are made with one.",
            where=model.card.name or "the model",
        )
    if frame.image is None or frame.image.shape[:2] != frame.size_hw:
        found = (
            "no picture"
            if frame.image is None
            else f"a picture of {frame.image.shape[1]}x{frame.image.shape[0]}"
        )
        raise InputError(
            f"the labels are {frame.size_hw[1]}x{frame.size_hw[0]}, and there is {found}; a picture"
            " of the same size is needed.",
            frame=frame.index,
        )
    uploaded = model.upload(frame)
    assert uploaded.image is not None
    if uploaded.ready is not None:
        uploaded.ready.wait()
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
    """The styles of each class, from label frames with pictures.

    Args:
        model: a model with an encoder.
        frames: as `encode_instances` takes them.
        clusters: the largest number of styles of a class.
        seed: where k-means begins. The same frames and seed give the same styles.
        least_share: as for `encode_instances`.

    Returns:
        For each plane its styles, feature_nc numbers each, the commonest first.

    Raises:
        ModelError: as `encode_instances`.
        InputError: as `encode_instances`.
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
    """The k-means centres of each class's samples.

    Args:
        samples: for each plane float64 [n, F] in [-1,1].
        clusters: the largest number of centres of a class.
        seed: where k-means begins.

    Returns:
        For each plane with samples its centres, F numbers each: at most ``clusters``, and at most
        as many as there are different samples; those nearest to the most samples first.
    """
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
            samples,
            k,
            iter=_ITERATIONS,
            minit="++",
            missing="warn",
            seed=np.random.default_rng(seed),
        )
    nearest, _ = vq(samples, centres)
    counts = np.bincount(nearest, minlength=len(centres))
    order = np.argsort(-counts, kind="stable")
    return np.asarray(centres[order[counts[order] > 0]], dtype=np.float64)
