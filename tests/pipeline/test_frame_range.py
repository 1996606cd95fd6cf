"""A range of a film: its pictures, times, sound and names are those of the whole film."""

import subprocess
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from vidtrans.errors import Interrupted, UsageError
from vidtrans.labels.edit import EditList, RelabelClass, ResetAt
from vidtrans.media.reader import open_reader
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.stream import Painter

FRAMES, CUT = 24, 9
LOSSLESS = {"codec": "libx264rgb", "encoder_options": {"qp": "0"}, "pixel_format": "rgb24"}


@pytest.fixture(scope="module")
def film(tmp_path_factory, grey_film, scene):
    frames = [scene(n) if n < CUT else scene(n)[:, ::-1] for n in range(FRAMES)]
    return grey_film(tmp_path_factory.mktemp("film") / "labels.mkv", frames)


@pytest.fixture
def settings(film, tiny_model, tmp_path):
    def make(**values):
        own = {"input": str(film), "model": str(tiny_model), "labels": "cityscapes"}
        places = {"output": str(tmp_path / "film.mkv"), "snapshot_every": 3}
        return ConvertSettings.read(**own | places | LOSSLESS | values)

    return make


@pytest.fixture
def whole(settings, decoded, tmp_path):
    """``whole(**values)``: the pictures of the whole film."""

    def paint(**values):
        return decoded(convert(settings(output=str(tmp_path / "whole.mkv"), **values)).output)

    return paint


@pytest.fixture
def painted(monkeypatch):
    """The frames that were painted, in order."""
    frames, paint = [], Painter.paint

    def noting(self, state, read):
        frames.append(read.frame.index)
        return paint(self, state, read)

    monkeypatch.setattr(Painter, "paint", noting)
    return frames


def times_of(path):
    with open_reader(path, labels=False) as reader:
        return [frame.time.pts * frame.time.time_base for frame in reader]


@pytest.mark.parametrize(
    ("values", "first", "end"),
    [
        ({"start": 5, "end": 14}, 5, 14),
        ({"start": 15}, 15, FRAMES),
        ({"end": 4}, 0, 4),
        ({"start": "00:00:00:05", "end": "00:00:00.4"}, 5, 10),
        ({"start": FRAMES - 1, "end": FRAMES}, FRAMES - 1, FRAMES),
    ],
)
def test_the_pictures_are_those_of_the_whole_film(settings, whole, decoded, values, first, end):
    summary = convert(settings(**values))
    assert summary.frames == end - first
    assert np.array_equal(decoded(summary.output), whole()[first:end])
    steps = [Fraction(n, 25) for n in range(end - first)]
    assert times_of(summary.output) == steps


@pytest.mark.parametrize(
    ("values", "origin"),
    [
        ({}, 0),
        ({"scene_cuts": "3,9,20"}, 9),
        ({"scene_cuts": "off"}, 0),
        ({"edits": EditList((ResetAt(11), RelabelClass("car", "road", 2, 4)))}, 11),
    ],
)
def test_only_what_the_history_needs_is_painted(
    settings, whole, decoded, painted, tmp_path, values, origin
):
    notes = []
    output = convert(settings(start=12, end=15, **values), on_note=notes.append).output
    assert painted == list(range(origin, 15))
    first = f"Frames {origin} to 11 are painted first, for the history of frame 12."
    assert first in notes
    assert np.array_equal(decoded(output), whole(**values)[12:15])


def test_progress_counts_the_history_too(settings):
    seen = []
    convert(settings(start=4, end=6), on_progress=seen.append)
    assert [(each.done, each.total) for each in seen] == [(n, 6) for n in range(1, 7)]


