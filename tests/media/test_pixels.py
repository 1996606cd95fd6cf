"""Colours by matrix and range, ids by nothing at all."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from vidtrans.media.pixels import too_large
from vidtrans.media.reader import open_reader


def only_frame(source, **options):
    with open_reader(source, **options) as reader:
        frames = list(reader)
    assert len(frames) == 1
    return frames[0]


PATCHES = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 64, 128], [70, 130, 180], [107, 142, 35]],
    np.uint8,
)


@pytest.fixture(scope="module")
def patches():
    """uint8 [1,64,96,3]: six patches of 32x32, large enough that chroma subsampling leaves their
    inside alone."""
    return PATCHES.reshape(2, 3, 3).repeat(32, 0).repeat(32, 1)[None]


def inside(picture):
    return picture[16::32, 16::32].reshape(-1, 3).astype(int)


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt470bg"])
@pytest.mark.parametrize("full", ["tv", "pc"])
@pytest.mark.parametrize("form", ["yuv420p", "yuv444p", "yuv422p10le"])
def test_tagged_matrix_and_range_are_undone(patches, encode, tmp_path, matrix, full, form):
    scale = f"scale=out_color_matrix={matrix}:out_range={full}:flags=accurate_rnd+full_chroma_int"
    tags = ["-colorspace", matrix, "-color_range", full]
    film = encode(
        patches, tmp_path / "a.mkv", "-vf", scale, "-pix_fmt", form, "-c:v", "ffv1", *tags
    )
    frame = only_frame(film)
    assert np.abs(inside(frame.pixels) - PATCHES).max() <= 2


@pytest.mark.parametrize(("height", "matrix"), [(480, "smpte170m"), (720, "bt709")])
def test_untagged_yuv_is_bt601_below_720_lines_and_bt709_from_there(
    encode, tmp_path, height, matrix
):
    picture = np.full((1, height, 64, 3), (70, 130, 180), np.uint8)
    film = encode(
        picture,
        tmp_path / "a.y4m",
        "-vf",
        f"scale=out_color_matrix={matrix}:out_range=tv",
        "-pix_fmt",
        "yuv444p",
    )
    assert np.abs(only_frame(film).pixels.astype(int) - (70, 130, 180)).max() <= 2


def test_yuvj_is_full_range(patches, encode, tmp_path):
    film = encode(patches, tmp_path / "a.avi", "-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p")
    assert np.abs(inside(only_frame(film).pixels) - PATCHES).max() <= 4


@pytest.mark.parametrize("tags", [[], ["-color_range", "tv"], ["-color_range", "pc"]])
@pytest.mark.parametrize("codec", [["ffv1"], ["libx264", "-qp", "0"]])
def test_grey_ids_are_never_range_converted(ids, encode, tmp_path, tags, codec):
    film = encode(ids, tmp_path / "a.mkv", "-c:v", *codec, "-pix_fmt", "gray", *tags)
    with open_reader(film) as reader:
        np.testing.assert_array_equal(np.stack([frame.pixels for frame in reader]), ids)


@pytest.mark.parametrize("form", ["gray16le", "gray16be"])
def test_sixteen_bit_ids_in_either_byte_order(instance_ids, encode, tmp_path, form):
    film = encode(instance_ids, tmp_path / "a.nut", "-c:v", "rawvideo", "-pix_fmt", form)
    with open_reader(film) as reader:
        assert reader.info.kind == "grey16"
        got = np.stack([frame.pixels for frame in reader])
    assert got.dtype == np.dtype(np.uint16)
    np.testing.assert_array_equal(got, instance_ids)


@pytest.mark.parametrize("bits", [10, 12])
def test_grey_of_ten_and_twelve_bits_keeps_its_values(ids, encode, tmp_path, bits, run_ffmpeg):
    wide = ids.astype(np.uint16) * 7
    raw = ["-f", "rawvideo", "-pix_fmt", f"gray{bits}le", "-s", "48x32", "-i", "-"]
    run_ffmpeg(*raw, "-c:v", "ffv1", "-strict", "-1", tmp_path / "a.mkv", data=wide.tobytes())
    with open_reader(tmp_path / "a.mkv") as reader:
        np.testing.assert_array_equal(np.stack([frame.pixels for frame in reader]), wide)


@pytest.mark.parametrize(("form", "wide"), [("ya8", False), ("ya16be", True)])
def test_grey_with_alpha_is_its_grey(ids, encode, tmp_path, form, wide):
    encode(ids[:1], tmp_path / "a.png", "-pix_fmt", form, "-update", "1", "-frames:v", "1")
    frame = only_frame(tmp_path / "a.png")
    assert frame.pixels.dtype == (np.uint16 if wide else np.uint8)
    np.testing.assert_array_equal(frame.pixels >> (8 if wide else 0), ids[0])


@pytest.mark.parametrize("layout", ["rgba", "rgb48", "rgba64"])
def test_alpha_is_dropped_and_sixteen_bits_are_kept_for_labels(colours, tmp_path, layout):
    pixels = colours[0][:, :, ::-1]
    if layout.startswith("rgba"):
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 9, np.uint8)])
    if layout != "rgba":
        pixels = pixels.astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    deep = layout != "rgba"
    kept = only_frame(tmp_path / "a.png").pixels
    assert kept.dtype == (np.uint16 if deep else np.uint8)
    np.testing.assert_array_equal(kept >> (8 if deep else 0), colours[0])
    picture = only_frame(tmp_path / "a.png", labels=False).pixels
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, colours[0])


def test_palette_keeps_its_indices(ids, palette, tmp_path):
    from PIL import Image  # pillow comes with the label tables' oracle

    image = Image.fromarray(ids[0], mode="P")
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "a.png")
    frame = only_frame(tmp_path / "a.png")
    np.testing.assert_array_equal(frame.pixels, ids[0])
    np.testing.assert_array_equal(frame.palette[:34], palette)
    assert frame.palette.shape == (256, 3)
    np.testing.assert_array_equal(
        only_frame(tmp_path / "a.png", labels=False).pixels, palette[ids[0]]
    )


def test_one_bit_png_is_black_and_white(tmp_path):
    from PIL import Image

    bits = np.indices((8, 13)).sum(0) % 2 == 0
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(only_frame(tmp_path / "a.png").pixels, bits * np.uint8(255))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(colours, encode, run_ffmpeg, tmp_path, degrees):
    film = encode(colours, tmp_path / "a.mp4", "-c:v", "libx264rgb", "-qp", "0")
    turned = tmp_path / "turned.mp4"
    run_ffmpeg("-i", film, "-c", "copy", "-metadata:s:v", f"rotate={degrees}", turned)
    upright = run_ffmpeg(
        "-i", turned, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"
    )  # ffmpeg turns by itself
    with open_reader(turned) as reader:
        got = np.stack([frame.pixels for frame in reader])
        assert reader.info.size_hw == got.shape[1:3] == ((32, 48) if degrees == 180 else (48, 32))
    np.testing.assert_array_equal(got.tobytes(), upright)


@pytest.mark.parametrize("size", [(31, 47), (33, 48), (32, 45)])
def test_odd_sizes(encode, tmp_path, size):
    frames = np.random.default_rng(0).integers(0, 34, (3, *size), dtype=np.uint8)
    film = encode(frames, tmp_path / "a.mkv", "-c:v", "ffv1")
    with open_reader(film) as reader:
        np.testing.assert_array_equal(np.stack([frame.pixels for frame in reader]), frames)


@pytest.mark.parametrize(
    ("options", "lossy"),
    [
        (["-c:v", "libx264", "-pix_fmt", "yuv444p"], True),
        (["-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p"], False),
        (["-c:v", "libx264rgb", "-qp", "0"], False),
        (["-c:v", "libx264rgb", "-crf", "20"], True),
        (["-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p"], True),
        (["-c:v", "ffv1"], False),
        (["-c:v", "ffv1", "-pix_fmt", "yuv420p"], True),
        (["-c:v", "mpeg4"], True),
        (["-c:v", "png"], False),
        (["-c:v", "rawvideo"], False),
    ],
)
def test_lossy_streams_are_known(colours, encode, tmp_path, options, lossy):
    film = encode(colours, tmp_path / ("a.avi" if "rawvideo" in options else "a.mkv"), *options)
    with open_reader(film) as reader:
        assert reader.info.lossy is lossy


def test_jpegs_are_lossy_and_pngs_are_not(colours, encode, tmp_path):
    encode(colours, tmp_path / "%03d.jpg")
    encode(colours, tmp_path / "%03d.png")
    assert open_reader(tmp_path / "*.jpg").info.lossy
    assert not open_reader(tmp_path / "*.png").info.lossy


def test_sample_aspect_and_rate(ids, encode, tmp_path):
    film = encode(ids, tmp_path / "a.mkv", "-c:v", "ffv1", "-vf", "setsar=4/3", rate="30000/1001")
    with open_reader(film) as reader:
        assert reader.info.sample_aspect * 3 == 4
        assert abs(reader.info.rate - 30000 / 1001) < 1e-3


@pytest.mark.parametrize("depth", [2, 4])
def test_grey_pngs_of_few_bits_hold_ids_as_they_were_stored(tmp_path, ids, depth):
    """FFmpeg stretches them to 8 bits, so that 1 of 4 bits becomes 17."""
    stored = np.minimum(ids[0], (1 << depth) - 1)
    path = tmp_path / "a.png"
    bits = (stored[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
    rows = np.packbits(bits.reshape(len(stored), -1).astype(np.uint8), axis=1)
    height, width = stored.shape
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
            for tag, data in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
        )
    )
    with open_reader(path) as reader:
        assert np.array_equal(next(iter(reader)).pixels, stored)
    with open_reader(path, labels=False) as reader:
        shown = next(iter(reader)).pixels[..., 0]
    assert np.array_equal(shown, stored * (255 // ((1 << depth) - 1)))


def test_a_picture_larger_than_ffmpeg_takes_is_not_called_damaged():
    assert too_large(16384, 16384, 16384) == (
        "is 16384x16384 pixels, more than FFmpeg decodes (some 16000x16000)."
    )
    assert too_large(15000, 15000, 16384) is None
    assert "at most 16384" in too_large(20000, 10, 16384)


def write_png(path, channels):
    from PIL import Image

    Image.fromarray(channels).save(path)
    return path


def test_alpha_is_told_where_labels_are_read(tmp_path, colours):
    height, width = colours[0].shape[:2]
    alpha = np.full((height, width), 255, np.uint8)
    path = write_png(tmp_path / "a.png", np.dstack([colours[0], alpha]))
    assert only_frame(path).alpha is None
    alpha[3:9] = 0
    write_png(path, np.dstack([colours[0], alpha]))
    frame = only_frame(path)
    assert np.array_equal(frame.alpha, alpha)
    assert np.array_equal(frame.pixels, colours[0])  # colours are not blended with anything
    assert only_frame(path, labels=False).alpha is None
    write_png(path, np.dstack([colours[0, ..., 0], alpha]))
    assert np.array_equal(only_frame(path).alpha, alpha)


def test_transparent_entries_of_a_palette_are_told(tmp_path, ids):
    from PIL import Image

    picture = Image.fromarray(ids[0]).convert("P")
    picture.info["transparency"] = 11
    picture.save(tmp_path / "a.png", transparency=11)
    frame = only_frame(tmp_path / "a.png")
    assert np.array_equal(frame.alpha == 0, frame.pixels == 11)


@pytest.mark.parametrize("form", ["gbrpf32le", "grayf32le", "rgbf32le", "grayf16le"])
def test_floating_point_is_refused_by_its_name(form):
    from vidtrans.media.pixels import refused_format

    assert "floating-point numbers" in refused_format(form)
    assert refused_format("gray16le") is None
    assert refused_format("rgb24") is None


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
def test_ten_bit_hdr_colours_are_those_of_sdr(colours, encode, tmp_path, curve):
    """Label colours are codes, not light: tags of HDR change nothing but the matrix."""
    film = encode(
        colours,
        tmp_path / "hdr.mkv",
        *("-vf", "scale=out_color_matrix=bt2020,format=yuv444p10le"),
        *("-colorspace", "bt2020nc", "-color_trc", curve, "-color_primaries", "bt2020"),
        *("-c:v", "libx265", "-x265-params", "lossless=1:log-level=none"),
    )
    with open_reader(film) as reader:
        found = np.stack([frame.pixels for frame in reader])
    assert np.abs(found.astype(int) - colours).max() <= 2
