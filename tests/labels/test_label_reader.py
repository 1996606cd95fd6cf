"""Every encoding gives the same planes, and what cannot be read is said with file and frame."""

import cv2
import numpy as np
import pytest

from vidtrans.errors import InputError, UsageError
from vidtrans.frame import Frame
from vidtrans.labels import LabelReader, ReportBuilder, colourise, load_scheme
from vidtrans.labels.palette import palette_of
from vidtrans.labels.reader import instance_ids

CITY = load_scheme("cityscapes")


def reader(encoding, scheme=CITY, **settings):
    return LabelReader(scheme, encoding, CITY, 35, **settings)


def test_grey_ids_of_8_and_16_bits(frame_of, street):
    for pixels in (street, street.astype(np.uint16), np.dstack([street] * 3)):
        label, report = reader("ids").read(frame_of(pixels, index=5))
        assert np.array_equal(label.ids, street)
        assert label.ids.dtype == np.uint8
        assert label.index == report.index == 5
        assert label.instances is None
        assert report.counts == {int(v): int((street == v).sum()) for v in np.unique(street)}


def test_colours(frame_of, street):
    label, report = reader("colours").read(frame_of(colourise(street, CITY)))
    assert np.array_equal(label.ids, street)
    assert report.unreadable == report.cleaned == 0
    assert sum(report.counts.values()) == street.size


def test_colours_of_a_palette_picture(frame_of, street):
    """Read by index where index and colour agree: black then still tells ids 0 to 4 apart."""
    ids = street.copy()
    ids[0, :5] = range(5)
    label, _ = reader("palette").read(frame_of(ids, palette_of(CITY)))
    assert np.array_equal(label.ids, ids)


def test_a_palette_in_another_order_is_read_by_its_colours(frame_of):
    palette = np.zeros((256, 3), np.uint8)
    palette[:3] = [(70, 130, 180), (128, 64, 128), (0, 0, 142)]
    label, report = reader("palette").read(frame_of(np.array([[0, 0, 1, 2]], np.uint8), palette))
    assert label.ids.tolist() == [[23, 23, 7, 26]]
    assert report.counts == {7: 1, 23: 2, 26: 1}


def test_a_palette_of_strange_colours_is_read_by_its_indices(frame_of, street):
    strange = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    label, _ = reader("palette").read(frame_of(street, strange))
    assert np.array_equal(label.ids, street)


def test_colours_with_a_palette_frame(frame_of, street):
    label, _ = reader("colours").read(frame_of(street, palette_of(CITY)))
    assert np.array_equal(label.ids, street)


def test_carla_red_channel(frame_of):
    carla = load_scheme("carla")
    raw = np.zeros((2, 3, 3), np.uint8)
    raw[..., 0] = [[1, 14, 24], [11, 14, 22]]
    label, report = reader("carla-red", carla).read(frame_of(raw))
    assert label.ids.tolist() == [[7, 26, 7], [23, 26, 0]]
    assert label.instances is None
    assert report.unmatched == {"other": 1}
    assert (
        LabelReader(load_scheme("carla-0.9.13"), "carla-red", CITY, 35)
        .read(frame_of(raw[:1, :1]))[0]
        .ids[0, 0]
        == 11
    )


def test_carla_actors_in_green_and_blue(frame_of):
    raw = np.zeros((1, 4, 3), np.uint8)
    raw[0] = [(14, 1, 0), (14, 1, 0), (14, 2, 0), (14, 1, 1)]
    label, _ = reader("carla-red", load_scheme("carla")).read(frame_of(raw))
    a, b, c, d = label.instances[0]
    assert a == b
    assert len({a, c, d}) == 3


def test_instance_maps_alone(frame_of):
    raw = np.array([[7, 26000, 26001, 24012, 23, 33002, 65535]], np.uint16)
    label, report = reader("instances").read(frame_of(raw))
    assert label.ids.tolist() == [[7, 26, 26, 24, 23, 33, 26]]
    assert label.instances.dtype == np.int32
    assert label.instances.tolist() == raw.tolist()
    assert report.counts[26] == 2


