"""Label files as data sets and tools write them: read, or refused with the reason."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from vidtrans.errors import InputError
from vidtrans.labels import (
    LabelReader,
    builtin_schemes,
    colourise,
    detect,
    load_scheme,
    parse_labels,
    resolve,
)
from vidtrans.labels.scheme import canonical

CITY = load_scheme("cityscapes")


def renumbered(ids, name):
    """Cityscapes labelIds as another scheme would hold them, uint16."""
    scheme = load_scheme(name)
    by_name = {canonical(n): e.id for e in scheme.classes for n in reversed(e.alike)}
    by_name |= {canonical(e.name): e.id for e in scheme.classes}
    void = by_name.get("unlabeled", 0)
    table = np.zeros(256, np.uint16)
    for entry in CITY.classes[:34]:
        moving = by_name.get("vehicle", void) if entry.id > 24 else void
        names = map(canonical, (entry.name, *entry.alike))
        table[entry.id] = next((by_name[n] for n in names if n in by_name), moving) & 0xFFFF
    return table[ids]


def listed(ids, names, first=0, other=0):
    """Cityscapes labelIds numbered by a class list of one's own."""
    table = np.full(256, other, np.uint8)
    for place, name in enumerate(names):
        table[CITY.find(name).id] = place + first
    return table[ids]


@pytest.mark.parametrize("name", ["ade20k", "ade20k-train", "coco-stuff", "mapillary", "waymo"])
def test_ids_of_other_data_sets(frame_of, street, name):
    ids = renumbered(street, name).astype(np.uint8)
    found = detect([frame_of(ids)])
    assert str(found) == f"{name}:ids"
    read = LabelReader(found.scheme, found.encoding, CITY, 35).read(frame_of(ids))[0].ids
    shared = np.isin(street, CITY.ids("road", "building", "sky", "vegetation", "car", "person"))
    np.testing.assert_array_equal(read[shared], street[shared])


@pytest.mark.parametrize("name", ["ade20k", "mapillary", "nuscenes"])
def test_colours_of_other_data_sets(frame_of, street, name):
    scheme = load_scheme(name)
    ids = renumbered(street, name).astype(np.uint8)
    if name == "mapillary":
        ids[100:104] = scheme.find("curb").id  # Cityscapes has all colours but this
    assert str(detect([frame_of(colourise(ids, scheme))])) == f"{name}:colours"


@pytest.mark.parametrize(("name", "divisor"), [("mapillary", 256), ("waymo", 1000)])
def test_classes_and_instances_in_sixteen_bits(frame_of, street, name, divisor):
    found = detect([frame_of(renumbered(street, name) * divisor + 3)])
    assert found.scheme.name == name
    assert found.encoding == ("instances" if divisor == 1000 else "instances-256")
    label = LabelReader(found.scheme, found.encoding, CITY, 35).read(
        frame_of(renumbered(street, name) * divisor + 3)
    )[0]
    np.testing.assert_array_equal(label.ids, street)
    assert label.instances is not None


