"""Media from strangers: no playlists, no addresses, no pixel formats that stop the process."""

from pathlib import Path

import av
import numpy as np
import pytest

from vidtrans.errors import InputError, OutputError
from vidtrans.media.encoders import choose_encoding
from vidtrans.media.pixels import can_be_written, refused_format
from vidtrans.media.reader import open_reader
from vidtrans.media.truncation import frame_bytes


def write(path, pixel_format, *, size=(4, 4), codec="rawvideo"):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        out.mux(stream.encode(av.VideoFrame(*size, pixel_format)))
        out.mux(stream.encode())
    return path


@pytest.fixture
def film(tmp_path, grey_film):
    return grey_film(tmp_path / "beside.mkv", [np.full((16, 16), 7, np.uint8)] * 2)


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nbeside.mkv\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile beside.mkv\n",
}


@pytest.mark.parametrize("suffix", [".m3u8", ".mkv", ".mp4", ".txt", ""])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_open_no_other_file(tmp_path, film, kind, suffix):
    path = tmp_path / f"list{suffix}"
    path.write_text(PLAYLISTS[kind])
    with pytest.raises(InputError, match="list of other files"):
        open_reader(path)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/x.mkv", "concat://a|b", "subfile://x", "HTTPS://host/", "a b://x", "://"],
)
def test_addresses_are_read_only_where_their_protocol_is_allowed(address):
    with pytest.raises(InputError, match="only files are read"):
        open_reader(address)
    with pytest.raises(InputError, match="only files are read"):
        open_reader(address, protocols=("rtsp",))


def test_an_allowed_protocol_is_tried():
    with pytest.raises(InputError) as caught:
        open_reader("http://127.0.0.1:9/x.mkv", protocols=("http",))
    assert "only files" not in str(caught.value)


@pytest.mark.parametrize("name", ["bayer_rggb8", "bayer_bggr16le"])
def test_sensor_data_are_refused(tmp_path, name):
    """swscale stops the process on frames of 1x1."""
    path = write(tmp_path / "bayer.nut", name, size=(2, 2))
    with pytest.raises(InputError, match="raw data"):
        open_reader(path)


def test_every_pixel_format_is_refused_or_harmless():
    assert refused_format("yaf32le")
    assert refused_format("gray") is None
    assert refused_format(None) is None
    assert can_be_written("yuv420p")
    for name in ("pal8", "cuda", "bayer_rggb8", "rgbaf32le", "no such format"):
        assert not can_be_written(name)


@pytest.mark.parametrize("name", ["pal8", "cuda", "bayer_rggb8", "y210be"])
def test_pixel_formats_that_nothing_converts_to_are_refused_before_the_first_frame(name):
    with pytest.raises(OutputError, match=name):
        choose_encoding(
            Path("o.nut"),
            size_hw=(16, 16),
            rate=25,
            time_base=1 / 25,
            codec="rawvideo",
            pixel_format=name,
        )


@pytest.mark.parametrize(
    ("name", "size", "wanted"),
    [("monow", (10, 10), 20), ("monob", (1, 1), 1), ("gray", (3, 5), 15), ("rgb24", (3, 5), 45)],
)
def test_bytes_of_a_frame(name, size, wanted):
    assert frame_bytes(av.VideoFormat(name, *size)) == wanted
