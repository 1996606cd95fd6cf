"""Edits on label frames of a few pixels, and their way into a file and back."""

from fractions import Fraction

import numpy as np
import pytest

from vidtrans.errors import InputError, UsageError
from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.labels.edit import (
    DeleteInstance,
    EditList,
    FirstFrame,
    RelabelClass,
    RelabelInstance,
    ResetAt,
    StyleClass,
    StyleInstance,
)
from vidtrans.labels.edit_plan import EditPlan
from vidtrans.labels.scheme import load_scheme

CITY = load_scheme("cityscapes")
ROAD, BUILDING, VEGETATION, SKY, PERSON, CAR, TRUCK = 7, 11, 21, 23, 24, 26, 27


def frame(ids, instances=None, index=0):
    ids = np.asarray(ids, np.uint8)
    return LabelFrame(
        index,
        ids,
        FrameTime(index, Fraction(1)),
        None if instances is None else np.asarray(instances, np.int32),
    )


def applied(edit, labels, scheme=CITY):
    return EditPlan.of(EditList((edit,)), scheme, 35).apply(labels)


def test_relabelled_stuff_merges_with_its_new_class():
    labels = frame([[SKY, VEGETATION, BUILDING]], [[SKY, VEGETATION, BUILDING]])
    edited = applied(RelabelClass("vegetation", "building"), labels)
    assert edited.ids.tolist() == [[SKY, BUILDING, BUILDING]]
    assert edited.instances.tolist() == [
        [SKY, BUILDING, BUILDING]
    ]  # no boundary between what was two classes
    assert labels.ids.tolist() == [[SKY, VEGETATION, BUILDING]]  # the frame itself is as it was


def test_cars_turned_into_road_leave_no_outlines():
    edited = applied(RelabelClass("car", "road"), frame([[CAR, CAR, ROAD]], [[26001, 26002, ROAD]]))
    assert edited.instances.tolist() == [[ROAD, ROAD, ROAD]]


def test_a_new_area_takes_a_number_of_its_own():
    # No road in the frame, and its number 7 belongs to something else: merged cars must not merge
    # with that.
    edited = applied(RelabelClass("car", "road"), frame([[CAR, CAR, SKY]], [[40, 41, ROAD]]))
    assert edited.ids.tolist() == [[ROAD, ROAD, SKY]]
    assert edited.instances[0, 0] == edited.instances[0, 1] != edited.instances[0, 2]


def test_cars_turned_into_trucks_stay_apart():
    edited = applied(
        RelabelClass("car", "truck"), frame([[CAR, CAR, ROAD]], [[26001, 26002, ROAD]])
    )
    assert edited.ids.tolist() == [[TRUCK, TRUCK, ROAD]]
    assert edited.instances.tolist() == [[26001, 26002, ROAD]]


def test_one_instance_is_relabelled_and_the_others_stay():
    edited = applied(
        RelabelInstance(26002, "truck"), frame([[CAR, CAR, ROAD]], [[26001, 26002, ROAD]])
    )
    assert edited.ids.tolist() == [[CAR, TRUCK, ROAD]]


def test_a_deleted_instance_is_filled_from_the_areas_around_it():
    ids = np.full((6, 8), ROAD, np.uint8)
    ids[:3] = BUILDING
    instances = ids.astype(np.int32)
    ids[1:5, 2:5], instances[1:5, 2:5] = CAR, 26001
    ids[1:5, 5:7], instances[1:5, 5:7] = CAR, 26002  # a neighbour, which must not grow into the gap
    edited = applied(DeleteInstance(26001), frame(ids, instances))
    expected = np.where(
        instances == 26001, np.where(np.arange(6)[:, None] < 3, BUILDING, ROAD), ids
    )
    # The nearest area, not the nearest thing: above the middle that is building, below it road.
    assert np.array_equal(edited.ids, expected)
    assert not (edited.instances == 26001).any()
    assert np.array_equal(edited.instances == 26002, instances == 26002)


