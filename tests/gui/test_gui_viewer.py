"""The viewer: what it shows where, zoom, pan, wipe."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from vidtrans_gui.pictures import mask_overlay, to_qimage
from vidtrans_gui.viewer import Viewer

RED, BLUE = (200, 0, 0), (0, 0, 200)


def flat(colour, width=64, height=32):
    return to_qimage(np.full((height, width, 3), colour, np.uint8))


@pytest.fixture
def viewer(qtbot):
    made = Viewer()
    qtbot.addWidget(made)
    made.resize(640, 400)
    made.set_captions("", "")
    made.show_pictures(flat(RED), flat(BLUE))
    made.show()
    return made


def colour_at(viewer, x, y):
    pixel = viewer.grab().toImage().pixelColor(x, y)
    return pixel.red(), pixel.green(), pixel.blue()


def test_pictures_survive_the_way_to_qt_and_back(pixels):
    picture = np.random.default_rng(0).integers(0, 256, (31, 33, 3), np.uint8)
    assert np.array_equal(pixels.from_qimage(to_qimage(picture)), picture)


def test_a_picture_owns_its_pixels():
    picture = np.zeros((8, 8, 3), np.uint8)
    image = to_qimage(picture)
    picture[:] = 255
    assert image.pixelColor(3, 3).red() == 0


def test_mask_overlay_marks_its_rim():
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    image = mask_overlay(mask, "#5b9bd5")
    assert image.pixelColor(0, 0).alpha() == 0
    assert 0 < image.pixelColor(10, 10).alpha() < image.pixelColor(5, 10).alpha()


def test_wipe_shows_labels_left_and_the_picture_right(viewer):
    viewer.set_compare("wipe")
    assert colour_at(viewer, 100, 150) == RED
    assert colour_at(viewer, 540, 150) == BLUE
    viewer.set_wipe(1.0)
    assert colour_at(viewer, 540, 150) == RED
    viewer.set_wipe(-3)
    assert viewer.wipe == 0


def test_dragging_the_wipe(viewer, qtbot):
    viewer.set_compare("wipe")
    qtbot.mousePress(viewer, Qt.MouseButton.LeftButton, pos=QPoint(320, 200))
    qtbot.mouseMove(viewer, QPoint(480, 200))
    qtbot.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=QPoint(480, 200))
    assert viewer.wipe == pytest.approx(0.76, abs=0.03)
    picked = []
    viewer.picked.connect(lambda *point: picked.append(point))
    qtbot.mouseClick(viewer, Qt.MouseButton.LeftButton, pos=QPoint(480, 200))
    assert not picked, "moving the wipe selects nothing"


def test_side_by_side_and_single(viewer):
    viewer.set_compare("side")
    assert colour_at(viewer, 160, 200) == RED
    assert colour_at(viewer, 480, 200) == BLUE
    viewer.set_compare("single")
    assert colour_at(viewer, 160, 200) == BLUE


def test_blink_shows_both_in_turn(viewer, qtbot):
    viewer.set_compare("blink")
    assert colour_at(viewer, 320, 200) == BLUE
    qtbot.waitUntil(lambda: colour_at(viewer, 320, 200) == RED)
    viewer.set_compare("single")


def test_fit_follows_the_window_and_100_percent_does_not(viewer):
    assert viewer.zoom == pytest.approx((640 - 24) / 64)
    viewer.resize(320, 400)
    assert viewer.zoom == pytest.approx((320 - 24) / 64)
    viewer.set_zoom(1.0)
    viewer.resize(640, 400)
    assert viewer.zoom == 1.0
    assert not viewer.fitted
    viewer.fit()
    assert viewer.fitted


def test_zoom_keeps_the_point_under_the_pointer(viewer, pixels):
    place = pixels.widget_point(viewer, 10, 20)
    before = viewer.picture_point(place)
    viewer.set_zoom(30, place)
    assert viewer.picture_point(place) == before == (10, 20)


def test_the_wheel_zooms(viewer):
    before = viewer.zoom
    place = QPointF(320, 200)
    event = QWheelEvent(
        place, viewer.mapToGlobal(place), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(viewer, event)
    assert viewer.zoom == pytest.approx(before * 1.2)


def test_pan_by_dragging(viewer, qtbot):
    viewer.set_compare("single")
    viewer.set_zoom(30)
    before = viewer.picture_point(QPointF(320, 200))
    qtbot.mousePress(viewer, Qt.MouseButton.LeftButton, pos=QPoint(300, 200))
    qtbot.mouseMove(viewer, QPoint(390, 200))
    qtbot.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=QPoint(390, 200))
    after = viewer.picture_point(QPointF(320, 200))
    assert after[0] == before[0] - 3


def test_clicks_and_hovering_tell_picture_pixels(viewer, qtbot, pixels):
    viewer.set_compare("single")
    picked, hovered = [], []
    viewer.picked.connect(lambda *point: picked.append(point))
    viewer.hovered.connect(lambda *point: hovered.append(point))
    place = pixels.widget_point(viewer, 63, 0).toPoint()
    qtbot.mouseMove(viewer, place)
    qtbot.mouseClick(viewer, Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseMove(viewer, QPoint(2, 2))
    assert picked == [(63, 0)]
    assert (63, 0) in hovered
    assert hovered[-1] == (-1, -1)


def test_an_approximate_picture_is_marked(viewer):
    plain = viewer.grab().toImage()
    viewer.show_pictures(flat(RED), flat(BLUE), mark="Painting…")
    assert viewer.approximate
    assert viewer.grab().toImage() != plain


def test_nothing_open(viewer):
    viewer.clear()
    assert viewer.picture_point(QPointF(320, 200)) is None
    viewer.show_message("There is no film.")
    assert viewer.message == "There is no film."
    assert not viewer.grab().isNull()
    assert viewer.result == QImage()