@pytest.mark.parametrize("stop", [2, 6, 9, 10])
def test_an_interrupted_range_is_resumed(settings, whole, decoded, stop):
    cancel = threading.Event()

    def written(progress):
        if progress.done == stop:
            cancel.set()

    with pytest.raises(Interrupted):
        convert(settings(start=5, end=16), cancel=cancel, on_progress=written)
    summary = convert(settings(start=5, end=16, resume=True))
    assert summary.frames == 11
    assert summary.resumed_from >= stop - 5
    assert np.array_equal(decoded(summary.output), whole()[5:16])
    assert times_of(summary.output) == [Fraction(n, 25) for n in range(11)]


def test_a_damaged_part_of_a_range_is_made_again(settings, whole, decoded, tmp_path):
    cancel = threading.Event()
    with pytest.raises(Interrupted):
        convert(
            settings(start=5, end=18),
            cancel=cancel,
            on_progress=lambda now: cancel.set() if now.done == 10 else None,
        )
    part = sorted((tmp_path / ".film.mkv.parts").glob("*.packets"))[0]
    part.write_bytes(b"x" + part.read_bytes()[1:])
    warned = []
    summary = convert(settings(start=5, end=18, resume=True), on_warning=warned.append)
    assert any("are damaged on the disk" in sentence for sentence in warned)
    assert np.array_equal(decoded(summary.output), whole()[5:18])


def test_another_range_is_another_run(settings):
    cancel = threading.Event()
    with pytest.raises(Interrupted):
        convert(
            settings(end=9),
            cancel=cancel,
            on_progress=lambda now: cancel.set() if now.done == 4 else None,
        )
    with pytest.raises(UsageError, match="it was started with end 9, this one has 8"):
        convert(settings(end=8, resume=True))


PNGS = {"codec": None, "encoder_options": {}, "pixel_format": None}


def test_pngs_keep_the_numbers_of_the_film(settings, whole, decoded, tmp_path):
    (tmp_path / "pngs").mkdir()
    kept = tmp_path / "pngs" / "000007.png"
    kept.write_bytes(b"a picture of the film")
    convert(settings(output=f"{tmp_path}/pngs/", start=4, end=7, overwrite=True, **PNGS))
    names = sorted(path.name for path in (tmp_path / "pngs").iterdir())
    assert names == [*(f"{n:06d}.png" for n in range(4, 7)), kept.name]
    assert kept.read_bytes() == b"a picture of the film"
    kept.unlink()
    assert np.array_equal(decoded(tmp_path / "pngs"), whole()[4:7])


def test_pngs_of_a_folder_keep_its_names(settings, scene, tmp_path):
    import cv2

    (tmp_path / "labels").mkdir()
    for n in range(6):
        cv2.imwrite(str(tmp_path / "labels" / f"city_{n + 30:04d}.png"), scene(n))
    convert(
        settings(input=str(tmp_path / "labels"), output=f"{tmp_path}/pngs/", start=2, end=4, **PNGS)
    )
    names = sorted(path.name for path in (tmp_path / "pngs").iterdir())
    assert names == ["city_0032.png", "city_0033.png"]


def test_instance_maps_follow_the_range(settings, whole, decoded, grey_film, scene, tmp_path):
    def maps(n):
        ids = scene(n) if n < CUT else scene(n)[:, ::-1]
        return np.where(ids == 26, 26001 + n % 2, ids).astype(np.uint16)

    instances = str(grey_film(tmp_path / "maps.mkv", [maps(n) for n in range(FRAMES)]))
    for cuts in ("auto", "9"):
        values = {"instances": instances, "scene_cuts": cuts, "overwrite": True}
        part = decoded(convert(settings(start=12, end=20, **values)).output)
        assert np.array_equal(part, whole(**values)[12:20])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"start": 24},
            r"has 24 frames, and its last is frame 23 \(00:00:00:23\); the range begins",
        ),
        ({"end": 25}, 'goes up to frame 25, without it. Give end="24" or none'),
        ({"start": "00:00:10:00"}, "the range begins with frame 250"),
        ({"start": "00:00:10.0"}, "the range begins with frame 250"),
        ({"start": "00:00:00:10", "end": 10}, "from frame 10 up to frame 10 holds no frame"),
    ],
)
def test_a_range_outside_of_the_film_is_refused(settings, tmp_path, values, sentence):
    with pytest.raises(UsageError, match=sentence):
        convert(settings(**values))
    assert not list(tmp_path.glob("*.parts"))


