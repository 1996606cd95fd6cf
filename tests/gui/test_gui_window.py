"""The window's commands, on a painter instead of a network: every one of them does what it says."""

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QImage
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QMessageBox

from vidtrans.errors import InputError, Remedy
from vidtrans.labels.edit import (
    DeleteInstance,
    FirstFrame,
    RelabelClass,
    RelabelInstance,
    ResetAt,
    StyleClass,
    StyleInstance,
)
from vidtrans.preview import Failed

CAR = (8, 18)  # a pixel of the car in frame 0 of the scene


def trigger(window, key):
    action = window.actions_[key]
    assert action.isEnabled(), f"{key} is grey"
    action.trigger()


def shown(window, qtbot, frame):
    """Wait for the exact picture of ``frame`` and its labels."""
    qtbot.waitUntil(
        lambda: (
            window.viewer.labels is not None
            and window.editing._shown is not None
            and window.editing._shown.frame == frame
            and not window.viewer.approximate
        )
    )


def edits(window):
    return window.document.project.render.edits.edits


# -- opening and looking ---------------------------------------------------------------------------


def test_a_first_start_shows_the_welcome_page(window):
    assert window.pages.currentWidget() is window.welcome
    assert window.welcome.demo.isVisible()
    assert not any(dock.isVisible() for dock in window.docks.values())
    assert not window.actions_["export"].isEnabled()
    assert not window.actions_["play"].isEnabled()
    assert window.actions_["open"].isEnabled()


def test_the_demo_is_one_click_away(window, qtbot, label_film, tmp_path):
    from vidtrans_gui.files import Demo

    window.files._demo = Demo(label_film, tmp_path / "none.mkv", seed=7)
    qtbot.mouseClick(window.welcome.demo, Qt.MouseButton.LeftButton)
    shown(window, qtbot, 0)
    assert window.pages.currentWidget() is window.editor
    assert window.docks["classes"].isVisible()
    assert window.windowTitle() == "labels[*] – vidtrans"
    assert window.painter.opened[-1].input == str(label_film)
    assert window.painter.opened[-1].render.seed == 7
    assert window.film_panel.seed.text() == "7"


def test_an_open_film_is_described(opened):
    assert opened.viewer.result.pixelColor(0, 0).red() == 0
    assert opened.viewer.compare == "wipe"
    assert "road" in {row.name for row in opened.class_list.classes.rows if row.share > 0}
    assert "100 frames" in opened.film_panel.facts.text()
    assert opened.status.device.text() == "cpu · fp32"
    assert opened.transport.length.text().startswith("00:00:04:00")


def test_stepping_and_jumping(opened, qtbot):
    for key, frame in (
        ("next", 1), ("next-second", 26), ("previous", 25), ("previous-second", 0), ("last", 99),
        ("first", 0),
    ):  # fmt: skip
        trigger(opened, key)
        assert opened.navigation.frame == frame, key
    trigger(opened, "previous")
    assert opened.navigation.frame == 0, "there is nothing before the first frame"
    shown(opened, qtbot, 0)


def test_keys(opened, qtbot):
    opened.viewer.setFocus()
    for key, frame in (
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_End, 99),
        (Qt.Key.Key_Left, 98),
        (Qt.Key.Key_Home, 0),
    ):
        qtbot.keyClick(opened.viewer, key)
        assert opened.navigation.frame == frame
    qtbot.keyClick(opened.viewer, Qt.Key.Key_L)
    assert opened.navigation.player.speed == 1
    qtbot.keyClick(opened.viewer, Qt.Key.Key_K)
    assert opened.navigation.player.speed == 0
    qtbot.keyClick(opened.viewer, Qt.Key.Key_Space)
    assert opened.navigation.player.playing
    qtbot.keyClick(opened.viewer, Qt.Key.Key_Space)
    assert not opened.navigation.player.playing


def focus(window, qtbot, widget):
    window.activateWindow()
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)


