"""Uncompressed frames of NUT, read from the pipe into the memory that the decoder gives on.

FFmpeg reads a file object through ``bytes``, which it copies into its packet: at 1920x1080 a third
of the filter's processor time. Where a frame comes as all of FFmpeg's muxer's do, a syncpoint, a
header and the size of the frames before it, it is read here. Everything else is left to FFmpeg's
demuxer: headers that are repeated, damage, the end. Both can take turns, since the demuxer has read
nothing beyond the last frame, and a syncpoint tells the time anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from av.packet import Packet
from av.video.stream import VideoStream

from vidtrans.media.damage import DamageError
from vidtrans.media.films import AVIO_BUFFER_BYTES
from vidtrans_ffmpeg.framing import NutFraming
from vidtrans_ffmpeg.pipes import InputPipe

_HEAD_BYTES = 64
"""A syncpoint and a frame's header have at most 60 bytes with timestamps below 2 ** 62. No frame
that is read here is as short."""


def plain_packets(
    pipe: InputPipe,
    framing: NutFraming,
    stream: VideoStream,
    demuxed: Iterator[Packet[VideoStream]],
) -> Iterator[Packet[VideoStream]]:
    """Give the packets of a demuxer, and those that can be read without it.

    Args:
        pipe: The input, a NUT, from which the demuxer reads too.
        framing: Is fed all bytes that are read from it.
        stream: The demuxer's only stream.
        demuxed: Its packets.

    Raises:
        DamageError: A frame comes without a syncpoint, which one of this size must have.
    """
    taken = 0
    for packet in demuxed:
        size, time_base, duration = packet.size, packet.time_base, packet.duration
        # Smaller frames may already be in the demuxer's buffer; nor need they have a syncpoint.
        plain = size > AVIO_BUFFER_BYTES and not packet.is_corrupt
        yield packet
        taken += 1
        after_plain = False
        while plain and framing.between_frames and framing.frames == taken:
            head = pipe.peek(_HEAD_BYTES)
            frame = framing.next_frame(head)
            if frame is None or frame.size != size:
                if after_plain and head and not head.startswith(b"N"):
                    raise DamageError("its data are damaged here.", where=pipe.name, frame=taken)
                break
            pipe.read(frame.head_bytes)
            read = cast("Packet[VideoStream]", Packet(size))
            if not pipe.readinto(memoryview(read)):
                break
            read.stream, read.time_base, read.duration = stream, time_base, duration
            read.pts = read.dts = frame.pts
            read.is_keyframe = True
            yield read
            taken += 1
            after_plain = True
