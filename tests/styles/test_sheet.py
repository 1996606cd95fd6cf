"""Contact sheets of styles."""

from fractions import Fraction

import numpy as np
import pytest

from vidtrans.errors import UsageError
from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.labels.edit import EditList, StyleClass
from vidtrans.model import Card
from vidtrans.sequence.model import Model
from vidtrans.styles.sheet import box_around, style_sheet

ROAD, SKY, CAR = 7, 23, 26
CARD = Card(
    name="hd",
    system="pix2pixhd",
    generator={"channels": 4, "downsamplings": 1, "blocks": 1, "feature_nc": 3},
    styles={
        str(CAR): [[-1.0, 0.0, 1.0], [1.0, 0.5, -1.0], [0.0, 1.0, 0.0]],
        str(ROAD): [[0.3, 0.1, -0.2], [1.0, 1.0, 1.0]],
    },
)


@pytest.fixture(scope="module")
def model(random_networks):
    return Model(random_networks(CARD), device="cpu")


@pytest.fixture
def frame():
    ids = np.full((48, 80), SKY, np.uint8)
    ids[24:] = ROAD
    ids[20:40, 30:60] = CAR
    return LabelFrame(0, ids, FrameTime(0, Fraction(1)), ids.astype(np.int32))


def test_a_row_for_each_class_and_a_column_for_each_style(model, frame):
    seen = []
    sheet = style_sheet(model, frame, cell_hw=(48, 80), on_painted=lambda *done: seen.append(done))
    assert seen == [(n, 5) for n in range(1, 6)]
    assert sheet.dtype == np.uint8
    # The road fills the width, so its cells show the whole frame, as the model paints it in that
    # style.
    left, top = 132 + 80 + 4, 26
    painted = model.translate(
        labels=frame.ids[None],
        instances=frame.instances[None],
        edits=EditList((StyleClass("road", 1),)),
    )
    expected = np.clip(np.rint((painted[0].transpose(1, 2, 0) + 1) * 127.5), 0, 255)
    box = box_around(frame.ids == ROAD, 80 / 48)
    assert box == (slice(0, 48), slice(0, 80))
    np.testing.assert_array_equal(sheet[top : top + 48, left : left + 80], expected)


def test_one_class_alone(model, frame):
    assert style_sheet(model, frame, classes=["car"]).shape[0] < style_sheet(model, frame).shape[0]


def test_what_cannot_be_shown(model, frame, published_model):
    with pytest.raises(UsageError, match="class sky has no styles"):
        style_sheet(model, frame, classes=["sky"])
    with pytest.raises(UsageError, match="no class 'carr'"):
        style_sheet(model, frame, classes=["carr"])
    empty = LabelFrame(0, np.full((48, 80), SKY, np.uint8), frame.time)
    with pytest.raises(UsageError, match="class car is not in the frame"):
        style_sheet(model, empty, classes=["car"])
    with pytest.raises(
        UsageError, match="no class of the frame has styles; those with styles: road, car"
    ):
        style_sheet(model, empty)
    with pytest.raises(UsageError, match="no styles to choose from"):
        style_sheet(published_model(), frame)


def test_boxes_keep_the_aspect_and_stay_inside():
    mask = np.zeros((100, 200), bool)
    mask[90:, :10] = True
    rows, columns = box_around(mask, 2.0)
    assert (columns.stop - columns.start) == pytest.approx(2 * (rows.stop - rows.start), abs=2)
    assert rows.stop == 100
    assert columns.start == 0
    mask[:] = True
    assert box_around(mask, 1.0)[0] == slice(0, 100)
