"""An editor's session in a real window, by keys and pointer only; run by test_gui_end_to_end.py
under Xvfb.

python drive_editor.py MODEL OUT: screenshots and what was found, as ``report.json``, go to the
folder OUT.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from pixels import from_qimage, widget_point
from PySide6.QtCore import QEventLoop, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLineEdit, QPushButton
from vidtrans_gui.app import build

MODEL, OUT = sys.argv[1], Path(sys.argv[2])
CAR = 26

app, window = build([])
report = {
    "platform": app.platformName(),
    "plugins": os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", ""),
    "shots": [],
}


last_exact = 0


def note(shown):
    """Which request was answered exactly last."""
    global last_exact
    if shown.approximation is None:
        last_exact = shown.request.id


window.session.shown.connect(note)


def wait(condition, what, seconds=180):
    """Run the event loop until ``condition`` holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            shot("stuck")
            raise SystemExit(f"waited {seconds} s in vain: {what}")
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)
        time.sleep(0.002)


def rest(seconds):
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end, "resting")


def shot(name, widget=None):
    app.processEvents()
    picture = window.screen().grabWindow(0) if widget is None else widget.grab()
    picture.save(str(OUT / f"{name}.png"))
    report["shots"].append(name)


def key(keys, modifier=Qt.KeyboardModifier.NoModifier, to=None):
    """Press a key; without a window manager (Xvfb) a window must be made active by hand."""
    target = to or window.viewer
    target.window().activateWindow()
    wait(target.window().isActiveWindow, "an active window")
    QTest.keyClick(target, keys, modifier)


def click(widget):
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def exact(frame):
    """The exact picture of ``frame``, as the viewer has it."""

    def there():
        asked, shown = window.session._last, window.editing._shown
        answered = (
            asked is not None and shown is not None and asked.id == shown.request.id == last_exact
        )
        return answered and asked.frame == frame

    wait(there, f"frame {frame}")
    return from_qimage(window.viewer.result)


def dialog(kind=QDialog):
    found = []

    def there():
        found[:] = [
            widget
            for widget in app.topLevelWidgets()
            if isinstance(widget, kind) and widget.isVisible()
        ]
        return bool(found)

    wait(there, f"a {kind.__name__}")
    return found[0]


def save_as(name):
    """Type a path into the file dialog that is open."""
    box = dialog(QFileDialog)
    field = box.findChild(QLineEdit)
    field.setText(str(name))
    key(Qt.Key.Key_Return, to=field)


def pixel_of(plane, instance=False):
    """A pixel in the middle of the largest patch of a class, of one instance where asked."""
    labels = window.editing._shown.labels
    mask = labels.ids == plane
    if instance:
        ids, counts = np.unique(labels.instances[mask], return_counts=True)
        mask &= labels.instances == ids[counts.argmax()]
    rows, columns = np.nonzero(mask)
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return int(columns[middle]), int(rows[middle])


def point(x, y):
    return widget_point(window.viewer, x, y).toPoint()


# --- a first start, and the demo one click away ---------------------------------------------------
window.preferences.put("model", MODEL)
wait(lambda: window.isVisible() and not window.tasks.busy, "the window")
window.resize(1600, 900)
window.move(0, 0)
rest(0.3)
shot("1-welcome")
click(window.welcome.demo)
wait(lambda: window.session.film is not None, "the demo")
report["frames"] = window.session.film.frames
first = exact(0)

# --- play, step, scrub ----------------------------------------------------------------------------
key(Qt.Key.Key_Space)
wait(lambda: window.navigation.frame >= 8, "playing")
key(Qt.Key.Key_Space)
report["played_to"] = window.navigation.frame
key(Qt.Key.Key_Home)
report["home"] = bool(np.array_equal(exact(0), first))
for _ in range(3):
    key(Qt.Key.Key_Right)
exact(3)
canvas = window.timeline.canvas
QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(int(canvas.scale.x(20)) + 3, 6))
before = exact(20)
report["scrubbed_to"] = window.navigation.frame

