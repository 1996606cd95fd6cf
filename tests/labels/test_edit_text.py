"""Edits as people write them."""

import json

import pytest

from vidtrans.errors import InputError, UsageError
from vidtrans.labels.edit import (
    DeleteInstance,
    EditList,
    RelabelClass,
    RelabelInstance,
    ResetAt,
    StyleClass,
    StyleInstance,
)
from vidtrans.labels.edit_text import (
    StyleFile,
    gather_edits,
    load_styles,
    parse_drop,
    parse_relabel,
    parse_style,
)


def test_styles_of_classes_and_instances():
    assert parse_style("car=3") == StyleClass("car", 3)
    assert parse_style(" traffic light = 0 ") == StyleClass("traffic light", 0)
    assert parse_style("instance:26001=5") == StyleInstance(26001, 5)
    assert parse_style("car=3@100:250") == StyleClass("car", 3, 100, 250)
    assert parse_style("instance:26001=5@:7") == StyleInstance(26001, 5, 0, 7)


@pytest.mark.parametrize(
    "text", ["car", "car=", "=3", "car=red", "car=-1", "instance:x=3", "car=3@5", "car=3=4"]
)
def test_what_is_no_style(text):
    with pytest.raises(UsageError, match=r"a style is CLASS=NUMBER|an instance is a number"):
        parse_style(text)


def test_what_to_drop():
    assert parse_drop("instance:26001") == parse_drop("26001") == DeleteInstance(26001)
    assert parse_drop("26001@10:") == DeleteInstance(26001, 10)
    for text in ("car", "instance:car", "26001=3", ""):
        with pytest.raises(UsageError, match="what to drop is an instance's id"):
            parse_drop(text)


def test_all_edits_of_a_command_line_in_order():
    given = EditList((ResetAt(3),))
    found = gather_edits(
        given,
        relabel=["vegetation=building"],
        drop=["26001"],
        styles=StyleFile((StyleClass("car", 1),)),
        style=["car=2"],
    )
    assert found.edits == (
        ResetAt(3),
        RelabelClass("vegetation", "building"),
        DeleteInstance(26001),
        StyleClass("car", 1),
        StyleClass("car", 2),
    )
    assert gather_edits() == EditList()


def test_a_styles_file_in_toml_and_json(tmp_path):
    (tmp_path / "s.toml").write_text(
        'seed = 7\n[classes]\ncar = 3\n"traffic light" = 1\n[instances]\n26001 = 5\n'
    )
    content = {"seed": 7, "classes": {"car": 3, "traffic light": 1}, "instances": {"26001": 5}}
    (tmp_path / "s.json").write_text(json.dumps(content))
    expected = StyleFile(
        (StyleClass("car", 3), StyleClass("traffic light", 1), StyleInstance(26001, 5)), 7
    )
    assert load_styles(tmp_path / "s.toml") == load_styles(tmp_path / "s.json") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[classes\n", "not valid TOML"),
        ("[clases]\ncar = 3\n", r"clases: unknown key\. Did you mean classes"),
        ("[classes]\ncar = 'red'\n", r"classes\.car: Input should be a valid integer"),
        ("[classes]\ncar = -1\n", r"classes\.car: .*greater than or equal to 0"),
        ("[instances]\ncar = 3\n", r"instances\.car: "),
        ("seed = 1.5\n", r"seed: Input should be a valid integer"),
    ],
)
def test_a_wrong_styles_file_says_where(tmp_path, text, said):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InputError, match=rf"s\.toml: .*{said}"):
        load_styles(tmp_path / "s.toml")


def test_a_styles_file_that_is_no_table(tmp_path):
    (tmp_path / "s.json").write_text('["car"]')
    with pytest.raises(InputError, match="no table of classes"):
        load_styles(tmp_path / "s.json")


def test_a_missing_styles_file(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_styles(tmp_path / "s.toml")


def test_relabellings_in_words():
    assert parse_relabel("vegetation = building") == RelabelClass("vegetation", "building")
    assert parse_relabel("traffic light=pole@10:20") == RelabelClass(
        "traffic light", "pole", 10, 20
    )
    assert parse_relabel("car=bus@10:") == RelabelClass("car", "bus", 10)
    assert parse_relabel("instance:26001=truck@:9") == RelabelInstance(26001, "truck", 0, 9)
    for wrong in ("instance:car=bus", "car", "car=bus=road", "=bus", "car=bus@x:y"):
        with pytest.raises(UsageError):
            parse_relabel(wrong)
