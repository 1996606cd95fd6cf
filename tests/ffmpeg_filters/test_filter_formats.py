"""Every container that the filter reads comes out with the same frames at the same times."""

from __future__ import annotations

import io
import json
import subprocess
from itertools import pairwise

import av
import numpy as np
import pytest

NUT, MKV, Y4M = ("-f", "nut"), ("-f", "matroska"), ("-strict", "-1", "-f", "yuv4mpegpipe")
RAW, FFV1 = ("-c:v", "rawvideo"), ("-c:v", "ffv1")
# name -> (ffmpeg's options, the frames' pixel format, every pixel comes back)
CASES = {
    "nut_grey": ((*RAW, *NUT), "gray", True),
    "nut_grey16": ((*RAW, "-pix_fmt", "gray16le", *NUT), "gray16le", True),
    "nut_grey16_big_endian": ((*RAW, "-pix_fmt", "gray16be", *NUT), "gray16le", True),
    "nut_rgb": ((*RAW, "-pix_fmt", "rgb24", *NUT), "rgb24", True),
    "nut_bgr": ((*RAW, "-pix_fmt", "bgr24", *NUT), "rgb24", True),
    "nut_ffv1": ((*FFV1, *NUT), "gray", True),
    "nut_png": (("-c:v", "png", "-pix_fmt", "rgb24", *NUT), "rgb24", True),
    "mkv_grey": ((*FFV1, *MKV), "gray", True),
    "mkv_grey16": ((*FFV1, "-pix_fmt", "gray16le", "-strict", "-1", *MKV), "gray16le", True),
    "mkv_rgb": ((*FFV1, "-pix_fmt", "gbrp", *MKV), "rgb24", True),
    "y4m_grey": (("-pix_fmt", "gray", *Y4M), "gray", True),
    "y4m_grey16": (("-pix_fmt", "gray16le", *Y4M), "gray16le", True),
    "y4m_444": (("-pix_fmt", "yuv444p", *Y4M), "rgb24", False),
    "y4m_422": (("-pix_fmt", "yuv422p", *Y4M), "rgb24", False),
    "y4m_420": (("-pix_fmt", "yuv420p", *Y4M), "rgb24", False),
    "y4m_full_range": (("-pix_fmt", "yuvj420p", *Y4M), "rgb24", False),
}

ACCURATE = "flags=accurate_rnd+full_chroma_int"


@pytest.fixture(params=list(CASES))
def case(request, ids, send):
    options, form, exact = CASES[request.param]
    frames = ids
    if form == "rgb24":
        frames = np.stack([ids * 7, 255 - ids * 6, ids * 3 + 40], axis=3)
    if form == "gray16le":
        frames = np.where(ids >= 24, ids.astype(np.uint16) * 1000 + 3, ids).astype(np.uint16)
    return frames, send(frames, *options), form, exact


def probe(data, entries="stream=codec_name,pix_fmt,avg_frame_rate,sample_aspect_ratio,color_range"):
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", entries, "-"]
    return json.loads(subprocess.run(command, input=data, capture_output=True, check=True).stdout)[
        "streams"
    ][0]


