"""Weights to begin with, as published."""

from __future__ import annotations

import torch
from torch import nn

from vidtrans.nets.blocks import FrameNorm
from vidtrans.nets.vid2vid import Scale

DEVIATION = 0.02
"""Of the normal distributions that weights are drawn from."""


@torch.no_grad()
def draw_weights(network: nn.Module, *, zero_biases: bool) -> None:
    """Draws weights of convolutions from N(0, 0.02) and those of norms from N(1, 0.02), with
    biases of 0.

    Args:
        network: Changed in place.
        zero_biases: Whether biases of convolutions become 0, as in pix2pix; in the other systems
            they stay as PyTorch draws them.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, DEVIATION)
            if zero_biases and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, FrameNorm) and module.weight is not None:
            assert module.bias is not None
            nn.init.normal_(module.weight, 1.0, DEVIATION)
            nn.init.zeros_(module.bias)


_FIRST_LAYERS = 4
"""c7: pad, convolution, norm, ReLU."""


@torch.no_grad()
def copy_branch_biases(scale: Scale) -> None:
    """vid2vid's branches that were copied from others start with their originals' biases:
    ``model_down_img`` after its first layers, ``model_res_flow`` and ``model_up_flow``."""
    copies = {
        "model_down_img": ("model_down_seg", _FIRST_LAYERS),
        "model_res_flow": ("model_res_img", 0),
        "model_up_flow": ("model_up_img", 0),
    }
    parameters = dict(scale.named_parameters())
    for copy, (original, start) in copies.items():
        for name, parameter in parameters.items():
            branch, _, rest = name.partition(".")
            if branch == copy and name.endswith(".bias") and int(rest.partition(".")[0]) >= start:
                parameter.copy_(parameters[f"{original}.{rest}"])
