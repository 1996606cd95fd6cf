"""One way to open: an input that is open already, what it is taken for, and what paints it."""

import io
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest

from vidtrans.errors import InputError, UsageError
from vidtrans.labels.edit import DeleteInstance, EditList
from vidtrans.media.reader import open_reader
from vidtrans.pipeline import setup
from vidtrans.pipeline.settings import ConvertSettings, RenderSettings
from vidtrans.pipeline.setup import open_input, open_render
from vidtrans.pipeline.stream import translate_stream


@pytest.fixture
def asked(tiny_model):
    """``asked(**values)``: settings of the small model's pictures."""

    def make(**values):
        own = {"model": str(tiny_model), "device": "cpu", "labels": "cityscapes"}
        return RenderSettings.read(**own | values)

    return make


@pytest.fixture
def picture_model(tmp_path, random_networks):
    """A random pix2pix, which takes pictures."""
    from vidtrans.model import Card, write_bundle

    card = Card(
        name="photos",
        system="pix2pix",
        generator={"channels": 2, "downsamplings": 5},
        label_scheme=None,
    )
    path = tmp_path / "photos.safetensors"
    write_bundle(path, card, random_networks(card).tensors())
    return path


def pictures_of(render):
    return [
        translation.picture
        for translation in translate_stream(
            render.frames,
            render.label_reader,
            render.painter,
            instances=render.instances,
            state=render.start(),
        )
    ]


class Pipe(io.BytesIO):
    """A pipe: it can be read once, from its first byte to its last."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation("a pipe")


def test_a_file_and_a_pipe_give_the_same_pictures(asked, label_film):
    with open_reader(label_film) as reader, open_render(reader, asked()) as render:
        assert [frame.index for frame in render.frames] == list(range(reader.count()))
    with open_reader(label_film) as reader, open_render(reader, asked()) as render:
        expected = pictures_of(render)
    pipe = open_reader(Pipe(label_film.read_bytes()))
    with pipe as reader, open_render(reader, asked(), look_ahead=1) as render:
        assert np.array_equal(pictures_of(render), expected)


@pytest.mark.parametrize("labels", ["auto", "cityscapes"])
def test_the_input_is_opened_once(asked, label_film, monkeypatch, labels):
    opened = []

    def counted(source, **words):
        opened.append(str(source))
        return open_reader(source, **words)

    monkeypatch.setattr(setup, "open_reader", counted)
    values = asked(labels=labels)
    settings = ConvertSettings(input=str(label_film), output="unused.mkv", render=values)
    with open_input(settings) as render:
        assert len(list(render.frames)) == render.reader.count()
    assert opened == [str(label_film)]


def test_detection_looks_no_further_than_it_may(asked, label_film):
    with open_reader(label_film) as reader:
        taken = []

        class Counted:
            info, stems, sequence_starts = reader.info, None, reader.sequence_starts

            def __iter__(self):
                for frame in reader:
                    taken.append(frame.index)
                    yield frame

        with open_render(Counted(), asked(), look_ahead=1) as render:
            assert taken == [0]
            assert [frame.index for frame in islice(render.frames, 2)] == [0, 1]


def test_a_seek_after_the_look_ahead(asked, label_film):
    with open_reader(label_film) as reader, open_render(reader, asked()) as render:
        everything = [frame.pixels for frame in render.frames]
    with open_reader(label_film) as reader, open_render(reader, asked()) as render:
        for index in (0, 5, 2):
            render.reader.seek(index)
            found = next(iter(render.reader))
            assert found.index == index
            assert np.array_equal(found.pixels, everything[index])


def test_a_model_of_pictures_gets_pictures(picture_model, label_film):
    settings = RenderSettings(model=str(picture_model), device="cpu")
    with open_reader(label_film) as reader, open_render(reader, settings) as render:
        assert render.detection is None
        found = [frame.pixels for frame in render.frames]
    with open_reader(label_film, labels=False) as reader:
        assert np.array_equal(found, [frame.pixels for frame in reader])


def test_what_does_not_suit_the_input_is_refused(asked, label_film, grey_film, scene, tmp_path):
    small = grey_film(tmp_path / "small.mkv", [scene(n)[::2, ::2] for n in range(12)])
    for values, error, sentence in (
        ({"instances": str(small)}, InputError, "the instance map has the size"),
        ({"rate": Fraction(17)}, UsageError, "a rate of 17 was given, and a film has its own"),
        ({"edits": EditList((DeleteInstance(26001),))}, UsageError, "there are no instance maps"),
    ):
        with (
            open_reader(label_film) as reader,
            pytest.raises(error, match=sentence),
            open_render(reader, asked(**values)),
        ):
            pass


def write_folder(folder, numbers, scene, dtype=np.uint8, name="{:04d}.png"):
    folder.mkdir()
    for n in numbers:
        assert cv2.imwrite(str(folder / name.format(n)), scene(n).astype(dtype))
    return folder


def opened(asked, tmp_path, **values):
    with (
        open_reader(tmp_path / "labels", allow_gaps=True) as reader,
        open_render(reader, asked(allow_gaps=True, **values), model=None) as render,
    ):
        maps = [frame.pixels for frame in render.instances]
        return [frame.pixels for frame in render.frames], maps, render.remarks


def test_labels_and_instance_maps_are_paired_by_number(asked, scene, tmp_path):
    write_folder(tmp_path / "labels", [4, 5, 8], scene)
    write_folder(tmp_path / "maps", range(12), scene, np.uint16, "inst_{:03d}.png")
    labels, maps, remarks = opened(asked, tmp_path, instances=str(tmp_path / "maps"))
    assert all(map(np.array_equal, labels, maps))
    assert len(maps) == 3
    assert any("9 of 12 instance maps have no label picture" in remark for remark in remarks)


def test_the_first_label_picture_without_an_instance_map_is_named(asked, scene, tmp_path):
    write_folder(tmp_path / "labels", range(6), scene)
    write_folder(tmp_path / "maps", [0, 1, 2, 4, 5, 6, 7], scene, np.uint16)
    with pytest.raises(InputError, match=r"frame 3: there is no instance map .* for 0003"):
        opened(asked, tmp_path, instances=str(tmp_path / "maps"))


def test_instance_maps_that_count_from_another_number_are_paired_in_order(asked, scene, tmp_path):
    write_folder(tmp_path / "labels", range(3), scene)
    write_folder(tmp_path / "maps", range(10, 13), scene, np.uint16)
    _, maps, remarks = opened(asked, tmp_path, instances=str(tmp_path / "maps"))
    assert np.array_equal(maps[0], scene(10))
    assert any("paired in order" in remark for remark in remarks)


def test_instance_maps_of_a_film_are_counted_before_work(asked, scene, grey_film, tmp_path):
    write_folder(tmp_path / "labels", range(6), scene)
    film = grey_film(tmp_path / "maps.mkv", [scene(n).astype(np.uint16) for n in range(5)])
    with pytest.raises(InputError, match="frame 5 is the first without a partner"):
        opened(asked, tmp_path, instances=str(film))