def test_keys_go_to_the_field_that_is_used_and_come_back(opened, qtbot):
    field = opened.transport.frame
    focus(opened, qtbot, field)
    field.selectAll()
    qtbot.keyClicks(field, "30")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert opened.navigation.frame == 30
    assert not field.hasFocus(), "J, K and L are commands again"

    opened.viewer.picked.emit(*CAR)
    timecode = opened.transport.timecode
    focus(opened, qtbot, timecode)
    timecode.selectAll()
    qtbot.keyClicks(timecode, "9:99")
    qtbot.keyClick(timecode, Qt.Key.Key_Escape)
    assert timecode.text() == "00:00:01:05"
    assert opened.editing.selection is not None, "the first Escape was for the field"


def test_lists_are_gone_through_by_keys(opened, qtbot):
    classes = opened.class_list
    focus(opened, qtbot, classes)
    classes.setCurrentIndex(classes.classes.index(0))
    qtbot.keyClick(classes, Qt.Key.Key_Down)
    assert classes.currentIndex().row() == 1
    assert opened.navigation.frame == 0, "elsewhere Down jumps to the next cut"


def test_a_command_acts_on_the_class_that_the_keys_marked(opened, qtbot):
    classes = opened.class_list
    opened.editing.pick_class("road")
    focus(opened, qtbot, classes)
    qtbot.keyClick(classes, Qt.Key.Key_Home)
    qtbot.keyClick(classes, Qt.Key.Key_Down)
    marked = classes.currentIndex().data()
    assert marked != "road"
    assert opened.editing.selection.plane == opened.editing.classes.plane(marked)
    qtbot.keyClick(classes, Qt.Key.Key_R)
    dialog = next(widget for widget in opened.findChildren(QDialog) if widget.isVisible())
    dialog.reject()
    opened.editing.relabel_as("wall")
    assert edits(opened) == (RelabelClass(marked, "wall"),)


@pytest.mark.parametrize("window", [{"instances": False}], indirect=True)
def test_the_key_of_a_disabled_command_does_nothing(opened, qtbot):
    """T is for styles, which this model has none of; "terrain" and "truck" begin with it."""
    classes = opened.class_list
    focus(opened, qtbot, classes)
    qtbot.keyClick(classes, Qt.Key.Key_Home)
    before = classes.currentIndex().row()
    assert not opened.actions_["style"].isEnabled()
    qtbot.keyClick(classes, Qt.Key.Key_T)
    assert classes.currentIndex().row() == before
    box = opened.render_bar.device
    focus(opened, qtbot, box)
    qtbot.keyClick(box, Qt.Key.Key_C)
    assert opened.document.project.render.device == "auto"


def test_after_enter_in_a_number_field_keys_are_commands_again(opened, qtbot):
    opened.editing.add(RelabelClass("road", "sidewalk"))
    opened.navigation.go(7)
    for field, text in ((opened.edits_panel.start, "5"), (opened.film_panel.seed, "3")):
        opened.docks["edits" if field is opened.edits_panel.start else "film"].raise_()
        qtbot.waitUntil(field.isVisible)
        focus(opened, qtbot, field)
        field.selectAll()
        qtbot.keyClicks(field, text)
        qtbot.keyClick(field, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda field=field: not field.hasFocus())
    assert edits(opened)[0].start == 5
    assert opened.document.project.render.seed == 3
    qtbot.waitUntil(lambda: opened.actions_["first"].isEnabled())
    qtbot.keyClick(opened, Qt.Key.Key_Home)
    assert opened.navigation.frame == 0


def test_selecting_shows_the_panel_of_edits(opened):
    opened.docks["film"].raise_()
    opened.viewer.picked.emit(*CAR)
    assert opened.edits_panel.isVisible()


def test_what_was_relabelled_has_its_new_name(opened, qtbot):
    opened.viewer.picked.emit(*CAR)
    opened.editing.relabel_as("truck")
    assert opened.edits_panel._name.text() == "truck"
    qtbot.waitUntil(
        lambda: "truck" in {row.name for row in opened.class_list.classes.rows if row.share > 0}
    )
    assert opened.edits_panel._more.text() == "Instance 26001 · 3.1% of this frame"
    trigger(opened, "undo")
    qtbot.waitUntil(lambda: opened.edits_panel._name.text() == "car")


def test_an_edit_that_would_fail_is_not_added(opened):
    opened.painter.refused = InputError("there are no instance maps.")
    assert not opened.editing.add(DeleteInstance(26001))
    problem = next(widget for widget in opened.findChildren(QDialog) if widget.isVisible())
    assert "there are no instance maps" in problem.message
    problem.accept()
    assert edits(opened) == ()
    assert not opened.actions_["undo"].isEnabled()


