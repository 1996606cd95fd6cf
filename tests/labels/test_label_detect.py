"""The first frames tell scheme and encoding, or are refused with the options to pass."""

import re

import cv2
import numpy as np
import pytest

from vidtrans.errors import InputError, UsageError
from vidtrans.labels import (
    LabelChoice,
    builtin_schemes,
    colourise,
    detect,
    load_scheme,
    parse_labels,
    resolve,
)
from vidtrans.labels.palette import palette_of
from vidtrans.labels.scheme import canonical

CITY = load_scheme("cityscapes")
NUMBERED = ["bdd100k", "carla", "carla-0.9.13", "cityscapes", "cityscapes-train"]


def renumbered(ids, name):
    """Cityscapes labelIds as another scheme would hold them."""
    scheme = load_scheme(name)
    by_name = {canonical(entry.name): entry.id for entry in scheme.classes}
    vehicle = by_name.get("vehicle", 0)
    table = np.zeros(256, np.uint8)
    for entry in CITY.classes[:34]:
        moving = vehicle if 24 < entry.id <= 33 else by_name["unlabeled"]
        table[entry.id] = (
            next(
                (by_name[n] for n in map(canonical, (entry.name, *entry.alike)) if n in by_name),
                moving,
            )
            & 0xFF
        )
    return table[ids]


@pytest.mark.parametrize("name", NUMBERED)
def test_ids_of_every_numbering(frame_of, street, name):
    found = detect([frame_of(renumbered(street, name))])
    assert str(found) == f"{name}:ids"
    assert found.confidence > 0.6
    assert any("make a street as" in reason or "only" in reason for reason in found.reasons)


@pytest.mark.parametrize("name", NUMBERED)
def test_real_labels_in_every_numbering(frame_of, real, name):
    paths = sorted((real / "sequence" / "labels").glob("*.png")) + sorted(
        (real / "pairs" / "labels").glob("*.png")
    )
    assert len(paths) == 14
    for path in paths:
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[::4, ::4]
        assert str(detect([frame_of(renumbered(ids, name))])) == f"{name}:ids"


def test_ids_over_33_are_kitti_360(frame_of, street):
    ids = street.copy()
    ids[100:110, :20] = 39
    assert str(detect([frame_of(ids)])) == "kitti-360:ids"


def test_real_instance_maps_alone(frame_of, real):
    path = sorted((real / "pairs" / "instances").glob("*.png"))[0]
    assert (
        str(detect([frame_of(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))]))
        == "cityscapes:instances"
    )


@pytest.mark.parametrize("labels", ["auto", "cityscapes"])
def test_ids_stretched_to_sixteen_bits_are_refused(frame_of, street, labels):
    with pytest.raises(InputError, match=r"multiples of 257.*-pix_fmt gray"):
        resolve(parse_labels(labels), [frame_of(street.astype(np.uint16) * 257)])
    assert str(detect([frame_of(street.astype(np.uint16))])) == "cityscapes:ids"


def test_grey_stored_as_rgb_holds_ids(frame_of, street):
    assert str(detect([frame_of(np.dstack([street] * 3))])) == "cityscapes:ids"


def test_colours(frame_of, street):
    found = detect([frame_of(colourise(street, CITY))])
    assert str(found) == "cityscapes:colours"
    assert "gta5" in " ".join(found.reasons)  # whose colours mean the same
    lines = street.copy()
    lines[100:104] = 24
    carla = load_scheme("carla")
    assert (
        str(
            detect(
                [frame_of(colourise(np.where(lines == 24, 24, renumbered(street, "carla")), carla))]
            )
        )
        == "carla:colours"
    )


def test_colours_after_a_lossy_codec(frame_of, street):
    blurred = cv2.GaussianBlur(
        cv2.resize(colourise(street, CITY), (512, 256), interpolation=cv2.INTER_NEAREST), (5, 5), 0
    )
    noisy = np.clip(
        blurred.astype(int) + np.random.default_rng(0).integers(-3, 4, blurred.shape), 0, 255
    ).astype(np.uint8)
    found = detect([frame_of(noisy)], lossy=True)
    assert str(found) == "cityscapes:colours"
    assert any("lossy" in reason for reason in found.reasons)


@pytest.mark.parametrize("name", ["carla", "carla-0.9.13"])
def test_carla_raw_pictures(frame_of, street, name):
    tags = renumbered(street, name)
    raw = np.dstack([tags, np.zeros_like(tags), np.zeros_like(tags)])
    assert str(detect([frame_of(raw)])) == f"{name}:carla-red"
    raw[..., 1] = tags * 7  # the instance camera
    assert str(detect([frame_of(raw)])) == f"{name}:carla-red"


def test_palette_pictures(frame_of, street):
    assert str(detect([frame_of(street, palette_of(CITY))])) == "cityscapes:palette"
    strange = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    assert (
        str(detect([frame_of(renumbered(street, "cityscapes-train"), strange)]))
        == "cityscapes-train:palette"
    )


def test_ids_through_a_lossy_codec_are_warned_of(frame_of, street):
    found = detect([frame_of(street)], lossy=True)
    assert str(found) == "cityscapes:ids"
    assert any(
        reason.startswith("Warning: ids arrive through a lossy codec") for reason in found.reasons
    )
    assert not any(
        "Warning" in reason for reason in detect([frame_of(street)], lossy=False).reasons
    )


