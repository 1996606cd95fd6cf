"""Tensors that depend on settings alone: made once for each device and kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, cast

import torch
from torch import Tensor

_Arguments = ParamSpec("_Arguments")


def kept(maxsize: int) -> Callable[[Callable[_Arguments, Tensor]], Callable[_Arguments, Tensor]]:
    """Keep what a function of hashable arguments returns, for the ``maxsize`` latest of them.

    The tensor is made as an ordinary one without a gradient. A tensor made under
    ``torch.inference_mode`` could never be saved for a backward pass, and whoever asks first
    decides for all: inference may come before training in one process.

    Args:
        maxsize: Results that are kept; see `functools.lru_cache`.

    Returns:
        A decorator. The function that it gives must not be asked to change its results in place.
    """

    def decorate(make: Callable[_Arguments, Tensor]) -> Callable[_Arguments, Tensor]:
        @lru_cache(maxsize=maxsize)
        @wraps(make)
        def made(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Tensor:
            with torch.inference_mode(False), torch.no_grad():
                return make(*args, **kwargs)

        return cast(Callable[_Arguments, Tensor], made)

    return decorate


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the host to ``device``; the host does not wait for a GPU."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@kept(maxsize=512)
def constant(
    values: tuple[float, ...], device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """``values`` as a tensor [len(values)] on ``device``."""
    return to_device(torch.tensor(values, dtype=dtype), device)


@kept(maxsize=64)
def membership(ids: tuple[int, ...], device: torch.device) -> Tensor:
    """A table bool [256] of uint8 values: True for ``ids``."""
    table = torch.zeros(256, dtype=torch.bool)
    table[list(ids)] = True
    return to_device(table, device)