@pytest.mark.parametrize(("how", "left"), [("Crop", (0, 200, 0)), ("Stretch", (200, 0, 0))])
def test_a_picture_of_another_size_is_fitted_first(opened, qtbot, tmp_path, how, left):
    """96x32: a third red, a third green, a third red; the film is 64x32."""
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, :32, 2] = picture[:, 64:, 2] = picture[:, 32:64, 1] = 200
    cv2.imwrite(str(tmp_path / "wide.png"), picture)
    opened.editing.use_picture(str(tmp_path / "wide.png"))
    qtbot.waitUntil(lambda: any(box.isVisible() for box in opened.findChildren(QMessageBox)))
    box = next(box for box in opened.findChildren(QMessageBox) if box.isVisible())
    assert "wide.png is 96 × 32, and the film 64 × 32" in box.text()
    next(button for button in box.buttons() if button.text() == how).click()
    qtbot.waitUntil(lambda: bool(edits(opened)))
    made = tmp_path / f"wide-64x32-{how.lower()}.png"
    assert edits(opened) == (FirstFrame(str(made), 0),)
    fitted = cv2.imread(str(made))[..., ::-1]
    assert fitted.shape == (32, 64, 3)
    assert tuple(fitted[16, 18]) == left


def test_a_narrow_window_keeps_what_has_no_other_place(opened, qtbot):
    bar = opened.render_bar
    opened.resize(1100, 650)
    qtbot.waitUntil(lambda: opened.width() == 1100 and not bar._spare[0].isVisible())
    for part in (bar.layer, bar.zoom, bar.model, bar.export, bar.more):
        assert part.isVisible()
        assert bar.rect().contains(part.geometry())
    names = [action.text().replace("&", "") for action in bar.more.entries()]
    assert names[0] == "Open…"
    hidden = [button for button, _ in bar.more._spare if not button.isVisible()]
    assert len(hidden) == len(names)
    opened.resize(1800, 900)
    qtbot.waitUntil(lambda: all(button.isVisible() for button in bar._spare))
    assert not bar.more.isVisible()


def test_the_window_fits_a_screen_of_960_pixels(opened, qtbot):
    """1920 pixels at 200 %."""
    assert opened.minimumSizeHint().width() <= 960
    opened.resize(950, 540)
    qtbot.waitUntil(lambda: opened.width() == 950)
    for bar in (opened.render_bar, opened.transport):
        assert bar.more.isVisible()
        for part in bar.findChildren(QAbstractButton):
            if part.isVisible() and part.parentWidget() is bar:
                assert bar.rect().contains(part.geometry()), part.accessibleName()


def test_a_hidden_box_is_a_menu(opened, qtbot):
    bar = opened.render_bar
    qtbot.waitUntil(lambda: bar.device.count() > 1)
    bar.more.fit(400)
    menu = next(a.menu() for a in bar.more.entries() if a.text() == "Device")
    assert menu.actions()[0].isChecked()
    menu.actions()[1].trigger()
    assert opened.document.project.render.device == "cpu"


def test_frame_and_timecode_fields(opened, qtbot):
    opened.transport.frame.setValue(30)
    assert opened.navigation.frame == 30
    assert opened.transport.timecode.text() == "00:00:01:05"
    opened.transport.timecode.setText("2:10")
    opened.transport.timecode.setModified(True)
    qtbot.keyClick(opened.transport.timecode, Qt.Key.Key_Return)
    assert opened.navigation.frame == 60
    opened.transport.timecode.setText("nonsense")
    qtbot.keyClick(opened.transport.timecode, Qt.Key.Key_Return)
    assert opened.navigation.frame == 60
    assert "timecode" in opened.transport.timecode.toolTip()


def test_playing_loops_between_in_and_out(opened, qtbot):
    opened.navigation.set_range(3, 6)
    opened.navigation.go(3)
    trigger(opened, "loop")
    seen = []
    opened.session.shown.connect(lambda one: seen.append(one.frame))
    trigger(opened, "play")
    qtbot.waitUntil(lambda: len(seen) > 8)
    assert opened.navigation.fps > 0
    trigger(opened, "pause")
    assert set(seen) == {3, 4, 5}
    assert opened.document.project.view.loop


