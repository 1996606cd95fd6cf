"""What the window shows while a picture is painted, at which size, and at which times."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtWidgets import QMessageBox
from vidtrans_gui.film_panel import FilmPanel
from vidtrans_gui.player import Player
from vidtrans_gui.project import View

from vidtrans.errors import InputError, Remedy
from vidtrans.labels.edit import RelabelClass
from vidtrans.media.times import FilmTimes
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.preview import Budgets, Failed
from vidtrans.preview.film import open_film

# Ten frames 0.1 s apart, then ten 1 s apart.
UNEVEN = FilmTimes(
    np.array([*range(0, 1000, 100), *range(1000, 11000, 1000)]), Fraction(1, 1000), Fraction(17, 10)
)


def exact(window, qtbot, frame):
    qtbot.waitUntil(
        lambda: (
            window.editing._shown is not None
            and window.editing._shown.frame == frame
            and not window.viewer.approximate
        )
    )


# -- while it is painted ---------------------------------------------------------------------------


@pytest.mark.parametrize("window", [{"delay": 0.2, "approximation": "waiting"}], indirect=True)
def test_the_last_exact_picture_stays_and_says_what_it_is(opened, qtbot):
    shown = opened.viewer.result.pixelColor(0, 0).red()
    opened.navigation.go(40)
    qtbot.waitUntil(lambda: opened.viewer.approximate)
    assert opened.viewer.mark == "Frame 0 – painting frame 40…"
    assert opened.viewer.result.pixelColor(0, 0).red() == shown, "no label map stands in for it"
    assert opened.viewer.labels.pixelColor(0, 0).red() == 70, "the labels are of frame 40"
    exact(opened, qtbot, 40)
    assert opened.viewer.mark == ""
    assert opened.viewer.result.pixelColor(0, 0).red() == 40
    opened.editing.add(RelabelClass("road", "sidewalk"))
    qtbot.waitUntil(lambda: opened.viewer.approximate)
    assert opened.viewer.mark == "Before the change – painting…"
    exact(opened, qtbot, 40)


@pytest.mark.parametrize("window", [{"delay": 0.2}], indirect=True)
def test_a_quick_picture_is_marked(opened, qtbot):
    opened.navigation.go(40)
    qtbot.waitUntil(lambda: opened.viewer.approximate)
    assert opened.viewer.mark == "Approximate – painting…"
    exact(opened, qtbot, 40)


def test_the_film_panel_says_how_the_input_is_read(qtbot, tmp_path, scene, tiny_model):
    """Engine to panel: names that are time stamps, of which nothing else in the window tells."""
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{1701234567000 + 100 * number}.png"), scene(number))
    settings = ConvertSettings(
        input=str(tmp_path), output="unused.mkv", model=str(tiny_model), device="cpu"
    )
    with open_film(settings, Budgets()) as film:
        panel = FilmPanel()
        qtbot.addWidget(panel)
        panel.show_film(film.opened(1))
    (remark,) = film.opened(1).remarks
    assert "time stamps" in remark
    assert remark in panel.facts.text()


# -- the preview's size ----------------------------------------------------------------------------


@pytest.mark.parametrize("window", [{"size_hw": (64, 128)}], indirect=True)
def test_a_smaller_preview_is_marked_and_counts_the_pixels_of_the_export(opened, qtbot):
    assert opened.painter.scales[-1] == "auto"
    assert opened.viewer.note == "Preview 1/2 · 64 × 32"
    assert "Preview at 64 × 32, export at 128 × 64" in opened.film_panel.facts.text()
    opened.viewer.set_zoom(1.0)
    target = opened.viewer._target(opened.viewer._pane(0))
    assert target.size().toSize() == QSize(128, 64)
    corner = target.bottomRight() - QPointF(0.5, 0.5)
    assert opened.viewer.picture_point(corner) == (63, 31), "pixels of the labels that came"


def test_the_size_of_the_preview_is_chosen_and_saved(opened, qtbot, tmp_path):
    assert opened.viewer.note == "", "it is not smaller than the export"
    action = opened.menus._previews["quarter"]
    action.trigger()
    qtbot.waitUntil(lambda: opened.session.film is not None)
    assert opened.painter.scales == ["auto", "quarter"]
    assert not opened.document.modified, "nothing that is exported has changed"
    assert opened.document.project.view.preview == "quarter"
    opened.files.write(tmp_path / "p.vidtrans")
    qtbot.waitUntil(lambda: (tmp_path / "p.vidtrans").exists())
    qtbot.waitUntil(lambda: not opened.tasks.busy)
    opened.files.new()
    assert opened.menus._previews["auto"].isChecked()
    opened.files.open(str(tmp_path / "p.vidtrans"))
    qtbot.waitUntil(lambda: opened.session.film is not None)
    assert opened.painter.scales[-1] == "quarter"
    assert opened.menus._previews["quarter"].isChecked()


# -- variable rates --------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [{"frames": 20, "times": UNEVEN}], indirect=True)
def test_a_film_of_a_variable_rate_follows_its_own_times(opened, qtbot):
    assert opened.transport.length.text().startswith("00:00:10.")
    assert opened.transport.length.text().endswith("20 f  ·  VFR")
    assert "at a variable rate" in opened.film_panel.facts.text()
    opened.navigation.go(12)
    assert opened.transport.timecode.text() == "00:00:03.000"
    assert "00:00:03.000" in opened.timeline.canvas._tooltip(12)
    for key, frame in (("next-second", 13), ("previous-second", 12), ("first", 0)):
        opened.actions_[key].trigger()
        assert opened.navigation.frame == frame
    opened.actions_["next-second"].trigger()
    assert opened.navigation.frame == 10, "the first ten frames last a second"
    field = opened.transport.timecode
    field.setText("00:00:05.5")
    field.setModified(True)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert opened.navigation.frame == 15
    opened.grab()  # the ruler is drawn


def test_uneven_frames_play_at_their_times(qapp):
    now = [0.0]
    player = Player(clock=lambda: now[0])
    player.set_film(UNEVEN)
    seen = {}

    def arrived(frame):
        seen[frame] = round(now[0], 2)
        player.arrived(frame, cached=True)

    player.wanted.connect(arrived)
    player.play()
    while player.playing and now[0] < 30:
        now[0] += 0.01
        player.tick()
    expected = {frame: float(UNEVEN.seconds(frame)) for frame in range(1, 20)}
    assert seen.keys() == expected.keys()
    assert all(abs(seen[frame] - expected[frame]) < 0.05 for frame in seen), seen
    player.pause()


# -- what stands between ---------------------------------------------------------------------------


def test_missing_pictures_are_offered_to_be_passed_over(opened, qtbot):
    error = InputError(
        "000003 is missing.", where="labels", remedy=Remedy("{allow_gaps} reads on.")
    )
    opened.session._take(Failed.of(error))
    box = next(each for each in opened.findChildren(QMessageBox) if each.isVisible())
    assert box.text() == "labels: 000003 is missing. “Go on over the gaps” reads on."
    next(b for b in box.buttons() if b.text() == "Go on over the gaps").click()
    assert opened.document.project.render.allow_gaps
    assert opened.painter.opened[-1].render.allow_gaps
    exact(opened, qtbot, 0)


def test_shares_are_counted_while_playing(opened, qtbot, monkeypatch):
    from vidtrans_gui import navigation

    monkeypatch.setattr(navigation, "_LABELS_EVERY_S", 0.1)
    seen = []
    opened.editing.rows_changed.connect(lambda rows: seen.append(opened.navigation.frame))
    opened.actions_["play"].trigger()
    qtbot.waitUntil(lambda: len({frame for frame in seen if frame > 1}) > 2)
    assert any(request.with_labels for request in opened.painter.asked[-20:])
    opened.actions_["pause"].trigger()


def test_the_comparison_of_a_new_film_is_part_of_its_project(opened):
    assert opened.viewer.compare == "wipe"
    assert opened.document.project.view.compare == "wipe"
    opened.viewer.set_wipe(0.3)
    assert opened.document.project.view == View(compare="wipe", wipe=0.3)
