"""Encoders, options, colours, the tracks beside the pictures, and what fails."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidtrans.cli.wording import option_words
from vidtrans.errors import InputError, OutputError, worded
from vidtrans.frame import FrameTime
from vidtrans.media.hardware import nvenc_works
from vidtrans.media.reader import open_reader
from vidtrans.media.writer import open_writer, tracks_left_out

RATE, BASE = Fraction(25), Fraction(1, 25)


def opened(target, **more):
    return open_writer(target, **{"size_hw": (64, 96), "rate": RATE, "time_base": BASE, **more})


def write(target, pictures, **more):
    with opened(target, size_hw=pictures.shape[1:3], **more) as writer:
        for i, picture in enumerate(pictures):
            writer.write(picture, FrameTime(pts=i, time_base=BASE, duration=1))
        return writer.finish()


def probe(film, *entries):
    command = ["ffprobe", "-v", "error", "-of", "json", *entries, str(film)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


PATCHES = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 64, 128], [70, 130, 180], [107, 142, 35]],
    np.uint8,
)


@pytest.fixture(scope="module")
def patches():
    return np.repeat(PATCHES.reshape(2, 3, 3).repeat(32, 0).repeat(32, 1)[None], 3, axis=0)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
def test_bt709_limited_is_written_and_tagged(patches, tmp_path, suffix):
    film = write(tmp_path / f"a.{suffix}", patches)
    stream = probe(film, "-show_streams")["streams"][0]
    assert stream["pix_fmt"] == "yuv420p"
    assert stream["color_space"] == "bt709"
    assert stream.get("color_range", "tv") == "tv"
    if suffix != "webm":
        assert stream["codec_name"] == "h264"
        assert stream["color_primaries"] == stream["color_transfer"] == "bt709"
    # Not our own reader's opinion: ffmpeg's, told nothing but the file.
    matrix = "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd+full_chroma_int"
    raw = [
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        "-i",
        str(film),
        "-vf",
        matrix,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    shown = np.frombuffer(
        subprocess.run(raw, capture_output=True, check=True).stdout, np.uint8
    ).reshape(3, 64, 96, 3)
    inside = shown[:, 16::32, 16::32].reshape(3, 6, 3).astype(int)
    assert np.abs(inside - PATCHES).max() <= 4


def test_full_range_formats_are_tagged_so(patches, tmp_path):
    film = write(tmp_path / "a.mov", patches, codec="mjpeg")
    assert probe(film, "-show_streams")["streams"][0]["color_range"] == "pc"
    with open_reader(film) as reader:
        frame = next(iter(reader))
    assert np.abs(frame.pixels[16::32, 16::32].reshape(6, 3).astype(int) - PATCHES).max() <= 10


@pytest.mark.parametrize("size", [(33, 48), (32, 47), (31, 45)])
@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_odd_sizes_keep_their_size(tmp_path, size, suffix):
    pictures = np.full((3, *size, 3), (70, 130, 180), np.uint8)
    film = write(tmp_path / f"a.{suffix}", pictures)
    with open_reader(film) as reader:
        assert reader.info.size_hw == size
        assert np.abs(next(iter(reader)).pixels.astype(int) - pictures[0]).max() <= 3


def test_sample_aspect_and_rate_are_kept(patches, tmp_path):
    film = tmp_path / "a.mp4"
    ntsc = Fraction(30000, 1001)
    with opened(film, rate=ntsc, time_base=1 / ntsc, sample_aspect=Fraction(4, 3)) as writer:
        for i, picture in enumerate(patches):
            writer.write(picture, FrameTime(pts=i, time_base=1 / ntsc, duration=1))
        writer.finish()
    stream = probe(film, "-show_streams")["streams"][0]
    assert stream["sample_aspect_ratio"] == "4:3"
    assert stream["avg_frame_rate"] == stream["r_frame_rate"] == "30000/1001"


def test_the_index_is_in_front(patches, tmp_path):
    data = write(tmp_path / "a.mp4", patches).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_encoders_and_options_by_name(patches, tmp_path):
    small = write(tmp_path / "small.mp4", patches, encoder_options={"crf": "51"}).stat().st_size
    large = write(tmp_path / "large.mp4", patches, encoder_options={"crf": "0"}).stat().st_size
    assert small < large
    film = write(
        tmp_path / "a.mkv",
        patches,
        codec="libx265",
        encoder_options={"x265-params": "log-level=none"},
    )
    assert probe(film, "-show_streams")["streams"][0]["codec_name"] == "hevc"
    film = write(tmp_path / "b.mov", patches, codec="prores", encoder_options={"profile": "hq"})
    assert probe(film, "-show_streams")["streams"][0]["codec_tag_string"] == "apch"
    film = write(tmp_path / "c.mp4", patches, pixel_format="yuv444p", encoder_options={"b": "200k"})
    assert probe(film, "-show_streams")["streams"][0]["pix_fmt"] == "yuv444p"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"codec": "libx246"}, "there is no encoder 'libx246'. Did you mean libx26"),
        ({"codec": "aac"}, "'aac' encodes audio, not pictures"),
        ({"encoder_options": {"cfr": "3"}}, "libx264 has no option 'cfr'. Did you mean crf"),
        ({"encoder_options": {"pix_fmt": "yuv444p"}}, "Use pixel_format"),
        ({"encoder_options": {"crf": "many"}}, "refuses"),
        ({"encoder_options": {"preset": "sluggish"}}, "refuses"),
        ({"pixel_format": "rgb24"}, "does not take the pixel format 'rgb24'"),
        ({"pixel_format": "yuv420x"}, "pixel format 'yuv420x'"),
        ({"codec": "ffv1", "container_format": "webm"}, "a webm file cannot hold what ffv1 makes"),
        ({"container_format": "mp5"}, "container 'mp5'"),
        (
            {"size_hw": (33, 48), "pixel_format": "yuv420p"},
            "needs even sides, and the picture is 48x33",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_written(
    tmp_path, options, sentence
):
    with pytest.raises(OutputError) as caught:
        opened(tmp_path / "a.mp4", **options)
    assert sentence in str(caught.value)
    assert "a.mp4" in str(caught.value)
    assert caught.value.exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_a_folder_takes_no_encoder(tmp_path):
    with pytest.raises(OutputError, match="takes no encoder"):
        opened(f"{tmp_path}/out/", codec="libx264")


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "libvpx-vp9"])
def test_encoders_keep_their_talk_to_themselves(patches, tmp_path, capfd, codec):
    write(tmp_path / "film.mkv", patches, codec=codec)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="threads as Linux schedules them")
def test_no_encoder_makes_real_time_threads(patches, tmp_path):
    """As SVT-AV1 does of all of them, where root runs it."""
    policy = os.sched_getscheduler(0)
    with opened(tmp_path / "film.mkv", codec="libsvtav1") as writer:
        writer.write(patches[0], FrameTime(pts=0, time_base=BASE))
        threads = [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
        assert len(threads) > 4
        assert {os.sched_getscheduler(thread) for thread in threads} == {policy}


def test_an_unknown_suffix(tmp_path):
    with pytest.raises(OutputError, match=r"no suffix of a film"):
        opened(tmp_path / "a.docx")


def test_auto_falls_back_without_nvenc_and_says_so(patches, tmp_path, caplog):
    if nvenc_works():
        pytest.skip("this machine has NVENC")
    with caplog.at_level(logging.WARNING):
        film = write(tmp_path / "a.mp4", patches, codec="auto")
    assert "libx264 encodes on the CPU" in caplog.text
    assert probe(film, "-show_streams")["streams"][0]["codec_name"] == "h264"
    with pytest.raises(OutputError):
        write(tmp_path / "b.mp4", patches, codec="h264_nvenc")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_no_picture_is_no_film(tmp_path):
    with opened(tmp_path / "a.mp4") as writer, pytest.raises(OutputError, match="no picture"):
        writer.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_time_that_does_not_grow_is_refused(patches, tmp_path):
    with opened(tmp_path / "a.mp4") as writer:
        writer.write(patches[0], FrameTime(pts=4, time_base=BASE))
        with pytest.raises(OutputError, match="same time"):
            writer.write(patches[1], FrameTime(pts=4, time_base=BASE))


# -- what cannot be written ------------------------------------------------------------------------


def test_the_folder_is_missing(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"):
        opened(tmp_path / "none" / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_not_writable(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):  # root writes anywhere but where there is no writing at all
        locked = "/proc"
    for name in ("a.mp4", "out/"):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            opened(f"{locked}/{name}")
        assert caught.value.exit_code == 5


@contextmanager
def full_disk():
    """No file may grow over 8 KiB: writing fails as on a full disk.

    It counts for the whole process, so it holds around the writing alone: pytest's own output may
    be a longer file.
    """
    import resource

    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, was[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)


@pytest.mark.posix
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.nut", "out/"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 96, 3), dtype=np.uint8)
    with full_disk(), pytest.raises(OutputError) as caught:
        write(f"{tmp_path}/{name}", noise)
    assert "cannot be written" in str(caught.value)
    assert caught.value.exit_code == 5
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# -- what lies beside the pictures -----------------------------------------------------------------


@pytest.fixture(scope="module")
def rich_film(tmp_path_factory, run_ffmpeg):
    """One second of labels with two languages of sound, subtitles, chapters, an attachment and a
    title."""
    top = tmp_path_factory.mktemp("rich")
    (top / "words.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nThe street\n")
    (top / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=A drive\nartist=Somebody\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=Out\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=1000\ntitle=Back\n"
    )
    (top / "font.ttf").write_bytes(b"not really a font")
    run_ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1",
        "-f", "lavfi", "-i", "sine=440:d=1", "-f", "lavfi", "-i", "sine=880:d=1",
        "-i", top / "words.srt", "-i", top / "chapters.txt", "-map", "0", "-map", "1", "-map",
        "2", "-map", "3",
        "-map_metadata", "4", "-attach", top / "font.ttf", "-metadata:s:t", "mimetype=font/ttf",
        "-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=jpn", "-disposition:a:1",
        "default",
        "-c:v", "ffv1", "-c:a", "aac", "-c:s", "srt", top / "rich.mkv",
    )  # fmt: skip
    return top / "rich.mkv"


def packets(film, kind):
    """(time, bytes) of every packet of the tracks of a kind."""
    tracks = {}
    with av.open(str(film)) as container:
        for packet in container.demux():
            if packet.size and packet.stream.type == kind:
                tracks.setdefault(packet.stream.index, []).append(
                    (packet.pts * packet.time_base, bytes(packet))
                )
    return [tracks[index] for index in sorted(tracks)]


def convert(film, out, **more):
    with open_reader(film) as reader:
        info = reader.info
        with opened(
            out, rate=info.rate, time_base=info.time_base, copy_from=film, **more
        ) as writer:
            for frame in reader:
                writer.write(frame.pixels, frame.time)
            return writer.finish()


def test_everything_else_is_copied_into_mkv(rich_film, tmp_path):
    film = convert(rich_film, tmp_path / "out.mkv")
    kinds = [s["codec_type"] for s in probe(film, "-show_streams")["streams"]]
    assert kinds == ["video", "audio", "audio", "subtitle", "attachment"]
    for kind in ("audio", "subtitle"):
        assert packets(film, kind) == packets(rich_film, kind)
    described = probe(film, "-show_format", "-show_chapters", "-show_streams")
    assert described["format"]["tags"]["title"] == "A drive"
    assert [chapter["tags"]["title"] for chapter in described["chapters"]] == ["Out", "Back"]
    assert [chapter["start"] for chapter in described["chapters"]] == [0, 400000000] or [
        float(chapter["start_time"]) for chapter in described["chapters"]
    ] == [0, 0.4]
    audio = [stream for stream in described["streams"] if stream["codec_type"] == "audio"]
    assert [stream["tags"]["language"] for stream in audio] == ["deu", "jpn"]
    assert [stream["disposition"]["default"] for stream in audio] == [
        stream["disposition"]["default"]
        for stream in probe(rich_film, "-show_streams")["streams"]
        if stream["codec_type"] == "audio"
    ]


def test_what_mp4_cannot_hold_is_left_out_with_a_warning(rich_film, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        film = convert(rich_film, tmp_path / "out.mp4")
    assert "subtitle track" in caplog.text
    copied, source = packets(film, "audio"), packets(rich_film, "audio")
    assert [[data for _, data in track] for track in copied] == [
        [data for _, data in track] for track in source
    ]
    for ours, theirs in zip(copied, source, strict=True):
        assert max(abs(a - b) for (a, _), (b, _) in zip(ours, theirs, strict=True)) < Fraction(
            1, 1000
        )


@pytest.mark.parametrize("codec", ["flac", "libopus", "truehd", "libvorbis"])
@pytest.mark.parametrize("container", ["mov", "mp4", "mkv", "avi"])
def test_sound_is_copied_or_left_out_and_the_film_is_whole(tmp_path, run_ffmpeg, codec, container):
    """FLAC in MOV was refused after the last frame, and again by every resumed run."""
    source = tmp_path / "in.mkv"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=s=96x64:d=0.2", "-f", "lavfi", "-i", "sine=d=0.2"),
        *("-c:v", "ffv1", "-c:a", codec, "-strict", "experimental", str(source)),
    )
    film = tmp_path / f"out.{container}"
    left_out = tracks_left_out(source, film)
    convert(source, film)
    with av.open(str(film)) as made:
        assert len(made.streams.audio) == 1 - len(left_out)
    if (codec, container) == ("flac", "mov"):
        assert "audio track (flac) does not fit into a mov file" in left_out[0]
    if container == "mkv":
        assert left_out == []


def test_sound_and_picture_are_interleaved(rich_film, tmp_path):
    film = convert(rich_film, tmp_path / "out.mkv")
    with av.open(str(film)) as container:
        order = [packet.stream.type for packet in container.demux() if packet.size]
    assert "audio" in order[:6]
    assert "video" in order[-20:]


def test_sound_alone_is_copied_to_the_end(tmp_path, run_ffmpeg):
    source = tmp_path / "long.mkv"
    run_ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=96x64:r=25:d=0.2",
        "-f",
        "lavfi",
        "-i",
        "sine=d=2",
        "-c:v",
        "ffv1",
        source,
    )
    film = convert(source, tmp_path / "out.mkv")
    assert packets(film, "audio") == packets(source, "audio")


def test_the_input_is_never_the_output(rich_film, tmp_path):
    before = rich_film.read_bytes()
    with pytest.raises(OutputError, match="the input itself"):
        opened(rich_film, copy_from=rich_film, overwrite=True)
    assert rich_film.read_bytes() == before


def test_images_have_no_tracks_to_copy(patches, tmp_path, ids, write_images):
    write_images(ids, tmp_path / "in")
    write(tmp_path / "a.mp4", patches, copy_from=tmp_path / "in")
    write(tmp_path / "b.mp4", patches, copy_from=str(tmp_path / "in" / "*.png"))


# -- folders ---------------------------------------------------------------------------------------


def test_pngs_are_named_after_the_input_and_resume(patches, tmp_path):
    out = tmp_path / "out"
    with opened(f"{out}/", stems=("a_1", "a_2", "a_3")) as writer:
        writer.write(patches[0], FrameTime(pts=0, time_base=BASE))
    assert [path.name for path in out.iterdir()] == ["a_1.png"]
    with opened(f"{out}/", stems=("a_1", "a_2", "a_3"), first_index=1) as writer:
        writer.write(patches[1], FrameTime(pts=1, time_base=BASE))
        writer.finish()
    assert sorted(path.name for path in out.iterdir()) == ["a_1.png", "a_2.png"]


def test_nothing_of_a_longer_run_stays_behind_a_shorter_one(patches, tmp_path):
    for overwrite, frames in ((False, 5), (True, 3)):
        with opened(f"{tmp_path}/out/", overwrite=overwrite) as writer:
            for n in range(frames):
                writer.write(patches[n % len(patches)], FrameTime(pts=n, time_base=BASE))
            (
                tmp_path / "out" / "000009.png"
            ).touch()  # not in a row with the others, so not of that run
            writer.finish()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *(f"00000{n}.png" for n in range(3)),
        "000009.png",
    ]


def test_names_that_are_not_unique_become_numbers(patches, tmp_path):
    with opened(f"{tmp_path}/out/", stems=("0", "0")) as writer:
        writer.write(patches[0], FrameTime(pts=0, time_base=BASE))
        assert writer.finish() == tmp_path / "out"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["000000.png"]


def test_one_of_several_video_streams_is_read_and_told(tmp_path, ids, encode, run_ffmpeg):
    one = encode(ids, tmp_path / "one.mkv", "-c:v", "ffv1")
    other = encode(ids[::-1].copy(), tmp_path / "other.mkv", "-c:v", "ffv1")
    both = tmp_path / "both.mkv"
    run_ffmpeg("-i", one, "-i", other, "-map", "0:v", "-map", "1:v", "-c", "copy", both)
    with open_reader(both) as reader:
        assert np.array_equal(next(iter(reader)).pixels, ids[0])
        (remark,) = reader.info.remarks
    assert "holds 2 video streams (0: 48x32 ffv1, 1: 48x32 ffv1), of which 0 is read" in remark
    assert remark.endswith(" Another is chosen by stream.")
    assert worded(remark, option_words).endswith(" Another is chosen by --stream.")
    with open_reader(both, stream=1) as reader:
        assert not reader.info.remarks
        assert reader.count() == len(ids)
        assert [frame.pixels.tolist() for frame in reader] == ids[::-1].tolist()
        reader.seek(2)
        assert np.array_equal(next(iter(reader)).pixels, ids[-3])
    with pytest.raises(InputError, match="holds 2 video streams, numbered from 0; stream 2"):
        open_reader(both, stream=2)
    with pytest.raises(InputError, match="holds 1 video stream, numbered"):
        open_reader(one, stream=1)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".exr", ".mat"])
def test_arrays_are_refused_by_what_they_are(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(
        InputError, match=r"holds .*, which are not read\. Write each frame as a PNG"
    ):
        open_reader(path)


@pytest.mark.parametrize("turned", ["90", "180", "270"])
def test_rotation_turns_labels_and_instance_maps_alike(tmp_path, ids, encode, run_ffmpeg, turned):
    wide = ids.astype(np.uint16) * 100
    got = []
    for name, frames in (("labels", ids), ("maps", wide)):
        form = ("-pix_fmt", "gray" if name == "labels" else "gray16le")
        plain = encode(frames, tmp_path / f"{name}.mkv", "-c:v", "ffv1", *form)
        film = tmp_path / f"{name}.mov"
        run_ffmpeg("-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={turned}", film)
        with open_reader(film) as reader:
            got.append(np.stack([frame.pixels for frame in reader]))
    assert np.array_equal(got[0].astype(np.uint16) * 100, got[1])
    assert got[0].shape == np.rot90(ids, int(turned) // 90, axes=(1, 2)).shape
    assert not np.array_equal(got[0], ids)
