"""Projects in the window: saved, opened, recovered, relinked; nothing is lost without a
question."""

import json

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox
from vidtrans_gui.project import Project, load_project, save_project
from vidtrans_gui.recovery import ProjectLock, Recovery

from vidtrans.labels.edit import EditList, RelabelClass
from vidtrans.preview import Failed

EDIT = EditList((RelabelClass("car", "bus"),))


def question(window):
    """The question that is open, None where there is none."""
    return next((box for box in window.findChildren(QMessageBox) if box.isVisible()), None)


def answer(window, text):
    box = question(window)
    next(button for button in box.buttons() if button.text().replace("&", "") == text).click()


def shown(window, qtbot):
    qtbot.waitUntil(lambda: window.editing._shown is not None and window.session.film is not None)


def test_save_and_open_give_the_same_project(opened, qtbot, tmp_path):
    opened.editing.add(RelabelClass("road", "sidewalk", 3, 9))
    opened.navigation.go(42)
    opened.navigation.set_range(5, 50)
    opened.set_compare("side")
    opened.viewer.set_wipe(0.25)
    opened.viewer.set_zoom(3.0)
    opened.set_layer("raw")
    assert opened.isWindowModified()
    file = tmp_path / "street.vidtrans"
    opened.files.write(file)
    qtbot.waitUntil(lambda: not opened.document.modified)
    assert opened.windowTitle().startswith("street")
    kept = opened.document.project
    assert json.loads(file.read_text())["input"] == "./labels.mkv"

    opened.files.new()
    assert opened.pages.currentWidget() is opened.welcome
    opened.files.open(str(file))
    shown(opened, qtbot)
    assert opened.document.project == kept
    assert opened.navigation.frame == 42
    assert opened.timeline.canvas.in_out == (5, 50)
    assert opened.viewer.compare == "side"
    assert (opened.viewer.wipe, opened.viewer.zoom, opened.session.layer) == (0.25, 3.0, "raw")
    assert not opened.document.modified
    assert opened.painter.edited[-1].edits == kept.render.edits.edits


@pytest.fixture
def saved(opened, qtbot, tmp_path):
    """The window with a saved project, and its file."""
    file = tmp_path / "p.vidtrans"
    opened.files.write(file)
    qtbot.waitUntil(lambda: not opened.tasks.busy)
    return opened, file


def change_behind_its_back(file):
    """What another window saves: other edits."""
    found = load_project(file).project
    save_project(found.model_copy(update={"edits": EDIT}), file)


@pytest.mark.parametrize("choice", ["Overwrite", "Reload", "Cancel", "Save as…"])
def test_what_another_window_saved_is_not_replaced_unasked(saved, qtbot, tmp_path, choice):
    window, file = saved
    change_behind_its_back(file)
    window.editing.add(RelabelClass("road", "sidewalk"))
    window.files.save()
    qtbot.waitUntil(lambda: question(window) is not None)
    assert "changed by another window" in question(window).text()
    assert "bus" in file.read_text()
    answer(window, choice)
    if choice == "Overwrite":
        qtbot.waitUntil(lambda: not window.document.modified)
        assert "sidewalk" in file.read_text()
        assert "bus" not in file.read_text()
        window.editing.add(RelabelClass("sky", "wall"))
        window.files.save()  # now it holds what this window wrote
        qtbot.waitUntil(lambda: not window.document.modified)
        return
    if choice == "Save as…":
        dialog = next(found for found in window.findChildren(QFileDialog) if found.isVisible())
        dialog.fileSelected.emit(str(tmp_path / "q.vidtrans"))
        dialog.reject()
        qtbot.waitUntil(lambda: not window.document.modified)
        assert "sidewalk" in (tmp_path / "q.vidtrans").read_text()
    if choice == "Reload":
        qtbot.waitUntil(lambda: window.document.project.render.edits == EDIT)
        assert not window.document.modified
    if choice == "Cancel":
        assert window.document.modified
    assert "bus" in file.read_text()


