"""Every frame keeps its own time, through variable rates, offsets and clips without times."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vidtrans.media.reader import open_reader
from vidtrans.media.times import FilmTimes, to_timecode
from vidtrans.media.writer import open_writer

UNEVEN = "settb=1/18000,setpts='(N*N+3*N)*200'"
VFR = ("-fps_mode", "passthrough", "-enc_time_base")


def test_variable_rate(ids, encode, tmp_path):
    film = encode(ids, tmp_path / "a.mp4", "-vf", UNEVEN, *VFR, "1/18000", "-c:v", "libx264")
    with open_reader(film) as reader:
        got = [frame.time.pts * frame.time.time_base for frame in reader]
    assert got == [Fraction(n * n + 3 * n, 90) for n in range(6)]


def test_variable_timing_has_no_timecode_but_times():
    """3 frames a tenth of a second apart, then one after 8 s, then 3 more."""
    times = FilmTimes(
        np.array([500, 600, 700, 8700, 8800, 8900, 9000]), Fraction(1, 1000), Fraction(7, 10)
    )
    assert not times.constant
    assert [times.timecode(n) for n in (0, 2, 3)] == [
        "00:00:00.000",
        "00:00:00.200",
        "00:00:08.200",
    ]
    assert [times.frame_of(times.timecode(n)) for n in range(7)] == list(range(7))
    assert times.frame_of("00:00:00.201") == 3
    assert times.frame_of("00:00:08:00") == 3
    assert times.frame_of("5") == 5
    assert times.frame_of("00:01:00.0") > 7
    assert [times.shown_at(s) for s in (0, 0.15, 0.2, 5, 8.2, 99)] == [0, 1, 2, 2, 3, 6]
    assert times.seconds(7) == Fraction(17, 2) + Fraction(10, 7)


@pytest.mark.parametrize(
    ("rate", "base"),
    [(Fraction(30000, 1001), Fraction(1, 1000)), (Fraction(24), Fraction(1, 90000))],
)
def test_rounded_timestamps_are_a_constant_rate(rate, base):
    for frames in (1, 2, 3, 50, 20_000):
        pts = np.array([round(n / rate / base) for n in range(frames)])
        times = FilmTimes(pts, base, rate)
        assert times.constant
        assert times.timecode(frames - 1) == to_timecode(frames - 1, rate)
        assert times.frame_of(times.timecode(frames - 1)) == frames - 1


@pytest.mark.parametrize("text", ["", "one", "1:2", "1:2:3:4:5", "-1", "00:00:1e3", "9" * 40])
def test_what_is_no_position_is_refused(text):
    with pytest.raises(ValueError, match="a position is a frame number"):
        FilmTimes.at_rate(9, Fraction(25)).frame_of(text)


def test_a_film_without_times_gets_them_from_its_rate(colours, encode, tmp_path):
    film = encode(colours, tmp_path / "a.h264", "-c:v", "libx264", "-bf", "0")
    with open_reader(film) as reader:
        got = [frame.time.pts * frame.time.time_base for frame in reader]
    assert np.allclose(np.diff([float(t) for t in got]), 0.04)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_an_offset_and_uneven_times_survive_reading_and_writing(ids, encode, tmp_path, suffix):
    shift = UNEVEN + ",setpts=PTS+1.234/TB"
    film = encode(ids, tmp_path / "in.mkv", "-vf", shift, *VFR, "1/1000", "-c:v", "ffv1")
    with open_reader(film) as reader:
        info = reader.info
        frames = list(reader)
    out = tmp_path / f"out.{suffix}"
    with open_writer(out, size_hw=info.size_hw, rate=info.rate, time_base=info.time_base) as writer:
        for frame in frames:
            writer.write(frame.pixels[:, :, None].repeat(3, 2), frame.time)
        writer.finish()
    with open_reader(out) as reader:
        back = list(reader)
    assert [f.time.pts * f.time.time_base for f in back] == [
        f.time.pts * f.time.time_base for f in frames
    ]
    assert frames[0].time.pts == 1234


def test_images_run_at_25_unless_told(ids, write_images, tmp_path):
    write_images(ids, tmp_path / "in")
    with open_reader(tmp_path / "in") as reader:
        assert reader.info.rate == 25
    with open_reader(tmp_path / "in", rate=Fraction(30000, 1001)) as reader:
        assert [f.time.pts * f.time.time_base for f in reader][2] == Fraction(2002, 30000)
        assert reader.info.frames == 6


def test_seek_through_long_groups_of_pictures(tmp_path, encode):
    frames = np.stack([np.full((32, 48, 3), i * 4, np.uint8) for i in range(60)])
    film = encode(
        frames, tmp_path / "a.mp4", "-c:v", "libx264", "-g", "24", "-bf", "3", "-pix_fmt", "yuv420p"
    )
    with open_reader(film) as reader:
        whole = list(reader)
    with open_reader(film) as reader:
        for index in (47, 3, 24, 59, 0, 30):
            reader.seek(index)
            frame = next(iter(reader))
            assert frame.index == index
            assert frame.time == whole[index].time
            np.testing.assert_array_equal(frame.pixels, whole[index].pixels)


def test_seek_does_not_decode_what_lies_before(tmp_path, encode, monkeypatch):
    frames = np.zeros((60, 32, 48), np.uint8)
    film = encode(frames, tmp_path / "a.mkv", "-c:v", "ffv1", "-g", "1")
    with open_reader(film) as reader:
        before = reader._decoded
        reader.seek(50)
        decoded = []
        monkeypatch.setattr(reader, "_time", lambda picture: decoded.append(picture))
        assert before == 0
        assert decoded == []
        assert reader._index == 50


@pytest.mark.parametrize(
    ("names", "unit"),
    [
        ("{:.0f}", 10**9),
        ("cam0_{:.0f}", 10**6),
        ("{:.0f}_labels", 10**3),
    ],
)
def test_names_that_are_time_stamps_give_the_times(ids, write_images, tmp_path, names, unit):
    seconds = [Fraction(n * 100 + n % 3, 1000) for n in range(6)]  # 10 a second, uneven by 2 ms
    for at, picture in zip(seconds, ids, strict=True):
        name = names.format(int((1_701_234_567 + at) * unit))
        write_images([picture], tmp_path / "in", name + ".png")
    with open_reader(tmp_path / "in") as reader:
        assert "the names are time stamps" in reader.info.remarks[0]
        assert abs(reader.info.rate - 10) < Fraction(1, 4)
        frames = list(reader)
        got = [frame.time.pts * frame.time.time_base for frame in frames]
    assert all(abs(a - b) < Fraction(1, 100_000) for a, b in zip(got, seconds, strict=True))
    assert [f.time.pts + f.time.duration for f in frames[:-1]] == [f.time.pts for f in frames[1:]]
    with open_reader(tmp_path / "in", rate=Fraction(17)) as reader:
        assert not reader.info.remarks
        assert [f.time.pts * f.time.time_base for f in reader] == [
            Fraction(n, 17) for n in range(6)
        ]


def test_seconds_with_a_fraction_are_times(ids, write_images, tmp_path):
    for n, picture in enumerate(ids):
        write_images([picture], tmp_path / "in", f"{1701234567 + n / 4:.6f}.png")
    with open_reader(tmp_path / "in") as reader:
        assert reader.info.rate == 4
        assert [float(f.time.pts * f.time.time_base) for f in reader] == [n / 4 for n in range(6)]


@pytest.mark.parametrize("first", [20240117123456, 1701234567000000000, 0])
def test_numbers_that_grow_too_fast_or_are_dates_are_no_times(ids, write_images, tmp_path, first):
    write_images(ids, tmp_path / "in", "{:d}.png", start=first)
    with open_reader(tmp_path / "in") as reader:
        assert reader.info.rate == 25
        assert not reader.info.remarks
