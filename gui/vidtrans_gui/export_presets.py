"""Encoder presets of the export dialog."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vidtrans.media.encoders import CONTAINERS
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans_gui.commands import QT_TRANSLATE_NOOP


@dataclass(frozen=True)
class Preset:
    """A way to encode. ``suffix``: of the output file, "" for a folder of PNGs."""

    key: str
    title: str
    suffix: str
    codec: str | None
    pixel_format: str | None = None
    encoder_options: dict[str, str] = field(default_factory=dict)

    def output_for(self, path: str | Path) -> Path:
        """``path`` with this preset's suffix."""
        place = Path(path)
        stem = place.stem if place.suffix.lower() in CONTAINERS else place.name
        # A folder's name has no dot: that is how ``convert`` tells it from a film.
        return place.with_name(stem + self.suffix if self.suffix else stem.replace(".", "_"))

    def applied(self, settings: ConvertSettings) -> ConvertSettings:
        """``settings`` with this preset's encoder, pixel format and options."""
        own = {
            "codec": self.codec,
            "pixel_format": self.pixel_format,
            "encoder_options": dict(self.encoder_options),
        }
        return settings.model_copy(update=own)


PRESETS: tuple[Preset, ...] = (
    Preset(
        "h264",
        QT_TRANSLATE_NOOP("Export", "H.264 (MP4), plays everywhere"),
        ".mp4",
        "libx264",
        "yuv420p",
        {"crf": "18", "preset": "medium"},
    ),
    Preset(
        "prores",
        QT_TRANSLATE_NOOP("Export", "ProRes 422 HQ (MOV), to edit on"),
        ".mov",
        "prores_ks",
        "yuv422p10le",
        {"profile": "3", "vendor": "apl0"},
    ),
    Preset(
        "vp9",
        QT_TRANSLATE_NOOP("Export", "VP9 (WebM), for the web"),
        ".webm",
        "libvpx-vp9",
        "yuv420p",
        {"crf": "24", "b": "0", "row-mt": "1"},
    ),
    Preset("png", QT_TRANSLATE_NOOP("Export", "PNG pictures (folder), lossless"), "", None),
    Preset(
        "ffv1",
        QT_TRANSLATE_NOOP("Export", "FFV1 (MKV), lossless film"),
        ".mkv",
        "ffv1",
        "bgr0",
        {"level": "3", "slicecrc": "1"},
    ),
)
"""``h264``, ``prores``, ``vp9``, ``png``, ``ffv1``."""
