"""The check of a data set, and the contact sheet of what the network will see."""

import numpy as np
import pytest
from vidtrans_training.check import read_everything
from vidtrans_training.contact_sheet import COLUMN_WIDTH, contact_sheet
from vidtrans_training.datasets.geometry import Transform
from vidtrans_training.datasets.layouts import find_layout
from vidtrans_training.datasets.material import open_material
from vidtrans_training.datasets.samples import Samples
from vidtrans_training.teacher import open_teacher

from vidtrans.labels.scheme import load_scheme


def checked(root, label_nc=35, **settings):
    material = open_material(
        find_layout(root), labels="cityscapes:ids", label_nc=label_nc, **settings
    )
    return read_everything(material)


@pytest.mark.parametrize("kind", ["vid2vid", "pix2pixhd", "films", "world", "cityscapes"])
def test_a_sound_data_set_has_no_problems(tiny, kind):
    report = checked(tiny.make(kind))
    assert report.problems == ()
    assert report.sizes == ((tiny.SIZE_HW, report.frames),)
    found = {entry.name for entry in report.labels.classes}
    assert found == {"road", "sidewalk", "building", "sky", "car"}


def test_pictures_have_no_classes(tiny):
    report = checked(tiny.make("pix2pix"), label_nc=0)
    assert report.labels is None
    assert report.frames == 5


def test_damaged_and_mis_sized_files_are_named_and_passed_over(tiny):
    root = tiny.make("pix2pixhd")
    (root / "train_img/0001.png").write_bytes(b"no picture")
    tiny.write(root / "train_label/0002.png", np.full((10, 20), 7, np.uint8))
    report = checked(root)
    named = {(problem.kind, problem.path.name) for problem in report.problems}
    assert named == {("unreadable", "0001.png"), ("size", "0002.png")}
    assert report.fatal == ()
    assert report.sizes == ((tiny.SIZE_HW, 3),)


def test_a_data_set_that_cannot_be_read_at_all_is_fatal(tiny):
    root = tiny.make("pix2pixhd")
    for path in (root / "train_img").iterdir():
        path.write_bytes(b"")
    report = checked(root)
    assert [problem.message for problem in report.fatal] == [
        "no frame of this data set can be read."
    ]


def test_values_without_a_plane_are_fatal_unless_they_become_unlabeled(tiny):
    root = tiny.make("pix2pixhd")
    report = checked(root, label_nc=26)
    (problem,) = report.fatal
    assert "label value 26" in problem.message
    assert "5 label maps" in problem.message
    assert checked(root, label_nc=26, unknown_ids="unlabeled").fatal == ()


def test_the_sheet_shows_what_the_network_sees(tiny):
    layout = find_layout(tiny.make("vid2vid"))
    transform = Transform("vid2vid", "scaleWidth", 128, 128, 8)
    samples = Samples(
        open_material(layout, labels="cityscapes:ids", label_nc=35),
        transform,
        history=2,
        distances=(1,),
        teacher=open_teacher("dis", layout, transform),
    )
    clips = [samples.whole(sequence, [1, 2, 3]) for sequence in layout.sequences]
    sheet = contact_sheet(clips, load_scheme("cityscapes"))
    height = COLUMN_WIDTH // 2
    assert sheet.shape == (20 + 2 * height, 4 * COLUMN_WIDTH, 3)
    labels, edges, real, flow = np.split(sheet[20 : 20 + height], 4, axis=1)
    assert tuple(labels[10, 10]) == (70, 130, 180)  # sky
    assert set(np.unique(edges)) == {0, 255}
    assert np.abs(real[1::3, 1::3].astype(int) - tiny.shot(3).picture).mean() < 1
    # Everything moves to the left: its flow to the frame before points to the right, hue red.
    assert np.median(flow[..., 0]) > np.median(flow[..., 1])


def test_the_sheet_of_translated_pictures(tiny):
    layout = find_layout(tiny.make("pix2pix"))
    transform = Transform("pix2pix", "none", 128, 128, 4)
    samples = Samples(open_material(layout, label_nc=0), transform)
    sheet = contact_sheet([samples.whole(layout.sequences[0], [0])], None)
    assert sheet.shape == (20 + COLUMN_WIDTH // 2, 2 * COLUMN_WIDTH, 3)