def times(data):
    with av.open(io.BytesIO(data)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def test_the_same_frames_at_the_same_times(case, run_through, show):
    frames, data, form, exact = case
    done = run_through(data)
    assert done.error is None
    assert done.frames == len(frames)
    assert done.out[:4] == data[:4]
    got = show(done.out, form, frames.shape[1:3])
    if exact:
        np.testing.assert_array_equal(got, frames)
    else:
        np.testing.assert_array_equal(got, show(data, form, frames.shape[1:3]))
    assert times(done.out) == times(data)


def test_every_output_format_takes_every_frame(case, run_through, show):
    frames, data, form, exact = case
    for name in ("nut", "matroska"):
        done = run_through(data, output_format=name)
        assert done.error is None
        got = show(done.out, form, frames.shape[1:3])
        if exact:
            np.testing.assert_array_equal(got, frames)
    done = run_through(data, output_format="rawvideo")
    if exact:
        assert done.out == frames.tobytes()


def test_the_rate_and_the_pixel_aspect_are_kept(ids, send, run_through):
    for container in (NUT, MKV, Y4M):
        codec = {"matroska": FFV1, "nut": RAW}.get(container[-1], ("-pix_fmt", "gray"))
        data = send(ids, "-vf", "setsar=4/3", *codec, *container, rate="30000/1001")
        before, after = probe(data), probe(run_through(data).out)
        assert before["sample_aspect_ratio"] == after["sample_aspect_ratio"] == "4:3"
        if container is not MKV:  # milliseconds make 29.97 of it, there and here
            assert after["avg_frame_rate"] == "30000/1001"


@pytest.mark.parametrize("container", [(*RAW, *NUT), (*FFV1, *MKV)])
def test_uneven_times_are_kept(ids, send, run_through, container):
    uneven = (
        "-vf",
        "settb=1/18000,setpts=(N*N+3*N)*200",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1/18000",
    )
    data = send(ids, *uneven, *container)
    before = times(data)
    assert len({round(float(b - a), 3) for a, b in pairwise(before)}) > 3
    assert times(run_through(data).out) == before


def test_y4m_says_that_it_cannot_keep_uneven_times(ids, send, run_through, caplog):
    uneven = (
        "-vf",
        "settb=1/18000,setpts=(N*N+3*N)*200",
        "-fps_mode",
        "passthrough",
        "-enc_time_base",
        "1/18000",
    )
    done = run_through(send(ids, *uneven, *RAW, *NUT), output_format="y4m")
    assert done.frames == len(ids)
    assert caplog.text.count("y4m cannot say when a frame is shown") == 1


@pytest.mark.parametrize("size", [(31, 47), (33, 64), (32, 45)])
@pytest.mark.parametrize("output", ["nut", "y4m", "matroska", "rawvideo"])
def test_odd_sizes(send, run_through, show, size, output):
    frames = np.random.default_rng(0).integers(0, 34, (3, *size), dtype=np.uint8)
    done = run_through(send(frames, *RAW, *NUT), output_format=output)
    if output == "rawvideo":
        assert done.out == frames.tobytes()
    else:
        np.testing.assert_array_equal(show(done.out, "gray", size), frames)
    colour = np.repeat(frames[..., None], 3, axis=3)
    done = run_through(send(colour, *RAW, *NUT), output_format=output)
    if output == "y4m":
        assert np.abs(show(done.out, "rgb24", size).astype(int) - colour).mean() < 12
    elif output != "rawvideo":
        np.testing.assert_array_equal(show(done.out, "rgb24", size), colour)


def test_rawvideo_with_its_geometry(ids, run_through):
    from fractions import Fraction

    from vidtrans_ffmpeg.demuxing import RawVideoFormat

    raw = RawVideoFormat((32, 64), "gray", Fraction(25))
    done = run_through(ids.tobytes(), format="rawvideo", raw=raw)
    assert done.error is None
    assert done.out == ids.tobytes()
    done = run_through(ids.tobytes(), format="rawvideo", raw=raw, output_format="nut")
    assert times(done.out)[1] * 25 == 1


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("name", "matrix"), [("bt709", "bt709"), ("bt601", "smpte170m")])
def test_matrix_and_range_of_what_goes_out(send, run_through, show, full, name, matrix):
    patches = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [128, 64, 128]], np.uint8)
    frames = patches.reshape(1, 2, 2, 3).repeat(16, 1).repeat(16, 2)
    done = run_through(
        send(frames, *RAW, *NUT), output_format="y4m", output_matrix=name, output_full_range=full
    )
    assert probe(done.out)["color_range"] == ("pc" if full else "tv")
    scale = f"scale=in_color_matrix={matrix}:in_range={'pc' if full else 'tv'}:{ACCURATE}"
    got = show(done.out, "rgb24", (32, 32), "-vf", scale)
    assert np.abs(got[0, 8::16, 8::16].reshape(4, 3).astype(int) - patches).max() <= 3


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("name", "matrix"), [("bt709", "bt709"), ("bt601", "smpte170m")])
def test_matrix_and_range_of_what_comes_in(send, run_through, show, full, name, matrix):
    from vidtrans.media.pixels import ColourTags

    patches = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [128, 64, 128]], np.uint8)
    frames = patches.reshape(1, 2, 2, 3).repeat(16, 1).repeat(16, 2)
    # NUT loses both.
    scale = f"scale=out_color_matrix={matrix}:out_range={'pc' if full else 'tv'}:{ACCURATE}"
    data = send(frames, "-vf", scale, *RAW, "-pix_fmt", "yuv444p", *NUT)
    done = run_through(data, tags=ColourTags(name, full), output_pixel_format="rgb24")
    got = show(done.out, "rgb24", (32, 32))
    assert np.abs(got[0, 8::16, 8::16].reshape(4, 3).astype(int) - patches).max() <= 3
