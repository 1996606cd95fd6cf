"""A model in figures: sizes, classes, parameters, cost."""

from __future__ import annotations

from os import PathLike
from typing import Any, cast

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vidtrans.errors import UsageError
from vidtrans.model.bundle import read_bundle
from vidtrans.model.card import Bundle
from vidtrans.model.card_styles import style_counts
from vidtrans.model.library import find_bundle
from vidtrans.model.networks import Networks, build
from vidtrans.nets.painting import Conditioning


def describe(
    model: Networks | Bundle | str | PathLike[str], *, size_hw: tuple[int, int] | None = None
) -> dict[str, Any]:
    """System, sizes, classes, styles, parameters, cost and licence of a model.

    Args:
        model: networks, a bundle, or a model's name or path.
        size_hw: the height and width that ``flop_per_frame`` is counted for; None: those of its
            training, else 512x1024.

    Returns:
        Plain values for JSON.

    Raises:
        ModelError: there is no such model, or it cannot be used.
    """
    if isinstance(model, Networks):
        networks = model
    else:
        bundle = model if isinstance(model, Bundle) else read_bundle(find_bundle(model))
        networks = build(bundle.card, bundle.tensors, where=bundle.where)
    card = networks.card
    size = networks.padded(size_hw or card.training_hw or (512, 1024))
    parts = {
        "generator": networks.generator,
        "first": networks.first,
        "encoder": networks.encoder,
    }
    parameters = {
        name: sum(p.numel() for p in cast(nn.Module, network).parameters())
        for name, network in parts.items()
        if network is not None
    }
    return {
        "name": card.name,
        "system": card.system,
        "architecture": card.architecture,
        "label_scheme": card.label_scheme,
        "label_nc": networks.label_nc,
        "instances": networks.use_boundary or networks.feature_nc > 0,
        "features": networks.feature_nc,
        "n_frames": networks.generator.n_frames,
        "scales": networks.scales,
        "first_frames": card.first_frames,
        "training_hw": card.training_hw,
        "size_multiple": networks.size_multiple,
        "styles": style_counts(card),
        "parameters": sum(parameters.values()),
        "parameters_by_network": parameters,
        "flop_size_hw": size,
        "flop_per_frame": flop_per_frame(networks, size),
        "provenance": card.provenance,
        "licence": card.licence,
        "generator": card.generator,
    }


def flop_per_frame(
    networks: Networks, size_hw: tuple[int, int], *, classes: int | None = None
) -> int:
    """Floating-point operations of one frame in the middle of a sequence.

    A multiply-add is two operations. The cost of every layer is proportional to the picture's area,
    so the smallest picture that the network takes is counted, and scaled.

    Args:
        networks: the model's networks.
        size_hw: height and width of the picture, multiples of ``networks.size_multiple``.
        classes: the number of classes in a frame; None: all, as the published code computes it.

    Raises:
        UsageError: the network does not take ``size_hw``.
    """
    if any(side % networks.size_multiple for side in size_hw):
        multiple = networks.size_multiple
        raise UsageError(
            f"the size is {size_hw[1]}x{size_hw[0]}, and the network takes multiples of {multiple}."
        )
    n = networks.generator.n_frames
    h, w = networks.padded((1, 1))
    device = next(next(networks.modules()).parameters()).device
    with torch.device(device), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        conditioning = Conditioning(
            ids=torch.zeros(1, n, h, w, dtype=torch.uint8) if networks.label_nc else None,
            boundary=torch.zeros(1, n, h, w, dtype=torch.bool) if networks.use_boundary else None,
            image=(
                None
                if networks.label_nc
                else torch.zeros(1, n, int(networks.config.input_nc), h, w)
            ),
            features=torch.zeros(1, networks.feature_nc, h, w) if networks.feature_nc else None,
            present=None if classes is None else (tuple(range(classes)),) * n,
        )
        history = tuple(
            torch.zeros(1, networks.output_nc * (n - 1), h // 2**s, w // 2**s)
            for s in reversed(range(networks.scales))
        )
        networks.generator(conditioning, history if n > 1 else None)
    return int(counter.get_total_flops()) * (size_hw[0] * size_hw[1]) // (h * w)