@pytest.mark.parametrize("name", ["kitti-step", "synthia", "bdd100k"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_classes_in_red_and_instances_beside_them(frame_of, street, name, depth):
    red = renumbered(street, name)
    actors = np.where(street >= 24, 3, 0)
    picture = np.dstack([red, actors, 0 * red]).astype(depth)
    found = detect([frame_of(picture)])
    assert str(found) == f"{name}:carla-red"
    with pytest.raises(InputError, match="red and blue are exchanged"):
        detect([frame_of(picture[..., ::-1])])


def test_carla_before_0_9_10_has_no_sky(frame_of, street):
    names = {"building": 1, "pedestrian": 4, "pole": 5, "road": 7, "sidewalk": 8}
    table = np.zeros(256, np.uint8)
    for name, value in (names | {"vegetation": 9, "car": 10, "traffic sign": 12}).items():
        table[CITY.find(name).id] = value
    found = detect([frame_of(table[street])])
    assert str(found) == "carla-0.9.13:ids"
    assert any("unlabeled=sky" in warning for warning in found.warnings)


def test_greys_of_a_renumbered_palette_are_the_ids(frame_of, street):
    shuffled = np.random.default_rng(0).permutation(256).astype(np.uint8)
    frame = frame_of(np.argsort(shuffled).astype(np.uint8)[street], np.dstack([shuffled] * 3)[0])
    found = detect([frame])
    assert str(found) == "cityscapes:ids"
    assert str(resolve(parse_labels("cityscapes"), [frame])) == "cityscapes:ids"
    read = LabelReader(found.scheme, found.encoding, CITY, 35).read(frame)[0].ids
    np.testing.assert_array_equal(read, street)


OWN = ["out of roi", "road", "sidewalk", "building", "vegetation", "sky", "car", "person", "pole"]


@pytest.mark.parametrize("names", [OWN, OWN[1:], OWN[::-1]])
def test_a_class_list_of_ones_own_is_refused(frame_of, street, names):
    with pytest.raises(InputError, match=r"no known scheme.*palette file"):
        detect([frame_of(listed(street, names))])


def test_an_unusual_street_is_said_to_be_unsure(frame_of, street):
    ids = np.where(np.isin(street, (8, 26)), 22, street)  # a country road
    ids = np.where(np.isin(ids, (11, 24)), 21, ids)
    found = detect([frame_of(ids.astype(np.uint8))])
    assert str(found) == "cityscapes:ids"
    assert found.confidence < 0.75
    assert any("unusual street" in warning for warning in found.warnings)


def test_grey_ids_through_limited_yuv_are_refused(frame_of, street):
    grey = np.dstack([street] * 3)
    for labels in ("auto", "cityscapes", "cityscapes:ids"):
        with pytest.raises(InputError, match=r"YUV of limited range.*-pix_fmt gray"):
            resolve(parse_labels(labels), [frame_of(grey)], limited_range=True)
    assert str(detect([frame_of(colourise(street, CITY))], limited_range=True)) == (
        "cityscapes:colours"
    )


@pytest.mark.parametrize("bits", [10, 12])
def test_ids_stretched_to_more_bits_are_refused(frame_of, street, bits):
    wide = street.astype(np.uint16) << (bits - 8)
    with pytest.raises(InputError, match=f"stretched to {bits} bits"):
        detect([frame_of(wide)])


@pytest.mark.parametrize("size", [(384, 192), (150, 75)])
def test_interpolated_ids_are_refused(frame_of, street, size):
    with pytest.raises(InputError, match="interpolation"):
        detect([frame_of(cv2.resize(street, size, interpolation=cv2.INTER_LINEAR))])
    nearest = cv2.resize(street, size, interpolation=cv2.INTER_NEAREST)
    assert str(detect([frame_of(nearest)])) == "cityscapes:ids"


@pytest.mark.parametrize("labels", ["auto", "cityscapes"])
@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda c: c[..., ::-1], "red and blue"),
        (lambda c: 255 * (c / 255) ** 2.2, "gamma"),
        (lambda c: 255 * (c / 255) ** 0.7, "gamma"),
        (lambda c: 16 + c * (219 / 255), "limited range"),
    ],
    ids=["swapped", "darker", "lighter", "range"],
)
def test_mistakes_in_colours_are_said_and_read(frame_of, street, labels, mistake, said):
    picture = np.rint(mistake(colourise(street, CITY).astype(float))).astype(np.uint8)
    found = resolve(parse_labels(labels), [frame_of(picture)])
    assert any(said in warning for warning in found.warnings)
    read = LabelReader(found.scheme, found.encoding, CITY, 35).read(frame_of(picture))[0].ids
    np.testing.assert_array_equal(read, street)


def test_labels_over_a_photo_are_refused_by_name(frame_of, street):
    rng = np.random.default_rng(0)
    photo = cv2.resize(rng.integers(40, 200, (32, 64), dtype=np.uint8), (256, 128))
    blend = 0.5 * colourise(street, CITY) + 0.5 * photo[..., None]
    noisy = np.clip(blend + rng.normal(0, 4, blend.shape[:2])[..., None], 0, 255)
    with pytest.raises(InputError, match="labels laid over it"):
        detect([frame_of(noisy.astype(np.uint8))])


