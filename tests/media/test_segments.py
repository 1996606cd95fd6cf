"""Segments joined give what one uninterrupted run gives, bit for bit, and each picture
its exact time."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from vidtrans.errors import OutputError
from vidtrans.frame import FrameTime, Nv12
from vidtrans.media.reader import open_reader
from vidtrans.media.writer import join_segments, open_segments, parts_folder
from vidtrans.nets.nv12 import to_nv12

BASE = Fraction(1, 90000)
COUNT, LENGTH = 23, 5
CASES = {
    "mp4": ("out.mp4", {}),
    "mov": ("out.mov", {"codec": "prores"}),
    "mkv": ("out.mkv", {"encoder_options": {"bf": "3"}}),
    "hevc": (
        "out.mp4",
        {
            "codec": "libx265",
            "encoder_options": {"x265-params": "log-level=none", "preset": "ultrafast"},
        },
    ),
    "webm": ("out.webm", {"encoder_options": {"cpu-used": "8", "deadline": "realtime"}}),
    "ffv1": ("out.mkv", {"codec": "ffv1"}),
    "nut": ("out.nut", {"codec": "png"}),
}


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    points = np.cumsum(rng.integers(900, 9000, COUNT)).tolist()
    return [
        (np.roll(base, (2 * i, 3 * i), (0, 1)), FrameTime(pts=p, time_base=BASE, duration=q - p))
        for i, (p, q) in enumerate(zip(points, [*points[1:], points[-1] + 777], strict=True))
    ]


@pytest.fixture(params=list(CASES))
def film(request, tmp_path):
    name, options = CASES[request.param]
    target = tmp_path / name
    settings = {
        "target": target,
        "size_hw": (64, 96),
        "rate": Fraction(18),
        "time_base": BASE,
        **options,
    }
    return target, settings


def run(settings, frames, first=0, stop=COUNT):
    """Frames from segment ``first`` on, until ``stop`` breaks the run off inside a segment."""
    parts = parts_folder(settings["target"])
    with open_segments(parts, first_segment=first, **settings) as writer:
        for index in range(first * LENGTH, stop):
            writer.write(*frames[index])
            if index % LENGTH == LENGTH - 1 or index == COUNT - 1:
                writer.close_segment()
    return sorted(parts.glob("*.packets"))


def test_films_of_one_picture_have_its_time(frames, tmp_path):
    """x265 gives a single picture a decoding time out of uninitialised memory."""
    options = CASES["hevc"][1]
    for number in range(12):
        target = tmp_path / f"{number}.mp4"
        film = {"size_hw": (64, 96), "rate": Fraction(18), "time_base": BASE}
        with open_segments(tmp_path / "parts", target=target, **film, **options) as writer:
            writer.write(*frames[0])
            part = writer.close_segment()
        join_segments([part], target)
        with open_reader(target) as reader:
            assert [frame.time.pts * frame.time.time_base for frame in reader] == [
                frames[0][1].pts * BASE
            ]


def test_what_a_container_cannot_hold_is_known_before_the_first_picture(tmp_path):
    film = {"size_hw": (64, 96), "rate": Fraction(18), "time_base": BASE}
    for name, codec, form in (
        ("a.mkv", "rawvideo", "rgb24"),
        ("a.mov", "libvpx", None),
        ("a.mkv", "rv20", None),
        ("a.nut", "vc2", "yuv444p"),
    ):
        with pytest.raises(OutputError, match=r"cannot|refuses"):
            open_segments(
                tmp_path / "p", target=tmp_path / name, codec=codec, pixel_format=form, **film
            )
        assert not (tmp_path / "p").exists()


def decoded(target):
    with open_reader(target, labels=False) as reader:
        got = list(reader)
    return np.stack([frame.pixels for frame in got]), [
        frame.time.pts * frame.time.time_base for frame in got
    ]


def test_a_broken_run_gives_the_film_of_a_whole_one(film, frames):
    target, settings = film
    whole = run(settings, frames)
    assert [path.name for path in whole] == [f"{n:06d}.packets" for n in range(5)]
    join_segments(whole, target)
    pictures, times = decoded(target)
    target.unlink()
    shutil.rmtree(parts_folder(target))

    closed = run(settings, frames, stop=13)  # killed within the third segment
    assert len(closed) == 2
    again = run(settings, frames, first=2)
    join_segments(again, target)
    pictures_again, times_again = decoded(target)
    assert pictures.shape[0] == COUNT
    np.testing.assert_array_equal(pictures_again, pictures)
    assert times_again == times


def test_times_are_exact(film, frames):
    target, settings = film
    join_segments(run(settings, frames), target)
    _, times = decoded(target)
    wanted = [time.pts * BASE for _, time in frames]
    rounding = Fraction(1, 2000) if target.suffix in (".mkv", ".webm") else 0
    assert max(abs(a - b) for a, b in zip(times, wanted, strict=True)) <= rounding


def test_the_pictures_are_those_that_were_written(film, frames):
    target, settings = film
    join_segments(run(settings, frames), target)
    pictures, _ = decoded(target)
    sent = np.stack([picture for picture, _ in frames])
    if target.suffix == ".nut" or settings.get("codec") == "ffv1":
        np.testing.assert_array_equal(pictures, sent)
    assert np.abs(pictures.astype(int) - sent).mean() < 20


def test_every_segment_begins_with_a_key_frame(film, frames):
    target, settings = film
    join_segments(run(settings, frames), target)
    keys = []
    with av.open(str(target)) as container:
        for packet in container.demux(video=0):
            if packet.size and packet.is_keyframe:
                keys.append(packet.pts * packet.time_base)
    for index in range(0, COUNT, LENGTH):
        wanted = frames[index][1].pts * BASE
        assert min(abs(key - wanted) for key in keys) <= Fraction(1, 2000)


@pytest.mark.parametrize("pixel_format", ["nv12", "yuv420p", "yuv444p"])
def test_nv12_planes_give_the_film_of_the_rgb_pictures(tmp_path, frames, pixel_format):
    """They differ by rounding, by what a colour's edge does to chroma, and by its resolution."""
    films = {}
    for kind in ("rgb", "planes"):
        settings = {
            "target": tmp_path / f"{kind}.mp4",
            "size_hw": (64, 96),
            "rate": Fraction(18),
            "time_base": BASE,
            "pixel_format": pixel_format,
            "encoder_options": {"qp": "0"},
        }
        with open_segments(tmp_path / kind, **settings) as writer:
            assert (writer.nv12 is None) == (pixel_format == "yuv444p")
            for picture, time in frames[:3]:
                if kind == "planes":
                    planes = to_nv12(torch.from_numpy(picture), Nv12(0.2126, 0.0722))
                    assert planes.shape == (96, 96)
                    picture = planes.numpy()
                writer.write(picture, time)
            part = writer.close_segment()
        join_segments([part], settings["target"])
        with av.open(str(settings["target"])) as container:
            shown = list(container.decode(video=0))
            assert {frame.colorspace for frame in shown} == {1}  # BT.709
            films[kind] = np.stack([frame.to_ndarray(format="yuv444p") for frame in shown])
    off = np.abs(films["rgb"].astype(int) - films["planes"])
    assert off[:, 0].max() <= 1
    assert off.mean() < (3 if pixel_format == "yuv444p" else 1)


