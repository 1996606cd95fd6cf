"""Tells whether a stream's codec alters samples, which spoils class ids."""

from __future__ import annotations

from av.video.format import VideoFormat
from av.video.stream import VideoStream

from vidtrans.media.h264_sps import SequenceParameterSet


def is_lossy(
    stream: VideoStream, pixel_format: VideoFormat, sps: SequenceParameterSet | None
) -> bool:
    """Whether samples may come out of the decoder otherwise than they went into the encoder.

    A codec that can be both counts as lossless only where the stream says so (H.264: its ``sps``;
    others: their profile's name). Subsampled chroma (4:2:0, 4:2:2) alters colours whatever the
    codec; a monochrome stream has no chroma.

    Args:
        stream: The video stream.
        pixel_format: The format of its decoded frames.
        sps: H.264's sequence parameter set, None for other codecs.
    """
    monochrome = sps is not None and sps.chroma_format == 0
    if not monochrome and any(part.width < pixel_format.width for part in pixel_format.components):
        return True
    codec = stream.codec_context.codec
    if codec.canonical_name == "h264":
        return sps is None or not sps.lossless
    if "lossless" in (stream.profile or "").lower():
        return False
    return codec.lossy or not codec.lossless
