"""The pictures in the pipe are those that ``vidtrans convert`` writes, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.media.reader import open_reader
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings

RAW_NUT = ("-c:v", "rawvideo", "-f", "nut")


def film_of(frames, path, send):
    path.write_bytes(send(frames, "-c:v", "ffv1", "-strict", "-1", "-f", "matroska"))
    return path


def converted(source, tmp_path, **settings):
    out = tmp_path / "convert.mkv"
    convert(
        ConvertSettings.read(
            input=str(source),
            output=str(out),
            codec="ffv1",
            device="cpu",
            overwrite=True,
            **settings,
        )
    )
    with open_reader(out, labels=False) as reader:
        return np.stack([frame.pixels for frame in reader])


@pytest.mark.parametrize("container", ["nut", "matroska", "y4m"])
def test_the_same_bits_as_convert(ids, send, show, run_through, tiny_model, tmp_path, container):
    options = {
        "nut": RAW_NUT,
        "matroska": ("-c:v", "ffv1", "-f", "matroska"),
        "y4m": ("-pix_fmt", "gray", "-strict", "-1", "-f", "yuv4mpegpipe"),
    }[container]
    done = run_through(
        send(ids, *options),
        model=str(tiny_model),
        labels="cityscapes",
        device="cpu",
        output_format="nut",
    )
    assert done.error is None
    pictures = converted(
        film_of(ids, tmp_path / "ids.mkv", send),
        tmp_path,
        model=str(tiny_model),
        labels="cityscapes",
    )
    np.testing.assert_array_equal(show(done.out, "rgb24", (32, 64)), pictures)


@pytest.mark.parametrize(
    "options",
    [
        {"layer": "compare"},
        {"scene_cuts": (3,)},
        {"scene_cuts": "off"},
        {"size_hw": (48, 96), "fit": "resize"},
        {"labels": "auto"},
        {"instances": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_mean_what_they_mean_to_convert(
    ids, send, show, run_through, tiny_model, tmp_path, options
):
    options = {"labels": "cityscapes", **options}
    if options.get("instances"):
        wide = np.where(ids >= 24, ids.astype(np.uint16) * 1000 + 1, ids).astype(np.uint16)
        options["instances"] = str(film_of(wide, tmp_path / "instances.mkv", send))
    done = run_through(send(ids, *RAW_NUT), model=str(tiny_model), device="cpu", **options)
    assert done.error is None
    pictures = converted(
        film_of(ids, tmp_path / "ids.mkv", send), tmp_path, model=str(tiny_model), **options
    )
    np.testing.assert_array_equal(show(done.out, "rgb24", pictures.shape[1:3]), pictures)


def test_a_photo_is_refused_and_nothing_goes_out(send, run_through, tiny_model):
    photo = np.random.default_rng(0).normal(128, 40, (2, 32, 64, 3)).clip(0, 255).astype(np.uint8)
    done = run_through(send(photo, *RAW_NUT), model=str(tiny_model), device="cpu")
    assert isinstance(done.error, InputError)
    assert done.out == b""


@pytest.mark.parametrize("count", [4, 8])
def test_instances_of_another_length(ids, send, run_through, tiny_model, tmp_path, count):
    wide = np.zeros((count, 32, 64), np.uint16)
    path = film_of(wide, tmp_path / "instances.mkv", send)
    done = run_through(
        send(ids, *RAW_NUT),
        model=str(tiny_model),
        labels="cityscapes",
        device="cpu",
        instances=str(path),
    )
    assert isinstance(done.error, InputError)


def test_instances_of_another_size(ids, send, run_through, tiny_model, tmp_path):
    path = film_of(np.zeros((6, 16, 64), np.uint16), tmp_path / "instances.mkv", send)
    done = run_through(
        send(ids, *RAW_NUT),
        model=str(tiny_model),
        labels="cityscapes",
        device="cpu",
        instances=str(path),
    )
    assert "64x16" in str(done.error)


def test_the_benchmark_prints_json():
    words = ["--size", "64x48", "--frames", "40", "--rounds", "1", "--formats", "gray"]
    done = subprocess.run(
        [sys.executable, "-m", "vidtrans_ffmpeg.bench", *words], capture_output=True, check=True
    )
    figures = json.loads(done.stdout)["formats"]["gray"]
    for ratio, other in (("ratio", "cat"), ("ratio_large_pipes", "cat_large_pipes")):
        assert figures[ratio] == pytest.approx(
            figures["filter"]["fps"] / figures[other]["fps"], rel=0.05
        )
        assert figures["filter"].keys() == figures[other].keys() == {"fps", "cpu_ms", "start_s"}
