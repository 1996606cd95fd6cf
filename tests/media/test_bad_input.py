"""What cannot be read is refused with one sentence that names the file, and the right exit code."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.media.reader import open_reader


def refusal(source, **options) -> str:
    """Open and read all; the sentence."""
    with pytest.raises(InputError) as caught, open_reader(source, **options) as reader:
        for _ in reader:
            pass
    assert caught.value.exit_code == 3
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "Errno" not in sentence
    assert str(source).split("*")[0] in sentence
    return sentence


@pytest.mark.parametrize("name", ["none.mp4", "none", "none_%04d.png", "none*.png", "none/%d.png"])
def test_missing(tmp_path, name):
    assert "not exist" in (said := refusal(str(tmp_path / name))) or "matches no file" in said


@pytest.mark.posix
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "vidtrans-filter" in refusal(str(tmp_path / "pipe"))


def test_a_text_file_named_mp4(tmp_path):
    (tmp_path / "a.mp4").write_text("This is no film.\n" * 100)
    assert "is not a film" in refusal(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", ["a.txt", "a.srt", "a.png", "a.jpg"])
def test_other_text(tmp_path, name):
    (tmp_path / name).write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n" * 20)
    assert "is not a" in (said := refusal(tmp_path / name)) or "no moving" in said


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.png", "a.y4m"])
def test_an_empty_file(tmp_path, name):
    (tmp_path / name).touch()
    refusal(tmp_path / name)


def test_sound_without_pictures(tmp_path, run_ffmpeg):
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", tmp_path / "a.wav")
    assert "no moving or still picture" in refusal(tmp_path / "a.wav")


def test_zero_frames(tmp_path):
    (tmp_path / "a.y4m").write_bytes(b"YUV4MPEG2 W48 H32 F25:1 Ip A1:1 Cmono\n")
    assert "no frames" in refusal(tmp_path / "a.y4m")


def test_zero_frames_in_mp4(tmp_path, run_ffmpeg):
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=s=48x32:d=1", "-frames:v", "0", tmp_path / "a.mp4")
    refusal(tmp_path / "a.mp4")


@pytest.fixture(scope="module")
def films(tmp_path_factory, run_ffmpeg):
    """Film names -> bytes, 50 frames of real motion each."""
    top = tmp_path_factory.mktemp("films")
    options = {
        "tail.mp4": ["-c:v", "libx264"],
        "front.mp4": ["-c:v", "libx264", "-movflags", "+faststart"],
        "front.mov": ["-c:v", "libx264", "-movflags", "+faststart"],
        "a.mkv": ["-c:v", "libx264"],
        "ids.mkv": ["-c:v", "ffv1", "-pix_fmt", "gray"],
        "a.webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
        "a.avi": ["-c:v", "mjpeg"],
        "a.y4m": ["-pix_fmt", "gray", "-strict", "-1"],
        "a.nut": ["-c:v", "rawvideo", "-pix_fmt", "gray"],
    }
    for name, codec in options.items():
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=2", *codec, top / name)
    return {name: (top / name).read_bytes() for name in options}


@pytest.mark.parametrize("share", [0.3, 0.71, 0.99])
@pytest.mark.parametrize(
    "name",
    ["tail.mp4", "front.mp4", "front.mov", "a.mkv", "ids.mkv", "a.webm", "a.avi", "a.y4m", "a.nut"],
)
def test_truncated_films(films, tmp_path, name, share):
    whole = films[name]
    if name == "a.avi" and share == 0.99:
        pytest.skip("an AVI's last hundredth is its index: every frame is there")
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    assert "truncated" in refusal(tmp_path / name)


def test_whole_films_are_not_called_truncated(films, tmp_path):
    for name, data in films.items():
        (tmp_path / name).write_bytes(data)
        with open_reader(tmp_path / name) as reader:
            assert sum(1 for _ in reader) == 50, name


def test_a_truncated_png_in_a_folder(ids, write_images, tmp_path):
    last = write_images(ids, tmp_path / "in")[3]
    last.write_bytes(last.read_bytes()[:60])
    said = refusal(tmp_path / "in")
    assert "000003.png, frame 3" in said
    assert "truncated" in said


def test_an_empty_folder_and_one_that_has_them_deeper(tmp_path, ids, write_images):
    assert "no images" in refusal(tmp_path)
    write_images(ids, tmp_path / "deeper")
    assert "deeper does" in refusal(tmp_path)


def test_the_size_changes_midway(tmp_path, run_ffmpeg):
    for name, size in (("a", "160x96"), ("b", "96x160")):
        run_ffmpeg(
            "-f",
            "lavfi",
            "-i",
            f"testsrc2=s={size}:r=25:d=0.4",
            "-c:v",
            "libx264",
            "-bf",
            "0",
            tmp_path / f"{name}.h264",
        )
    joined = tmp_path / "joined.h264"
    joined.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    said = refusal(joined)
    assert "frame 10" in said
    assert "160x96 to 96x160" in said


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    assert "60000x60000" in refusal(tmp_path / "a.png")


def test_a_film_wider_than_allowed(tmp_path, encode):
    film = encode(np.zeros((1, 32, 64), np.uint8), tmp_path / "a.mkv", "-c:v", "ffv1")
    assert "64x32 pixels; at most 48" in refusal(film, max_side=48)


def test_damaged_in_the_middle(films, tmp_path):
    data = bytearray(films["a.mkv"])
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff" * 40
    (tmp_path / "a.mkv").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "a.mkv")


def test_a_png_with_a_flipped_bit(ids, write_images, tmp_path):
    path = write_images(ids, tmp_path / "in")[2]
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 30] ^= 4
    path.write_bytes(data)
    assert "000002.png, frame 2: is truncated or damaged" in refusal(tmp_path / "in")


def test_no_permission(tmp_path, monkeypatch, ids, write_images):
    path = write_images(ids[:1], tmp_path / "in")[0]

    def forbidden(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "read_bytes", forbidden)
    assert "permission denied" in refusal(path)
