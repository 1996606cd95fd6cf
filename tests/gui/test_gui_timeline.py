"""The timeline and the class list."""

from fractions import Fraction

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from vidtrans_gui.classlist import ClassList, ClassRow, UnderCursorRole
from vidtrans_gui.timeline import RULER, TRACK, EditRange, Timeline

from vidtrans.media.times import FilmTimes


@pytest.fixture
def timeline(qtbot):
    made = Timeline()
    qtbot.addWidget(made)
    made.resize(800, 120)
    made.show()
    made.canvas.set_film(FilmTimes.at_rate(200, Fraction(25)))
    return made


def press(qtbot, canvas, x, y, *path):
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    for point in path:
        qtbot.mouseMove(canvas, QPoint(*point))
    end = path[-1] if path else (x, y)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(*end))


def test_scrubbing_tells_frames(timeline, qtbot):
    seen = []
    timeline.canvas.scrubbed.connect(seen.append)
    press(qtbot, timeline.canvas, 400, 8, (500, 8), (5000, 8))
    assert seen == [100, 125, 199]


def test_in_and_out_are_dragged_and_never_cross(timeline, qtbot):
    canvas = timeline.canvas
    canvas.set_in_out(50, 150)
    moved = []
    canvas.in_moved.connect(lambda frame: moved.append(("in", frame)))
    canvas.out_moved.connect(lambda frame: moved.append(("out", frame)))
    middle = RULER + TRACK // 2
    press(qtbot, canvas, 200, middle, (240, middle))
    press(qtbot, canvas, 600, middle, (100, middle))
    assert ("in", 60) in moved
    assert moved[-1] == ("out", 51)


def test_edits_lie_in_lanes_and_can_be_picked(timeline, qtbot):
    canvas = timeline.canvas
    flat = canvas.sizeHint().height()
    spans = [
        EditRange(7, 0, 100, "car → bus", "#6f9fd8"),
        EditRange(8, 50, 150, "Delete", "#cf7f86"),
        EditRange(9, 160, 200, "x", "#fff"),
    ]
    canvas.set_edits(spans)
    assert canvas.sizeHint().height() > flat
    picked = []
    canvas.edit_picked.connect(picked.append)
    y = RULER + TRACK + 8
    press(qtbot, canvas, 40, y)
    press(qtbot, canvas, 500, y + 16)
    press(qtbot, canvas, 700, y)
    assert picked == [7, 8, 9]


def test_what_the_cache_holds_is_drawn(timeline):
    canvas = timeline.canvas
    empty = canvas.grab().toImage()
    canvas.set_cached([(0, 50)], [0, 24])
    held = canvas.grab().toImage()
    y = held.height() - 4
    assert held.pixelColor(100, y) != empty.pixelColor(100, y)
    assert held.pixelColor(300, y) == empty.pixelColor(300, y)
    assert held.pixelColor(97, held.height() - 8) != empty.pixelColor(97, held.height() - 8), (
        "the snapshot at frame 24"
    )


def test_cuts_and_the_playhead_are_drawn(timeline):
    canvas = timeline.canvas
    empty = canvas.grab().toImage()
    canvas.set_cuts([100], [150])
    cut = canvas.grab().toImage()
    assert cut.pixelColor(400, RULER + 13) != empty.pixelColor(400, RULER + 13)
    assert cut.pixelColor(600, RULER + 13) != empty.pixelColor(600, RULER + 13)
    canvas.set_frame(20)
    assert canvas.grab().toImage().pixelColor(80, RULER + 5) != cut.pixelColor(80, RULER + 5)


def test_the_wheel_zooms_and_scrolls(timeline):
    canvas = timeline.canvas

    def wheel(modifier, steps):
        place = QPointF(400, 20)
        event = QWheelEvent(
            place, canvas.mapToGlobal(place), QPoint(), QPoint(0, 120 * steps),
            Qt.MouseButton.NoButton, modifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(canvas, event)

    wheel(Qt.KeyboardModifier.ControlModifier, 4)
    assert not canvas.scale.is_whole
    assert canvas.scale.frame(400) == 100
    first = canvas.scale.first
    wheel(Qt.KeyboardModifier.NoModifier, -1)
    assert canvas.scale.first > first
    canvas.zoom_whole()
    assert canvas.scale.is_whole


def test_classes_are_sorted_by_share_and_keep_their_selection(qtbot):
    made = ClassList()
    qtbot.addWidget(made)
    rows = [
        ClassRow("sky", (70, 130, 180), 0.1),
        ClassRow("road", (128, 64, 128), 0.6),
        ClassRow("bus", (0, 60, 100), 0.0),
    ]
    made.classes.show_rows(rows)
    made.resize(260, 200)
    made.show()
    assert [row.name for row in made.classes.rows] == ["road", "sky", "bus"]
    made.choose("sky")
    made.classes.show_rows(
        [ClassRow("sky", (70, 130, 180), 0.9), ClassRow("road", (128, 64, 128), 0.1)]
    )
    assert made.currentIndex().data() == "sky"
    assert made.currentIndex().row() == 0
    made.classes.mark("road")
    assert made.classes.index(1).data(UnderCursorRole)
    assert "90" in made.classes.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert not made.grab().isNull()


def test_a_click_picks_a_class(qtbot):
    made = ClassList()
    qtbot.addWidget(made)
    made.classes.show_rows(
        [ClassRow("road", (128, 64, 128), 0.6), ClassRow("sky", (70, 130, 180), 0.1)]
    )
    made.show()
    picked = []
    made.class_picked.connect(picked.append)
    place = made.visualRect(made.classes.index(1)).center()
    qtbot.mouseClick(made.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert picked == ["sky"]
