"""Adam as published, and its learning rates."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    ReduceLROnPlateau,
    StepLR,
)

from vidtrans_training.options import Pix2PixOptions

BETA2 = 0.999


def adam(parameters: Iterable[nn.Parameter], lr: float, beta1: float, beta2: float = BETA2) -> Adam:
    """Adam with epsilon 1e-8 and no weight decay. A beta of 0 is 0.0, which PyTorch asks for."""
    return Adam(list(parameters), lr=lr, betas=(float(beta1), beta2), eps=1e-8)


def set_rate(optimiser: Optimizer, lr: float) -> None:
    """Gives every parameter group the learning rate ``lr``."""
    for group in optimiser.param_groups:
        group["lr"] = lr


def pix2pix_schedule(
    optimiser: Optimizer, options: Pix2PixOptions
) -> LRScheduler | ReduceLROnPlateau:
    """pix2pix's ``lr_policy``, stepped at the end of each epoch."""
    if options.lr_policy == "step":
        return StepLR(optimiser, options.lr_decay_iters, gamma=0.1)
    if options.lr_policy == "plateau":
        return ReduceLROnPlateau(optimiser, mode="min", factor=0.2, threshold=0.01, patience=5)
    if options.lr_policy == "cosine":
        return CosineAnnealingLR(optimiser, options.n_epochs, eta_min=0)

    def factor(steps: int) -> float:
        fallen = max(0, steps + options.epoch_count - options.n_epochs)
        return 1 - fallen / (options.n_epochs_decay + 1)

    return LambdaLR(optimiser, factor)