def test_writing_in_the_pictures_is_said(frame_of, street):
    picture = colourise(cv2.resize(street, (512, 256), interpolation=cv2.INTER_NEAREST), CITY)
    cv2.putText(picture, "road", (20, 220), 0, 1.0, (255, 255, 255), 2)
    found = detect([frame_of(picture)])
    assert str(found) == "cityscapes:colours"
    assert any("(255, 255, 255)" in warning for warning in found.warnings)


def test_blurred_edges_without_a_lossy_codec_are_cleaned(frame_of, street):
    picture = cv2.GaussianBlur(colourise(street, CITY), (3, 3), 0)
    found = detect([frame_of(picture)], lossy=False)
    assert found.fringed
    reader = LabelReader(CITY, "colours", CITY, 35, clean_fringe=found.fringed)
    assert set(np.unique(reader.read(frame_of(picture))[0].ids)) <= set(np.unique(street))
    assert not detect([frame_of(colourise(street, CITY))], lossy=False).fringed


def test_segment_numbers_as_colours_are_named(frame_of, street):
    rng = np.random.default_rng(0)
    frames = [frame_of(rng.integers(0, 256, (256, 3), dtype=np.uint8)[street]) for _ in range(3)]
    with pytest.raises(InputError, match="COCO panoptic"):
        detect(frames)


def test_a_photo_is_refused_although_colours_were_given(frame_of):
    rng = np.random.default_rng(5)
    smooth = cv2.resize(rng.integers(0, 256, (6, 10, 3)).astype(np.float32), (200, 120))
    photo = np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)
    with pytest.raises(InputError, match="not a label map"):
        resolve(parse_labels("cityscapes:colours"), [frame_of(photo)])


def test_a_given_scheme_that_does_not_suit_is_warned_of(frame_of, street):
    carla = renumbered(street, "carla").astype(np.uint8)
    found = resolve(parse_labels("cityscapes:ids"), [frame_of(carla)])
    assert any("hardly make a street" in warning for warning in found.warnings)
    mostly = np.where(street == 7, 7, 0).astype(np.uint8)
    mostly[:5], mostly[5:10] = 11, 23
    found = resolve(parse_labels("cityscapes"), [frame_of(mostly)])
    assert any("unlabeled" in warning for warning in found.warnings)
    colours = colourise(street, CITY)
    colours[street == 26] = (20, 10, 30)  # a dark colour that black is nearest to
    found = resolve(parse_labels("cityscapes:colours"), [frame_of(colours)])
    assert any("(20, 10, 30) is nearest to" in warning for warning in found.warnings)
    assert not resolve(parse_labels("cityscapes"), [frame_of(street)]).warnings


def test_every_scheme_that_is_shipped_has_a_title_and_a_road():
    for name in builtin_schemes():
        scheme = load_scheme(name)
        names = {n for e in scheme.classes for n in (e.name, *e.alike)}
        assert scheme.title != name
        assert {"road", "car"} <= names or name == "carla-0.9.13"


def test_bdd100k_numbers_instances_in_blue_and_alpha(frame_of, street):
    """The panoptic maps: red is the class, green attributes, blue * 256 + alpha the instance."""
    red = renumbered(street, "bdd100k").astype(np.uint8)
    number = np.where(street == 26, 1, 0)
    number[:, street.shape[1] // 2 :] *= 2  # two cars that differ in alpha alone
    picture = np.dstack([red, 0 * red, 0 * red]).astype(np.uint8)
    frame = replace(frame_of(picture), alpha=number.astype(np.uint8))
    found = resolve(parse_labels("bdd100k"), [frame])
    assert str(found) == "bdd100k:carla-red"
    label = LabelReader(found.scheme, found.encoding, CITY, 35).read(frame)[0]
    assert label.instances is not None
    for one in (1, 2):
        assert len(np.unique(label.instances[(street == 26) & (number == one)])) <= 1
    assert not set(np.unique(label.instances[number == 1])) & set(
        np.unique(label.instances[number == 2])
    )
