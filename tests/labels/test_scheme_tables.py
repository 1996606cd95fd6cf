"""The tables agree with cityscapesScripts, and classes find their planes by name."""

import itertools
import json

import numpy as np
import pytest
from cityscapesscripts.helpers.labels import labels as oracle

from vidtrans.errors import InputError, UsageError
from vidtrans.labels import builtin_schemes, colourise, load_scheme
from vidtrans.labels.scheme import canonical


def test_cityscapes_is_the_published_table():
    ours = {c.id: (c.name, c.colour, c.has_instances) for c in load_scheme("cityscapes").classes}
    assert ours == {entry.id: (entry.name, entry.color, entry.hasInstances) for entry in oracle}


def test_cityscapes_train_is_the_published_table():
    ours = {
        c.id: (c.name, c.colour) for c in load_scheme("cityscapes-train").classes if c.id != 255
    }
    assert ours == {
        entry.trainId: (entry.name, entry.color) for entry in oracle if 0 <= entry.trainId < 255
    }


def test_all_builtin_schemes_load():
    assert set(builtin_schemes()) == {
        "ade20k", "ade20k-train", "bdd100k", "carla", "carla-0.9.13", "cityscapes",
        "cityscapes-train", "coco-stuff", "gta5", "kitti-360", "kitti-step", "mapillary",
        "mapillary-2", "nuscenes", "synthia", "waymo",
    }  # fmt: skip


def test_ids_are_asked_for_by_name():
    scheme = load_scheme("cityscapes")
    assert scheme.ids("road", "Traffic-Light", "pedestrian") == (7, 19, 24)
    assert scheme.ids() == ()
    with pytest.raises(UsageError, match=r"no class 'rode'\. Did you mean .*road"):
        scheme.ids("car", "rode")


def test_carla_since_0_9_14_counts_as_train_ids_do():
    train = {c.id: c for c in load_scheme("cityscapes-train").classes}
    carla = {c.id: c for c in load_scheme("carla").classes}
    for tag in range(1, 20):
        assert canonical(carla[tag].name) == canonical(train[tag - 1].name)
        assert carla[tag].colour == train[tag - 1].colour


def test_kitti_360_continues_cityscapes():
    city, kitti = (
        {c.id: c for c in load_scheme(name).classes} for name in ("cityscapes", "kitti-360")
    )
    assert all(
        kitti[i].name == city[i].name and kitti[i].colour == city[i].colour for i in range(34)
    )
    assert max(kitti) == 44
    assert kitti[44].name == "unknown object"


@pytest.mark.parametrize("name", ["cityscapes", "gta5", "kitti-360", "bdd100k"])
def test_a_shared_colour_is_read_as_the_commoner_class(name):
    scheme = load_scheme(name)
    read = dict(scheme.colours())
    assert read[(153, 153, 153)] == scheme.find("pole").id
    assert read[(0, 0, 142)] == scheme.find("car").id
    assert read[(0, 0, 0)] == scheme.find("unlabeled").id
    assert read[(220, 20, 60)] == scheme.find("person").id


def test_a_colour_means_the_same_in_the_schemes_of_cityscapes_colours():
    """Detection names the first of the schemes whose colours fit."""
    vehicle_is_car = {canonical("vehicle"): canonical("car")}
    seen = {}
    family = ("bdd100k", "carla", "carla-0.9.13", "cityscapes", "cityscapes-train", "gta5")
    for name in (*family, "kitti-360", "kitti-step"):
        scheme = load_scheme(name)
        for colour, identity in scheme.colours():
            meaning = canonical(scheme.name_of(identity))
            assert seen.setdefault(
                colour, vehicle_is_car.get(meaning, meaning)
            ) == vehicle_is_car.get(meaning, meaning)


def test_same_scheme_keeps_its_numbers_and_the_spare_plane():
    city = load_scheme("cityscapes")
    mapped = city.to_model(city, 35)
    assert mapped.table[:35].tolist() == list(range(35))
    assert mapped.unmatched == ()
    assert mapped.table[255] == mapped.table[65535] == 26  # license plate, -1, is a car's
    assert mapped.table[35] == 255


def test_classes_meet_by_name():
    city = load_scheme("cityscapes")
    carla = load_scheme("carla").to_model(city, 35)
    assert carla.table[:20].tolist() == [
        0,
        7,
        8,
        11,
        12,
        13,
        17,
        19,
        20,
        21,
        22,
        23,
        24,
        25,
        26,
        27,
        28,
        31,
        32,
        33,
    ]
    assert carla.table[24] == 7  # road line
    assert carla.unmatched == ("other", "water", "rock")
    assert {carla.table[22], carla.table[23], carla.table[29]} == {0}
    kitti = load_scheme("kitti-360").to_model(city, 35)
    assert [kitti.table[i] for i in (34, 35, 37)] == [11, 13, 17]  # as its own training ids have it
    assert "lamp" in kitti.unmatched
    assert kitti.table[38] == 0


