"""Encoder presets of the export dialog."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vidtrans.media.encoders import CONTAINERS
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans_gui.commands import QT_TRANSLATE_NOOP


@dataclass(frozen=True)
class Preset:
    """An encoder with its settings.

    Attributes:
        key: Its name in the program.
        title: Its text in the dialog.
        suffix: The output's suffix; empty for a folder of PNGs.
        codec: FFmpeg's name of the encoder; None for PNGs.
        pixel_format: FFmpeg's name of the pixel format; None for the encoder's default.
        encoder_options: Options of the encoder.
        audio_codec: FFmpeg's name of the encoder of sound that is in another codec; ``copy`` keeps
            the film's.
        even_sides: Whether odd sides are filled up to even ones.
    """

    key: str
    title: str
    suffix: str
    codec: str | None
    pixel_format: str | None = None
    encoder_options: dict[str, str] = field(default_factory=dict)
    audio_codec: str = "copy"
    even_sides: bool = False

    def output_for(self, path: str | Path) -> Path:
        """``path`` with this preset's suffix."""
        chosen = Path(path)
        stem = chosen.stem if chosen.suffix.lower() in CONTAINERS else chosen.name
        # ``convert`` writes a folder where the name has no suffix, so it must have no dot.
        return chosen.with_name(stem + self.suffix if self.suffix else stem.replace(".", "_"))

    def applied(self, settings: ConvertSettings) -> ConvertSettings:
        """``settings`` with this preset's encoder, pixel format and options."""
        own = {
            "codec": self.codec,
            "pixel_format": self.pixel_format,
            "encoder_options": dict(self.encoder_options),
            "audio_codec": self.audio_codec,
            "even_sides": self.even_sides,
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
        audio_codec="aac",
        even_sides=True,
    ),
    Preset(
        "prores",
        QT_TRANSLATE_NOOP("Export", "ProRes 422 HQ (MOV), to edit on"),
        ".mov",
        "prores_ks",
        "yuv422p10le",
        {"profile": "3", "vendor": "apl0"},
        audio_codec="pcm_s16le",
        even_sides=True,
    ),
    Preset(
        "vp9",
        QT_TRANSLATE_NOOP("Export", "VP9 (WebM), for the web"),
        ".webm",
        "libvpx-vp9",
        "yuv420p",
        {"crf": "24", "b": "0", "row-mt": "1"},
        audio_codec="libopus",
        even_sides=True,
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
