"""Pictures that are too large to be painted without being asked for: a small file may hold one."""

from __future__ import annotations

import psutil

from vidtrans.errors import InputError, Remedy
from vidtrans.pipeline.sizing import Sizing
from vidtrans.sequence.model import Model

MOST_PIXELS = 4096 * 4096
"""The most pixels of a picture that is painted unless more are allowed: above 4K, and some 5 GB of
memory with the embedded model."""
_STREET_BYTES = 280
"""Bytes of memory a pixel that the embedded network takes on a CPU: 9.3 GB at 7680x4320."""
_LIVE_TENSORS = 3
"""What the first convolution of a published network holds at full size: input, padded copy and
output, of as many channels as the network begins with."""
_SAID = 1 << 30
"""Estimates below 1 GiB are not worth a sentence."""


def memory_estimate(model: Model, pixels: int) -> int:
    """About how many bytes of memory it takes to paint one picture on a CPU.

    Args:
        model: The model; those of published networks take this much at least.
        pixels: Of the picture that the network sees.
    """
    if model.card.architecture == "street":
        return _STREET_BYTES * pixels
    channels = model.card.generator.get("channels", 64)
    return 4 * _LIVE_TENSORS * int(channels) * pixels


def check_pixels(model: Model, sizing: Sizing, most: int | None, *, where: str) -> tuple[str, ...]:
    """Refuse pictures of more pixels than allowed.

    Args:
        model: The model that would paint them.
        sizing: The sizes of the run.
        most: The most pixels that are allowed; None for ``MOST_PIXELS``.
        where: The input, for messages.

    Returns:
        What is to be said: that the memory is hardly enough.

    Raises:
        InputError: There are more pixels.
    """
    height, width = sizing.net_hw
    pixels = height * width
    needed = memory_estimate(model, pixels)
    takes = f"about {needed / 1e9:.1f} GB of memory"
    if pixels > (MOST_PIXELS if most is None else most):
        raise InputError(
            f"its pictures would be painted with {width}x{height} pixels, which takes {takes}"
            " each.",
            where=where,
            remedy=Remedy(
                "Paint them in less with {size_hw:{smaller}}, or allow it: {max_pixels:{size}}.",
                {"smaller": _smaller(sizing), "size": f"{width}x{height}"},
            ),
        )
    free = psutil.virtual_memory().available
    if model.device.type != "cpu" or needed < max(_SAID, free):
        return ()
    return (
        f"{where}: to paint {width}x{height} pixels takes {takes}, and {free / 1e9:.1f} GB are"
        " free; a smaller size takes less.",
    )


def _smaller(sizing: Sizing) -> str:
    """A size of the same aspect with at most 4K's pixels, even on both sides."""
    height, width = sizing.net_hw
    scale = min(1.0, (3840 * 2160 / (height * width)) ** 0.5)
    return "x".join(str(max(2, int(side * scale) // 2 * 2)) for side in (width, height))
