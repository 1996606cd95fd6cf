"""Frames that are read past FFmpeg's demuxer: the same frames, times and errors as with it."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from vidtrans_ffmpeg import demuxing, held_frame
from vidtrans_ffmpeg.framing import NutFraming
from vidtrans_ffmpeg.held_frame import HeldFrame
from vidtrans_ffmpeg.nut import SYNCPOINT
from vidtrans_ffmpeg.pipes import CancelEvent, InputPipe, OutputPipe
from vidtrans_ffmpeg.run import FilterSettings, run_filter

from vidtrans.errors import InputError
from vidtrans.media.films import AVIO_BUFFER_BYTES

linux = pytest.mark.linux
NUT = ("-c:v", "rawvideo", "-f", "nut")
SIZE_HW = (288, 320)
"""Frames of 90 KiB, more than the demuxer's buffer."""


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (30, *SIZE_HW), np.uint8)


@pytest.fixture
def plain_sizes(monkeypatch) -> list[int]:
    """The sizes of the frames that are read past the demuxer."""
    sizes: list[int] = []
    next_frame = NutFraming.next_frame

    def counted(self, head):
        found = next_frame(self, head)
        if found is not None:
            sizes.append(found.size)
        return found

    monkeypatch.setattr(NutFraming, "next_frame", counted)
    return sizes


def starts(data: bytes) -> list[int]:
    """Where each frame's syncpoint begins."""
    with av.open(io.BytesIO(data)) as container:
        packets = [packet.pos for packet in container.demux(video=0) if packet.size]
    return [data.rindex(SYNCPOINT, 0, pos + len(SYNCPOINT) + 64) for pos in packets]


