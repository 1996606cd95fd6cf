"""From a run to a model: a bundle, or a folder as the published systems save theirs."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidtrans.atomic_write import whole_file
from vidtrans.errors import ModelError, OutputError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model.bundle import write_bundle
from vidtrans.model.card import Bundle, Card
from vidtrans.model.card_styles import Centres, with_styles
from vidtrans.model.export import write_folder
from vidtrans.styles.clustering import LEAST_SHARE, cluster_classes
from vidtrans_training.averaging import WeightAverage
from vidtrans_training.checkpoint import checkpoints, read_checkpoint
from vidtrans_training.datasets.opening import open_data
from vidtrans_training.datasets.samples import Samples
from vidtrans_training.run_folder import RunFolder
from vidtrans_training.settings import TrainingSettings, size_multiple
from vidtrans_training.street_export import borrow_rows, colour_styles, seen_classes
from vidtrans_training.systems.build import build_system
from vidtrans_training.systems.pix2pix import Pix2Pix
from vidtrans_training.systems.pix2pixhd import Pix2PixHDSystem
from vidtrans_training.systems.street import StreetSystem
from vidtrans_training.systems.system import System
from vidtrans_training.systems.vid2vid import Vid2VidSystem

LICENCE = ""
"""A run's licence is its data's and its user's matter."""


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run's newest checkpoint, put back into its networks.

    Args:
        settings: The run's.
        system: With the weights of the last step.
        tensors: Of each generator (and the encoder), averaged over steps.
        steps: Steps done.
        size_hw: Size of its samples.
        label_scheme: Of its label planes; None where pictures are translated.
        began_with: Whose weights it began with; empty: nobody's.
    """

    settings: TrainingSettings
    system: System[Any]
    tensors: dict[str, dict[str, Tensor]]
    steps: int
    size_hw: tuple[int, int] | None
    label_scheme: str | None
    began_with: str


def open_run(run: Path, checkpoint: Path | None = None) -> TrainedRun:
    """Reads a checkpoint of a run.

    Args:
        run: The run's folder.
        checkpoint: One of its checkpoints; None: the newest.

    Raises:
        ModelError: There is no run, none of its checkpoints, or the newest is not whole.
    """
    folder = RunFolder(run)
    settings = folder.read()
    found = checkpoints(folder.checkpoints)
    if not found:
        raise ModelError("has no checkpoint yet.", where=run)
    chosen = checkpoint or found[-1]
    state = read_checkpoint(chosen)
    options = settings.options
    no_vgg = {n: True for n in ("no_vgg", "no_vgg_loss") if n in type(options).model_fields}
    system = build_system(options.model_copy(update=no_vgg), torch.device("cpu"))
    average = WeightAverage(system.generator_networks, settings.run.ema)
    try:
        system.load_state_dict(state["state"])
        average.load_state_dict(state["average"])
        return TrainedRun(
            settings,
            system,
            average.tensors(),
            state["step"],
            tuple(state["size_hw"]) or None,
            state["label_scheme"],
            state["began_with"],
        )
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the checkpoint does not fit its run's settings: {str(error).splitlines()[0]}.",
            where=chosen,
        ) from error


def export(run: Path, out: Path, *, name: str = "", overwrite: bool = False) -> Card:
    """Writes a run's newest networks as a model, with the averaged weights.

    Args:
        run: The run's folder.
        out: A bundle (``.safetensors``), or a folder for ``{label}_net_{name}.pth`` and
            ``opt.txt``, which holds the discriminators too.
        name: The model's; default: that of ``out``.
        overwrite: Whether files in a folder may be replaced.

    Raises:
        ModelError: The run cannot be read; or it is of street, which the published code cannot
            load, and ``out`` is a folder.
        InputError: Styles are made from the training pictures, and these are gone.
        OutputError: ``out`` cannot be written.
    """
    trained = open_run(run)
    card, tensors = model_of(trained, name or out.stem)
    storage = torch.float16 if isinstance(trained.system, StreetSystem) else None
    if out.suffix == ".safetensors":
        write_bundle(out, card, tensors, storage=storage)
        return card
    write_folder(out, Bundle(card, tensors), overwrite=overwrite)
    for network, module in trained.system.networks.items():
        if network not in trained.tensors:
            _write_network(out / f"latest_net_{network}.pth", dict(module.state_dict()))
    return card


def model_of(trained: TrainedRun, name: str) -> tuple[Card, dict[str, Tensor]]:
    """The model that a run has trained: its card, with styles where it takes them, and its tensors
    under their names in a bundle.

    Raises:
        InputError: Styles are made from the training pictures, and these are gone.
    """
    card = card_of(trained, name)
    tensors = bundle_tensors(trained)
    if isinstance(trained.system, StreetSystem):
        material = open_data(trained.settings).training.material
        seen = seen_classes(material)
        tensors = {f"G.{key}": value for key, value in borrow_rows(_plain(tensors), seen).items()}
        classes = load_scheme("cityscapes").classes
        shown = ", ".join(entry.name for entry in classes if entry.id in seen)
        card = card.model_copy(
            update={
                "provenance": f"{card.provenance} Classes it has seen: {shown}; the others are"
                " drawn as their nearest relative."
            }
        )
        if trained.system.options.feature_nc:
            card = with_styles(card, colour_styles(material))
    elif isinstance(trained.system, Pix2PixHDSystem) and trained.system.options.uses_features:
        samples = open_data(trained.settings).training
        multiple = size_multiple(trained.settings.options)
        if trained.system.E is not None:  # styles are features of the encoder that is exported
            trained.system.E.load_state_dict(trained.tensors["E"])
        card = with_styles(card, feature_styles(trained.system, samples, multiple))
    return card, tensors


def card_of(trained: TrainedRun, name: str) -> Card:
    """The model's card: what its networks are, and where they come from."""
    system, settings = trained.system, trained.settings
    begin = f"from the weights of {trained.began_with}" if trained.began_with else "from nothing"
    card = Card(
        name=name,
        system="vid2vid" if settings.system == "street" else settings.system,
        architecture="street" if settings.system == "street" else "published",
        generator={},
        label_scheme=trained.label_scheme,
        training_hw=trained.size_hw,
        provenance=(
            f"Trained {begin} for {trained.steps} steps on {settings.data.root.name} by"
            f" vidtrans-train {settings.system}."
        ),
        licence=LICENCE,
    )
    if isinstance(system, Pix2Pix):
        return card.model_copy(update={"generator": _listed(system.G.config)})
    if isinstance(system, Pix2PixHDSystem):
        # Each picture is normalised by its own statistics when the model is used.
        networks = {"generator": _listed(system.G.config) | {"statistics": "frame"}}
        if system.E is not None:
            networks["encoder"] = _listed(system.E.config) | {"statistics": "frame"}
        return card.model_copy(update=networks)
    assert isinstance(system, Vid2VidSystem | StreetSystem)
    none = settings.system == "vid2vid" and settings.options.no_first_img
    return card.model_copy(
        update={
            "generator": _listed(system.generator.config),
            "first_frames": "none" if none else "raw",
        }
    )