def test_what_a_train_id_model_lacks_goes_to_its_spare_plane_else_to_plane_zero():
    city, train = load_scheme("cityscapes"), load_scheme("cityscapes-train")
    with_spare = city.to_model(train, 20)
    assert with_spare.table[[0, 7, 23, 14]].tolist() == [19, 0, 10, 19]
    assert "guard rail" in with_spare.unmatched
    assert "unlabeled" not in with_spare.unmatched
    without = city.to_model(train, 19)
    assert without.table[0] == 0
    assert "unlabeled" in without.unmatched  # plane 0 is road there, so it must be said


def test_a_model_that_knows_numbers_only_gets_them():
    mapped = load_scheme("cityscapes").to_model(None, 12)
    assert mapped.table[:13].tolist() == [*range(12), 255]


def test_find_says_what_is_near():
    city = load_scheme("cityscapes")
    assert city.find("Traffic_Light").id == city.find("trafficlight").id == 19
    assert city.find("pedestrian").id == 24
    with pytest.raises(UsageError, match=r"no class 'vegetaton'.*vegetation"):
        city.find("vegetaton")


def test_unknown_scheme_names_the_nearest():
    with pytest.raises(UsageError, match=r"no label scheme .cityscape.\..*cityscapes"):
        load_scheme("cityscape")


def test_own_palette_in_toml_and_json(tmp_path):
    toml = tmp_path / "mine.toml"
    toml.write_text(
        'classes = [{ id = 3, name = "Road", colour = "#ff8000" }, { id = 9, name = "Tree", colour'
        " = [0, 9, 0] }]"
    )
    data = tmp_path / "mine.json"
    data.write_text(json.dumps({"classes": [
        {"id": 3, "name": "Road", "colour": [255, 128, 0]}, {"id": 9, "name": "Tree",
        "colour": "#000900"},
    ]}))  # fmt: skip
    assert load_scheme(toml) == load_scheme(data)
    assert load_scheme(toml).colours() == (((255, 128, 0), 3), ((0, 9, 0), 9))
    mapped = load_scheme(toml).to_model(load_scheme("cityscapes"), 35)
    assert mapped.partners == {"Road": "road", "Tree": "vegetation"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("classes = [", "not valid TOML"),
        ("title = 'x'", "classes: Field required"),
        ("classes = []", "classes: "),
        ('classes = [{ id = 1, name = "a", colour = [1, 2] }]', r"classes\[0\]\.colour"),
        ('classes = [{ id = 1, name = "a", colour = [1, 2, 300] }]', r"classes\[0\]\.colour\[2\]"),
        (
            'classes = [{ id = 1, name = "a", colour = "red" }]',
            r"classes\[0\]\.colour: a colour is",
        ),
        ('classes = [{ id = -7, name = "a" }]', r"classes\[0\]\.id"),
        (
            'classes = [{ id = 1, name = "a" }, { id = 1, name = "b" }]',
            r"classes\[1\]\.id: 1 is taken",
        ),
        (
            'classes = [{ id = 1, name = "a" }, { id = 2, name = "A" }]',
            r"classes\[1\]\.name: 'A' is taken",
        ),
        (
            'classes = [{ id = 1, name = "a", colr = [1, 2, 3] }]',
            r"classes\[0\]\.colr: unknown key\. Did you mean colour",
        ),
    ],
)
def test_a_bad_palette_names_the_key(tmp_path, content, complaint):
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=complaint) as caught:
        load_scheme(path)
    assert str(path) in str(caught.value)


def test_a_missing_palette(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_scheme(tmp_path / "none.toml")


def test_colourise_paints_the_table_and_makes_up_the_rest():
    ids = np.array([[7, 26, 33, 200]], np.uint8)
    painted = colourise(ids, load_scheme("cityscapes"))
    assert painted.shape == (1, 4, 3)
    assert painted[0, :3].tolist() == [[128, 64, 128], [0, 0, 142], [119, 11, 32]]
    deep = colourise(np.array([[7, 40000]], np.uint16), load_scheme("cityscapes"))
    assert deep[0, 0].tolist() == [128, 64, 128]
    many = colourise(np.arange(100, 120, dtype=np.uint8)[None], load_scheme("cityscapes"))[0]
    assert all(tuple(a) != tuple(b) for a, b in itertools.combinations(many.tolist(), 2))
