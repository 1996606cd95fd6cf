"""TIFFs as OpenCV, Pillow and GDAL write them are read; what is not read is refused by its name."""

import struct

import cv2
import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.media.reader import open_reader

NONE, LZW, DEFLATE = 1, 5, 8


def read(path):
    with open_reader(path) as reader:
        (frame,) = reader
    return frame.pixels


def written(path, pixels, compression=NONE):
    assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    return path


def with_tags(data: bytes) -> bytes:
    """The same TIFF with GDAL's tags in its directory, which moves to the end."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    fields = [data[start + 2 + 12 * n : start + 14 + 12 * n] for n in range(count)]
    place = len(data)
    body = struct.pack(f"{order}3d", 0.5, 0.5, 0) + b"<GDALMetadata/>\0" + b"0\0\0\0"
    fields += [
        struct.pack(f"{order}HHII", 33550, 12, 3, place),
        struct.pack(f"{order}HHII", 42112, 2, 16, place + 24),
        struct.pack(f"{order}HHI", 42113, 2, 2) + b"0\0\0\0",
    ]
    table = struct.pack(f"{order}H", len(fields)) + b"".join(fields) + bytes(4)
    head = data[:4] + struct.pack(f"{order}I", place + len(body))
    return head + data[8:] + body + table


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE])
@pytest.mark.parametrize("kind", ["grey8", "grey16", "rgb"])
@pytest.mark.parametrize("gdal", [False, True])
def test_sound_tiffs_are_read(tmp_path, ids, colours, compression, kind, gdal):
    wanted = {"grey8": ids[0], "grey16": ids[0].astype(np.uint16) * 999, "rgb": colours[0]}[kind]
    stored = wanted[..., ::-1] if kind == "rgb" else wanted
    path = written(tmp_path / "a.tif", stored, compression)
    if gdal:
        path.write_bytes(with_tags(path.read_bytes()))
    assert np.array_equal(read(path), wanted)


@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE])
def test_a_truncated_tiff_is_refused(tmp_path, ids, compression):
    path = written(tmp_path / "a.tif", np.tile(ids[0], (4, 4)), compression)
    path.write_bytes(with_tags(path.read_bytes()))
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(InputError, match="truncated or damaged"):
            read(path)


def test_pages_and_wide_numbers_are_named(tmp_path, ids):
    path = tmp_path / "a.tif"
    assert cv2.imwritemulti(str(path), list(ids[:3]))
    with pytest.raises(InputError, match=r"TIFF of 3 pages.*PNG"):
        read(path)
    for pixels, name in (
        (ids[0].astype(np.float32), "floating-point numbers of 32 bits"),
        (ids[0].astype(np.int32), "whole numbers of 32 bits"),
    ):
        with pytest.raises(InputError, match=name):
            read(written(path, pixels))
    path.write_bytes(b"II+\0" + bytes(40))
    with pytest.raises(InputError, match="BigTIFF"):
        read(path)


def test_overviews_are_no_pages(tmp_path, ids):
    """GDAL adds smaller copies, which TIFF marks by its SubfileType."""
    path = tmp_path / "a.tif"
    assert cv2.imwritemulti(str(path), [ids[0], ids[1]])
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
    tag, _kind, number, _value = struct.unpack_from("<HHII", data, second + 2)
    assert tag == 254
    struct.pack_into("<HHII", data, second + 2, tag, 4, number, 1)
    path.write_bytes(data)
    assert np.array_equal(read(path), ids[0])
