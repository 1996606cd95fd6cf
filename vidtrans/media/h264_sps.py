"""What an H.264 stream's sequence parameter set tells, and FFmpeg's decoder does not: monochrome
and lossless coding.

The decoder hands a monochrome stream on as 4:2:0 with grey chroma. Taken for colours, its ids would
be range converted.
"""

from __future__ import annotations

from dataclasses import dataclass

_WITH_CHROMA_FORMAT = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


@dataclass(frozen=True, slots=True)
class SequenceParameterSet:
    """``chroma_format``: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4. ``lossless``: the transform may
    be bypassed, which encoders announce for lossless coding only
    (qpprime_y_zero_transform_bypass_flag)."""

    chroma_format: int
    lossless: bool


def read_sps(extradata: bytes | None) -> SequenceParameterSet | None:
    """The first SPS (H.264, 7.3.2.1.1) of ``extradata``, avcC or Annex B; None where there is
    none."""
    data = extradata or b""
    if (
        data[:1] == b"\x01"
    ):  # avcC: version, profile, compatibility, level, length size, SPS count, SPS length
        sps = data[8:]
    else:
        start = next(
            (
                at
                for at in range(len(data) - 4)
                if data[at : at + 3] == b"\0\0\1" and data[at + 3] & 31 == 7
            ),
            -1,
        )
        sps = data[start + 3 :] if start >= 0 else b""
    if len(sps) < 8:
        return None
    if sps[1] not in _WITH_CHROMA_FORMAT:
        return SequenceParameterSet(chroma_format=1, lossless=False)
    bits = "".join(f"{byte:08b}" for byte in sps[4:16])
    at = 0

    def exp_golomb() -> int:
        nonlocal at
        zeros = bits.index("1", at) - at
        value = int(bits[at + zeros : at + 2 * zeros + 1], 2) - 1
        at += 2 * zeros + 1
        return value

    try:
        exp_golomb()  # seq_parameter_set_id
        chroma_format = exp_golomb()
        if chroma_format == 3:
            at += 1  # separate_colour_plane_flag
        exp_golomb()  # bit_depth_luma_minus8
        exp_golomb()  # bit_depth_chroma_minus8
        return SequenceParameterSet(chroma_format=chroma_format, lossless=bits[at] == "1")
    except (ValueError, IndexError):
        return None