def test_a_project_that_is_open_elsewhere_is_opened_as_a_copy(saved, qtbot, tmp_path):
    window, file = saved
    other = ProjectLock(tmp_path / "state" / "open")
    assert not other.acquire(file), "this window has it"
    window.files.new()
    assert other.acquire(file)
    window.files.open(str(file))
    qtbot.waitUntil(lambda: question(window) is not None)
    assert "open in another window" in question(window).text()
    answer(window, "Open a copy")
    assert window.document.project.input is not None
    assert window.document.path is None
    assert window.document.modified
    other.release()


def test_a_project_is_not_saved_under_the_name_of_another_open_one(opened, qtbot, tmp_path):
    other = ProjectLock(tmp_path / "state" / "open")
    assert other.acquire(tmp_path / "theirs.vidtrans")
    opened.files.write(tmp_path / "theirs.vidtrans")
    qtbot.waitUntil(lambda: bool(problems(opened)))
    assert "is open in another window. Choose another name." in problems(opened)[0].message
    problems(opened)[0].accept()
    assert not (tmp_path / "theirs.vidtrans").exists()
    other.release()


@pytest.mark.parametrize("choice", ["Go on over the gaps", "Keep the open film"])
def test_a_folder_with_gaps_is_opened_over_them_or_not(opened, qtbot, tmp_path, scene, choice):
    folder = tmp_path / "gaps"
    folder.mkdir()
    for number in (0, 1, 2, 5, 6):
        cv2.imwrite(str(folder / f"{number:04d}.png"), scene(number))
    before = opened.document.project.input
    opened.files.open(str(folder))
    qtbot.waitUntil(lambda: question(opened) is not None)
    assert "0003.png is missing" in question(opened).text()
    answer(opened, choice)
    went_on = choice == "Go on over the gaps"
    assert opened.document.project.input == (str(folder) if went_on else before)
    assert opened.document.project.render.allow_gaps == went_on
    qtbot.waitUntil(lambda: opened.session.film is not None)


def test_work_that_was_undone_is_not_offered(opened, qtbot, tmp_path):
    opened.editing.add(RelabelClass("road", "sidewalk"))
    opened.files.autosave()
    qtbot.waitUntil(lambda: bool(list((tmp_path / "state" / "recovery").glob("*.json"))))
    opened.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: not list((tmp_path / "state" / "recovery").glob("*.json")))


def test_a_film_that_cannot_be_opened_leaves_the_open_one(opened, qtbot, tmp_path):
    before = opened.document.project
    (tmp_path / "broken.mkv").write_bytes(b"no film" * 100)
    opened.files.open(str(tmp_path / "broken.mkv"))
    found = []
    qtbot.waitUntil(lambda: bool(found.extend(problems(opened)) or found))
    assert "broken.mkv" in found[0].message
    assert len(problems(opened)) == 1
    assert opened.document.project == before
    assert opened.session.film is not None
    found[0].accept()


def problems(window):
    return [box for box in window.children() if hasattr(box, "message") and box.isVisible()]


@pytest.mark.parametrize("choice", ["Keep the open film", "Open it all the same"])
def test_a_film_that_a_setting_may_help_is_opened_if_one_wants(
    opened, qtbot, grey_film, tmp_path, choice
):
    """Noise is no label film; its scheme could be named."""
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 256, (32, 64), dtype=np.uint8) for _ in range(3)]
    film = grey_film(tmp_path / "noise.mkv", noise)
    before = opened.document.project.input
    opened.files.open(str(film))
    qtbot.waitUntil(lambda: question(opened) is not None)
    answer(opened, choice)
    expected = before if choice.startswith("Keep") else str(film)
    assert opened.document.project.input == expected


def test_save_asks_for_a_name_the_first_time(opened, qtbot, tmp_path):
    opened.editing.add(RelabelClass("road", "sidewalk"))
    opened.actions_["save"].trigger()
    dialog = next(found for found in opened.findChildren(QFileDialog) if found.isVisible())
    dialog.fileSelected.emit(str(tmp_path / "named"))
    dialog.reject()
    qtbot.waitUntil(lambda: not opened.document.modified)
    assert (tmp_path / "named.vidtrans").exists()
    opened.editing.add(RelabelClass("car", "bus"))
    opened.actions_["save"].trigger()
    qtbot.waitUntil(lambda: not opened.document.modified)
    assert "bus" in (tmp_path / "named.vidtrans").read_text()
    assert opened.preferences.folder("project") == str(tmp_path)


