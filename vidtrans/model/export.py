"""Models written as published checkpoint folders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidtrans.atomic_write import whole_file
from vidtrans.errors import ModelError, OutputError, Remedy
from vidtrans.model.card import Bundle, Card
from vidtrans.model.card_styles import centres_of
from vidtrans.model.cluster_file import write_clusters

_FILES = {"G": "latest_net_G.pth", "first": "latest_net_G_single.pth", "E": "latest_net_E.pth"}
_CLUSTERS = "features_clustered_010.npy"


def write_folder(
    folder: str | PathLike[str], bundle: Bundle, *, overwrite: bool = False
) -> list[Path]:
    """Writes a model as the published code saves it, with an ``opt.txt``.

    `vidtrans.model.read_folder` reads the same tensors back.

    Args:
        folder: made where it does not exist.
        bundle: a model of the published architectures.
        overwrite: whether files that exist are replaced.

    Returns:
        The files written.

    Raises:
        ModelError: the published code has no such network.
        OutputError: a file cannot be written, or exists and ``overwrite`` is not set.
    """
    if bundle.card.architecture != "published":
        raise ModelError(
            f"is a model of the architecture {bundle.card.architecture!r}, which the published code"
            " cannot load.",
            where=bundle.where or bundle.card.name,
        )
    place = Path(folder)
    files: dict[str, dict[str, Tensor]] = {}
    for name, tensor in bundle.tensors.items():
        prefix, _, own = name.partition(".")
        files.setdefault(_FILES.get(prefix, f"latest_net_{prefix}.pth"), {})[own] = (
            tensor.detach().cpu().clone()
        )
    others = ("opt.txt", *([_CLUSTERS] if bundle.card.styles else []))
    taken = [name for name in (*files, *others) if (place / name).exists()]
    if taken and not overwrite:
        raise OutputError(
            f"{', '.join(taken)} exist already.",
            where=place,
            remedy=Remedy("Choose another folder or {overwrite}."),
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder cannot be made: {error.strerror or error}.", where=place
        ) from error
    for name, tensors in files.items():
        with whole_file(place / name, what="the checkpoint") as temporary:
            try:
                torch.save(tensors, temporary)
            except RuntimeError as error:  # torch's own writer reports a full disk so
                raise OutputError(
                    f"the checkpoint cannot be written: {error}.", where=place / name
                ) from error
    with whole_file(place / "opt.txt", what="the options") as temporary:
        temporary.write_text(
            _opt_text(published_options(bundle.card) | _own_options(bundle.card)), encoding="utf-8"
        )
    if bundle.card.styles:
        with whole_file(place / _CLUSTERS, what="the cluster centres") as temporary:
            write_clusters(temporary, centres_of(bundle.card))
    return [place / name for name in (*files, *others)]


def published_options(card: Card) -> dict[str, Any]:
    """A card's configuration under the published options' names."""
    config = card.generator
    if card.system == "pix2pix":
        kind = (
            f"unet_{2 ** config['downsamplings']}"
            if config.get("kind") != "resnet"
            else f"resnet_{config['blocks']}blocks"
        )
        return _named(
            config,
            {"input_nc": "input_nc", "output_nc": "output_nc", "channels": "ngf", "norm": "norm"},
        ) | {"netG": kind}
    common = {
        "label_nc": "label_nc",
        "input_nc": "input_nc",
        "output_nc": "output_nc",
        "channels": "ngf",
        "norm": "norm",
    }
    if card.system == "pix2pixhd":
        names = {
            "downsamplings": "n_downsample_global",
            "blocks": "n_blocks_global",
            "local_blocks": "n_blocks_local",
        }
        options = _named(config, common | names)
        options["netG"] = "local" if config.get("local_enhancers") else "global"
        options["n_local_enhancers"] = config.get("local_enhancers") or 1
        options["no_instance"] = not config.get("use_instance", True)
        if config.get("feature_nc"):
            encoder = card.encoder or {}
            options |= _named(config, {"feature_nc": "feat_num"})
            options |= _named(encoder, {"channels": "nef", "downsamplings": "n_downsample_E"})
            options["label_feat"] = bool(encoder.get("by_label"))
            options["instance_feat"] = not options["label_feat"]
        return options
    names = {
        "n_frames": "n_frames_G",
        "use_instance": "use_instance",
        "downsamplings": "n_downsample_G",
        "blocks": "n_blocks",
        "local_blocks": "n_blocks_local",
        "scales": "n_scales_spatial",
        "foreground": "fg",
        "foreground_labels": "fg_labels",
    }
    options = _named(config, common | names)
    options["no_flow"] = not config.get("flow", True)
    options["no_first_img"] = card.first_frames == "none"
    return options


def _own_options(card: Card) -> dict[str, Any]:
    """Options of `read_folder` that the published code does not have, where they differ from what
    it would assume."""
    config = card.generator
    usual = (
        "running"
        if card.system == "pix2pix" and config.get("norm", "batch") == "batch"
        else "frame"
    )
    options = {"dropout": True} if config.get("dropout") else {}
    return options | (
        {"statistics": config["statistics"]} if config.get("statistics", usual) != usual else {}
    )


def _named(config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {published: config[own] for own, published in names.items() if own in config}


def _opt_text(options: Mapping[str, Any]) -> str:
    lines = [f"{name}: {value}" for name, value in sorted(options.items())]
    assert all(re.match(r"\w+: ", line) for line in lines)
    return "\n".join(
        ["------------ Options -------------", *lines, "-------------- End ----------------", ""]
    )
