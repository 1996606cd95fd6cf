"""From a label film to a film of pictures, in threads, with the same bits as the plain loop."""

import subprocess
import sys
import threading
from itertools import islice

import cv2
import numpy as np
import pytest

from vidtrans.assets.demo_clip import demo_labels
from vidtrans.errors import InputError, OutputError, UsageError
from vidtrans.media.reader import open_reader
from vidtrans.pipeline.convert import check_paths, convert
from vidtrans.pipeline.settings import ConvertSettings

LOSSLESS = {"codec": "libx264rgb", "encoder_options": {"qp": "0"}, "pixel_format": "rgb24"}


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    assert {t for t in threading.enumerate() if t.name.startswith("vidtrans")} <= before


@pytest.fixture
def settings(label_film, tiny_model, tmp_path):
    def make(**values):
        values = {"output": str(tmp_path / "film.mkv"), **LOSSLESS, **values}
        return ConvertSettings.read(
            **{"input": str(label_film), "model": str(tiny_model), "labels": "cityscapes"} | values
        )

    return make


@pytest.fixture
def plain_loop(tiny_model):
    """What the model makes of label maps without any pipeline: uint8 RGB [T,H,W,3]."""

    def paint(labels):
        from vidtrans import load_model

        pictures = load_model(tiny_model).translate(labels=np.stack(labels))
        return (
            np.clip(np.rint((pictures + 1) * 127.5), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        )

    return paint


PNGS = {"codec": None, "encoder_options": {}, "pixel_format": None}


def test_a_film_holds_the_model_s_pictures_bit_for_bit(settings, plain_loop, scene, decoded):
    seen = []
    summary = convert(settings(), on_progress=seen.append)
    assert summary.frames == 12
    assert np.array_equal(decoded(summary.output), plain_loop([scene(n) for n in range(12)]))
    assert [p.done for p in seen] == list(range(1, 13))
    assert {p.total for p in seen} == {12}
    assert [p.name for p in summary.output.parent.iterdir() if p.name.startswith(".")] == []


def test_three_threads_make_the_same_bits_as_one_frame_of_room(
    settings, decoded, monkeypatch, tmp_path
):
    """However the threads are scheduled, the pictures are the same."""
    import time

    from vidtrans.pipeline.stream import Painter

    first = decoded(convert(settings()).output)
    paint = Painter.paint
    pauses = iter([0.02, 0, 0.01, 0, 0, 0.03, 0, 0, 0, 0.02, 0, 0])

    def dawdling(self, state, read):
        time.sleep(next(pauses))
        return paint(self, state, read)

    monkeypatch.setattr(Painter, "paint", dawdling)
    assert np.array_equal(
        decoded(convert(settings(output=str(tmp_path / "slow.mkv"))).output), first
    )


def test_every_frame_keeps_its_time(settings, label_film):
    from vidtrans.media.reader import open_reader

    output = convert(settings()).output
    with open_reader(label_film) as before, open_reader(output) as after:
        times = [[(f.time.pts * f.time.time_base) for f in reader] for reader in (before, after)]
    assert times[0] == times[1]


def test_a_folder_of_pngs(settings, decoded, tmp_path):
    film = decoded(convert(settings()).output)
    summary = convert(
        settings(output=f"{tmp_path}/pngs/", codec=None, encoder_options={}, pixel_format=None)
    )
    assert sorted(p.name for p in (tmp_path / "pngs").iterdir()) == [
        f"{n:06d}.png" for n in range(12)
    ]
    assert summary.output == tmp_path / "pngs"
    assert np.array_equal(decoded(tmp_path / "pngs"), film)
    assert not (tmp_path / ".pngs.parts").exists()


def test_compare_is_the_labels_beside_the_picture(settings, decoded):
    plain = decoded(convert(settings()).output)
    beside = decoded(convert(settings(layer="compare", overwrite=True)).output)
    assert beside.shape == (12, 32, 128, 3)
    assert np.array_equal(beside[:, :, 64:], plain)
    assert tuple(beside[0, 0, 0]) == (70, 130, 180)  # Cityscapes' sky


def test_size_and_fit(settings, decoded):
    assert decoded(convert(settings(size_hw="48x48", fit="resize")).output).shape == (12, 48, 48, 3)
    assert decoded(convert(settings(size_hw="48x48", fit="pad", overwrite=True)).output).shape == (
        12,
        24,
        48,
        3,
    )


@pytest.mark.parametrize("size", ["512x512", "768x256", "528x256"])
def test_the_street_looks_the_same_with_padding_around_it(
    settings, grey_film, tmp_path, decoded, size
):
    """The embedded model measures the street in the film's picture, not in the padded one."""
    with open_reader(demo_labels()) as reader:
        film = grey_film(tmp_path / "demo.mkv", [frame.pixels for frame in islice(reader, 3)])
    pictures = [
        decoded(convert(settings(input=str(film), model="street", overwrite=True, **more)).output)
        for more in ({"size_hw": "512x256"}, {"size_hw": size, "fit": "pad"})
    ]
    wanted, found = pictures
    difference = np.abs(wanted.astype(int) - found).mean(axis=(1, 2, 3))
    assert (difference < 1).all(), difference  # a street of other measures differs by 14 and more


def test_odd_sizes(settings, grey_film, scene, tmp_path, decoded):
    film = grey_film(tmp_path / "odd.mkv", [scene(n, 31, 45) for n in range(3)])
    assert decoded(convert(settings(input=str(film))).output).shape == (3, 31, 45, 3)


def test_odd_sides_are_filled_up_where_asked(settings, grey_film, scene, tmp_path, decoded):
    film = str(grey_film(tmp_path / "odd.mkv", [scene(n, 31, 45) for n in range(3)]))
    plain = decoded(convert(settings(input=film)).output)
    even = decoded(convert(settings(input=film, even_sides=True, overwrite=True)).output)
    assert even.shape == (3, 32, 46, 3)
    assert np.array_equal(even[:, :31, :45], plain)
    assert np.array_equal(even[:, 31, :45], plain[:, 30])
    assert np.array_equal(even[:, :, 45], even[:, :, 44])


def test_instances_are_read_beside_the_labels(settings, grey_film, scene, tmp_path, decoded):
    without = decoded(convert(settings()).output)
    maps = [scene(n).astype(np.uint16) for n in range(12)]
    for ids in maps:
        ids[16:24, :32][ids[16:24, :32] == 26] = 26001
    instances = grey_film(tmp_path / "instances.mkv", maps)
    beside = decoded(convert(settings(instances=str(instances), overwrite=True)).output)
    assert beside.shape == without.shape


def test_given_cuts_start_the_history_anew(settings, scene, plain_loop, decoded):
    summary = convert(settings(scene_cuts="5"))
    expected = np.concatenate(
        [plain_loop([scene(n) for n in range(5)]), plain_loop([scene(n) for n in range(5, 12)])]
    )
    assert summary.cuts == (5,)
    assert np.array_equal(decoded(summary.output), expected)


def test_cuts_are_found_in_the_labels(settings, grey_film, scene, tmp_path):
    frames = [scene(n) for n in range(4)] + [scene(n).T.repeat(2, 1)[:32].copy() for n in range(4)]
    film = grey_film(tmp_path / "cut.mkv", frames)
    assert convert(settings(input=str(film))).cuts == (4,)
    assert convert(settings(input=str(film), scene_cuts="off", overwrite=True)).cuts == ()


def test_a_first_frame_sets_the_look(settings, decoded, tmp_path, square):
    import cv2

    picture = np.full((32, 64, 3), (10, 200, 30), np.uint8)
    cv2.imwrite(str(tmp_path / "first.png"), picture[..., ::-1])
    film = decoded(convert(settings(first_frame=(str(tmp_path / "first.png"),))).output)
    assert np.array_equal(film[0], picture)
    with pytest.raises(
        UsageError, match=r"first\.png: the first frame has the size 64x32, and the film 48x48"
    ):
        convert(
            settings(
                first_frame=(str(tmp_path / "first.png"),),
                input=str(square(tmp_path)),
                output=str(tmp_path / "o.mkv"),
            )
        )


@pytest.fixture
def square(grey_film, scene):
    return lambda folder: grey_film(folder / "square.mkv", [scene(0, 48, 48)] * 2)


@pytest.mark.parametrize("stage", ["decode", "translate", "encode", "progress"])
def test_a_failure_anywhere_is_raised_with_its_frame_and_leaves_nothing(
    settings, tmp_path, monkeypatch, stage
):
    from vidtrans.labels.reader import LabelReader
    from vidtrans.media.segments import PacketSegments
    from vidtrans.pipeline.stream import Painter, PipelineError

    def fails_at_seven(original, number_of):
        def wrapped(self, *args):
            if number_of(*args) == 7:
                raise ZeroDivisionError("no user's fault")
            return original(self, *args)

        return wrapped

    told = None
    if stage == "decode":
        monkeypatch.setattr(
            LabelReader, "read", fails_at_seven(LabelReader.read, lambda frame, _: frame.index)
        )
    elif stage == "translate":
        monkeypatch.setattr(
            Painter, "paint", fails_at_seven(Painter.paint, lambda _, read: read.frame.index)
        )
    elif stage == "encode":
        monkeypatch.setattr(
            PacketSegments,
            "write",
            fails_at_seven(PacketSegments.write, lambda _, time: time.pts // 40),
        )
    else:

        def told(progress):
            if progress.done == 7:
                raise ZeroDivisionError("no user's fault")

    before = sorted(tmp_path.iterdir())
    with pytest.raises((PipelineError, ZeroDivisionError)) as caught:
        convert(settings(), on_progress=told)
    if stage != "progress":
        assert isinstance(caught.value, PipelineError)
        assert caught.value.frame == 7
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert sorted(tmp_path.iterdir()) == before


def test_an_existing_output_is_refused_before_any_work(settings, tmp_path):
    (tmp_path / "film.mkv").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        convert(settings(input="not even looked at"))
    assert (tmp_path / "film.mkv").read_bytes() == b"precious"


def test_overwrite_replaces_only_with_a_whole_film(settings, tmp_path, grey_film, scene):
    (tmp_path / "film.mkv").write_bytes(b"precious")
    frames = [scene(n) for n in range(5)] + [np.full((32, 64), 99, np.uint8)]
    film = grey_film(tmp_path / "bad.mkv", frames)
    with pytest.raises(InputError) as caught:
        convert(settings(input=str(film), overwrite=True))
    assert caught.value.frame == 5
    assert (tmp_path / "film.mkv").read_bytes() == b"precious"
    assert convert(settings(overwrite=True)).frames == 12
    assert (tmp_path / "film.mkv").stat().st_size > 100


def test_the_input_is_not_replaced_by_the_output(settings, label_film):
    with pytest.raises(UsageError, match="replace the input"):
        convert(settings(output=str(label_film), overwrite=True))


@pytest.mark.parametrize("source", ["f_*.png", "f_%d.png", "f_1.png"])
def test_label_pictures_are_not_replaced_by_what_is_painted_of_them(
    settings, scene, tmp_path, source
):
    for n in range(3):
        cv2.imwrite(str(tmp_path / f"f_{n}.png"), scene(n))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.png")}
    with pytest.raises(UsageError, match="replace the input"):
        convert(
            settings(input=str(tmp_path / source), output=f"{tmp_path}/", overwrite=True, **PNGS)
        )
    assert {path: path.read_bytes() for path in tmp_path.glob("*.png")} == before


@pytest.mark.parametrize("output", ["./", ".", "inner/.."])
def test_pngs_into_the_current_folder(settings, tmp_path, monkeypatch, output):
    here = tmp_path / "here"
    (here / "inner").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert convert(settings(output=output, **PNGS)).frames == 12
    assert len(list(here.glob("*.png"))) == 12
    assert not list(tmp_path.glob(".*"))


def test_png_folders_of_failed_runs_are_cleared(settings, tmp_path, grey_film, scene):
    frames = [scene(n) for n in range(5)] + [np.full((32, 64), 99, np.uint8)]
    film = grey_film(tmp_path / "bad.mkv", frames)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError):
        convert(
            settings(
                input=str(film),
                output=f"{tmp_path}/pngs/",
                codec=None,
                encoder_options={},
                pixel_format=None,
            )
        )
    assert sorted(tmp_path.iterdir()) == before


def test_instance_maps_of_another_length_are_told_before_any_work(
    settings, grey_film, scene, tmp_path
):
    short = grey_film(tmp_path / "short.mkv", [scene(n).astype(np.uint16) for n in range(5)])
    with pytest.raises(InputError, match="frame 5 is the first without a partner"):
        convert(settings(instances=str(short)))
    long = grey_film(tmp_path / "long.mkv", [scene(n).astype(np.uint16) for n in range(20)])
    with pytest.raises(InputError, match="frame 12 is the first without a partner"):
        convert(settings(instances=str(long)))
    other = grey_film(
        tmp_path / "other.mkv", [scene(n, 16, 32).astype(np.uint16) for n in range(12)]
    )
    with pytest.raises(InputError, match="size 32x16, and the labels 64x32"):
        convert(settings(instances=str(other)))
    assert not (tmp_path / "film.mkv").exists()


@pytest.mark.linux
def test_a_painted_frame_asks_the_kernel_for_no_memory_anew():
    """Blocks that are freed are there for the next frame: no page is faulted in twice."""
    program = """
import resource, threading
import cv2
import numpy as np
from vidtrans.sequence.allocator import keep_freed_memory
keep_freed_memory()
def work():
    def fill():
        for _ in range(4):
            block = np.ones(8 << 20, np.uint8)
            del block
    fill()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    fill()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    faults = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(faults.stdout) < 500  # 8,192 pages were written


def test_a_film_takes_no_rate(settings, tmp_path):
    with pytest.raises(
        UsageError, match=r"labels.*rate of 30 was given, and a film has its own \(25\)"
    ):
        convert(settings(rate="30"))
    assert not list(tmp_path.glob("*film*"))


def test_originals_behind_links_are_never_replaced(tmp_path):
    originals, links = tmp_path / "originals", tmp_path / "links"
    originals.mkdir()
    links.mkdir()
    for number in range(3):
        (originals / f"{number}.png").write_bytes(b"x")
        (links / f"{number}.png").symlink_to(originals / f"{number}.png")
    for source in (links, links / "*.png", links / "%d.png"):
        with pytest.raises(UsageError, match="would replace the input"):
            check_paths(
                ConvertSettings.read(input=str(source), output=str(originals), overwrite=True)
            )
    picture = tmp_path / "first.png"
    picture.write_bytes(b"x")
    with pytest.raises(UsageError, match="would replace the first frame"):
        check_paths(
            ConvertSettings.read(
                input=str(links), output=str(picture), overwrite=True, first_frame=[str(picture)]
            )
        )


def test_damaged_frames_are_skipped_when_asked_and_told(tmp_path, tiny_model, scene, decoded):
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(6):
        assert cv2.imwrite(str(folder / f"{n:03}.png"), scene(n))
    hurt = folder / "003.png"
    hurt.write_bytes(hurt.read_bytes()[:70])
    values = {"input": str(folder), "model": str(tiny_model), "device": "cpu"}
    with pytest.raises(InputError, match="skip_damaged=True"):
        convert(ConvertSettings.read(**values, output=str(tmp_path / "a")))
    settings = ConvertSettings.read(**values, output=str(tmp_path / "b"), skip_damaged=True)
    summary = convert(settings)
    assert summary.frames == 6
    assert summary.labels.held == (3,)
    assert summary.labels.notes()[-1].startswith("1 frame is damaged (3)")
    assert cv2.imwrite(str(hurt), scene(2))
    convert(ConvertSettings.read(**values, output=str(tmp_path / "c")))
    assert np.array_equal(decoded(tmp_path / "b"), decoded(tmp_path / "c"))