def test_unsaved_work_is_asked_about(opened, qtbot, tmp_path):
    opened.document.saved(tmp_path / "p.vidtrans", opened.document.project)
    opened.editing.add(RelabelClass("road", "sidewalk"))
    opened.files.new()
    answer(opened, "Cancel")
    assert opened.document.project.input is not None
    opened.files.new()
    answer(opened, "Save")
    qtbot.waitUntil(lambda: opened.document.project.input is None)
    assert "sidewalk" in (tmp_path / "p.vidtrans").read_text()


def test_closing_with_unsaved_work(opened, qtbot):
    opened.editing.add(RelabelClass("road", "sidewalk"))
    opened.close()
    assert opened.isVisible()
    answer(opened, "Cancel")
    assert opened.isVisible()
    opened.close()
    answer(opened, "Don't save")
    assert not opened.isVisible()
    assert opened.painter.closed


def test_a_save_that_fails_says_so_and_keeps_the_work(opened, qtbot, tmp_path):
    opened.editing.add(RelabelClass("road", "sidewalk"))
    told = []
    opened.files.failed.disconnect(opened.show_problem)
    opened.files.failed.connect(lambda *words: told.append(words))
    opened.files.write(tmp_path / "no" / "such" / "p.vidtrans")
    qtbot.waitUntil(lambda: bool(told))
    assert opened.document.modified


@pytest.mark.parametrize("text", ['{"version": 999}', "no json", '{"a": 1}'])
def test_a_strange_project_is_refused_politely(window, qtbot, tmp_path, text):
    file = tmp_path / "x.vidtrans"
    file.write_text(text)
    window.files.open(str(file))
    qtbot.waitUntil(
        lambda: any(hasattr(box, "message") and box.isVisible() for box in window.children())
    )
    box = next(box for box in window.children() if hasattr(box, "message"))
    assert "x.vidtrans" in box.message
    assert not box.details
    assert window.document.project.input is None
    box.accept()