@pytest.fixture
def with_sound(film, tmp_path):
    """The label film with a tone that rises each 0.1 s, a subtitle from 0.1 to 0.5 s, chapters."""
    (tmp_path / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nstreet\n")
    (tmp_path / "c.txt").write_text(
        ";FFMETADATA1\ntitle=drive\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=one\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=960\ntitle=two\n"
    )
    tone = "aevalsrc='if(lt(t,0.4),0.1,0.6)':s=48000:d=0.96"
    path = tmp_path / "sound.mkv"
    command = [
        "ffmpeg", "-v", "error", "-nostdin", "-i", film,
        "-f", "lavfi", "-i", tone, "-i", tmp_path / "s.srt", "-i", tmp_path / "c.txt",
        "-map", "0:v", "-map", "1:a", "-map", "2:s", "-map_metadata", "3", "-map_chapters", "3",
        "-c:v", "copy", "-c:a", "flac", "-frame_size", "480", "-c:s", "srt", path,
    ]  # fmt: skip
    subprocess.run([*map(str, command)], check=True)
    return path


def test_sound_subtitles_and_chapters_follow_the_range(settings, with_sound):
    convert(settings(input=str(with_sound), start=5, end=20))  # 0.2 s to 0.8 s
    output = settings().output
    with av.open(output) as film:
        audio = film.streams.audio[0]
        frames = [(float(frame.time), frame.to_ndarray()[0]) for frame in film.decode(audio)]
        samples = np.concatenate([part for _, part in frames]).astype(float)
        samples /= 32768 if np.abs(samples).max() > 1 and frames[0][1].dtype == np.int16 else 1
        chapters = [(c["start"] * c["time_base"], c["metadata"]["title"]) for c in film.chapters()]
        length = float(film.chapters()[-1]["end"] * film.chapters()[-1]["time_base"])
    assert frames[0][0] == pytest.approx(0, abs=0.011)  # a packet of 10 ms
    louder = frames[0][0] + np.argmax(samples > samples.max() / 2) / 48000
    assert louder == pytest.approx(0.2, abs=0.001)
    assert frames[0][0] + len(samples) / 48000 == pytest.approx(0.6, abs=0.011)
    assert chapters == [(0, "one"), (Fraction(1, 5), "two")]
    assert length == pytest.approx(0.6)
    with av.open(output) as film:
        packet = next(p for p in film.demux(film.streams.subtitles[0]) if p.size)
        assert float(packet.pts * packet.time_base) == pytest.approx(0)
        assert float(packet.duration * packet.time_base) == pytest.approx(0.3)


def test_sound_is_encoded_where_a_codec_is_named(settings, with_sound, tmp_path):
    output = str(tmp_path / "film.mp4")
    values = {"input": str(with_sound), "output": output, **PNGS}
    convert(settings(**values, audio_codec="aac"))
    with av.open(output) as film:
        audio = film.streams.audio[0]
        assert audio.codec_context.name == "aac"
        frames = [(float(f.time), f.to_ndarray().mean(axis=0)) for f in film.decode(audio)]
    samples = np.concatenate([part for _, part in frames])
    louder = frames[0][0] + np.argmax(samples > 0.35) / 48000
    assert louder == pytest.approx(0.4, abs=0.005)  # the step is blurred by the codec
    with pytest.raises(UsageError, match="'mp5' is no encoder of sound"):
        convert(settings(**values, overwrite=True, audio_codec="mp5"))
    values["output"] = str(tmp_path / "film.mov")
    with pytest.raises(UsageError, match="a mov file does not hold sound of the encoder flac"):
        convert(settings(**values, audio_codec="flac"))