def test_planes_of_another_size_are_refused(mp4, frames, tmp_path):
    with (
        open_segments(tmp_path / "parts", **mp4) as writer,
        pytest.raises(OutputError, match=r"uint8 \(96, 94\) was made"),
    ):
        writer.write(np.zeros((96, 94), np.uint8), frames[0][1])


@pytest.fixture
def mp4(tmp_path):
    return {
        "target": tmp_path / "out.mp4",
        "size_hw": (64, 96),
        "rate": Fraction(18),
        "time_base": BASE,
    }


def test_segments_of_a_broken_run_that_do_not_count_are_removed(mp4, frames):
    parts = run(mp4, frames)
    (parts[0].parent / ".000009.packets.77.partial").write_text("half")
    with open_segments(parts[0].parent, first_segment=2, **mp4):
        pass
    assert [path.name for path in sorted(parts[0].parent.iterdir())] == [
        "000000.packets",
        "000001.packets",
    ]


def test_an_exception_drops_the_open_segment_only(mp4, frames):
    parts = parts_folder(mp4["target"])

    def fail():
        with open_segments(parts, **mp4) as writer:
            writer.write(*frames[0])
            writer.close_segment()
            writer.write(*frames[1])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in parts.iterdir()] == ["000000.packets"]


def test_segments_that_do_not_fit_are_refused(mp4, frames, tmp_path):
    first, _, *_ = run(mp4, frames)
    other = {**mp4, "target": tmp_path / "other.mp4", "encoder_options": {"crf": "30"}}
    second, *_ = run(other, frames)
    with pytest.raises(OutputError, match="other settings"):
        join_segments([first, second], mp4["target"])
    second = first.with_name("000001.packets")
    second.write_bytes(second.read_bytes()[:-20])
    with pytest.raises(OutputError, match="truncated"):
        join_segments([first, second], mp4["target"])
    second.write_bytes(b"something else\n")
    with pytest.raises(OutputError, match="no segment"):
        join_segments([first, second], mp4["target"])
    assert not mp4["target"].exists()
    assert not list(tmp_path.glob(".*partial"))


