"""One suite for every way out: what a writer promises holds for each of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vidtrans.errors import OutputError
from vidtrans.frame import FrameTime
from vidtrans.media.reader import open_reader
from vidtrans.media.writer import open_writer

RATE = Fraction(25)
BASE = Fraction(1, 12800)
# name -> (target, options, every pixel comes back, times come back to this many seconds)
CASES = {
    "mp4": ("out.mp4", {}, False, 0),
    "mov": ("out.mov", {}, False, 0),
    "mkv": ("out.mkv", {}, False, Fraction(1, 2000)),
    "webm": (
        "out.webm",
        {"encoder_options": {"cpu-used": "8", "deadline": "realtime"}},
        False,
        Fraction(1, 2000),
    ),
    "mkv_ffv1": ("out.mkv", {"codec": "ffv1"}, True, Fraction(1, 2000)),
    "mov_prores": ("out.mov", {"codec": "prores"}, False, 0),
    "mp4_rgb": ("out.mp4", {"codec": "libx264rgb", "encoder_options": {"qp": "0"}}, True, 0),
    "mov_png": ("out.mov", {"codec": "png", "pixel_format": "rgb24"}, True, 0),
    "nut": ("out.nut", {}, True, 0),
    "folder": ("out/", {}, True, None),
    "no_suffix": ("out", {}, True, None),
}


@pytest.fixture(params=list(CASES))
def case(request, tmp_path):
    name, options, exact, tolerance = CASES[request.param]

    def opened(**more):
        target = str(tmp_path / name) + ("/" if name.endswith("/") else "")
        settings = {"size_hw": (32, 48), "rate": RATE, "time_base": BASE, **options, **more}
        return open_writer(target, **settings)

    opened.target = tmp_path / name
    opened.folder = tmp_path
    return opened, exact, tolerance


@pytest.fixture(scope="session")
def pictures():
    """uint8 [6,32,48,3]: smooth colours that move, which even subsampled chroma keeps."""
    y, x = np.mgrid[0:32, 0:48]
    frame = np.stack([x * 5, y * 7, 255 - x * 2 - y * 2], axis=2).astype(np.uint8)
    return np.stack([np.roll(frame, i, axis=0) for i in range(6)])


def times(step=512):
    """Variable: 0, 1, 3, 6, 10, 15 steps."""
    points = [step * i * (i + 1) // 2 for i in range(6)]
    return [FrameTime(pts=p, time_base=BASE, duration=step * (i + 1)) for i, p in enumerate(points)]


def write_all(writer, pictures):
    for picture, time in zip(pictures, times(), strict=True):
        writer.write(picture, time)


def test_pictures_and_times_come_back(case, pictures):
    opened, exact, tolerance = case
    with opened() as writer:
        write_all(writer, pictures)
        assert writer.finish() == opened.target
    with open_reader(opened.target, labels=False) as reader:
        got = list(reader)
        assert reader.info.size_hw == (32, 48)
    back = np.stack([frame.pixels for frame in got])
    if exact:
        np.testing.assert_array_equal(back, pictures)
    else:
        assert np.abs(back.astype(int) - pictures).mean() < 6
    if tolerance is not None:
        shown = [frame.time.pts * frame.time.time_base for frame in got]
        wanted = [time.pts * time.time_base for time in times()]
        assert max(abs(a - b) for a, b in zip(shown, wanted, strict=True)) <= tolerance


def test_nothing_has_the_final_name_before_finish(case, pictures):
    opened, _, tolerance = case
    if tolerance is None:
        pytest.skip("a folder of PNGs appears file by file")
    with opened() as writer:
        write_all(writer, pictures)
        assert not opened.target.exists()
        writer.finish()
    assert [path.name for path in opened.folder.iterdir()] == [opened.target.name]


def test_an_exception_leaves_nothing_behind(case, pictures):
    opened, _, tolerance = case

    def fail():
        with opened() as writer:
            if tolerance is not None:
                writer.write(pictures[0], times()[0])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert list(opened.folder.iterdir()) == []


def test_what_is_there_is_kept_unless_overwrite(case, pictures):
    opened, _, _ = case
    with opened() as writer:
        write_all(writer, pictures)
        writer.finish()
    before = {path: path.read_bytes() for path in opened.folder.rglob("*") if path.is_file()}
    with pytest.raises(OutputError, match="already") as caught:
        opened()
    assert caught.value.exit_code == 5
    assert before == {
        path: path.read_bytes() for path in opened.folder.rglob("*") if path.is_file()
    }
    with opened(overwrite=True) as writer:
        write_all(writer, pictures[::-1])
        writer.finish()
    assert {path for path in opened.folder.rglob("*") if path.is_file()} == set(before)
    assert all(path.read_bytes() != data for path, data in before.items())


def test_the_same_pictures_give_the_same_bytes(case, pictures):
    opened, _, _ = case
    runs = []
    for _ in range(2):
        with opened(overwrite=True) as writer:
            write_all(writer, pictures)
            writer.finish()
        with open_reader(opened.target, labels=False) as reader:
            runs.append(np.stack([frame.pixels for frame in reader]))
    np.testing.assert_array_equal(*runs)


def test_a_picture_of_another_size_is_refused(case, pictures):
    opened, _, _ = case
    with opened() as writer, pytest.raises(OutputError, match="announced"):
        writer.write(pictures[0][:, :40], times()[0])


def test_abort_twice_and_after_finish_is_harmless(case, pictures):
    opened, _, _ = case
    writer = opened()
    write_all(writer, pictures)
    writer.finish()
    writer.abort()
    writer.abort()
    assert opened.target.exists()


def test_a_picture_of_one_pixel_whatever_its_strides(tmp_path):
    with open_writer(
        str(tmp_path / "one.mkv"), size_hw=(1, 1), rate=RATE, time_base=BASE, codec="ffv1"
    ) as writer:
        cut_out = np.full((8, 8, 3), 200, np.uint8)[3:4, 5:6]
        writer.write(np.moveaxis(np.moveaxis(cut_out, 2, 0), 0, 2), times()[0])
        writer.finish()
    assert (tmp_path / "one.mkv").stat().st_size > 0
