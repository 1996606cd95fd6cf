"""The size of the preview's pictures, apart from that of the export."""

from __future__ import annotations

from vidtrans.errors import ModelError
from vidtrans.model import find_bundle, read_card
from vidtrans.pipeline.settings import RenderSettings
from vidtrans.preview.records import PreviewScale
from vidtrans.sequence.device import choose_device

_FACTORS: dict[PreviewScale, int] = {"full": 1, "half": 2, "quarter": 4}
_CPU_PIXELS = 1024 * 512
"""Pixels that the embedded architecture paints on a CPU in less than a second."""
_CPU_PIXELS_HEAVY = 512 * 256
"""The same for the published networks, which cost some hundred times as much a pixel: seconds."""


def scale_factor(scale: PreviewScale, full_hw: tuple[int, int], settings: RenderSettings) -> int:
    """How many times smaller than the export the preview's pictures are: 1, 2 or 4.

    Args:
        scale: What is asked for. ``auto`` is 1 on a GPU; on a CPU the largest size that is painted
            in a time that one waits for, and never less than a quarter.
        full_hw: Height and width of the export's pictures.
        settings: They name the model and the device.
    """
    if scale != "auto":
        return _FACTORS[scale]
    if choose_device(settings.device).type != "cpu":
        return 1
    try:
        light = read_card(find_bundle(settings.model)).architecture == "street"
    except ModelError:  # told when the model is loaded
        return 1
    limit = _CPU_PIXELS if light else _CPU_PIXELS_HEAVY
    pixels = full_hw[0] * full_hw[1]
    return next((factor for factor in (1, 2) if pixels <= limit * factor**2), 4)
