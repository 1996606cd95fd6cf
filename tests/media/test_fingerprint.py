"""The same content has the same fingerprint, wherever it lies; other content has another."""

import os

import numpy as np
import pytest

from vidtrans.media import fingerprint as module
from vidtrans.media.fingerprint import fingerprint

LONG = module._BLOCKS * module._BLOCK + 123_456


@pytest.mark.parametrize("size", [0, 1, 100_000, LONG])
def test_a_copy_has_the_same(tmp_path, size):
    data = np.random.default_rng(0).bytes(size)
    (tmp_path / "a.mkv").write_bytes(data)
    (tmp_path / "b.mkv").write_bytes(data)
    os.utime(tmp_path / "b.mkv", (0, 0))
    assert fingerprint(tmp_path / "a.mkv") == fingerprint(tmp_path / "b.mkv")


SEVENTH_SAMPLE = (LONG - module._BLOCK) * 7 // (module._BLOCKS - 1)


@pytest.mark.parametrize(
    ("size", "at"),
    [(100_000, 0), (100_000, 70_000), (100_000, -1), (LONG, 0), (LONG, SEVENTH_SAMPLE), (LONG, -1)],
)
def test_a_changed_byte_is_seen(tmp_path, size, at):
    path = tmp_path / "film.mkv"
    data = bytearray(size)
    path.write_bytes(data)
    before = fingerprint(path)
    data[at] ^= 1
    path.write_bytes(data)
    assert fingerprint(path) != before
    path.write_bytes(bytes(size) + b"\0")
    assert fingerprint(path) != before


def test_a_long_file_is_not_read_whole(tmp_path):
    path = tmp_path / "film.mkv"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a sparse file of a tebibyte
    assert fingerprint(path) == fingerprint(path)


def test_images_count_by_name_order_and_pixels(tmp_path):
    import cv2

    def write(number, value, name="{:04d}.png"):
        picture = np.full((64, 64), value, np.uint8)
        cv2.imwrite(str(tmp_path / name.format(number)), picture, [cv2.IMWRITE_PNG_COMPRESSION, 0])

    for number in range(200):
        write(number, 7)
    seen = {fingerprint(tmp_path), fingerprint(str(tmp_path / "%04d.png"))}
    assert len(seen) == 1
    for number in (0, 101, 199):  # 101 is none of the images that are read more closely
        write(number, 8)
        seen.add(fingerprint(tmp_path))
        write(number, 7)
    assert len(seen) == 4
    write(200, 7)
    seen.add(fingerprint(tmp_path))
    (tmp_path / "0200.png").unlink()
    (tmp_path / "0000.png").rename(tmp_path / "0200.png")
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 6


def test_what_is_no_file(tmp_path):
    assert fingerprint("http://localhost/labels.mkv") == "unknown"
