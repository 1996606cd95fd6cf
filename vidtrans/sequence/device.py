"""Which device to compute on, and how precisely."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch

from vidtrans.errors import UsageError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """``auto``: the CUDA device where there is one, else the CPU. Raises UsageError where
    ``name`` is not to be had."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"there is no device called {name!r}.", hint="Use auto, cpu, cuda or cuda:N."
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(
            f"the device {name!r} is not supported.", hint="Use auto, cpu, cuda or cuda:N."
        )
    if device.type == "cuda":
        if not torch.cuda.is_available():
            why = (
                "this torch is a CPU build"
                if torch.version.cuda is None
                else "torch finds no NVIDIA GPU or driver"
            )
            raise UsageError(f"CUDA was asked for, but {why}.", hint="Use the device auto or cpu.")
        if (device.index or 0) >= torch.cuda.device_count():
            raise UsageError(
                f"{name} was asked for, and there are {torch.cuda.device_count()} CUDA devices."
            )
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """``auto``: fp32 on a CPU; fp16 on CUDA, whose ten bits of mantissa keep pictures and flows
    closer than bf16's seven."""
    if name == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    if name not in _TYPES:
        raise UsageError(
            f"there is no precision called {name!r}.", hint="Use auto, fp32, bf16 or fp16."
        )
    return name


@contextmanager
def computing(device: torch.device, precision: str) -> Iterator[None]:
    """The precision of everything inside: autocast for half types, and true float32 (no TF32)
    for fp32."""
    with ExitStack() as stack:
        if device.type == "cuda":
            # No benchmark mode: it may choose other algorithms, so other bits, from run to run.
            flags = torch.backends.cudnn.flags(
                enabled=True, benchmark=False, deterministic=True, allow_tf32=precision != "fp32"
            )
            stack.enter_context(flags)
        if precision != "fp32":
            stack.enter_context(torch.autocast(device.type, dtype=_TYPES[precision]))
        yield
