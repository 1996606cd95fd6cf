"""Damage is seen: whatever bytes of a lossless film were altered, no wrong picture passes."""

import itertools
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


def held(path):
    """The pictures, and the numbers of those that are another frame's."""
    with open_reader(path, skip_damaged=True) as reader:
        found = list(reader)
        assert reader.count() == len(found)
        assert reader.times().pts.tolist() == [frame.time.pts for frame in found]
    assert [frame.index for frame in found] == list(range(len(found)))
    assert all(a.time.pts < b.time.pts for a, b in itertools.pairwise(found))
    return [frame.pixels for frame in found], [frame.index for frame in found if frame.damaged]


def test_a_damaged_ffv1_frame_is_skipped_up_to_the_next_key_frame(tmp_path, frames):
    path = encode(tmp_path / "film.mkv", frames, "ffv1", {"level": "3", "g": "6"})
    with av.open(str(path)) as film:
        places = [(p.pos, p.size) for p in film.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    start, size = places[8]
    data[start + size // 2] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"frame 8: its data are damaged here.*skip_damaged=True"):
        read_all(path)
    pictures, damaged = held(path)
    assert damaged == [8, 9, 10, 11]
    wanted = [frames[7] if n in damaged else frame for n, frame in enumerate(frames)]
    assert all(map(np.array_equal, pictures, wanted))
    assert len(pictures) == len(frames)


def read_all(path):
    with open_reader(path) as reader:
        return list(reader)


@pytest.mark.parametrize("first", [0, 5, FRAMES - 1])
def test_frames_that_are_lost_in_nut_are_filled_in(tmp_path, frames, first):
    path = encode(tmp_path / "film.nut", frames, "rawvideo")
    data = path.read_bytes()
    at = data.index(frames[first].tobytes()) + frames[first].size // 2
    path.write_bytes(data[:at] + bytes(2 * frames[0].size) + data[at + 2 * frames[0].size :])
    pictures, damaged = held(path)
    if 0 < first < FRAMES - 1:
        assert len(pictures) == FRAMES
    good = [n for n in range(len(pictures)) if n not in damaged]
    # NUT has no checksum of a picture: what it cannot tell is the frame whose end was zeroed.
    exact = [n for n in good if n != first]
    assert all(np.array_equal(pictures[n], frames[n]) for n in exact if len(pictures) == FRAMES)
    # Its demuxer goes on at the next syncpoint, some ten frames of this size on.
    assert len(exact) >= 9


def test_a_damaged_h264_film_keeps_its_frames_and_times(tmp_path, frames):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "8", "bf": "2", "crf": "5"})
        stream.height, stream.width = frames[0].shape
        stream.pix_fmt = "yuv420p"
        for picture in frames:
            colour = np.repeat(picture[:, :, None] * 5, 3, axis=2)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(colour, format="rgb24")))
        out.mux(stream.encode())
    with open_reader(path) as reader:
        whole = list(reader)
    with av.open(str(path)) as film:
        places = [(p.pos, p.size, p.pts) for p in film.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    start, size, pts = places[10]
    data[start + 4 : start + size] = b"\xff" * (size - 4)
    path.write_bytes(data)
    with open_reader(path, skip_damaged=True) as reader:
        found = list(reader)
    assert [frame.time.pts for frame in found] == [frame.time.pts for frame in whole]
    assert any(frame.damaged and frame.time.pts == pts for frame in found)
    assert all(
        np.array_equal(a.pixels, b.pixels)
        for a, b in zip(found, whole, strict=True)
        if not a.damaged
    )
    assert sum(frame.damaged for frame in found) <= 8


@pytest.mark.parametrize("hurt", [[0], [3], [0, 1, 5], [4, 5]])
def test_damaged_images_take_the_picture_before(tmp_path, frames, write_images, hurt):
    paths = write_images(frames[:6], tmp_path / "in")
    for n in hurt:
        paths[n].write_bytes(paths[n].read_bytes()[: 60 if n else 0])
    with pytest.raises(InputError, match="skip_damaged"):
        read_all(tmp_path / "in")
    pictures, damaged = held(tmp_path / "in")
    assert damaged == hurt
    good = [n for n in range(6) if n not in hurt]
    for n in range(6):
        before = [m for m in good if m <= n]
        assert np.array_equal(pictures[n], frames[before[-1] if before else good[0]])


def test_a_truncated_film_is_read_up_to_its_end(tmp_path, frames, caplog):
    path = encode(tmp_path / "film.mkv", frames, "ffv1", {"level": "3", "g": "1"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    pictures, _ = held(path)
    assert 8 < len(pictures) < FRAMES
    assert "truncated" in caplog.text


def test_seeking_in_a_damaged_film_gives_the_same_frames(tmp_path, frames):
    path = encode(tmp_path / "film.mkv", frames, "ffv1", {"level": "3", "g": "6"})
    with av.open(str(path)) as film:
        places = [(p.pos, p.size) for p in film.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    data[places[6][0] + 20] ^= 0x10
    path.write_bytes(data)
    with open_reader(path, skip_damaged=True) as reader:
        whole = list(reader)
        for index in (12, 7, 20, 0):
            reader.seek(index, whole[index].time)
            found = next(iter(reader))
            assert found.index == index
            assert found.damaged == whole[index].damaged
            assert np.array_equal(found.pixels, whole[index].pixels)