def test_instance_maps_alone_agree_with_the_real_labels(frame_of, real):
    for path in sorted((real / "pairs" / "instances").glob("*.png"))[:2]:
        raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        labels = cv2.imread(
            str(path).replace("instances", "labels").replace("instanceIds", "labelIds"),
            cv2.IMREAD_UNCHANGED,
        )
        assert np.array_equal(reader("instances").read(frame_of(raw))[0].ids, labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_instances_beside_the_labels(frame_of, street, dtype):
    beside = (street.astype(np.uint16) * 7 % 251).astype(dtype)
    label, _ = reader("ids").read(frame_of(street), frame_of(beside))
    assert np.array_equal(label.instances, beside.astype(np.int32))


def test_each_colour_of_a_coloured_instance_map_is_an_instance(frame_of):
    assert instance_ids(frame_of(np.array([[(1, 2, 3), (0, 0, 9)]], np.uint8))).tolist() == [
        [0x010203, 9]
    ]


def test_instance_map_of_another_size(frame_of, street):
    with pytest.raises(InputError, match=r"inst\.png, frame 4: .*128x256.*clip\.mkv.*256x128"):
        reader("ids").read(frame_of(street), frame_of(street.T, index=4, source="inst.png"))


def test_values_beyond_the_scheme(frame_of, street):
    ids = street.copy()
    ids[3, :7] = 77
    with pytest.raises(
        InputError,
        match=r"clip\.mkv, frame 9: label value 77 \(7 pixels\) is no class of scheme cityscapes",
    ):
        reader("ids").read(frame_of(ids, index=9))
    label, report = reader("ids", unknown_ids="unlabeled").read(frame_of(ids))
    assert report.unknown_ids == {77: 7}
    assert (label.ids[3, :7] == 0).all()
    assert 77 not in report.counts


def test_classes_beyond_the_model(frame_of, street):
    """A model with 20 planes of labelIds cannot take a car, in whatever way it is written."""
    for encoding, pixels in (("ids", street), ("colours", colourise(street, CITY))):
        narrow = LabelReader(CITY, encoding, CITY, 20)
        with pytest.raises(InputError, match=r"label values .*26 \(.* pixels\).*0\.\.19"):
            narrow.read(frame_of(pixels))
        lenient = LabelReader(CITY, encoding, CITY, 20, unknown_ids="unlabeled")
        label, report = lenient.read(frame_of(pixels))
        assert report.unknown_ids[26] == int((street == 26).sum())
        assert label.ids.max() < 20


def test_unmatched_classes_are_reported(frame_of):
    kitti = load_scheme("kitti-360")
    label, report = reader("ids", kitti).read(frame_of(np.array([[7, 38, 38, 34]], np.uint8)))
    assert label.ids.tolist() == [[7, 0, 0, 11]]
    assert report.unmatched == {"lamp": 2}


def test_picture_models_take_the_picture(frame_of, street):
    rgb = colourise(street, CITY)
    label, _ = LabelReader(CITY, "colours", None, 0).read(frame_of(rgb))
    assert np.array_equal(label.image, rgb)
    grey, _ = LabelReader(CITY, "ids", None, 0).read(frame_of(street))
    assert grey.image.shape == (*street.shape, 3)


def test_a_photo_read_as_colours_is_refused(frame_of):
    photo = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="not a label map of this scheme"):
        reader("colours").read(frame_of(photo))


def test_encodings_that_do_not_fit_the_picture(frame_of, street):
    with pytest.raises(InputError, match="in colour, but grey"):
        reader("ids").read(frame_of(colourise(street, CITY)))
    with pytest.raises(InputError, match="is grey, but labels in colours"):
        reader("colours").read(frame_of(street))
    with pytest.raises(InputError, match="needs 16 bits"):
        reader("instances").read(frame_of(street))


def test_settings_that_make_no_sense(tmp_path):
    path = tmp_path / "plain.toml"
    path.write_text('classes = [{ id = 1, name = "road" }]')
    with pytest.raises(UsageError, match="has no colours"):
        LabelReader(load_scheme(path), "colours", CITY, 35)
    with pytest.raises(UsageError, match="tolerance"):
        reader("colours", tolerance=500)
    with pytest.raises(UsageError, match="encoding 'rgb'"):
        reader("rgb")


def test_reports_add_up(frame_of):
    kitti = load_scheme("kitti-360")
    builder = ReportBuilder(kitti, "ids")
    for values in ([7, 7, 7, 38], [7, 26, 26, 77]):
        builder.add(
            reader("ids", kitti, unknown_ids="unlabeled").read(
                frame_of(np.array([values], np.uint8))
            )[1]
        )
    report = builder.report()
    assert (report.frames, report.pixels) == (2, 8)
    assert [(c.name, c.pixels, c.share, c.frames, c.matched) for c in report.classes] == [
        ("road", 4, 0.5, 2, True), ("car", 2, 0.25, 1, True), ("lamp", 1, 0.125, 1, False),
    ]  # fmt: skip
    data = report.to_dict()
    assert data["unmatched"] == {"lamp": 0.125}
    assert data["beyond"] == {"77": 0.125}
    assert len(report.notes()) == 2
    assert any("lamp (12.50%)" in note for note in report.notes())


def test_one_reader_holds_no_state(frame_of, street):
    """Two videos read in turn through one reader are what each is alone."""
    one: Frame = frame_of(street)
    other: Frame = frame_of(np.flipud(street))
    shared = reader("ids")
    first = shared.read(one)[0].ids
    shared.read(other)
    assert np.array_equal(shared.read(one)[0].ids, first)
