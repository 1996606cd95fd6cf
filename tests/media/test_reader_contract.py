"""One suite for every way in: what a reader promises holds for each of them."""

from __future__ import annotations

import io
import threading
from fractions import Fraction

import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.media.reader import open_reader

# name -> (kind, the pixels are exactly those that went in)
CASES = {
    "h264.mp4": ("rgb", False),
    "h264_lossless_rgb.mp4": ("rgb", True),
    "ffv1_grey8.mkv": ("grey8", True),
    "ffv1_grey16.mkv": ("grey16", True),
    "ffv1_rgb.mkv": ("rgb", True),
    "vp9.webm": ("rgb", False),
    "png.mov": ("rgb", True),
    "raw.avi": ("rgb", True),
    "grey.y4m": ("grey8", True),
    "folder_grey8": ("grey8", True),
    "folder_grey16": ("grey16", True),
    "folder_rgb": ("rgb", True),
    "folder_palette": ("palette", True),
    "printf": ("grey8", True),
    "glob": ("grey8", True),
    "pipe.nut": ("grey8", True),
}


@pytest.fixture(scope="session")
def inputs(tmp_path_factory, ids, instance_ids, colours, palette, encode, write_images, run_ffmpeg):
    """name -> (what to open, the frames that went in)"""
    top = tmp_path_factory.mktemp("readers")
    write_images(ids, top / "grey8", "frame_{:d}.png", start=8)  # 8, 9, 10: natural order
    write_images(instance_ids, top / "grey16")
    write_images(colours, top / "rgb")
    to_palette = "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=none"
    run_ffmpeg(
        "-i",
        top / "rgb" / "%06d.png",
        "-vf",
        to_palette,
        "-start_number",
        "0",
        _made(top / "palette") / "%06d.png",
    )
    lossless = ["-c:v", "ffv1", "-strict", "-1"]
    return {
        "h264.mp4": (encode(colours, top / "a.mp4", "-c:v", "libx264", "-crf", "1", "-pix_fmt",
        "yuv444p"), colours),
        "h264_lossless_rgb.mp4": (encode(colours, top / "q.mp4", "-c:v", "libx264rgb", "-qp",
        "0"), colours),
        "ffv1_grey8.mkv": (encode(ids, top / "g8.mkv", *lossless), ids),
        "ffv1_grey16.mkv": (encode(instance_ids, top / "g16.mkv", *lossless), instance_ids),
        "ffv1_rgb.mkv": (encode(colours, top / "rgb.mkv", *lossless, "-pix_fmt", "gbrp"), colours),
        "vp9.webm": (encode(colours, top / "a.webm", "-c:v", "libvpx-vp9", "-crf", "4", "-b:v",
        "0", "-deadline", "realtime",
                            "-cpu-used", "8", "-pix_fmt", "yuv444p"), colours),
        "png.mov": (encode(colours, top / "a.mov", "-c:v", "png"), colours),
        "raw.avi": (encode(colours, top / "a.avi", "-c:v", "rawvideo", "-pix_fmt", "bgr24"),
        colours),
        "grey.y4m": (encode(ids, top / "a.y4m", "-pix_fmt", "gray"), ids),
        "folder_grey8": (top / "grey8", ids),
        "folder_grey16": (top / "grey16", instance_ids),
        "folder_rgb": (top / "rgb", colours),
        "folder_palette": (top / "palette", colours),
        "printf": (str(top / "grey8" / "frame_%d.png"), ids),
        "glob": (str(top / "grey8" / "*.png"), ids),
        "pipe.nut": (encode(ids, top / "a.nut", "-c:v", "rawvideo").read_bytes(), ids),
    }  # fmt: skip


def _made(folder):
    folder.mkdir()
    return folder


class Pipe(io.RawIOBase):
    """A stream that can only be read onwards."""

    name = "pipe"

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def seekable(self):
        return False

    def readinto(self, buffer):
        return self._data.readinto(buffer)


@pytest.fixture(params=list(CASES))
def case(request, inputs):
    source, frames = inputs[request.param]
    kind, exact = CASES[request.param]

    def opened(**options):
        return open_reader(Pipe(source) if isinstance(source, bytes) else source, **options)

    opened.pipe = isinstance(source, bytes)
    return opened, frames, kind, exact