def test_the_output_is_kept_and_the_settings_are_checked_at_once(mp4, tmp_path):
    with pytest.raises(OutputError, match="no encoder"):
        open_segments(tmp_path / "p", **{**mp4, "codec": "nonsense"})
    with pytest.raises(OutputError, match=r"refuses .* crf=high") as caught:
        open_segments(tmp_path / "p", **{**mp4, "encoder_options": {"crf": "high"}})
    assert caught.value.where == str(
        mp4["target"]
    )  # not the hidden folder, of which the user knows nothing
    assert list(tmp_path.iterdir()) == []
    mp4["target"].write_text("mine")
    with pytest.raises(OutputError, match="already"):
        open_segments(tmp_path / "p", **mp4)


def test_sound_is_copied_by_the_join(mp4, frames, tmp_path, run_ffmpeg):
    source = tmp_path / "in.mkv"
    run_ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=96x64:r=18:d=1",
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-c:v",
        "ffv1",
        "-c:a",
        "aac",
        source,
    )
    join_segments(run(mp4, frames), mp4["target"], copy_from=source)
    with av.open(str(mp4["target"])) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


@pytest.mark.parametrize("count", [60, pytest.param(5000, marks=pytest.mark.slow)])
def test_a_join_opens_one_segment_at_a_time(mp4, frames, count):
    """5,000 segments are 7 hours at 25 fps, and a process may usually open 1,024 files."""
    resource = pytest.importorskip("resource")
    parts = []
    with open_segments(parts_folder(mp4["target"]), **mp4) as writer:
        for number in range(count):
            writer.write(frames[0][0], FrameTime(number * 5000, BASE, 5000))
            parts.append(writer.close_segment())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(path.name) for path in Path("/dev/fd").iterdir()}
    free = [number for number in range(soft) if number not in taken]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[20], hard))
    try:
        join_segments(parts, mp4["target"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with av.open(str(mp4["target"])) as container:
        assert sum(1 for packet in container.demux(video=0) if packet.size) == count


def test_a_missing_segment_is_named(mp4, frames):
    parts = run(mp4, frames)
    parts[2].unlink()
    with pytest.raises(OutputError, match=r"000002\.packets: does not exist"):
        join_segments(parts, mp4["target"])
    assert not mp4["target"].exists()
