"""Published checkpoint folders, read into a card and tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from vidtrans.errors import ModelError, UsageError
from vidtrans.model import infer_options
from vidtrans.model.card import Bundle
from vidtrans.model.checkpoint_folder import CheckpointFolder
from vidtrans.model.options import (
    KINDS,
    Pix2PixHDOptions,
    Pix2PixOptions,
    Vid2VidOptions,
    contradictions,
    parse_options,
    read_opt_file,
)
from vidtrans.model.published_bundles import pix2pix_bundle, pix2pixhd_bundle, vid2vid_bundle


def read_folder(
    folder: str | PathLike[str],
    *,
    system: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Bundle:
    """Reads a published checkpoint folder.

    Args:
        folder: it holds ``latest_net_G.pth``, or ``latest_net_G0.pth`` and so on, and, where there
            are any, ``latest_net_E.pth``, ``opt.txt`` and ``features_clustered_010.npy``.
        system: vid2vid, pix2pixHD or pix2pix, in any case. None: the one that the files are of.
        options: by their published names. What they leave open is taken from ``opt.txt``, then from
            the tensors' shapes, then from the published defaults.

    Raises:
        UsageError: the system or an option is unknown, or an option's value is wrong.
        ModelError: the folder holds no such model, or ``opt.txt`` contradicts the options.
    """
    asked = None if system is None else system.lower()
    if asked is not None and asked not in KINDS:
        raise UsageError(
            f"there is no system called {system!r}.", hint="Use vid2vid, pix2pixHD or pix2pix."
        )
    given = dict(options or {})
    if asked is not None:
        parse_options(asked, given)  # what the caller wrote is checked before the files
    checkpoint = CheckpointFolder.read(Path(folder), str(given.get("which_epoch") or "latest"))
    if not any(re.fullmatch(r"G\d*", held) for held in checkpoint.files):
        raise ModelError(
            f"holds no generator ({checkpoint.epoch}_net_G.pth or {checkpoint.epoch}_net_G0.pth),"
            f" only {checkpoint}.",
            where=checkpoint.directory,
        )
    merged = _merged_options(checkpoint, _system(checkpoint, asked), given)
    if isinstance(merged, Vid2VidOptions):
        return vid2vid_bundle(checkpoint, merged)
    if isinstance(merged, Pix2PixHDOptions):
        return pix2pixhd_bundle(checkpoint, merged)
    return pix2pix_bundle(checkpoint, merged)


def _system(checkpoint: CheckpointFolder, asked: str | None) -> str:
    """The system of a checkpoint. Raises ModelError where it is not the one ``asked`` for."""
    found = infer_options.system(checkpoint.shapes)
    if asked is None:
        if found is None:
            spade = any(
                re.search(r"(^|\.)head_0\.", name)
                for shapes in checkpoint.shapes.values()
                for name in shapes
            )
            raise ModelError(
                f"{checkpoint} {'is a SPADE generator (GauGAN)' if spade else 'are no checkpoints'}"
                f"{', and not one' if spade else ''} of vid2vid, pix2pixHD or pix2pix.",
                where=checkpoint.directory,
            )
        return found
    if found == asked:
        return asked
    needed = "G0" if asked == "vid2vid" else "G"
    if needed not in checkpoint.files:
        raise ModelError(
            f"{asked} needs {checkpoint.epoch}_net_{needed}.pth, and the folder holds {checkpoint}"
            + (f", a model of {found}." if found else "."),
            where=checkpoint.directory,
        )
    # pix2pix's ResNet and pix2pixHD's global generator have the same names.
    unet = infer_options.is_unet(checkpoint.shapes.get("G", {}))
    if found is not None and (unet or {found, asked} != {"pix2pix", "pix2pixhd"}):
        raise ModelError(
            f"holds a model of {found}, and {asked} was asked for.", where=checkpoint.directory
        )
    return asked


def _merged_options(
    checkpoint: CheckpointFolder, system: str, given: Mapping[str, Any]
) -> Vid2VidOptions | Pix2PixHDOptions | Pix2PixOptions:
    """The options given, and those of ``opt.txt``. Raises ModelError where they differ."""
    opt_file = checkpoint.directory / "opt.txt"
    checked = parse_options(system, given).model_dump(exclude_none=True)
    try:
        in_file = parse_options(
            system, read_opt_file(opt_file, system) if opt_file.is_file() else {}
        ).model_dump(exclude_none=True)
    except UsageError as error:
        raise ModelError(error.message, where=opt_file) from error
    against = contradictions(checked, in_file)
    if against:
        raise ModelError(
            f"{'; '.join(against)}.",
            where=opt_file,
            hint="Leave the option out, or correct the file.",
        )
    return parse_options(system, in_file | checked)