def bundle_tensors(trained: TrainedRun) -> dict[str, Tensor]:
    """The generators' and the encoder's tensors under their names in a bundle."""
    return {
        f"{network}.{name}": tensor
        for network, tensors in trained.tensors.items()
        for name, tensor in tensors.items()
    }


@torch.no_grad()
def feature_styles(system: Pix2PixHDSystem, samples: Samples, multiple: int) -> Centres:
    """The styles of each class: clusters of the features that the encoder finds in the training
    pictures' instances (Wang et al. 2018a, section 3.4), or of those that the ready-made feature
    pictures show there."""
    by_label = system.options.label_feat
    found: dict[int, list[npt.NDArray[np.float64]]] = defaultdict(list)
    for sequence in samples.material.sequences:
        for index in range(len(sequence)):
            clip = samples.whole(sequence, [index]).fitted(multiple)
            assert clip.labels is not None
            regions = clip.labels.int() if by_label else clip.instances
            assert regions is not None
            features = system.features(clip)[0].double().numpy()
            labels, places = clip.labels[0].numpy(), regions[0].numpy()
            for region, pixels in zip(*np.unique(places, return_counts=True), strict=True):
                if pixels < LEAST_SHARE * places.size:
                    continue
                inside = places == region
                label = int(np.bincount(labels[inside]).argmax())
                found[label].append(features[:, inside].mean(axis=1))
    return cluster_classes({label: np.stack(parts) for label, parts in found.items()})


def _listed(config: Any) -> dict[str, Any]:
    values = dataclasses.asdict(config)
    return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("G."): tensor for name, tensor in tensors.items()}


def _write_network(path: Path, tensors: dict[str, Tensor]) -> None:
    with whole_file(path, what="the checkpoint") as temporary:
        try:
            torch.save({n: t.detach().cpu().clone() for n, t in tensors.items()}, temporary)
        except RuntimeError as error:  # torch's own writer reports a full disk so
            raise OutputError(f"the checkpoint cannot be written: {error}.", where=path) from error
