"""A system by its name, with weights drawn or read."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidtrans.errors import ModelError
from vidtrans.labels.scheme import Scheme
from vidtrans.model.pth_file import read_pth
from vidtrans.model.tensor_check import check_tensors
from vidtrans_training.options import (
    Options,
    Pix2PixHDOptions,
    Pix2PixOptions,
    StreetOptions,
    Vid2VidOptions,
)
from vidtrans_training.perceptual import load_vgg19
from vidtrans_training.systems.pix2pix import Pix2Pix
from vidtrans_training.systems.pix2pixhd import Pix2PixHDSystem
from vidtrans_training.systems.street import StreetSystem
from vidtrans_training.systems.system import System
from vidtrans_training.systems.vid2vid import Vid2VidSystem

VGG_FILE = "vgg19.pth"
"""In a folder of checkpoints it stands in for the downloaded VGG19."""


def build_system(
    options: Options,
    device: torch.device,
    *,
    vgg_weights: str | PathLike[str] | None = None,
    stored: frozenset[str] | None = None,
    scheme: Scheme | None = None,
) -> System[Any]:
    """The system of ``options`` with freshly drawn weights, in torch's default type.

    Args:
        options: Of one of the systems.
        device: Where the networks live.
        vgg_weights: VGG19's file; None: torch hub's. Read only where the perceptual loss is on.
        stored: Networks whose instance norms keep running statistics; None: as published.
        scheme: The label scheme of the planes, which street looks classes up in.

    Raises:
        InputError, ModelError: VGG19 is needed and cannot be had.
    """
    if isinstance(options, Pix2PixOptions):
        return Pix2Pix(options, device, stored=stored or frozenset())
    if isinstance(options, Pix2PixHDOptions):
        vgg = None if options.no_vgg_loss else load_vgg19(vgg_weights)
        return Pix2PixHDSystem(options, device, vgg=vgg, stored=stored or frozenset())
    assert isinstance(options, Vid2VidOptions | StreetOptions)
    vgg = None if options.no_vgg else load_vgg19(vgg_weights)
    if isinstance(options, StreetOptions):
        return StreetSystem(options, device, vgg=vgg, scheme=scheme)
    return Vid2VidSystem(options, device, vgg=vgg, stored=stored)


def read_networks(
    folder: str | PathLike[str], label: str = "latest"
) -> dict[str, dict[str, Tensor]]:
    """The tensors of every ``{label}_net_{name}.pth`` in ``folder``, by network name.

    Raises:
        ModelError: There are none, or a file is no checkpoint.
    """
    start, end = f"{label}_net_", ".pth"
    files = sorted(Path(folder).glob(f"{start}*{end}"))
    if not files:
        raise ModelError(f"holds no {start}G{end} or the like.", where=folder)
    return {path.name.removeprefix(start).removesuffix(end): read_pth(path) for path in files}


def keeps_statistics(tensors: Mapping[str, Mapping[str, Tensor]]) -> frozenset[str]:
    """The networks among ``tensors`` whose norms keep running statistics."""
    return frozenset(
        name
        for name, network in tensors.items()
        if any(tensor.endswith("running_mean") for tensor in network)
    )


def load_networks(
    system: System[Any], tensors: Mapping[str, Mapping[str, Tensor]], *, where: str
) -> None:
    """Puts ``tensors`` into the networks of ``system``; networks without any stay as they are.

    Raises:
        ModelError: A network's tensors are not exactly its own.
    """
    for name, network in system.networks.items():
        if name not in tensors:
            continue
        own = network.state_dict()
        fitting = check_tensors(own, tensors[name], where=f"{where}, network {name}")
        network.load_state_dict(fitting)