def test_in_and_out(opened):
    opened.navigation.go(10)
    trigger(opened, "mark-in")
    opened.navigation.go(20)
    trigger(opened, "mark-out")
    assert opened.timeline.canvas.in_out == (10, 21)
    view = opened.document.project.view
    assert (view.in_point, view.out_point) == (10, 20)
    trigger(opened, "clear-range")
    assert opened.timeline.canvas.in_out == (0, 100)


def test_marks_are_cuts_and_edits(opened, qtbot):
    opened.editing.add(RelabelClass("road", "sidewalk", 10, 30))
    qtbot.waitUntil(lambda: opened.timeline.canvas.cuts == (50,))
    for frame in (10, 30, 50):
        trigger(opened, "next-mark")
        assert opened.navigation.frame == frame
    trigger(opened, "previous-mark")
    assert opened.navigation.frame == 30


def test_what_is_held_reaches_the_timeline(opened, qtbot):
    qtbot.waitUntil(lambda: opened.timeline.canvas.cached == ((0, 1),))
    assert opened.timeline.canvas.snapshots == (0, 24)
    assert "kept" in opened.status.memory.text()


def test_comparing_and_layers(opened, qtbot):
    for compare in ("single", "wipe", "side", "blink"):
        trigger(opened, compare)
        assert opened.viewer.compare == compare
    trigger(opened, "single")
    qtbot.keyClick(opened.viewer, Qt.Key.Key_4, Qt.KeyboardModifier.AltModifier)
    assert opened.session.layer == "flow"
    assert opened.render_bar.layer.currentData() == "flow"
    assert opened.painter.asked[-1].layers == ("flow", "labels")
    opened.render_bar.layer.setCurrentIndex(0)
    opened.render_bar.layer.activated.emit(0)
    assert opened.session.layer == "final"


def test_zoom_commands(opened):
    trigger(opened, "actual")
    assert opened.viewer.zoom == 1
    assert opened.render_bar.zoom.text() == "100%"
    trigger(opened, "zoom-in")
    assert opened.viewer.zoom == 1.25
    trigger(opened, "zoom-out")
    trigger(opened, "fit")
    assert opened.viewer.fitted
    trigger(opened, "timeline-in")
    assert not opened.timeline.canvas.scale.is_whole
    trigger(opened, "timeline-all")
    assert opened.timeline.canvas.scale.is_whole


def test_the_class_under_the_cursor(opened):
    opened.viewer.hovered.emit(*CAR)
    assert opened.status.under.text() == "8, 18   car, instance 26001"
    opened.viewer.hovered.emit(40, 30)
    assert opened.status.under.text().endswith("road")
    opened.viewer.hovered.emit(-1, -1)
    assert opened.status.under.text() == ""


# -- editing ---------------------------------------------------------------------------------------


def test_relabel_a_class_by_its_dialog(opened, qtbot):
    opened.class_list.class_picked.emit("building")
    trigger(opened, "relabel")
    dialog = next(widget for widget in opened.findChildren(QDialog) if widget.isVisible())
    qtbot.keyClicks(dialog.filter, "veget")
    dialog.accept()
    assert edits(opened) == (RelabelClass("building", "vegetation"),)
    assert opened.painter.edited[-1].edits == edits(opened)
    qtbot.waitUntil(
        lambda: (
            "vegetation" in {row.name for row in opened.class_list.classes.rows if row.share > 0}
        )
    )
    trigger(opened, "undo")
    assert edits(opened) == ()
    qtbot.waitUntil(
        lambda: "building" in {row.name for row in opened.class_list.classes.rows if row.share > 0}
    )
    trigger(opened, "redo")
    assert edits(opened) == (RelabelClass("building", "vegetation"),)


def test_relabel_and_delete_the_clicked_instance(opened):
    opened.viewer.picked.emit(*CAR)
    assert opened.editing.selection.instance == 26001
    opened.editing.relabel_as("truck")
    opened.viewer.picked.emit(*CAR)
    trigger(opened, "delete")
    assert edits(opened) == (RelabelInstance(26001, "truck"), DeleteInstance(26001))
    assert opened.editing.selection is None
    assert [span.text for span in opened.timeline.canvas.edits] == [
        "Instance 26001 → truck",
        "Delete instance 26001",
    ]


