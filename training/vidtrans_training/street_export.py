"""What the street network's bundle needs beside its weights: styles, and weights of classes that no
training picture shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vidtrans.errors import InputError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model.card_styles import Centres
from vidtrans.model.street_classes import street_classes
from vidtrans.nets.instance_texture import kind_rows
from vidtrans.styles.clustering import cluster_classes
from vidtrans_training.datasets.material import Material, RawFrame
from vidtrans_training.systems.street import FIRST_INSTANCE

# What a class that no clip shows is drawn as: chains are followed to a class that was seen.
RELATIVES = {
    "unlabeled": "static",
    "ego vehicle": "road",
    "rectification border": "static",
    "out of roi": "static",
    "static": "building",
    "dynamic": "static",
    "ground": "road",
    "parking": "sidewalk",
    "rail track": "road",
    "wall": "building",
    "fence": "wall",
    "guard rail": "fence",
    "bridge": "building",
    "tunnel": "building",
    "polegroup": "pole",
    "pole": "traffic sign",
    "traffic light": "traffic sign",
    "traffic sign": "pole",
    "terrain": "vegetation",
    "rider": "person",
    "truck": "car",
    "bus": "truck",
    "caravan": "truck",
    "trailer": "truck",
    "train": "bus",
    "motorcycle": "bicycle",
    "bicycle": "motorcycle",
}
SEEN_SHARE = 1e-5
STYLES = 8
"""Styles of a class of things."""
LEAST_SHARE = 1e-3
"""Things that cover less of a frame, on average, tell nothing of colours."""
_EVERY = 8
"""Neighbouring frames show much the same: so many are one sample."""


def spread_frames(material: Material) -> Iterator[list[RawFrame]]:
    """Every eighth frame of each sequence, as stored."""
    for sequence in material.sequences:
        yield material.read(sequence, range(0, len(sequence), _EVERY))


def colour_styles(material: Material) -> Centres:
    """Styles of every class of things: the clusters of their mean colours, the commonest first.

    Classes that no picture shows have those of their nearest relative.

    Raises:
        InputError: The pictures show no things.
    """
    found: dict[int, list[npt.NDArray[np.float64]]] = defaultdict(list)
    for frames in spread_frames(material):
        shown = [f for f in frames if f.instances is not None and f.labels is not None]
        if not shown:
            continue
        instances = np.stack([np.asarray(f.instances) for f in shown])
        things, colours = thing_colours(instances, np.stack([f.picture for f in shown]))
        labels = np.stack([np.asarray(f.labels) for f in shown])
        votes = np.bincount(
            things.ravel().astype(np.int64) * 256 + labels.ravel(), minlength=256 * len(colours)
        ).reshape(-1, 256)
        for thing in np.flatnonzero(votes.sum(axis=1) >= LEAST_SHARE * things.size):
            if thing:
                found[int(votes[thing].argmax())].append(colours[thing])
    centres = dict(
        cluster_classes({c: np.stack(samples) for c, samples in found.items()}, clusters=STYLES)
    )
    if not centres:
        raise InputError(
            "the network takes styles, and the pictures show no things to make any of.",
            where=material.layout.root,
            hint=f"Things have instance ids from {FIRST_INSTANCE} up.",
        )
    names = {entry.id: entry.name for entry in load_scheme("cityscapes").classes}
    for label in {label for ids in street_classes().kinds for label in ids} - set(centres):
        relative = _seen_relative(names[label], set(centres))
        if relative in centres:
            centres[label] = centres[relative]
    return centres


def thing_colours(
    instances: npt.NDArray[np.int32], rgb: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Which thing each pixel is of, and each thing's mean colour over all frames.

    Args:
        instances: [T,H,W], 1000 and more for things.
        rgb: [T,H,W,3].

    Returns:
        Numbers of things [T,H,W], 0 for none; colours [1 + things, 3] in [-1,1].
    """
    things = np.where(instances < FIRST_INSTANCE, 0, instances)
    found, place = np.unique(np.append(things.ravel(), 0), return_inverse=True)
    place = place[:-1]  # the appended 0 makes number 0 that of no thing
    pixels = np.maximum(np.bincount(place, minlength=len(found)), 1)
    sums = [
        np.bincount(place, channel.reshape(-1), len(found)) for channel in np.moveaxis(rgb, -1, 0)
    ]
    colours = np.stack(sums, axis=1) / pixels[:, None] / 127.5 - 1
    colours[0] = 0
    return place.reshape(instances.shape), colours


def seen_classes(material: Material) -> set[int]:
    """The classes that the pictures show."""
    counts = np.zeros(256, np.int64)
    for frames in spread_frames(material):
        for frame in frames:
            counts += np.bincount(np.asarray(frame.labels).reshape(-1), minlength=256)
    return {int(label) for label in np.flatnonzero(counts > SEEN_SHARE * counts.sum())}


def borrow_rows(tensors: dict[str, Tensor], seen: Collection[int]) -> dict[str, Tensor]:
    """The tensors with what belongs to unseen labels, lookup rows and textures, replaced by that of
    their nearest seen relatives."""
    scheme = load_scheme("cityscapes")
    borrowed = dict(tensors)
    for key, value in tensors.items():
        if key == "things.texels":
            borrowed[key] = _borrow_textures(value, seen)
        if not key.endswith(".labels"):
            continue
        rows = value.clone()
        for entry in scheme.classes:
            if 0 <= entry.id < value.shape[1]:
                rows[:, entry.id] = value[:, _seen_relative(entry.name, seen)]
        # Planes after the scheme's own classes are spare ones.
        spare = [
            plane
            for plane in range(value.shape[1])
            if plane not in {entry.id for entry in scheme.classes}
        ]
        rows[:, spare] = value[:, _seen_relative("unlabeled", seen), None]
        borrowed[key] = rows
    return borrowed


def _borrow_textures(texels: Tensor, seen: Collection[int]) -> Tensor:
    """``texels`` of `vidtrans.nets.instance_texture`, unseen kinds looking like their relatives
    where these have a texture."""
    scheme = load_scheme("cityscapes")
    names = {entry.id: entry.name for entry in scheme.classes}
    borrowed = texels.clone()
    kinds = street_classes().kinds
    for number, ids in enumerate(kinds):
        if any(identity in seen for identity in ids):
            continue
        relative = _seen_relative(names[ids[0]], seen)
        for other, others in enumerate(kinds):
            same_size = (
                borrowed[:, :, kind_rows(number)].shape == borrowed[:, :, kind_rows(other)].shape
            )
            if relative in others and same_size:
                borrowed[:, :, kind_rows(number)] = texels[:, :, kind_rows(other)]
    return borrowed


def _seen_relative(name: str, seen: Collection[int]) -> int:
    scheme = load_scheme("cityscapes")
    tried: set[str] = set()
    while (identity := scheme.find(name).id) not in seen:
        tried.add(name)
        if name not in RELATIVES or RELATIVES[name] in tried:
            return identity
        name = RELATIVES[name]
    return identity
