"""The choice of container, encoder, options and pixel format, made before any frame is read."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
from av.codec import Codec, find_best_pix_fmt_of_list
from av.codec.codec import UnknownCodecError
from av.codec.context import OptionFlags
from av.video.format import VideoFormat
from av.video.reformatter import Colorspace

from vidtrans.errors import OutputError, Remedy
from vidtrans.frame import Nv12
from vidtrans.media.hardware import nvenc_works
from vidtrans.media.pixels import can_be_written
from vidtrans.validation import did_you_mean

_log = logging.getLogger(__name__)

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".nut": "nut",
    ".avi": "avi",
}
_DEFAULT_CODEC = {"webm": "libvpx-vp9", "nut": "ffv1"}
_ALIASES = {
    "h264": "libx264", "x264": "libx264", "hevc": "libx265", "h265": "libx265", "x265": "libx265",
    "vp9": "libvpx-vp9", "vp8": "libvpx", "av1": "libsvtav1", "prores": "prores_ks",
}  # fmt: skip
# veryfast: at crf 18 the file is about a tenth larger than with "medium", in a third of the time.
_DEFAULT_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "18", "preset": "veryfast"},
    "libx265": {"crf": "20", "preset": "veryfast"},
    "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
    "libsvtav1": {"crf": "28", "preset": "9"},
    "h264_nvenc": {"rc": "vbr", "cq": "19", "b": "0", "preset": "p4"},
    "hevc_nvenc": {"rc": "vbr", "cq": "20", "b": "0", "preset": "p4"},
}
_RATE_OPTIONS = {"crf", "qp", "b", "cq", "qscale", "global_quality", "lossless"}
_AVX512_SKX = 256  # OpenCV's number for the instructions that x264 calls avx512
_NEEDS_EVEN = {"h264", "hevc"}
NV12_MATRIX = Colorspace.ITU709
"""The matrix of the NV12 planes that encoders are given."""
_NV12 = Nv12(red=0.2126, blue=0.0722)  # Rec. ITU-R BT.709-6, item 3.2
_FROM_NV12 = ("nv12", "yuv420p")  # the same samples, at most in another order


@dataclass(frozen=True)
class Encoding:
    """Everything that decides the encoded bits.

    Attributes:
        codec: FFmpeg's name of the encoder, such as ``libx264``.
        options: The encoder's options: the user's, and the defaults for what the user left open.
        pixel_format: FFmpeg's name of the encoder's input format, such as ``yuv420p``.
        size_hw: Height and width of the pictures.
        rate: Average frames a second, for the container's header.
        time_base: The unit of the timestamps, in seconds.
        container: FFmpeg's name of the muxer, such as ``matroska``.
        sample_aspect: Width of a pixel over its height.
        container_options: The muxer's options.
    """

    codec: str
    options: Mapping[str, str]
    pixel_format: str
    size_hw: tuple[int, int]
    rate: Fraction
    time_base: Fraction
    container: str
    sample_aspect: Fraction = Fraction(1)
    container_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_range(self) -> bool:
        """Whether samples use all values, as RGB, grey and ``yuvj`` do; other YUV is limited
        (8 bits: 16 to 235)."""
        return self.is_rgb or self.pixel_format.startswith(("yuvj", "gray", "pal8"))

    @property
    def is_rgb(self) -> bool:
        return VideoFormat(self.pixel_format).is_rgb

    @property
    def matrix(self) -> int:
        """The matrix of YUV: BT.709, except in JPEG, whose decoders know BT.601 only (JFIF)."""
        return Colorspace.ITU601 if self.pixel_format.startswith("yuvj") else NV12_MATRIX

    @property
    def nv12(self) -> Nv12 | None:
        """The NV12 planes that can take the place of RGB pictures without another conversion of
        colours; None where there are none."""
        even = not any(side % 2 for side in self.size_hw)
        return _NV12 if even and self.pixel_format in _FROM_NV12 else None


def choose_encoding(
    target: Path,
    *,
    size_hw: tuple[int, int],
    rate: Fraction,
    time_base: Fraction,
    codec: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    pixel_format: str | None = None,
    sample_aspect: Fraction = Fraction(1),
    container_format: str | None = None,
) -> Encoding:
    """Choose container, encoder, options and pixel format.

    Args:
        target: The output; its suffix chooses the container.
        size_hw: Height and width of the pictures.
        rate: Average frames a second.
        time_base: The unit of the timestamps, in seconds.
        codec: An encoder's or a codec's name, ``auto`` for NVENC where it works, None for the
            container's default.
        encoder_options: The encoder's own options by name; they replace the defaults.
        pixel_format: FFmpeg's name, or None for the encoder's usual one.
        sample_aspect: Width of a pixel over its height.
        container_format: FFmpeg's name of a muxer, in place of the suffix.

    Raises:
        OutputError: An unknown container, encoder, option or pixel format, or one that does not
            take this size.
    """
    container = _container(target, container_format)
    name = _codec_name(codec, container, size_hw, target)
    encoder = _encoder(name, target)
    options = _quiet(
        encoder, _deterministic(encoder, _options(encoder, encoder_options or {}, target), size_hw)
    )
    form = pixel_format or _default_format(encoder, size_hw)
    _check_format(encoder, form, size_hw, target)
    return Encoding(
        codec=name,
        options=options,
        pixel_format=form,
        size_hw=size_hw,
        rate=rate,
        time_base=time_base,
        container=container,
        sample_aspect=sample_aspect,
        container_options=_container_options(container, time_base),
    )


def _container(target: Path, container_format: str | None) -> str:
    name = container_format or CONTAINERS.get(target.suffix.lower())
    if name is None:
        known = ", ".join(sorted(CONTAINERS))
        raise OutputError(
            f"has no suffix of a film ({known}).",
            where=target,
            hint="Choose one, or end a folder's name in '/'.",
        )
    if name not in av.formats_available or not av.ContainerFormat(name).is_output:
        raise OutputError(
            f"the container {name!r} cannot be written by this build of FFmpeg.", where=target
        )
    return name


def _container_options(container: str, time_base: Fraction) -> dict[str, str]:
    if container not in ("mp4", "mov"):
        return {}
    # The index goes to the front, so that a film plays while it loads; and an edit list in
    # milliseconds, MP4's default, would move a film that does not begin at 0.
    scale = time_base.denominator
    while scale < 10_000:
        scale *= 2
    return {"movflags": "+faststart", "movie_timescale": str(scale)}


def _codec_name(codec: str | None, container: str, size_hw: tuple[int, int], target: Path) -> str:
    default = _DEFAULT_CODEC.get(container, "libx264")
    if codec is None:
        return default
    if codec != "auto":
        return _ALIASES.get(codec, codec)
    if container not in _DEFAULT_CODEC and not any(side % 2 for side in size_hw):
        if nvenc_works():
            return "h264_nvenc"
        _log.warning(
            "%s: no H.264 encoder on a GPU of this machine; %s encodes on the CPU", target, default
        )
    return default


def _encoder(name: str, target: Path) -> Codec:
    try:
        encoder = Codec(name, "w")
    except UnknownCodecError:
        raise OutputError(
            f"there is no encoder {name!r}.",
            where=target,
            hint=did_you_mean(name, _video_encoders()),
        ) from None
    if encoder.type != "video":
        raise OutputError(f"{name!r} encodes {encoder.type}, not pictures.", where=target)
    return encoder


def _video_encoders() -> list[str]:
    found = set(_ALIASES)
    for name in av.codecs_available:
        try:
            if Codec(name, "w").type == "video":
                found.add(name)
        except UnknownCodecError:
            continue
    return sorted(found)


def _options(encoder: Codec, given: Mapping[str, str], target: Path) -> dict[str, str]:
    supported = av.CodecContext.create(encoder).supported_options
    known = {
        option.name
        for option in (*supported.generic, *supported.private)
        if option.flags & OptionFlags.ENCODING_PARAM and option.flags & OptionFlags.VIDEO_PARAM
    }
    chosen = {name.removesuffix(":v"): str(value) for name, value in given.items()}
    for name in chosen:
        if name in ("pix_fmt", "pixel_format"):
            raise OutputError(
                "the pixel format is no encoder option.",
                where=target,
                remedy=Remedy("Use {pixel_format}."),
            )
        if name not in known:
            raise OutputError(
                f"the encoder {encoder.name} has no option {name!r}.",
                where=target,
                hint=did_you_mean(name, sorted(known)),
            )
    defaults = _DEFAULT_OPTIONS.get(encoder.name, {})
    if _RATE_OPTIONS & chosen.keys():
        defaults = {
            name: value for name, value in defaults.items() if name not in _RATE_OPTIONS | {"rc"}
        }
    return {**{name: value for name, value in defaults.items() if name in known}, **chosen}


def _deterministic(
    encoder: Codec, options: dict[str, str], size_hw: tuple[int, int]
) -> dict[str, str]:
    """Add the options with which the same pictures give the same bits.

    x264's AVX-512 code for macroblock trees reads past the end of a row unless its macroblocks come
    in sixteens, so the bits depend on what lies in memory there (measured: 13 different files in 20
    runs at 96x64, one with AVX2 code, which is no slower).
    """
    macroblocks = -(-size_hw[1] // 16)
    params = options.get("x264-params", "")
    if not encoder.name.startswith("libx264") or macroblocks % 16 == 0 or "asm=" in params:
        return options
    if not cv2.checkHardwareSupport(_AVX512_SKX):
        return options
    return {**options, "x264-params": ":".join(filter(None, (params, "asm=avx2,bmi1,bmi2,lzcnt")))}


def _quiet(encoder: Codec, options: dict[str, str]) -> dict[str, str]:
    """Add the options with which the encoder logs errors only.

    x265 and SVT-AV1 write their settings to stderr whenever they are opened, past FFmpeg's log.
    """
    if encoder.name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # it has no option for it
    params = options.get("x265-params", "")
    if encoder.name != "libx265" or "log" in params:
        return options
    return {**options, "x265-params": ":".join(filter(None, (params, "log-level=error")))}


def _default_format(encoder: Codec, size_hw: tuple[int, int]) -> str:
    formats = [form.name for form in encoder.video_formats or ()]
    if not formats:
        return "rgb24" if encoder.lossless else "yuv420p"
    if encoder.lossless and not encoder.lossy:
        best, _ = find_best_pix_fmt_of_list(formats, "rgb24")
        return best.name if best is not None else formats[0]
    odd = any(side % 2 for side in size_hw) and encoder.canonical_name in _NEEDS_EVEN
    wanted = ["yuv444p"] if odd else ["yuv420p", "yuvj420p", "yuv422p", "yuv422p10le", "yuv444p"]
    if encoder.canonical_name == "mjpeg":
        wanted = ["yuvj420p", *wanted]
    if encoder.name.endswith("_nvenc"):
        wanted = ["nv12", *wanted]
    if "rgb" in encoder.name:
        wanted = ["bgr0", "rgb24", "bgr24", *wanted]
    return next((form for form in wanted if form in formats), formats[0])


def _check_format(encoder: Codec, name: str, size_hw: tuple[int, int], target: Path) -> None:
    formats = [form.name for form in encoder.video_formats or ()]
    if formats and name not in formats:
        raise OutputError(
            f"the encoder {encoder.name} does not take the pixel format {name!r}.",
            where=target,
            hint=f"It takes {', '.join(formats[:12])}.",
        )
    try:
        form = VideoFormat(name, size_hw[1], size_hw[0])
    except ValueError:
        raise OutputError(f"there is no pixel format {name!r}.", where=target) from None
    if not can_be_written(name):
        raise OutputError(
            f"FFmpeg converts no picture to the pixel format {name!r}.",
            where=target,
            remedy=Remedy("Use {pixel_format:yuv420p} or another."),
        )
    chroma = form.components[1] if len(form.components) > 1 else None
    if chroma is not None and encoder.canonical_name in _NEEDS_EVEN:
        is_odd = (chroma.width < form.width and size_hw[1] % 2) or (
            chroma.height < form.height and size_hw[0] % 2
        )
        if is_odd:
            raise OutputError(
                f"{encoder.name} in {name} needs even sides, and the picture is"
                f" {size_hw[1]}x{size_hw[0]}.",
                where=target,
                remedy=Remedy("Use {even_sides}, {pixel_format:yuv444p}, or an even {size_hw}."),
            )