def test_the_reach_of_new_edits(opened):
    opened.navigation.set_range(10, 20)
    opened.navigation.go(15)
    for reach, expected in (
        ("range", (10, 20)),
        ("onward", (15, None)),
        ("frame", (15, 16)),
        ("film", (0, None)),
    ):
        opened.edits_panel.reach.setCurrentIndex(opened.edits_panel.reach.findData(reach))
        opened.editing.pick_class("road")
        opened.editing.relabel_as("sidewalk")
        assert (edits(opened)[-1].start, edits(opened)[-1].end) == expected


def test_the_range_of_an_edit_is_changed_in_one_step(opened):
    opened.editing.add(RelabelClass("road", "sidewalk"))
    opened.edits_panel.start.setValue(5)
    opened.edits_panel.to_end.setChecked(False)
    opened.edits_panel.stop.setValue(40)
    assert edits(opened) == (RelabelClass("road", "sidewalk", 5, 41),)
    trigger(opened, "undo")
    assert edits(opened) == (RelabelClass("road", "sidewalk"),)


def test_an_edit_is_picked_and_removed(opened):
    opened.editing.add(RelabelClass("road", "sidewalk"))
    opened.editing.add(RelabelClass("car", "bus"))
    opened.timeline.canvas.edit_picked.emit(0)
    assert opened.edits_panel.selected_index == 0
    trigger(opened, "remove-edit")
    assert edits(opened) == (RelabelClass("car", "bus"),)


def test_a_reset_is_forced_and_taken_back(opened, qtbot):
    opened.navigation.go(30)
    trigger(opened, "reset")
    assert edits(opened) == (ResetAt(30),)
    trigger(opened, "reset")
    assert edits(opened) == ()


def test_a_first_frame_picture_and_its_replacement(opened, qtbot, tmp_path):
    opened.navigation.go(12)
    for name in ("a.png", "b.png"):
        QImage(64, 32, QImage.Format.Format_RGB32).save(str(tmp_path / name))
        opened.editing.use_picture(str(tmp_path / name))
        qtbot.waitUntil(
            lambda name=name: (
                bool(edits(opened)) and edits(opened)[0].picture == str(tmp_path / name)
            )
        )
    assert edits(opened) == (FirstFrame(str(tmp_path / "b.png"), 12),)


@pytest.mark.parametrize("window", [{"styles": {"26": [[0.0], [1.0], [2.0]]}}], indirect=True)
def test_styles_of_a_class_and_an_instance(opened):
    opened.editing.pick_class("road")
    assert not opened.actions_["style"].isEnabled(), "the model has no styles for roads"
    opened.editing.pick_class("car")
    assert opened.actions_["style"].isEnabled()
    opened.editing.style_as(2)
    opened.viewer.picked.emit(*CAR)
    opened.editing.style_as(1)
    assert edits(opened) == (StyleClass("car", 2), StyleInstance(26001, 1))


@pytest.mark.parametrize("window", [{"instances": False}], indirect=True)
def test_without_instance_maps_there_is_no_instance_to_delete(opened):
    opened.viewer.picked.emit(*CAR)
    assert opened.editing.selection.instance is None
    assert not opened.actions_["delete"].isEnabled()
    assert "instance maps" in opened.actions_["delete"].toolTip()


def test_the_selection_is_marked_in_the_picture(opened):
    opened.viewer.picked.emit(*CAR)
    assert opened.viewer._mask.size() == opened.viewer.labels.size()
    assert opened.viewer._mask.pixelColor(*CAR).alpha() > 0
    assert opened.viewer._mask.pixelColor(60, 0).alpha() == 0
    trigger(opened, "deselect")
    assert opened.viewer._mask == QImage()


def test_the_context_menu(opened):
    opened.viewer.menu_wanted.emit(*CAR, QPoint(100, 100))
    menu = QApplication.activePopupWidget()
    texts = {action.text().replace("&", "") for action in menu.actions()}
    assert {"Relabel…", "Delete instance", "Style…", "Reset history here"} <= texts
    menu.close()


