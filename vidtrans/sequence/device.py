"""Which device to compute on, and how precisely."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import nn

from vidtrans.errors import UsageError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_ACCELERATORS = {"cuda": "CUDA", "mps": "MPS", "xpu": "XPU"}
"""Devices beside the CPU: NVIDIA's GPUs, Apple's, and Intel's."""
_USE = "Use auto, cpu, cuda, cuda:N, mps, xpu or xpu:N."
_WITH_STREAMS = ("cuda", "xpu")
"""Devices that copy and compute at the same time; MPS has one queue."""
_CHANNELS_LAST = ("cuda", "xpu")
"""Where weights are laid out so. On a CPU the layers lay out their pictures themselves
(`vidtrans.nets.inference_layers`), and weights stay as the tiles of `winograd` read them."""


def choose_device(name: str) -> torch.device:
    """The device of a name that `vidtrans convert --device` takes.

    ``auto`` is the CUDA device where there is one, else the CPU. The other accelerators must be
    named, since no test of ours has run on one.

    Raises:
        UsageError: ``name`` is not to be had.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"there is no device called {name!r}.", hint=_USE) from error
    if device.type != "cpu" and device.type not in _ACCELERATORS:
        raise UsageError(f"the device {name!r} is not supported.", hint=_USE)
    if device.type in _ACCELERATORS:
        called = _ACCELERATORS[device.type]
        missing = _why_missing(device.type)
        if missing:
            raise UsageError(
                f"{called} was asked for, but {missing}.", hint="Use the device auto or cpu."
            )
        count = _count(device.type)
        if (device.index or 0) >= count:
            raise UsageError(
                f"{name} was asked for, and there {'is' if count == 1 else 'are'} {count} {called}"
                f" device{'s' * (count != 1)}."
            )
    return device


def accelerators() -> tuple[tuple[str, str], ...]:
    """The devices beside the CPU that this machine and this torch have: their names for
    `choose_device`, and titles for people."""
    found = []
    for kind, called in _ACCELERATORS.items():
        if _why_missing(kind) is None:
            if kind == "mps":
                found.append((kind, "Apple GPU"))
                continue
            module = device_module(torch.device(kind))
            found += [
                (f"{kind}:{n}", f"GPU {module.get_device_name(n)}" if module else called)
                for n in range(_count(kind))
            ]
    return tuple(found)


def _why_missing(kind: str) -> str | None:
    """Why there is no accelerator of a kind, as the end of a sentence; None where there is."""
    if kind == "cuda":
        if torch.cuda.is_available():
            return None
        if torch.version.cuda is None:
            return "this torch is a CPU build"
        return "torch finds no NVIDIA GPU or driver"
    if kind == "mps":
        if torch.backends.mps.is_available():
            return None
        if not torch.backends.mps.is_built():
            return "this torch is built without it"
        return "torch finds no Apple GPU, or macOS is too old"
    if torch.xpu.is_available():
        return None
    if getattr(torch.version, "xpu", None) is None:
        return "this torch is built without it"
    return "torch finds no Intel GPU or driver"


def _count(kind: str) -> int:
    return 1 if kind == "mps" else int(torch.get_device_module(kind).device_count())


def device_module(device: torch.device) -> Any:
    """``torch.cuda`` or ``torch.xpu``, which have streams and events of the same names; None for
    devices without streams."""
    return torch.get_device_module(device.type) if device.type in _WITH_STREAMS else None


def settle(device: torch.device) -> None:
    """Wait until ``device`` has done everything; for timings."""
    if device.type == "mps":
        torch.mps.synchronize()
    elif (module := device_module(device)) is not None:
        module.synchronize(device)


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network to ``device``, in place, in the layout that suits inference there."""
    network.to(device).eval()
    if device.type in _CHANNELS_LAST:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def cast_convolutions(network: nn.Module, precision: str) -> None:
    """Cast the weights of a network's convolutions to a half type, in place.

    The same numbers as autocast's, which casts them again for every frame. Everything else keeps
    its type: norms, tables and textures, and the layers that the network names in
    ``full_precision_layers``, which compute in full precision whatever the type around.
    """
    kept: frozenset[str] = getattr(network, "full_precision_layers", frozenset())
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and name not in kept:
            module.to(_TYPES[precision])


def choose_precision(name: str, device: torch.device) -> str:
    """The precision of a name.

    ``auto``: fp32 on a CPU; fp16 on CUDA, whose ten bits of mantissa keep pictures and flows
    closer than bf16's seven; fp32 on other accelerators, on which no half type has been tested.

    Raises:
        UsageError: There is no such precision.
    """
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
            # Without the cache of cast weights: a CUDA graph would go on reading what it frees.
            autocast = torch.autocast(device.type, dtype=_TYPES[precision], cache_enabled=False)
            stack.enter_context(autocast)
        yield
