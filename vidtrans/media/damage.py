"""Damage in an input: its error, and what stands in for damaged frames where these are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

from av import VideoFrame
from av.packet import Packet

from vidtrans.errors import InputError, Remedy

_MOST_LOST = 1000
"""Frames that may be missing between two packets. At 25 fps it is 40 s, in which more was damaged
than labels can be held for; longer leaps are of the timestamps."""


class DamageError(InputError):
    """A part of the input is truncated or damaged; the rest may be read without it."""

    def __init__(
        self, message: str, *, where: str | PathLike[str] | None = None, frame: int | None = None
    ) -> None:
        remedy = Remedy("{skip_damaged} goes on over damaged frames and holds the labels before.")
        super().__init__(message, where=where, frame=frame, remedy=remedy)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded frame.

    Attributes:
        picture: The picture; where the frame is damaged, that of a frame near it.
        pts: The timestamp in the stream's time base; None where the stream has none.
        damaged: Whether the picture is another frame's.
    """

    picture: VideoFrame
    pts: int | None
    damaged: bool = False


class HeldFrames:
    """Follows a stream in which damaged frames are skipped.

    Each damaged frame is given at its own time, with the picture of the last good frame before it;
    those before the first good frame with the picture of that one. After damage no frame that
    refers to others is trusted up to the next key frame.
    """

    def __init__(self) -> None:
        self._due: dict[int, bool] = {}
        """Timestamps of frames that have not come yet; whether they are damaged."""
        self._trusted: frozenset[int] = frozenset()
        self._broken = False
        self._good: VideoFrame | None = None
        self._latest: int | None = None
        self._step: int | None = None

    def packet(
        self, packet: Packet[Any], *, damaged: bool = False, after_gap: bool = False
    ) -> None:
        """Note a packet before it is decoded.

        Args:
            packet: A packet of the stream.
            damaged: Its data are damaged, and it will not be decoded.
            after_gap: Data of the stream are missing before it.
        """
        pts = packet.pts
        if after_gap and pts is not None:
            self._fill(pts)
        if damaged or after_gap:
            self._lose()
        if pts is None or not packet.size:
            return
        self._due[pts] = damaged or self._broken
        if self._latest is not None and pts > self._latest:
            step = pts - self._latest
            self._step = step if self._step is None else min(step, self._step)
        self._latest = pts if self._latest is None else max(pts, self._latest)

    def failed(self, packet: Packet[Any]) -> None:
        """Note that a packet, noted before, could not be decoded."""
        if packet.pts is not None and packet.pts in self._due:
            self._due[packet.pts] = True
        self._lose(but=packet.pts)

    def _lose(self, but: int | None = None) -> None:
        if not self._broken:
            # Frames that the decoder holds back were sent to it before the damage.
            self._trusted = frozenset(self._due.keys() - {but})
        self._broken = True

    def _fill(self, pts: int) -> None:
        """Mark the frames that are missing before ``pts`` by the steps of the timestamps."""
        if self._latest is None or not self._step:
            return
        if pts - self._latest <= _MOST_LOST * self._step:
            lost = range(self._latest + self._step, pts - self._step // 2, self._step)
            self._due |= dict.fromkeys(lost, True)

    def decoded(self, picture: VideoFrame, *, independent: bool) -> Iterator[Decoded]:
        """Give the frames that a decoded one completes.

        Args:
            picture: The next frame that the decoder gives.
            independent: The codec's frames do not refer to others.
        """
        pts = picture.pts
        fresh = picture.key_frame or independent
        if picture.is_corrupt or (self._broken and not fresh and pts not in self._trusted):
            if pts is not None:
                self._due[pts] = True
            self._lose(but=pts)
            return
        if fresh and pts not in self._trusted:
            self._broken, self._trusted = False, frozenset()
        if pts is not None:
            yield from self._held(pts, self._good or picture)
            self._due.pop(pts, None)
        self._good = picture
        yield Decoded(picture, pts)

    def rest(self) -> Iterator[Decoded]:
        """Give the damaged frames at the end of the stream."""
        if self._good is not None:
            yield from self._held(None, self._good)

    def _held(self, before: int | None, picture: VideoFrame) -> Iterator[Decoded]:
        for pts in sorted(pts for pts in self._due if before is None or pts < before):
            if self._due.pop(pts):
                yield Decoded(picture, pts, damaged=True)
