"""Damage is seen: whatever bytes of a lossless film were altered, no wrong picture passes."""

import random

import av
import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.media.ffv1_crc import Ffv1Check
from vidtrans.media.reader import open_reader

FRAMES = 24


@pytest.fixture(scope="module")
def frames(scene):
    return [np.ascontiguousarray(scene(n)) for n in range(FRAMES)]


def read(path):
    """The pictures, or None where the film is refused."""
    try:
        with open_reader(path) as reader:
            return [frame.pixels.copy() for frame in reader]
    except InputError:
        return None


def encode(path, frames, codec, options=None):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = "gray"
        for picture in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize("level", ["3", "4"])
def test_no_altered_ffv1_slice_passes(tmp_path, frames, level):
    options = {"level": level, "slicecrc": "1", "slices": "4", "strict": "experimental"}
    path = encode(tmp_path / "film.mkv", frames, "ffv1", options)
    assert all(map(np.array_equal, read(path), frames))
    data = path.read_bytes()
    rng = random.Random(1)
    for _ in range(30):
        at = rng.randrange(len(data) // 4, len(data) - 600)
        hurt = bytes(byte ^ 0x55 for byte in data[at : at + 40])
        path.write_bytes(data[:at] + hurt + data[at + 40 :])
        found = read(path)
        assert found is None or (len(found) == FRAMES and all(map(np.array_equal, found, frames)))


@pytest.mark.parametrize("options", [{"level": "1"}, {"level": "3", "slicecrc": "0"}])
def test_ffv1_without_checksums_is_read(tmp_path, frames, options):
    path = encode(tmp_path / "film.mkv", frames, "ffv1", options)
    assert all(map(np.array_equal, read(path), frames))


def test_a_damaged_slice_is_told_from_a_whole_one(tmp_path, frames):
    path = encode(tmp_path / "film.mkv", frames, "ffv1", {"level": "3", "slicecrc": "1"})
    with av.open(str(path)) as film:
        packets = [bytes(packet) for packet in film.demux(video=0) if packet.size]
    check = Ffv1Check()
    assert not any(map(check.is_damaged, packets))
    for at in range(0, len(packets[1]), 37):
        hurt = bytearray(packets[1])
        hurt[at] ^= 4
        assert check.is_damaged(bytes(hurt))


def test_bytes_that_are_skipped_in_nut_are_damage(tmp_path, frames):
    path = encode(tmp_path / "film.nut", frames, "rawvideo")
    data = path.read_bytes()
    assert len(read(path)) == FRAMES
    assert read(path) is not None
    middle = len(data) // 2
    for size in (frames[0].size // 2, frames[0].size, 3 * frames[0].size):
        path.write_bytes(data[:middle] + bytes(size) + data[middle + size :])
        found = read(path)
        assert found is None or len(found) == FRAMES


def test_a_nut_that_went_through_text_mode_is_refused(tmp_path):
    frames = [np.full((64, 128), 10 + n % 3, np.uint8) for n in range(FRAMES)]
    path = encode(tmp_path / "film.nut", frames, "rawvideo")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path) is None
