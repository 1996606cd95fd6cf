"""Reads the sequence parameter set (SPS) of H.264, which says what PyAV does not: monochrome and
lossless coding.

FFmpeg's decoder gives the frames of a monochrome stream as 4:2:0 with grey chroma. Taken for
colours, ids would be range converted.
"""

from __future__ import annotations

from dataclasses import dataclass

# profile_idc of the profiles whose SPS holds chroma_format_idc (H.264, 7.3.2.1.1).
_WITH_CHROMA_FORMAT = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


@dataclass(frozen=True, slots=True)
class SequenceParameterSet:
    """What an SPS says of the samples.

    Attributes:
        chroma_format: chroma_format_idc: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
        lossless: qpprime_y_zero_transform_bypass_flag: the transform may be bypassed. Encoders set
            it for lossless coding only.
    """

    chroma_format: int
    lossless: bool


def read_sps(extradata: bytes | None) -> SequenceParameterSet | None:
    """Read the first SPS (H.264, 7.3.2.1.1).

    Args:
        extradata: The codec context's ``extradata``, as avcC or in Annex B's byte stream format.

    Returns:
        The SPS; None where there is none, or it is cut off.
    """
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
