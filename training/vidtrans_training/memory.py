"""How much memory a training step takes: measured at small sizes and extrapolated.

The networks are convolutional, so what a step keeps for the backward pass grows in proportion to
the pixels. Two small steps on the CPU tell the proportion, without a GPU and in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from vidtrans.cli.machine import peak_memory_mib
from vidtrans_training.clip import Clip
from vidtrans_training.options import Options, Pix2PixOptions
from vidtrans_training.perceptual import VGG19
from vidtrans_training.settings import TrainingSettings, size_multiple
from vidtrans_training.systems.build import build_system
from vidtrans_training.systems.system import System
from vidtrans_training.systems.vid2vid import SequenceSystem

_STATE_BYTES = 16
"""Bytes for each trained number: weight, gradient and Adam's two moments, all float32."""
_AVERAGE_BYTES = 4
"""The moving average of a generator's weight."""
_HALF_SHARE = 0.6
"""What half precision leaves of activations: convolutions' are halved, norms keep float32."""
_WORKSPACE = 1.25
"""Gradients of activations and the convolutions' scratch space come on top of what is kept."""
_CONTEXT_BYTES = 600 << 20
"""CUDA's context and libraries."""
_LEAST_SIDE = 64


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes that training takes at its peak, with one chunk in work.

    Args:
        size_hw: The samples' size.
        weights: Networks with gradients, optimisers, moving average, and VGG19.
        activations: What is kept for the backward pass.
        total: Both, with scratch space and the device's own.
    """

    size_hw: tuple[int, int]
    weights: int
    activations: int
    total: int

    def __str__(self) -> str:
        height, width = self.size_hw
        return (
            f"about {self.total / 1e9:.1f} GB at {width}x{height}: {self.weights / 1e9:.1f} GB of"
            f" networks and optimisers, {self.activations / 1e9:.1f} GB kept for the backward pass"
        )


def estimate_memory(settings: TrainingSettings, size_hw: tuple[int, int]) -> MemoryEstimate:
    """Estimate the memory of a run.

    Args:
        settings: The run's.
        size_hw: Size of its samples.

    Returns:
        The estimate. What is kept for the backward pass is counted, the rest are allowances.
    """
    options = settings.options
    # VGG19 would have to be downloaded; its part is measured with drawn weights.
    without = options.model_copy(update=_no_vgg(options))
    system = build_system(without, torch.device("cpu"))
    trained = sum(_numbers(network) for network in system.networks.values())
    averaged = sum(_numbers(network) for network in system.generator_networks.values())
    weights = trained * _STATE_BYTES + (averaged * _AVERAGE_BYTES if settings.run.ema else 0)

    side = _small_side(options)
    sizes = ((side, side), (side, 2 * side))
    owned = [*system.networks.values()]
    fixed, growth = _line(
        sizes, [_kept(partial(_step, system, settings, at), owned) for at in sizes]
    )
    again = 0.0
    if settings.run.checkpointing:
        # Backward begins with the losses. When it comes to the generator, whose activations are
        # made again for one picture at a time, those of discriminators and VGG19 are gone.
        system.recompute = True
        less_fixed, less_growth = _line(
            sizes, [_kept(partial(_step, system, settings, at), owned) for at in sizes]
        )
        pictures = _generated(system, settings) if settings.history is not None else 1
        again = (fixed - less_fixed + (growth - less_growth) * math.prod(size_hw)) / pictures
        fixed, growth = less_fixed, less_growth
    pictures = _compared_pictures(system, settings)
    if pictures:
        vgg = VGG19()
        weights += 4 * _numbers(vgg)
        compared = [_kept(partial(_compare, vgg, at), [vgg]) for at in sizes]
        more_fixed, more_growth = _line(sizes, compared)
        fixed, growth = fixed + pictures * more_fixed, growth + pictures * more_growth
    activations = max(fixed + growth * math.prod(size_hw), again)
    if settings.run.precision != "fp32":
        activations *= _HALF_SHARE
    total = weights + activations * _WORKSPACE + _CONTEXT_BYTES
    return MemoryEstimate(size_hw, weights, round(activations), round(total))


def available_memory() -> tuple[int, str]:
    """Bytes of the memory that training here would use, and whose they are."""
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return properties.total_memory, f"this machine's {properties.name}"
    return psutil.virtual_memory().total, "this machine, which has no GPU"


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has had at its peak: of a GPU's memory what PyTorch has allocated
    there, on a CPU the resident memory, with Python's and the libraries' own."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return round(peak_memory_mib() * 2**20)


def _numbers(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _no_vgg(options: Options) -> dict[str, bool]:
    return {name: True for name in ("no_vgg", "no_vgg_loss") if name in type(options).model_fields}


def _compared_pictures(system: System[Any], settings: TrainingSettings) -> int:
    """Generated pictures that VGG19 sees in a step."""
    options = settings.options
    if isinstance(options, Pix2PixOptions):
        return 0
    if settings.history is None:
        return 0 if options.no_vgg_loss else 1
    if options.no_vgg:
        return 0
    return 2 * _generated(system, settings)  # the final and the raw one


def _generated(system: System[Any], settings: TrainingSettings) -> int:
    """Pictures that one step generates, at the end of the schedule, when chunks are longest."""
    if isinstance(system, SequenceSystem):
        return system.chunk_frames(settings.options.epochs)
    return settings.data.batch


def _small_side(options: Options) -> int:
    """A side that the network takes and at which no norm is left with a single pixel."""
    step = size_multiple(options)
    if isinstance(options, Pix2PixOptions):
        return max(step, _LEAST_SIDE)
    return max(2 * step, _LEAST_SIDE)


def _step(system: System[Any], settings: TrainingSettings, size_hw: tuple[int, int]) -> None:
    """The forward passes of one step."""
    chunk = _blank(settings, size_hw, _generated(system, settings))
    generated = system.generate(chunk)
    # All phases of a step but pix2pix's, whose discriminator's graph is gone before the second.
    phases = list(system.phases(chunk, generated))
    assert phases


def _blank(settings: TrainingSettings, size_hw: tuple[int, int], generated: int) -> Clip:
    options, (height, width) = settings.options, size_hw
    frames = generated + (settings.history or 0)
    channels = getattr(options, "input_nc", 3)
    ids = torch.zeros(frames, height, width, dtype=torch.uint8)
    return Clip(
        real=torch.zeros(frames, getattr(options, "output_nc", 3), height, width),
        labels=ids if settings.label_nc else None,
        instances=ids.int(),
        images=None if settings.label_nc else torch.zeros(frames, channels, height, width),
        features=torch.zeros(frames, getattr(options, "feat_num", 3), height, width),
        flow={g: torch.zeros(frames, 2, height, width) for g in settings.distances},
        confidence={g: torch.ones(frames, 1, height, width) for g in settings.distances},
    )


def _compare(vgg: VGG19, size_hw: tuple[int, int]) -> None:
    features = vgg(torch.zeros(1, 3, *size_hw, requires_grad=True))
    assert features


def _kept(step: Callable[[], None], owned: list[nn.Module]) -> int:
    """Bytes that ``step`` keeps for a backward pass, without the weights of ``owned``."""
    weights = {
        parameter.untyped_storage().data_ptr()
        for network in owned
        for parameter in network.parameters()
    }
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights:
            kept[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _line(sizes: tuple[tuple[int, int], tuple[int, int]], values: list[int]) -> tuple[float, float]:
    """Value at no pixels, and growth with each pixel."""
    (small, large), (low, high) = map(math.prod, sizes), values
    growth = (high - low) / (large - small)
    return max(0.0, low - growth * small), growth
