"""Models from their files, ready to work."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from vidtrans.model import build, find_bundle, read_bundle, read_folder
from vidtrans.sequence.device import Precision, choose_device, choose_precision
from vidtrans.sequence.model import Model


def load_model(
    name_or_path: str | PathLike[str],
    device: str = "auto",
    precision: Precision = "auto",
    *,
    seed: int | None = None,
) -> Model:
    """A model bundle by its name (``street``, the embedded one) or its path; a published checkpoint
    folder works too.

    ``device``: auto, cpu, cuda, cuda:N, mps, xpu, xpu:N. ``precision``: auto (fp16 on CUDA, fp32
    elsewhere), fp32, bf16, fp16. ``seed``: variety that can be repeated, see ``Model``. Raises
    ModelError where there is no such model or it is unusable, UsageError where the device is not to
    be had.
    """
    choose_precision(precision, choose_device(device))
    path = find_bundle(name_or_path)
    bundle = read_folder(path) if path.is_dir() else read_bundle(path)
    return Model(
        build(bundle.card, bundle.tensors, where=bundle.where),
        device=device,
        precision=precision,
        seed=seed,
    )


def import_checkpoint(
    folder: str | PathLike[str],
    system: str | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    seed: int | None = None,
) -> Model:
    """A published checkpoint folder as a model.

    ``system``: vid2vid, pix2pixHD or pix2pix; None detects it from the files. ``options``: under
    their published names; those left out are taken from the folder's ``opt.txt``, from the tensors'
    shapes, or have the published default. Raises ModelError that names every missing, unexpected
    and misshapen tensor; UsageError for a wrong option or device.
    """
    choose_precision(precision, choose_device(device))
    bundle = read_folder(folder, system=system, options=options)
    return Model(
        build(bundle.card, bundle.tensors, where=bundle.where),
        device=device,
        precision=precision,
        seed=seed,
    )