def test_missing_media_are_found_again(window, qtbot, label_film, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    file = save_project(
        Project(input=str(tmp_path / "gone" / "labels.mkv"), edits=EDIT), tmp_path / "p.vidtrans"
    )
    label_film.rename(moved / "labels.mkv")
    window.files.open(str(file))
    qtbot.waitUntil(lambda: question(window) is not None)
    assert "labels.mkv" in question(window).text()
    answer(window, "Find it…")
    dialog = next(found for found in window.findChildren(QFileDialog) if found.isVisible())
    dialog.fileSelected.emit(str(moved / "labels.mkv"))
    dialog.reject()
    shown(window, qtbot)
    assert window.document.project.input == str(moved / "labels.mkv")
    assert window.document.project.render.edits == EDIT
    assert window.document.modified, "the file on disk still has the old place"


def test_work_of_a_crashed_window_is_offered(window, qtbot, label_film, tmp_path):
    lost = Recovery(tmp_path / "state" / "recovery")
    lost.autosave(Project(input=str(label_film), edits=EDIT), None)
    lost._lock.close()  # the process is gone
    window.start()
    qtbot.waitUntil(lambda: question(window) is not None)
    answer(window, "Recover")
    shown(window, qtbot)
    assert window.document.project.render.edits == EDIT
    assert window.document.modified
    qtbot.waitUntil(lambda: not window.tasks.busy)
    assert len(list((tmp_path / "state" / "recovery").glob("*.json"))) == 1, (
        "now it is this window's copy"
    )


def test_work_of_a_crashed_window_whose_film_was_moved(window, qtbot, label_film, tmp_path):
    folder = tmp_path / "state" / "recovery"
    lost = Recovery(folder)
    lost.autosave(Project(input=str(tmp_path / "gone" / "labels.mkv"), edits=EDIT), None)
    lost._lock.close()  # the process is gone
    window.start()
    qtbot.waitUntil(lambda: question(window) is not None)
    answer(window, "Recover")
    qtbot.waitUntil(lambda: question(window) is not None and "not where" in question(window).text())
    assert len(list(folder.glob("*.json"))) == 1, "the copy is there until the work is open again"
    answer(window, "Find it…")
    dialog = next(found for found in window.findChildren(QFileDialog) if found.isVisible())
    dialog.fileSelected.emit(str(label_film))
    dialog.reject()
    shown(window, qtbot)
    assert window.document.project.input == str(label_film)
    assert window.document.project.render.edits == EDIT
    assert window.document.modified


def test_what_is_discarded_after_a_crash_was_asked_about(window, qtbot, label_film, tmp_path):
    folder = tmp_path / "state" / "recovery"
    for name in ("one", "two"):
        lost = Recovery(folder)
        lost.autosave(Project(input=str(label_film), edits=EDIT), tmp_path / f"{name}.vidtrans")
        lost._lock.close()  # the process is gone
    window.start()
    qtbot.waitUntil(lambda: question(window) is not None)
    assert "two" in question(window).text()
    answer(window, "Discard")
    qtbot.waitUntil(lambda: not window.tasks.busy and question(window) is not None)
    assert "one" in question(window).text()
    assert len(list(folder.glob("*.json"))) == 1
    answer(window, "Later")
    assert len(list(folder.glob("*.json"))) == 1


def test_a_film_that_opens_when_it_is_no_longer_wanted(opened):
    late = opened.painter._film(len(opened.painter.opened))
    opened.files.new()
    opened.session._take(late)
    assert opened.pages.currentWidget() is opened.welcome
    assert opened.session.film is None
    assert not opened.actions_["play"].isEnabled()
    assert opened.timeline.canvas.frames == 0


def test_a_film_that_cannot_be_opened_leaves_nothing_of_the_one_before(opened, tmp_path):
    """It can be read, so that the other one was left, and fails afterwards."""
    opened.session._engine.open = lambda settings, edits, scale: 99
    opened.document.load(Project(input=str(tmp_path / "broken.mkv")), None)
    opened.session._take(Failed("broken.mkv: is damaged.", generation=99))
    box = next(box for box in opened.children() if hasattr(box, "message"))
    assert "damaged" in box.message
    box.accept()
    assert opened.timeline.canvas.frames == 0
    assert not opened.transport.isEnabled()
    assert not opened.class_list.classes.rows


def test_unsaved_work_is_kept_while_the_window_works(opened, qtbot, tmp_path):
    folder = tmp_path / "state" / "recovery"
    opened.files._autosave.setInterval(10)
    opened.editing.add(RelabelClass("road", "sidewalk"))
    qtbot.waitUntil(lambda: bool(list(folder.glob("*.json"))))
    opened.files.write(tmp_path / "p.vidtrans")
    qtbot.waitUntil(lambda: not opened.tasks.busy)
    assert not list(folder.glob("*.json")), "what is saved needs no copy"


def test_recent_files(opened, qtbot, label_film, tmp_path):
    file = tmp_path / "p.vidtrans"
    opened.files.write(file)
    qtbot.waitUntil(lambda: not opened.tasks.busy)
    names = [action.text() for action in opened.menus.recent.actions()]
    assert names == ["p.vidtrans", "labels.mkv"]
    opened.menus.recent.actions()[1].trigger()
    qtbot.waitUntil(lambda: opened.document.path is None)
    shown(opened, qtbot)
    assert opened.document.project.input == str(label_film)


def test_a_folder_of_checkpoints_goes_to_the_model_manager(window, tmp_path):
    (tmp_path / "latest_net_G0.pth").touch()
    seen = []
    window.files.checkpoints_opened.disconnect()
    window.files.checkpoints_opened.connect(seen.append)
    window.files.open(str(tmp_path))
    assert seen == [str(tmp_path)]