def shown(frame):
    return frame.palette[frame.pixels] if frame.palette is not None else frame.pixels


def test_frames_are_those_that_went_in(case):
    opened, frames, kind, exact = case
    with opened() as reader:
        got = list(reader)
        assert reader.info.kind == kind
        assert reader.info.size_hw == frames.shape[1:3]
    assert [frame.index for frame in got] == list(range(len(frames)))
    pixels = np.stack([shown(frame) for frame in got])
    assert pixels.dtype == frames.dtype
    assert pixels.shape == frames.shape
    if exact:
        np.testing.assert_array_equal(pixels, frames)
    else:
        assert np.abs(pixels.astype(int) - frames).mean() < 3


def test_times_are_25_frames_a_second(case):
    opened, frames, _, _ = case
    with opened() as reader:
        times = [frame.time.pts * frame.time.time_base for frame in reader]
        assert reader.info.rate == 25
    assert [time - times[0] for time in times] == [Fraction(i, 25) for i in range(len(frames))]


def test_pixels_are_contiguous_and_owned(case):
    opened, _, _, _ = case
    with opened() as reader:
        first, second = (frame.pixels for _, frame in zip(range(2), reader, strict=False))
    assert first.flags.c_contiguous
    kept = second.copy()
    first[...] = 0
    np.testing.assert_array_equal(second, kept)


def test_seek_gives_the_same_frame_as_reading_on(case):
    opened, _, _, _ = case
    with opened() as reader:
        everything = list(reader)
    with opened() as reader:
        reader.seek(4)
        rest = list(reader)
    assert [frame.index for frame in rest] == [4, 5]
    for got, wanted in zip(rest, everything[4:], strict=True):
        np.testing.assert_array_equal(got.pixels, wanted.pixels)
        assert got.time == wanted.time
    with opened() as reader:
        reader.seek(3, everything[3].time)
        assert next(iter(reader)).time == everything[3].time


def test_seek_backwards_starts_again_except_in_a_pipe(case):
    opened, _, _, _ = case
    with opened() as reader:
        first = next(iter(reader))
        for _ in reader:
            pass
        if opened.pipe:
            with pytest.raises(InputError, match="pipe that is past frame"):
                reader.seek(0)
            return
        reader.seek(0)
        again = next(iter(reader))
    assert again.index == 0
    np.testing.assert_array_equal(again.pixels, first.pixels)


def test_seek_past_the_end_says_how_many_there_are(case):
    opened, _, _, _ = case
    with opened() as reader, pytest.raises(InputError, match=r"\b6 (frames|images)"):
        reader.seek(99)


def test_count(case):
    opened, frames, _, _ = case
    with opened() as reader:
        if opened.pipe:
            with pytest.raises(InputError, match="pipe"):
                reader.count()
        else:
            assert reader.count() == len(frames)


def test_times_are_known_without_reading_frames(case):
    opened, frames, _, _ = case
    with opened() as reader:
        if opened.pipe:
            with pytest.raises(InputError, match="is a pipe"):
                reader.times()
            return
        times = reader.times()
        read = [frame.time for frame in reader]
    assert [times.start(n) for n in range(len(frames))] == [t.pts * t.time_base for t in read]
    assert times.constant
    assert times.timecode(5) == "00:00:00:05"


def test_as_pictures_every_frame_is_rgb(case):
    opened, frames, _, _ = case
    with opened(labels=False) as reader:
        got = [frame.pixels for frame in reader]
        assert reader.info.kind == "rgb"
    assert all(
        pixels.dtype == np.uint8 and pixels.shape == (*frames.shape[1:3], 3) for pixels in got
    )


def test_a_reader_of_labels_can_give_pictures_from_its_next_frame_on(case):
    opened, _, _, _ = case
    with opened(labels=False) as reader:
        expected = [frame.pixels for frame in reader]
    with opened() as reader:
        reader.as_pictures()
        assert reader.info.kind == "rgb"
        got = [frame.pixels for frame in reader]
    np.testing.assert_array_equal(got, expected)


def test_close_from_another_thread_ends_the_reading(case):
    opened, _, _, _ = case
    reader = opened()
    stream = iter(reader)
    next(stream)
    other = threading.Thread(target=reader.close)
    other.start()
    other.join(timeout=5)
    assert not other.is_alive()
    assert list(stream) == []
    reader.close()
