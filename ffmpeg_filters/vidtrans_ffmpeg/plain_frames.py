"""Uncompressed frames of NUT, read from the pipe into the memory that the decoder gives on.

FFmpeg reads a file object through ``bytes``, which it copies into its packet: at 1920x1080 a third
of the filter's processor time. Where a frame comes as all of FFmpeg's muxer's do, a syncpoint, a
header and the size of the frames before it, it is read here. Everything else is left to FFmpeg's
demuxer: headers that are repeated, damage, the end. Both can take turns, since the demuxer has read
nothing beyond the last frame, and a syncpoint tells the time anew. Frames that are passed on as
they are need no decoder, and their memory is moved (``HeldFrame``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from av.packet import Packet
from av.video.stream import VideoStream

from vidtrans.media.damage import DamageError
from vidtrans.media.films import AVIO_BUFFER_BYTES
from vidtrans_ffmpeg.framing import NutFrame, NutFraming
from vidtrans_ffmpeg.held_frame import HeldFrame
from vidtrans_ffmpeg.nut import NutStream
from vidtrans_ffmpeg.pipes import InputPipe

_HEAD_BYTES = 64
"""A syncpoint and a frame's header have at most 60 bytes with timestamps below 2 ** 62. No frame
that is read here is as short."""


class PlainFrames:
    """The packets of a demuxer, and those that can be read without it: a ``PacketSource``.

    Args:
        pipe: The input, a NUT, from which the demuxer reads too.
        framing: Is fed all bytes that are read from it.
    """

    def __init__(self, pipe: InputPipe, framing: NutFraming) -> None:
        self._pipe = pipe
        self._framing = framing
        self._taken = 0
        self._after_plain = False
        self.size: int | None = None

    @property
    def stream(self) -> NutStream | None:
        """The header of the stream."""
        return self._framing.stream

    def __call__(
        self, stream: VideoStream, demuxed: Iterator[Packet[VideoStream]]
    ) -> Iterator[Packet[VideoStream]]:
        """Give all packets.

        Args:
            stream: The demuxer's only stream.
            demuxed: Its packets.

        Raises:
            DamageError: A frame comes without a syncpoint, which one of this size must have.
        """
        for packet in demuxed:
            time_base, duration = packet.time_base, packet.duration
            # Smaller frames may already be in the demuxer's buffer; nor need they have a syncpoint.
            plain = packet.size > AVIO_BUFFER_BYTES and not packet.is_corrupt
            self.size = packet.size if plain else None
            self._taken += 1
            self._after_plain = False
            yield packet
            while (frame := self._next()) is not None:
                read = cast("Packet[VideoStream]", Packet(frame.size))
                if not self._pipe.readinto(memoryview(read)):
                    break
                read.stream, read.time_base, read.duration = stream, time_base, duration
                read.pts = read.dts = frame.pts
                read.is_keyframe = True
                self._taken += 1
                yield read

    def take(self, held: HeldFrame, given: int) -> int | None:
        """Take the next frame past the decoder.

        Args:
            held: Takes the frame's bytes.
            given: Frames that have been decoded or taken. Nothing is taken while the decoder
                holds one back.

        Returns:
            The timestamp in the stream's time base. None where the decoder has to go on: at the
            end, and where something else comes than a frame of the same size.

        Raises:
            DamageError: As for ``__call__``.
        """
        if given != self._taken or self.size != held.size:
            return None
        frame = self._next()
        if frame is None or not held.fill(self._pipe):
            return None
        self._taken += 1
        return frame.pts

    def _next(self) -> NutFrame | None:
        """Read the header of the next frame, where it can be read without the demuxer."""
        framing = self._framing
        if self.size is None or not framing.between_frames or framing.frames != self._taken:
            return None
        head = self._pipe.peek(_HEAD_BYTES)
        frame = framing.next_frame(head)
        if frame is None or frame.size != self.size:
            if self._after_plain and head and not head.startswith(b"N"):
                raise DamageError(
                    "its data are damaged here.", where=self._pipe.name, frame=self._taken
                )
            return None
        self._pipe.read(frame.head_bytes)
        self._after_plain = True
        return frame