# -- settings of the film --------------------------------------------------------------------------


def test_changes_of_the_film_open_it_anew_where_it_was(opened, qtbot):
    opened.navigation.go(40)
    shown(opened, qtbot, 40)
    opened.film_panel.labels.setCurrentIndex(opened.film_panel.labels.findData("cityscapes"))
    opened.film_panel.labels.activated.emit(0)
    shown(opened, qtbot, 40)
    assert opened.painter.opened[-1].render.labels == "cityscapes"
    assert opened.navigation.frame == 40
    opened.film_panel.size_field.setText("128x64")
    opened.film_panel.size_field.editingFinished.emit()
    assert opened.document.project.render.size_hw == (64, 128)
    opened.film_panel.cuts.setText("20, 60")
    opened.film_panel.cuts.editingFinished.emit()
    assert opened.document.project.render.scene_cuts == (20, 60)
    for _ in range(3):
        trigger(opened, "undo")
    assert opened.painter.opened[-1].render.labels == "auto"


def test_a_folder_of_pictures_takes_a_rate(opened, qtbot, tmp_path, scene):
    assert not opened.film_panel.rate.isEnabled()  # a film has its own
    folder = tmp_path / "labels"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), scene(number))
    opened.files.open(str(folder))
    qtbot.waitUntil(lambda: opened.film_panel.rate.isEnabled() and not opened.viewer.approximate)
    opened.film_panel.rate.setText("17")
    opened.film_panel.rate.editingFinished.emit()
    qtbot.waitUntil(lambda: opened.painter.opened[-1].render.rate == 17)
    opened.film_panel.rate.setText("0")
    opened.film_panel.rate.editingFinished.emit()
    problem = next(widget for widget in opened.findChildren(QDialog) if widget.isVisible())
    assert "more than 0" in problem.message
    assert opened.film_panel.rate.text() == "17"
    problem.accept()
    trigger(opened, "undo")
    assert opened.document.project.render.rate is None


def test_a_seed_draws_looks_and_goes_with_the_model(opened, qtbot):
    field = opened.film_panel.seed
    field.setText("7")
    field.editingFinished.emit()
    qtbot.waitUntil(lambda: opened.painter.opened[-1].render.seed == 7)
    field.setText("seven")
    field.editingFinished.emit()
    problem = next(widget for widget in opened.findChildren(QDialog) if widget.isVisible())
    assert "whole number" in problem.message
    assert field.text() == "7"
    problem.accept()
    opened.choices.use_model("another")  # whose styles are others: its first ones
    assert opened.document.project.render.seed is None
    trigger(opened, "undo")
    assert (opened.document.project.render.model, opened.document.project.render.seed) == (
        "street",
        7,
    )


def test_nonsense_in_a_field_is_refused_with_a_sentence(opened):
    opened.film_panel.size_field.setText("huge")
    opened.film_panel.size_field.editingFinished.emit()
    problem = next(widget for widget in opened.findChildren(QDialog) if widget.isVisible())
    assert "WIDTHxHEIGHT" in problem.message
    assert opened.film_panel.size_field.text() == ""
    problem.accept()


def test_precision_is_a_step(opened):
    box = opened.render_bar.precision
    box.setCurrentIndex(box.findData("bf16"))
    box.activated.emit(box.currentIndex())
    assert opened.document.project.render.precision == "bf16"
    assert "precision" in opened.document.undo.undoText()


# -- the rest --------------------------------------------------------------------------------------


