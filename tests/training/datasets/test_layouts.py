"""Every layout is found, paired and read; what does not fit together is named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from vidtrans_training.datasets.layouts import KINDS, find_layout, rendered_streets
from vidtrans_training.datasets.material import UnknownClasses, open_material

from vidtrans.errors import InputError
from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import load_scheme


def opened(layout, **settings):
    return open_material(layout, **{"labels": "cityscapes:ids", "label_nc": 35} | settings)


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_is_found_and_its_pixels_come_back(tiny, kind):
    root = tiny.make(kind)
    layout = find_layout(root)
    assert layout.kind == kind
    assert layout.problems == ()
    pictures = kind in tiny.PICTURES
    material = opened(layout, **({"label_nc": 0} if pictures else {}))
    sequence = material.sequences[0]
    frame = material.read(sequence, [3])[0]
    wanted = tiny.shot(3)
    assert np.array_equal(frame.picture, wanted.picture)
    if pictures:
        assert np.array_equal(frame.image, 255 - wanted.picture)
        assert frame.labels is None
    else:
        assert np.array_equal(frame.labels, wanted.labels)
        assert np.array_equal(frame.instances, wanted.instances)
    assert (frame.features is not None) == (kind == "pix2pixhd")


@pytest.mark.parametrize(
    ("kind", "sequences", "length"),
    [("vid2vid", 2, 5), ("cityscapes", 2, 5), ("films", 1, 5), ("folders", 1, 5), ("world", 1, 5)],
)
def test_sequences_follow_from_folders_and_names(tiny, kind, sequences, length):
    layout = find_layout(tiny.make(kind))
    assert [len(clip) for clip in layout.sequences] == [length] * sequences


def test_films_are_read_in_any_order(tiny):
    material = opened(find_layout(tiny.make("films")))
    for index in (4, 0, 1, 3):
        frame = material.read(material.sequences[0], [index])[0]
        assert np.array_equal(frame.labels, tiny.shot(index).labels)
        assert np.array_equal(frame.picture, tiny.shot(index).picture)


def test_the_scheme_is_told_from_the_label_maps(tiny):
    material = open_material(find_layout(tiny.make("folders")))
    assert str(material.detection) == "cityscapes:ids"


def test_another_scheme_is_mapped_to_the_planes_of_the_network(tiny):
    root = tiny.make("folders")
    for path in (root / "labels").iterdir():
        tiny.write(path, np.full(tiny.SIZE_HW, 0, np.uint8))  # trainId 0: road
    material = opened(find_layout(root), labels="cityscapes-train:ids", scheme="cityscapes")
    assert set(np.unique(material.read(material.sequences[0], [0])[0].labels)) == {7}


def test_direction_turns_label_and_picture(tiny):
    material = opened(find_layout(tiny.make("pix2pix"), direction="BtoA"), label_nc=0)
    frame = material.read(material.sequences[0], [0])[0]
    assert np.array_equal(frame.picture, 255 - tiny.shot(0).picture)


def test_cityscapes_gives_its_colours_where_pictures_are_translated(tiny):
    layout = find_layout(tiny.make("cityscapes"), condition="pictures")
    assert {f.label.path.name.rsplit("_", 1)[1] for f in layout.sequences[0].frames} == {
        "color.png"
    }


def test_the_street_is_shown_in_colours_where_pictures_are_translated(tiny):
    material = opened(find_layout(tiny.make("world"), condition="pictures"), label_nc=0)
    (frame,) = material.read(material.sequences[0], [1])
    assert frame.labels is None
    assert np.array_equal(frame.image, colourise(tiny.shot(1).labels, load_scheme("cityscapes")))


def test_a_hole_ends_a_sequence_of_a_flat_folder(tiny):
    root = tiny.make("folders", 8)
    for folder in ("labels", "images", "instances"):
        (root / folder / "a_003.png").unlink()
    assert [len(clip) for clip in find_layout(root).sequences] == [3, 4]


def test_unlabelled_pictures_of_cityscapes_are_counted(tiny):
    root = tiny.make("cityscapes")
    for path in (root / "gtFine/train/bonn").glob("*_000004_*"):
        path.unlink()
    layout = find_layout(root)
    assert layout.problems == ()
    assert layout.notes == ("1 of 10 pictures have no label map and are left out.",)


def test_unequal_counts_name_the_file_without_a_partner(tiny):
    root = tiny.make("vid2vid")
    (root / "train_B/drive_1/frame_0002.png").unlink()
    layout = find_layout(root)
    (problem,) = layout.problems
    assert problem.fatal
    assert problem.path.name == "frame_0002.png"
    assert "has no picture" in str(problem)


def test_a_missing_instance_map_is_named(tiny):
    root = tiny.make("pix2pixhd")
    (root / "train_inst/0003.png").unlink()
    (problem,) = find_layout(root).problems
    assert problem.path.name == "0003.png"
    assert "has no instance map" in problem.message


def test_an_instance_map_missing_from_a_cityscapes_tree_is_named(tiny):
    root = tiny.make("cityscapes")
    (root / "gtFine/train/bonn/bonn_000007_000002_gtFine_instanceIds.png").unlink()
    (problem,) = find_layout(root).problems
    assert problem.path.name == "bonn_000007_000002_gtFine_labelIds.png"


def test_a_sequence_without_instance_maps_beside_others_is_named(tiny):
    root = tiny.make("vid2vid")
    shutil.rmtree(root / "train_inst/drive_1")
    problems = find_layout(root).problems
    assert len(problems) == 5
    assert all("drive_1" in str(problem) for problem in problems)


def test_a_sequence_without_pictures_is_named(tiny):
    root = tiny.make("vid2vid")
    shutil.rmtree(root / "train_B/drive_0")
    (problem,) = find_layout(root).problems
    assert "drive_0" in str(problem)


def test_films_of_unequal_length_are_named(tiny):
    root = tiny.make("films")
    (root / "instances.mkv").unlink()
    tiny.write_film(root / "labels.mkv", [tiny.shot(n).labels for n in range(4)], "gray")
    (problem,) = find_layout(root).problems
    assert problem.path.name == "real.mkv"
    assert "has 5 frames" in problem.message


def test_names_that_disagree_are_told_and_no_reason_to_stop(tiny):
    root = tiny.make("pix2pixhd")
    (root / "train_img/0003.png").rename(root / "train_img/0007.png")
    layout = find_layout(root)
    assert {problem.kind for problem in layout.problems} == {"names"}
    assert not any(problem.fatal for problem in layout.problems)
    assert layout.frames == 5


@pytest.mark.parametrize("kind", ["pix2pixhd", "vid2vid", "pix2pix"])
def test_empty_folders_are_refused(tmp_path: Path, kind: str):
    for name in {
        "pix2pixhd": ("train_label", "train_img"),
        "vid2vid": ("train_A", "train_B"),
        "pix2pix": ("train",),
    }[kind]:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="holds no images"):
        find_layout(tmp_path)


def test_an_unknown_folder_says_what_was_expected(tmp_path: Path):
    (tmp_path / "stuff").mkdir()
    with pytest.raises(InputError, match=r"holds no known layout.*it holds stuff.*train_A"):
        find_layout(tmp_path)


def test_labels_of_another_size_are_refused(tiny):
    root = tiny.make("pix2pixhd")
    tiny.write(root / "train_label/0001.png", np.full((10, 20), 7, np.uint8))
    material = opened(find_layout(root))
    with pytest.raises(InputError, match=r"0001\.png: this label map is 20x10, but its picture"):
        material.read(material.sequences[0], [1])


def test_an_instance_map_of_another_size_is_refused(tiny):
    root = tiny.make("pix2pixhd")
    tiny.write(root / "train_inst/0001.png", np.full((10, 20), 7, np.uint16))
    material = opened(find_layout(root))
    with pytest.raises(InputError, match=r"this instance map is 20x10"):
        material.read(material.sequences[0], [1])


def test_classes_beyond_label_nc_are_refused(tiny):
    material = opened(find_layout(tiny.make("pix2pixhd")), label_nc=20)
    with pytest.raises(UnknownClasses, match=r"label values.* 26 .*label_nc is 20"):
        material.read(material.sequences[0], [0])


def test_classes_beyond_label_nc_may_become_unlabeled(tiny):
    material = opened(find_layout(tiny.make("pix2pixhd")), label_nc=20, unknown_ids="unlabeled")
    frame = material.read(material.sequences[0], [0])[0]
    assert frame.labels.max() < 20
    assert set(frame.report.unknown_ids) == {23, 26}


def test_a_picture_of_odd_width_holds_no_halves(tiny):
    root = tiny.make("pix2pix")
    tiny.write(root / "train/1.png", np.zeros((8, 15, 3), np.uint8))
    material = opened(find_layout(root), label_nc=0)
    with pytest.raises(InputError, match="15 pixels wide"):
        material.read(material.sequences[0], [0])


def test_streets_are_rendered_when_they_are_read(tmp_path: Path):
    layout = rendered_streets(tmp_path / "streets", streets=2, frames=2, size_hw=(32, 64))
    assert not (tmp_path / "streets").exists()
    material = opened(layout)
    frames = material.read(material.sequences[1], [0, 1])
    assert frames[1].picture.shape == (32, 64, 3)
    assert sorted(path.name for path in (tmp_path / "streets").iterdir()) == [
        "clip_0",
        "clip_1",
    ]
    assert find_layout(tmp_path / "streets").has_flow
