"""The checksums of FFV1's slices (RFC 9043, sections 4.8 and 4.9).

FFmpeg's decoder compares them, writes a line into its log and gives the damaged frame all the same;
neither ``err_detect`` nor the frame's flag tells. So the packets are checked before they are
decoded.
"""

from __future__ import annotations

import zlib

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FOOTER = 8
"""Bytes after each slice: its size (3), an error status (1) and the checksum (4)."""
# Initial values of the checksum, bit-reversed: of versions 3, and of version 4.
_INITIAL = (0, int(f"{0x7A8C4079:032b}"[::-1], 2))


def _checksum(data: bytes, initial: int) -> int:
    """CRC-32 of the polynomial 0x04C11DB7, most significant bit first, bit-reversed; zlib computes
    the reflected one, of bytes whose bits are reversed."""
    return zlib.crc32(data.translate(_REVERSED), initial ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


class Ffv1Check:
    """Checks the packets of one stream.

    Whether slices have checksums stands in a header that only a decoder reads. It is known from the
    first packet whose footers lead from its end exactly to its beginning.
    """

    def __init__(self) -> None:
        self._has_checksums: bool | None = None

    def is_damaged(self, packet: bytes) -> bool:
        """Whether a packet is known to be damaged."""
        if self._has_checksums is False or not packet:
            return False
        slices = _slices(packet)
        if slices is None:
            if self._has_checksums is None:
                self._has_checksums = False
            return bool(self._has_checksums)
        whole = all(any(_checksum(part, at) == at for at in _INITIAL) for part in slices)
        if self._has_checksums is None:
            # One slice of a stream without checksums would fit by a chance of 1 in 2**24.
            self._has_checksums = True
        return not whole


def _slices(packet: bytes) -> list[bytes] | None:
    """The slices with their footers; None where the sizes in the footers do not add up."""
    found = []
    end = len(packet)
    while end > 0:
        if end < _FOOTER:
            return None
        size = int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], "big") + _FOOTER
        if size > end:
            return None
        found.append(packet[end - size : end])
        end -= size
    return found