# --- wipe -----------------------------------------------------------------------------------------
line = QPoint(round(window.viewer._wipe_x()), window.viewer.height() // 3)
QTest.mousePress(window.viewer, Qt.MouseButton.LeftButton, pos=line)
for x in range(line.x(), line.x() - 260, -20):
    QTest.mouseMove(window.viewer, QPoint(x, line.y()))
    app.processEvents()
QTest.mouseRelease(window.viewer, Qt.MouseButton.LeftButton, pos=QPoint(line.x() - 250, line.y()))
report["wipe"] = window.viewer.wipe
QTest.mouseMove(window.viewer, point(*pixel_of(CAR)))
rest(0.3)
shot("2-wipe")
key(Qt.Key.Key_S)
rest(0.2)
shot("3-side-by-side")
key(Qt.Key.Key_4, Qt.KeyboardModifier.AltModifier)
exact(20)
rest(0.2)
shot("4-flow")
key(Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
key(Qt.Key.Key_W)
exact(20)

# --- relabel the clicked car, by the dialog -------------------------------------------------------
QTest.mouseClick(window.viewer, Qt.MouseButton.LeftButton, pos=point(*pixel_of(CAR, instance=True)))
report["picked"] = window.editing.selection.instance
rest(0.2)
shot("5-selected")
key(Qt.Key.Key_R)
picker = dialog()
QTest.keyClicks(picker.filter, "truck")
shot("6-relabel")
key(Qt.Key.Key_Return, to=picker.filter)
wait(lambda: len(window.document.project.render.edits.edits) == 1, "the edit")
relabelled = exact(20)
report["relabel_changed_the_picture"] = not np.array_equal(relabelled, before)

# --- restyle, or a first-frame picture where the model has no styles ------------------------------
styles = window.session.film.card.styles
report["styles"] = bool(styles)
if styles:
    QTest.mouseClick(
        window.viewer, Qt.MouseButton.LeftButton, pos=point(*pixel_of(CAR, instance=True))
    )
    key(Qt.Key.Key_T)
    sheet = dialog()
    wait(lambda: sheet.note.text() == "", "the thumbnails")
    shot("7-styles")
    sheet.sheet.setCurrentRow(5)
    key(Qt.Key.Key_Return, to=sheet.sheet)
else:
    picture = OUT / "look.png"
    window.viewer.result.flipped(Qt.Orientation.Horizontal).save(str(picture))
    key(Qt.Key.Key_P)
    save_as(picture)
wait(lambda: len(window.document.project.render.edits.edits) == 2, "the second edit")
restyled = exact(20)
report["restyle_changed_the_picture"] = not np.array_equal(restyled, relabelled)
rest(0.3)
shot("8-edited")

# --- undo and redo --------------------------------------------------------------------------------
key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
report["undone"] = bool(np.array_equal(exact(20), relabelled))
key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
report["undone_twice"] = bool(np.array_equal(exact(20), before))
key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
report["redone"] = bool(np.array_equal(exact(20), relabelled))

# --- save, export ---------------------------------------------------------------------------------
project = OUT / "street.vidtrans"
key(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
save_as(project)
wait(lambda: not window.document.modified and project.exists(), "the saved project")
kept = window.document.project
key(Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
export = dialog()
export.preset.setCurrentIndex(export.preset.findData("ffv1"))
export.output.setText(str(OUT / "street.mkv"))
export.advanced.click()
rest(0.2)
shot("9-export")
click(export.add)
wait(
    lambda: any(job.state == "running" and job.done > 4 for job in window.exporting.queue.jobs()),
    "the export's start",
)
rest(0.3)
shot("10-exporting")
wait(lambda: all(job.ended for job in window.exporting.queue.jobs()), "the export", 400)
(job,) = window.exporting.queue.jobs()
report["export"] = [job.state, job.message, job.done]

# --- reopen the project from the welcome page -----------------------------------------------------
key(Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
wait(lambda: window.pages.currentWidget() is window.welcome, "the welcome page")
rest(0.2)
shot("11-welcome-again")
click(
    next(
        button
        for button in window.welcome.findChildren(QPushButton)
        if button.text().startswith(project.name)
    )
)
wait(lambda: window.session.film is not None, "the project")
report["same_picture"] = bool(np.array_equal(exact(20), relabelled))
report["same_project"] = window.document.project == kept
np.save(OUT / "frame20.npy", relabelled)

# --- the look in daylight, help, models -----------------------------------------------------------
key(Qt.Key.Key_F1)
shot("12-shortcuts", dialog())
dialog().reject()
key(Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
rest(1.0)
shot("13-models", dialog())
dialog().reject()
window.set_appearance("light")
rest(0.4)
shot("14-light")

window.close()
wait(lambda: not window.isVisible(), "closing")
report["warnings"] = [
    widget.objectName() for widget in QApplication.topLevelWidgets() if widget.isVisible()
]
(OUT / "report.json").write_text(json.dumps(report))
