"""Decoded frames to arrays: ids stay as they were stored, colours become RGB."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from vidtrans.errors import InputError
from vidtrans.frame import Bytes, Ids

_Pixels = TypeVar("_Pixels", bound=Ids)
_GREY = re.compile(r"gray(8|9|10|12|14|16)?(le|be)?$")
_DEEP_RGB = re.compile(
    r"(rgb48|bgr48|rgba64|bgra64|gbrp(9|10|12|14|16)|gbrap(10|12|14|16))(le|be)$"
)
_UNSPECIFIED_MATRICES = {0, 2, 3}  # AVCOL_SPC_RGB (no matrix), UNSPECIFIED, RESERVED
_FLAGS = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


_ABORTING = re.compile(r"bayer_|yaf32")
"""swscale stops the process by an assertion on these, found by trying every format at several
sizes."""


_FLOATING = re.compile(r"f(16|32)(le|be)$")
"""Pixel formats of floating point (OpenEXR, 32-bit TIFF): their range is not known, and ids are
whole numbers."""


def refused_format(name: str | None) -> str | None:
    """Why pictures of a pixel format are not read, as the end of a sentence; None where they are.

    Args:
        name: FFmpeg's name; None where it is not known.
    """
    if name is None or not (_ABORTING.match(name) or _FLOATING.search(name)):
        return None
    what = "a sensor's raw data" if name.startswith("bayer") else "floating-point numbers"
    return f"holds {what} ({name}), which are neither labels nor pictures."


def too_large(width: int, height: int, max_side: int) -> str | None:
    """Why pictures of a size are not read, as the end of a sentence; None where they are.

    Args:
        width: In pixels.
        height: In pixels.
        max_side: The greatest height and width that are read.
    """
    if max(width, height) > max_side:
        return f"is {width}x{height} pixels; at most {max_side} on a side are read."
    # libavutil's av_image_check_size2, where the pixel format is not known yet.
    if (8 * width + 1024) * (height + 128) >= 1 << 31:
        return f"is {width}x{height} pixels, more than FFmpeg decodes (some 16000x16000)."
    return None


@cache
def can_be_written(name: str) -> bool:
    """Whether RGB pictures can be converted to a pixel format, found by trying.

    FFmpeg has formats that are only read, and formats of hardware.
    """
    try:
        picture = VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        VideoReformatter().reformat(picture, format=name, threads=1)
    except (ValueError, OSError, NotImplementedError):
        return False
    return True


def kind_of(format_name: str, *, monochrome: bool = False) -> str:
    """Tell what arrays frames of a pixel format become.

    Args:
        format_name: FFmpeg's name of the pixel format.
        monochrome: The stream has no chroma, although the decoder's format has (H.264).

    Returns:
        ``grey8``, ``grey16``, ``palette`` or ``rgb``.
    """
    if monochrome:
        return "grey16" if re.search(r"p\d\d", format_name) else "grey8"
    grey = _GREY.match(format_name)
    if grey:
        return "grey8" if grey[1] in (None, "8") else "grey16"
    if format_name in ("ya8", "monow", "monob"):
        return "grey8"
    if format_name in ("ya16le", "ya16be"):
        return "grey16"
    return "palette" if format_name == "pal8" else "rgb"


@dataclass(frozen=True, slots=True)
class ColourTags:
    """Matrix and range of YUV samples, given by the user for containers that lose them.

    Attributes:
        matrix: None for what the stream says, or else ``usual_matrix``.
        full_range: None for what the stream says, or else limited.
    """

    matrix: Literal["bt709", "bt601"] | None = None
    full_range: bool | None = None


MATRICES = {"bt709": Colorspace.ITU709, "bt601": Colorspace.ITU601}


def usual_matrix(height: int) -> Literal["bt709", "bt601"]:
    """The matrix that players assume for untagged YUV of this many lines."""
    return "bt709" if height >= 720 else "bt601"


class PixelReader:
    """Turns the decoded frames of one stream into arrays.

    Its scaler keeps its tables from frame to frame.

    Args:
        labels: Keep grey and palette samples as they were stored; False: every frame becomes RGB.
        shared: The decoder may still refer to its frames (inter coding), so samples are copied.
        source: The input's name, for messages.
        monochrome: See ``kind_of``.
        tags: Replaces what the stream says of its YUV.
    """

    def __init__(
        self,
        *,
        labels: bool,
        shared: bool,
        source: str,
        monochrome: bool = False,
        tags: ColourTags | None = None,
    ) -> None:
        self._monochrome = monochrome
        self._tags = tags or ColourTags()
        self.labels = labels
        self._shared = shared
        self._source = source
        self._scaler = VideoReformatter()
        self._alpha_scaler = VideoReformatter()

    def read(self, frame: VideoFrame) -> tuple[Ids, Bytes | None]:
        """Convert one frame, turned by its display matrix.

        Returns:
            Pixels, C-contiguous: uint8 RGB [H,W,3], uint16 RGB where labels of 16 bits are kept, or
            uint8 or uint16 ids [H,W]; and the palette uint8 RGB [256,3] that the ids are indices
            of, or None.

        Raises:
            InputError: FFmpeg cannot convert the pixel format.
        """
        kind = kind_of(frame.format.name, monochrome=self._monochrome)
        palette = None
        pixels: Ids
        if kind == "palette":
            pixels, palette = _palette(frame)
            if not self.labels:
                pixels, palette = palette[pixels], None
        elif kind == "rgb":
            pixels = self._rgb(frame)
        elif self.labels:
            pixels = self._grey(frame)
        else:
            pixels = self._grey_as_rgb(frame)
        return self._turned(frame, pixels), palette

    @staticmethod
    def _turned(frame: VideoFrame, pixels: _Pixels) -> _Pixels:
        quarter_turns, rest = divmod(frame.rotation, 90)
        if quarter_turns % 4 and rest == 0:
            pixels = np.rot90(pixels, quarter_turns)
        return np.ascontiguousarray(pixels)  # type: ignore[return-value]

    def alpha(self, frame: VideoFrame) -> Bytes | None:
        """The opacity of a frame, uint8 [H,W], turned as its pixels; None where all is opaque, or
        where no labels are read."""
        name = frame.format.name
        has_alpha = name == "pal8" or any(part.is_alpha for part in frame.format.components)
        if not self.labels or not has_alpha:
            return None
        opacity: npt.NDArray[Any]
        if name == "pal8":
            indices, argb = frame.to_ndarray()
            opacity = np.asarray(argb, np.uint8).reshape(256, 4)[:, 0].take(np.asarray(indices))
        elif name == "ya8":
            opacity = _grey_with_alpha(frame)[:, 1::2]
        elif name.startswith("ya16"):
            opacity = (_grey_with_alpha(frame)[:, 1::2] >> 8).astype(np.uint8)
        else:
            try:
                opacity = self._alpha_scaler.reformat(frame, format="rgba", threads=1).to_ndarray()
            except (ValueError, OSError, NotImplementedError):
                return None
            opacity = opacity[..., 3]
        if (opacity == 255).all():
            return None
        return self._turned(frame, np.asarray(opacity, np.uint8))

    def limited_range(self, frame: VideoFrame) -> bool:
        """Whether a frame's samples are YUV of limited range (16..235), as untagged YUV counts."""
        name = frame.format.name
        if frame.format.is_rgb or kind_of(name, monochrome=self._monochrome) != "rgb":
            return False
        if self._tags.full_range is not None:
            return not self._tags.full_range
        return frame.color_range != ColorRange.JPEG and not name.startswith("yuvj")

    def _grey(self, frame: VideoFrame) -> Ids:
        name = frame.format.name
        if name in ("monow", "monob"):
            return _array(
                self._scaler.reformat(frame, format="gray", dst_color_range=ColorRange.JPEG),
                copy=False,
            )
        if self._monochrome:
            plane = frame.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8)[
                : plane.line_size * frame.height
            ].reshape(frame.height, -1)
            if kind_of(name, monochrome=True) == "grey16":
                return rows.view("<u2")[:, : frame.width].astype(np.uint16)
            return rows[:, : frame.width].copy()
        if name.startswith("ya"):
            # Alpha is no part of the id.
            grey = _grey_with_alpha(frame)[:, ::2]
            return cast(Ids, grey.astype(np.uint8 if name == "ya8" else np.uint16))
        return _array(frame, copy=self._shared)

    def _grey_as_rgb(self, frame: VideoFrame) -> Bytes:
        name = frame.format.name
        bits = 16 if name.startswith("ya16") else frame.format.components[0].bits
        grey = self._grey(frame)
        if bits > 8:
            grey = (grey >> (bits - 8)).astype(np.uint8)
        if frame.color_range == ColorRange.MPEG:
            grey = np.clip(np.rint((grey.astype(np.float32) - 16) * (255 / 219)), 0, 255).astype(
                np.uint8
            )
        return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8, copy=False)

    def _rgb(self, frame: VideoFrame) -> Ids:
        name = frame.format.name
        if name == "rgb24":
            return _array(frame, copy=self._shared).astype(np.uint8, copy=False)
        if _DEEP_RGB.match(name):
            # Not through swscale, which dithers: an 8-bit colour stored in 16 bits must come back
            # as it was.
            deep = np.asarray(frame.to_ndarray()[:, :, :3], np.uint16)
            bits = max(c.bits for c in frame.format.components)
            if self.labels and bits == 16:  # SYNTHIA's ids are in the lower eight bits
                return deep
            return (deep >> (bits - 8)).astype(np.uint8)
        matrix: int | None = None
        if self._tags.matrix is not None:
            matrix = MATRICES[self._tags.matrix]
        elif frame.colorspace in _UNSPECIFIED_MATRICES:
            matrix = MATRICES[usual_matrix(frame.height)]
        full = not self.limited_range(frame)
        try:
            rgb = self._scaler.reformat(
                frame,
                format="rgb24",
                src_colorspace=matrix,
                src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=_FLAGS,
                threads=1,
            )
        except (ValueError, OSError, NotImplementedError) as error:
            raise InputError(
                f"its pixel format {name} cannot be turned into colours.",
                where=self._source,
                hint="Convert it first, for example: ffmpeg -i IN -pix_fmt rgb24 -c:v ffv1 OUT.mkv",
            ) from error
        return _array(rgb, copy=False).astype(np.uint8, copy=False)


def _array(frame: VideoFrame, *, copy: bool) -> Ids:
    array: Ids = frame.to_ndarray()  # type: ignore[assignment]
    return array.copy() if copy else array


def _grey_with_alpha(frame: VideoFrame) -> npt.NDArray[Any]:
    """Grey and alpha in turn [H,2*W] of a frame of ``ya8`` or ``ya16``."""
    name = frame.format.name
    line = frame.planes[0].line_size
    raw = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(frame.height, line)
    return raw[:, : frame.width * (2 if name == "ya8" else 4)].view(
        {"ya16be": ">u2", "ya16le": "<u2"}.get(name, "u1")
    )


def _palette(frame: VideoFrame) -> tuple[Bytes, Bytes]:
    indices, argb = frame.to_ndarray()
    return np.array(indices, np.uint8), np.ascontiguousarray(
        np.asarray(argb, np.uint8).reshape(256, 4)[:, 1:]
    )
