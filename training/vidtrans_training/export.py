"""From a run's checkpoint to a model bundle."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from vidtrans.errors import InputError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model.bundle import read_card, write_bundle
from vidtrans.model.card import Card
from vidtrans.model.card_styles import Centres, with_styles
from vidtrans.model.street_classes import street_classes
from vidtrans.nets.instance_texture import kind_rows
from vidtrans.nets.street import StreetConfig, StreetGenerator
from vidtrans.styles.clustering import cluster_classes
from vidtrans_training import checkpoint
from vidtrans_training.config import TrainingConfig
from vidtrans_training.data import FIRST_INSTANCE, read_picture, thing_colours, whole_clips

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


def export(run: Path, out: Path, *, name: str = "street") -> Card:
    """Writes the moving average of a run's generator as a bundle.

    Classes that the clips do not show get the weights of their nearest relative that they do show.
    Raises ModelError or InputError where the run, its clips or the bundle that it began with cannot
    be read, OutputError where ``out`` cannot be written.
    """
    state = checkpoint.read(run / "checkpoint.pt")
    config = TrainingConfig.model_validate_json(state["config"])
    generator = StreetGenerator(StreetConfig(**config.model.model_dump()), street_classes())
    generator.load_state_dict(state["parts"]["average"])
    folders = [
        folder
        for folder in whole_clips(config.data.clips)
        if folder.name not in config.data.hold_out
    ]
    shares, size_hw = label_shares(folders)
    seen = {int(identity) for identity in np.flatnonzero(shares > SEEN_SHARE)}
    tensors = {
        f"G.{key}": value for key, value in borrow_rows(generator.state_dict(), seen).items()
    }
    names = [entry.name for entry in load_scheme("cityscapes").classes if entry.id in seen]
    before = None if config.begin_with is None else read_card(config.begin_with)
    provenance = (
        f"Trained {_beginning(before)} for {state['step']} steps on {len(folders)} clips of the"
        " procedural street (vidtrans-world), by vidtrans-train vid2vid. Classes it has seen:"
        f" {', '.join(names)}; the others are drawn as their nearest relative."
    )
    card = Card(
        name=name,
        system="vid2vid",
        architecture="street",
        generator=json.loads(config.model.model_dump_json()),
        first_frames="raw",
        label_scheme="cityscapes",
        training_hw=size_hw,
        provenance=provenance,
        licence="Apache-2.0" if before is None else before.licence,
    )
    if config.model.feature_nc:
        styles = colour_styles(folders)
        if not styles:
            raise InputError(
                "The network takes styles, and the clips show no things to make any of.",
                where=config.data.clips,
                hint=f"Things have instance ids from {FIRST_INSTANCE} up.",
            )
        card = with_styles(card, styles)
    write_bundle(out, card, tensors, storage=torch.float16)
    return card


def _beginning(before: Card | None) -> str:
    """What a run began with, in words: nothing, or the weights of a bundle."""
    if before is None:
        return "from nothing (no photograph and no pretrained network took part)"
    return f"from the weights of {before.name} ({before.provenance})"


def colour_styles(folders: Collection[Path]) -> Centres:
    """Styles of every class of things: the clusters of their mean colours in the clips, the
    commonest first. Classes that no clip shows have those of their nearest relative."""
    found: dict[int, list[np.ndarray]] = defaultdict(list)
    for folder in folders:
        names = sorted(path.name for path in (folder / "instances").glob("*.png"))[::8]
        instances = np.stack(
            [read_picture(folder / "instances" / name, cv2.IMREAD_UNCHANGED) for name in names]
        )
        rgb = np.stack(
            [read_picture(folder / "rgb" / name, cv2.IMREAD_COLOR)[..., ::-1] for name in names]
        )
        labels = np.stack(
            [read_picture(folder / "labels" / name, cv2.IMREAD_UNCHANGED) for name in names]
        )
        things, colours = thing_colours(instances, rgb)
        shown = np.bincount(
            things.ravel().astype(np.int64) * 256 + labels.ravel(), minlength=256 * len(colours)
        ).reshape(-1, 256)
        for thing in np.flatnonzero(shown.sum(axis=1) >= LEAST_SHARE * things.size):
            if thing:
                found[int(shown[thing].argmax())].append(colours[thing])
    centres = dict(
        cluster_classes(
            {label: np.stack(samples) for label, samples in found.items()}, clusters=STYLES
        )
    )
    classes = {entry.id: entry.name for entry in load_scheme("cityscapes").classes}
    for label in {label for ids in street_classes().kinds for label in ids} - set(centres):
        relative = _seen_relative(classes[label], set(centres))
        if relative in centres:
            centres[label] = centres[relative]
    return centres


def label_shares(folders: Collection[Path]) -> tuple[np.ndarray, tuple[int, int]]:
    """Each id's share [256] of the clips' pixels, from every eighth frame, and the clips' height
    and width."""
    counts, size_hw = np.zeros(256, np.int64), (0, 0)
    for folder in folders:
        for path in sorted((folder / "labels").glob("*.png"))[::8]:
            labels = read_picture(path, cv2.IMREAD_UNCHANGED)
            counts += np.bincount(labels.reshape(-1), minlength=256)
            size_hw = (labels.shape[0], labels.shape[1])
    if not counts.any():
        raise InputError(
            "The clips that the run was trained on are gone.", where=next(iter(folders), None)
        )
    return counts / counts.sum(), size_hw


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