def times(data: bytes) -> list[tuple[Fraction, int]]:
    with av.open(io.BytesIO(data)) as container:
        return [
            (frame.pts * frame.time_base, round(frame.duration * frame.time_base * 1000))
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize(
    "setpts", ["PTS", "PTS+100/TB", "PTS*7+floor(N/3)*11/TB", "(N+N*N*300)/TB"]
)
def test_the_same_frames_and_times(frames, send, show, run_through, plain_sizes, setpts):
    data = send(frames, "-vf", f"setpts={setpts}", "-fps_mode", "passthrough", *NUT)
    result = run_through(data)
    assert result.error is None
    np.testing.assert_array_equal(show(result.out, "gray", SIZE_HW), frames)
    assert times(result.out) == times(data)
    # The headers are repeated behind the first MiB; the demuxer reads these, and the frame behind.
    assert len(plain_sizes) >= len(frames) - 4


@pytest.mark.parametrize("form", ["gray16be", "bgra", "yuv420p", "nv12"])
def test_every_kind_of_plane(frames, send, run_through, plain_sizes, form):
    data = send(frames[:6], "-pix_fmt", form, *NUT)
    result = run_through(data)
    with av.open(io.BytesIO(data)) as first, av.open(io.BytesIO(result.out)) as second:
        wanted = [bytes(packet) for packet in first.demux(video=0)]
        assert [bytes(packet) for packet in second.demux(video=0)] == wanted
    assert len(plain_sizes) >= 3


@pytest.fixture
def held(monkeypatch) -> list[tuple[int, int, int]]:
    """Of each frame that is passed on as it came: bytes first read, moved, and read into memory."""
    found: list[tuple[int, int, int]] = []
    fill = HeldFrame.fill

    def noted(self, source):
        whole = fill(self, source)
        if whole:
            found.append((len(self._first), sum(self._filled), len(self._rest)))
        return whole

    monkeypatch.setattr(HeldFrame, "fill", noted)
    return found


@linux
def test_frames_are_moved_from_pipe_to_pipe(frames, send, show, run_through, held):
    result = run_through(send(frames, *NUT))
    np.testing.assert_array_equal(show(result.out, "gray", SIZE_HW), frames)
    assert len(held) >= len(frames) - 4
    size = SIZE_HW[0] * SIZE_HW[1]
    assert all(sum(parts) == size for parts in held)
    assert sum(moved for _, moved, _ in held) > 0.8 * size * len(held)


@linux
def test_where_the_system_gives_no_pipes_frames_are_decoded(
    frames, send, show, run_through, held, plain_sizes, monkeypatch
):
    data = send(frames, *NUT)
    init = HeldFrame.__init__

    def without(self, size):
        init(self, size)
        self.close()

    monkeypatch.setattr(HeldFrame, "__init__", without)
    result = run_through(data)
    np.testing.assert_array_equal(show(result.out, "gray", SIZE_HW), frames)
    assert not held
    assert len(plain_sizes) >= len(frames) - 4


@linux
def test_what_does_not_fit_into_pipes_is_read_into_memory(
    frames, send, show, run_through, held, monkeypatch
):
    monkeypatch.setattr(held_frame, "MOVING_PIPE_BYTES", 1 << 15)
    monkeypatch.setattr(held_frame, "_MOST_PIPES", 1)
    result = run_through(send(frames, *NUT))
    np.testing.assert_array_equal(show(result.out, "gray", SIZE_HW), frames)
    assert any(rest for _, _, rest in held)
    assert any(moved for _, moved, _ in held)


@linux
def test_other_orders_of_planes_are_decoded(frames, send, run_through, held):
    """YV12 is yuv420p with V before U: its tag tells, not its pixel format."""
    data = send(frames[:6], "-vf", "format=yuv420p", "-tag:v", "YV12", *NUT)
    result = run_through(data)
    assert not held
    with av.open(io.BytesIO(data)) as first, av.open(io.BytesIO(result.out)) as second:
        wanted = [frame.to_ndarray() for frame in first.decode(video=0)]
        found = [frame.to_ndarray() for frame in second.decode(video=0)]
    np.testing.assert_array_equal(found, wanted)


def test_a_file_is_read_and_not_moved(frames, send, held, tmp_path):
    (tmp_path / "in.nut").write_bytes(send(frames, *NUT))
    cancel = CancelEvent()
    with (tmp_path / "in.nut").open("rb") as given, (tmp_path / "out.nut").open("wb") as made:
        source, target = InputPipe(given.fileno(), cancel), OutputPipe(made.fileno())
        assert run_filter(FilterSettings(model="identity"), source, target, cancel) == len(frames)
    cancel.close()
    assert not held


def test_small_frames_are_left_to_the_demuxer(frames, send, run_through, plain_sizes):
    small = frames[:, : AVIO_BUFFER_BYTES // SIZE_HW[1]]
    assert run_through(send(small, *NUT)).frames == len(small)
    assert not plain_sizes


def test_two_streams_are_left_to_the_demuxer(frames, send, show, run_through, plain_sizes):
    sound = ("-f", "lavfi", "-i", "sine=duration=1")
    result = run_through(send(frames, *sound, "-map", "0", "-map", "1", *NUT))
    np.testing.assert_array_equal(show(result.out, "gray", SIZE_HW), frames)
    assert not plain_sizes


@pytest.fixture
def demuxer_alone(monkeypatch, run_through):
    """run_through without frames that are read past the demuxer."""

    def run(data: bytes):
        with monkeypatch.context() as patch:
            patch.setattr(demuxing, "PlainFrames", lambda pipe, framing: None)
            return run_through(data)

    return run


@pytest.mark.parametrize("cut", [1, 9, 20, 40, 5000, SIZE_HW[0] * SIZE_HW[1] - 1])
def test_a_truncated_frame_is_told_after_the_whole_ones(
    frames, send, show, run_through, demuxer_alone, cut
):
    data = send(frames, *NUT)
    data = data[: starts(data)[5] + cut]
    result = run_through(data)
    assert isinstance(result.error, InputError)
    assert str(result.error).startswith("<stdin>, frame 5: ")
    assert str(result.error) == str(demuxer_alone(data).error)
    np.testing.assert_array_equal(show(result.out, "gray", SIZE_HW), frames[:5])


def test_an_end_between_frames_is_an_end(frames, send, run_through):
    data = send(frames, *NUT)
    result = run_through(data[: starts(data)[5]])
    assert result.error is None
    assert result.frames == 5


def test_a_frame_without_a_syncpoint_is_damage(frames, send, show, run_through):
    data = send(frames, *NUT)
    at = starts(data)[5]
    length = data[at + len(SYNCPOINT)]
    without = data[:at] + data[at + len(SYNCPOINT) + 1 + length :]
    result = run_through(without)
    assert isinstance(result.error, InputError)
    assert str(result.error).startswith("<stdin>, frame 5: its data are damaged here.")
    np.testing.assert_array_equal(show(result.out, "gray", SIZE_HW), frames[:5])


def test_headers_that_lie_are_left_to_the_demuxer(frames, send, run_through, demuxer_alone):
    """After a flipped bit in a syncpoint or a frame's header all is as with the demuxer alone."""
    data = send(frames[:8], *NUT)
    at = starts(data)[5]
    for place in range(at + 1, at + 30):
        damaged = data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :]
        result, alone = run_through(damaged), demuxer_alone(damaged)
        assert result.out == alone.out, place
        assert str(result.error) == str(alone.error), place


@pytest.mark.parametrize(
    "head", [b"", SYNCPOINT, SYNCPOINT + b"\x80" * 60, SYNCPOINT + b"\x7f" * 60]
)
def test_heads_that_are_none(frames, send, head):
    framing = NutFraming()
    assert framing.next_frame(head) is None
    data = send(frames[:2], *NUT)
    framing.feed(memoryview(data)[: starts(data)[1]])
    assert framing.between_frames
    assert framing.frames == 1
    assert framing.next_frame(head) is None
    assert framing.next_frame(data[starts(data)[1] :][:64]) is not None