def photo_like(height=120, width=200):
    """Smooth light, texture and noise, as photos have."""
    rng = np.random.default_rng(5)
    smooth = cv2.resize(
        rng.integers(0, 256, (6, 10, 3)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    return np.clip(smooth + rng.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        photo_like(),
        cv2.GaussianBlur(photo_like(), (9, 9), 0),
        photo_like() // 5,
        np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8),
        cv2.cvtColor(photo_like(), cv2.COLOR_RGB2GRAY),
        np.tile(np.arange(256, dtype=np.uint8), (64, 1)),
    ],
    ids=["photo", "blurred", "dark", "noise", "grey", "ramp"],
)
def test_what_is_no_label_map_is_refused(frame_of, picture):
    with pytest.raises(InputError, match=r"clip\.mkv, frame 0: this is not a label map: .*labels="):
        detect([frame_of(picture)])


def test_real_photos_are_refused(frame_of, real):
    paths = (
        sorted((real / "sequence" / "images").glob("*"))[:1]
        + sorted((real / "pairs" / "images").glob("*"))[:2]
    )
    for path in paths:
        photo = cv2.cvtColor(cv2.imread(str(path))[::2, ::2], cv2.COLOR_BGR2RGB)
        for picture in (
            photo,
            cv2.resize(photo, (512, 256), interpolation=cv2.INTER_AREA),
            photo // 4,
            photo[..., 1],
        ):
            with pytest.raises(InputError, match="not a label map"):
                detect([frame_of(picture)])


def test_a_street_of_two_schemes_is_refused_with_the_options(frame_of, street):
    # 7 and 11 mean road and building in Cityscapes, terrain and fence in BDD100K; without more
    # classes both are streets of a kind. Every option that is offered was tried.
    ids = np.select([street == 7, street == 23], [7, 10], 28).astype(np.uint8)
    with pytest.raises(InputError) as refused:
        detect([frame_of(ids)])
    for reading in re.findall(r"\w[\w.-]*:ids", str(refused.value)):
        assert not resolve(parse_labels(reading), [frame_of(ids)]).warnings


@pytest.mark.parametrize("mask", ["two values", "random blocks"])
def test_values_that_make_no_street_are_refused(frame_of, street, mask):
    blocks = np.kron(np.random.default_rng(0).integers(0, 34, (8, 16)), np.ones((8, 8)))
    ids = np.where(street == 7, 255, 0) if mask == "two values" else blocks
    with pytest.raises(InputError, match=r"make a street under no known scheme.*palette file"):
        detect([frame_of(ids.astype(np.uint8))])


def test_the_model_settles_what_the_pictures_leave_open(frame_of):
    blocks = np.kron(np.random.default_rng(0).integers(0, 34, (8, 16)), np.ones((8, 8))).astype(
        np.uint8
    )
    found = detect([frame_of(blocks)], expected=CITY)
    assert str(found) == "cityscapes:ids"
    assert any("the model was trained on cityscapes" in reason for reason in found.reasons)


def test_the_model_does_not_overrule_what_the_pictures_say(frame_of, street):
    assert (
        str(detect([frame_of(renumbered(street, "cityscapes-train"))], expected=CITY))
        == "cityscapes-train:ids"
    )


def test_labels_of_no_known_scheme_are_refused(frame_of, street):
    ids = street.copy()
    ids[:10] = 200
    with pytest.raises(
        InputError,
        match=r"no known scheme has all its label values; .*, lacks 200.*palette file",
    ):
        detect([frame_of(ids)])
    strange = np.random.default_rng(4).integers(0, 256, (256, 3), dtype=np.uint8)
    with pytest.raises(
        InputError, match=r"may be labels, but no known scheme has their colours.*palette file"
    ):
        detect([frame_of(strange[street])])


def test_no_frames():
    with pytest.raises(InputError, match="no frame"):
        detect([])


def test_a_named_scheme_leaves_only_the_encoding_open(frame_of, street):
    choice = parse_labels("bdd100k")
    assert str(resolve(choice, [frame_of(street)])) == "bdd100k:ids"
    assert str(resolve(choice, [frame_of(colourise(street, CITY))])) == "bdd100k:colours"
    assert str(resolve(choice, [frame_of(street.astype(np.uint16) * 1000)])) == "bdd100k:instances"
    assert str(resolve(choice, [frame_of(street, palette_of(CITY))])) == "bdd100k:palette"
    assert str(resolve(parse_labels("auto:ids"), [frame_of(street)])) == "cityscapes:ids"
    assert (
        str(resolve(parse_labels("carla:ids"), [frame_of(colourise(street, CITY))])) == "carla:ids"
    )  # as was said


def test_parsing(tmp_path):
    assert parse_labels("auto") == LabelChoice()
    assert parse_labels("cityscapes:colours") == LabelChoice(CITY, "colours")
    assert parse_labels("cityscapes:colors") == LabelChoice(CITY, "colours")
    assert {parse_labels(name).scheme.name for name in builtin_schemes()} == set(builtin_schemes())
    path = tmp_path / "mine.toml"
    path.write_text('classes = [{ id = 1, name = "road" }]')
    assert parse_labels(str(path)).scheme.name == "mine"
    assert parse_labels(f"{path}:ids").encoding == "ids"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cityscape", r"no label scheme 'cityscape'\. Did you mean .*cityscapes"),
        ("cityscapes:colour-map", r"no label encoding 'colour-map'\. Did you mean colours"),
        ("", "needs a scheme"),
        (":ids", "needs a scheme"),
    ],
)
def test_parsing_says_what_is_near(text, complaint):
    with pytest.raises(UsageError, match=complaint):
        parse_labels(text)