def test_a_deleted_instance_that_fills_the_frame_leaves_unlabeled():
    edited = applied(DeleteInstance(26001), frame([[CAR, CAR]], [[26001, 26001]]))
    assert edited.ids.tolist() == [[0, 0]]


def test_an_instance_edit_without_instances_is_refused():
    with pytest.raises(InputError, match=r"frame 3.*instance 26001.*no instance map"):
        applied(DeleteInstance(26001), frame([[CAR]], index=3))


def test_edits_hold_in_their_range_only_and_apply_in_order():
    plan = EditPlan.of(
        EditList((RelabelClass("car", "truck", 2, 4), RelabelClass("truck", "bus", 3))), CITY, 35
    )
    names = [CITY.name_of(int(plan.apply(frame([[CAR]], index=i)).ids[0, 0])) for i in range(5)]
    assert names == ["car", "car", "truck", "bus", "car"]
    untouched = frame([[CAR]], index=1)
    assert plan.apply(untouched) is untouched


def test_resets_pictures_and_styles_by_frame():
    style = StyleClass("car", 3, 2, 5)
    plan = EditPlan.of(
        EditList((ResetAt(2), FirstFrame("a.png", 4), style, StyleInstance(26001, 1, 4))), CITY, 35
    )
    assert [plan.resets(i) for i in range(6)] == [False, False, True, False, True, False]
    assert str(plan.picture(4)) == "a.png"
    assert plan.picture(2) is None
    assert plan.styles(3) == (style,)
    assert len(plan.styles(4)) == 2


def test_unknown_classes_are_refused_with_the_nearest():
    with pytest.raises(UsageError, match="vegetation"):
        EditPlan.of(EditList((RelabelClass("vegetatoin", "road"),)), CITY, 35)
    with pytest.raises(UsageError, match="planes 0 to 18"):
        EditPlan.of(EditList((RelabelClass("car", "road"),)), CITY, 19)
    with pytest.raises(UsageError, match="by number"):
        EditPlan.of(EditList((RelabelClass("car", "road"),)), None, 19)
    assert EditPlan.of(EditList((RelabelClass("3", "4"),)), None, 19).apply(
        frame([[3]])
    ).ids.tolist() == [[4]]


def test_ranges_that_hold_no_frame_are_refused():
    with pytest.raises(UsageError, match="holds no frame"):
        RelabelClass("car", "truck", 5, 5)
    with pytest.raises(UsageError, match="first frame is 0"):
        ResetAt(-1)


ALL = EditList(
    (
        RelabelClass("car", "truck", 2, 4),
        RelabelInstance(26001, "bus"),
        DeleteInstance(26002, 7),
        StyleClass("car", 3),
        StyleInstance(26001, 5, 0, 9),
        FirstFrame("/elsewhere/look.png", 4),
        ResetAt(12),
    )
)


def test_a_file_gives_back_the_same_edits(tmp_path):
    ALL.save(tmp_path / "edits.json")
    assert EditList.load(tmp_path / "edits.json") == ALL
    text = (tmp_path / "edits.json").read_text()
    assert '"end": null' not in text


def test_pictures_travel_with_the_file(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    edits = EditList((FirstFrame(str(here / "looks" / "a.png")),))
    edits.save(here / "edits.json")
    here.rename(there)
    assert EditList.load(there / "edits.json") == EditList(
        (FirstFrame(str(there / "looks" / "a.png")),)
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[1]", "edit 1"),
        ('[{"kind": "relabel-class", "source": "car"}]', "edit 1, target"),
        ('[{"kind": "relabel-class", "source": "car", "target": "bus", "colour": 1}]', "colour"),
        (
            '[{"kind": "relabel-class", "source": "car", "target": "bus", "start": 9, "end": 3}]',
            "holds no frame",
        ),
        ('[{"kind": "explode"}]', "relabel-class"),
        ("{}", "not a list"),
        ('{"version": 99, "edits": []}', "newer"),
        ("{", "not a file of edits"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, content, says):
    file = tmp_path / "edits.json"
    file.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        EditList.load(file)
    assert "edits.json" in str(caught.value)
