"""What FFmpeg can decode and encode on this machine's GPU, found out once by trying."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import av
import av.error
from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.video.codeccontext import VideoCodecContext


@cache
def cuda_decodes() -> bool:
    """Whether this build of FFmpeg and this machine's driver decode on an NVIDIA GPU (NVDEC)."""
    if "cuda" not in hwdevices_available():
        return False
    try:
        HWAccel("cuda").create(Codec("h264", "r"))
    except (av.error.FFmpegError, NotImplementedError, OSError):
        return False
    return True


@cache
def nvenc_works() -> bool:
    """Whether this machine encodes H.264 on an NVIDIA GPU (NVENC).

    An encoder is opened to know: build and driver may be there while the chip has no encoder (A100,
    H100).
    """
    if "h264_nvenc" not in av.codecs_available:
        return False
    context = av.CodecContext.create("h264_nvenc", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = 256, 256, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    try:
        context.open()
    except (av.error.FFmpegError, OSError):
        return False
    return True