def drop(window, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    action, button, keys = (
        Qt.DropAction.CopyAction,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(QDropEvent(QPointF(10, 10), action, data, button, keys))


def test_films_models_and_pictures_can_be_dropped(window, qtbot, label_film, tmp_path):
    drop(window, label_film)
    shown(window, qtbot, 0)
    drop(window, tmp_path / "mine.safetensors")
    assert window.document.project.render.model == str(tmp_path / "mine.safetensors")
    shown(window, qtbot, 0)
    picture = tmp_path / "look.png"
    QImage(64, 32, QImage.Format.Format_RGB32).save(str(picture))
    qtbot.waitUntil(lambda: window.session.film is not None)
    drop(window, picture)
    qtbot.waitUntil(lambda: bool(edits(window)))
    assert edits(window) == (FirstFrame(str(picture), 0),)
    window.document.load(window.document.project, None)  # nothing unsaved
    window.files.new()
    drop(window, picture)
    assert window.document.project.input == str(picture), (
        "on the welcome page a picture is a film of one frame"
    )


def test_a_failure_is_told_and_playing_stops(opened):
    trigger(opened, "play")
    opened.session.failed.emit("labels.mkv, frame 7: is damaged.", "Traceback")
    assert not opened.navigation.player.playing
    problem = next(widget for widget in opened.findChildren(QDialog) if widget.isVisible())
    assert problem.message == "labels.mkv, frame 7: is damaged."
    problem.accept()


def test_what_fails_again_and_again_is_told_once_and_without_options(opened):
    for _ in range(3):
        error = InputError(
            "no scheme fits.", where="labels.mkv", remedy=Remedy("Name one with {labels}.")
        )
        opened.session._take(Failed.of(error))
    (problem,) = [widget for widget in opened.findChildren(QDialog) if widget.isVisible()]
    assert problem.message == "labels.mkv: no scheme fits. Name one with Labels (panel Film)."
    problem.accept()


def test_recent_names_are_shown_as_they_are(window, tmp_path):
    path = tmp_path / ("long " * 40) / "R&D.mkv"
    window.menus.show_recent([path])
    assert window.menus.recent.actions()[0].text() == "R&&D.mkv"
    window.welcome.show_recent([path])
    button = window.welcome._recent.itemAt(0).widget()
    assert button.text().startswith("R&&D.mkv")
    assert button.sizeHint().width() < 600


def test_help_and_about(window, qtbot, monkeypatch):
    trigger(window, "shortcuts")
    dialog = next(widget for widget in window.findChildren(QDialog) if widget.isVisible())
    assert dialog.table.topLevelItemCount() >= 5
    dialog.reject()
    told = []
    monkeypatch.setattr(QMessageBox, "about", lambda *words: told.append(words[-1]))
    trigger(window, "about")
    assert "torch" in told[0]


def test_appearance(window):
    window.set_appearance("light")
    assert window.palette().window().color().lightness() > 128
    window.set_appearance("dark")
    assert window.palette().window().color().lightness() < 128
    assert window.preferences.appearance == "dark"


def test_every_control_has_a_name_for_screen_readers(opened):
    from PySide6.QtWidgets import (
        QAbstractButton,
        QAbstractItemView,
        QComboBox,
        QLineEdit,
        QProgressBar,
        QSpinBox,
    )

    nameless = [
        widget
        for kind in (
            QAbstractButton,
            QAbstractItemView,
            QComboBox,
            QLineEdit,
            QProgressBar,
            QSpinBox,
        )
        for widget in opened.findChildren(kind)
        if widget.isVisible() and not widget.objectName().startswith("qt_") and not _named(widget)
    ]
    assert not nameless


def _named(widget):
    text = getattr(widget, "text", lambda: "")()
    parent = widget.parentWidget()
    return bool(widget.accessibleName() or text or (parent is not None and parent.accessibleName()))


def test_the_layout_is_remembered(window, qtbot, preferences):
    window.resize(1111, 777)
    window.shut_down()
    assert preferences.layout() is not None
    assert window.painter.closed


def test_docks_stay_as_they_are_from_film_to_film(opened, qtbot, label_film):
    opened.docks["classes"].hide()
    opened.files.open(str(label_film))
    shown(opened, qtbot, 0)
    assert opened.docks["classes"].isHidden()
    opened.files.new()
    opened.files.open(str(label_film))
    shown(opened, qtbot, 0)
    assert opened.docks["classes"].isHidden()
    assert opened.docks["edits"].isVisible()


def test_a_first_window_fits_its_screen(window, preferences):
    preferences._settings.clear()
    window.resize(4000, 4000)
    window._restore()
    screen = window.screen().availableSize()
    assert window.width() <= screen.width()
    assert window.height() <= screen.height()


def test_the_scene_has_a_car_where_the_tests_click(scene):
    assert scene(0)[CAR[1], CAR[0]] == 26
    assert np.unique(scene(0)).tolist() == [7, 8, 11, 23, 26]
