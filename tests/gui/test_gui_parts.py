"""The parts behind the window: tasks, the inbox, the session, the document, the commands, the
look."""

import gc
import threading
import time

import pytest
from PySide6.QtCore import QThread
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QApplication
from vidtrans_gui import icons, theme
from vidtrans_gui.actions import Actions
from vidtrans_gui.commands import COMMANDS, MENUS
from vidtrans_gui.document import Document
from vidtrans_gui.garbage import Garbage
from vidtrans_gui.inbox import Inbox
from vidtrans_gui.problem import ProblemDialog
from vidtrans_gui.project import Project
from vidtrans_gui.session import Session
from vidtrans_gui.shortcuts_dialog import ShortcutsDialog
from vidtrans_gui.tasks import Tasks

from vidtrans.errors import InputError
from vidtrans.labels.edit import EditList, RelabelClass
from vidtrans.pipeline.settings import ConvertSettings

# -- tasks and the inbox ---------------------------------------------------------------------------


@pytest.fixture
def tasks(qapp):
    made = Tasks()
    yield made
    made.close()


def test_a_task_works_elsewhere_and_reports_here(tasks, qtbot):
    here, seen = QThread.currentThread(), []

    def work(tell):
        tell(0.5, "half")
        return threading.current_thread() is threading.main_thread()

    tasks.start(
        work,
        done=lambda value: seen.append(("done", value, QThread.currentThread() is here)),
        failed=lambda *text: seen.append(text),
        progressed=lambda *step: seen.append((*step, QThread.currentThread() is here)),
    )
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert seen == [(0.5, "half", True), ("done", False, True)]
    assert not tasks.busy


def test_a_users_mistake_is_a_sentence_and_a_fault_has_details(tasks, qtbot):
    seen = []

    def mistake(_tell):
        raise InputError("is not there.", where="x.mkv")

    def fault(_tell):
        raise RuntimeError("boom")

    for work in (mistake, fault):
        tasks.start(work, done=seen.append, failed=lambda *text: seen.append(text))
        qtbot.waitUntil(lambda: not tasks.busy)
    assert seen[0] == ("x.mkv: is not there.", "")
    assert seen[1][0] == "RuntimeError: boom"
    assert "Traceback" in seen[1][1]


def test_closing_waits_and_drops_the_outcome(qapp):
    tasks, seen = Tasks(), []
    tasks.start(lambda _tell: time.sleep(0.1), done=seen.append, failed=seen.append)
    tasks.close()
    qapp.processEvents()
    assert not seen


def test_the_inbox_keeps_order_and_thread(qtbot):
    seen = []
    inbox = Inbox(
        lambda value: seen.append((value, threading.current_thread() is threading.main_thread()))
    )
    sender = threading.Thread(target=lambda: [inbox.put(n) for n in range(50)])
    sender.start()
    sender.join()
    assert not seen, "nothing is taken before the event loop runs"
    qtbot.waitUntil(lambda: len(seen) == 50)
    assert seen == [(n, True) for n in range(50)]
    inbox.put(1)
    inbox.close()
    inbox.put(2)
    QApplication.processEvents()
    assert len(seen) == 50


# -- the session -----------------------------------------------------------------------------------


@pytest.fixture
def session(painters, request, qapp):
    made = Session(engine=painters(**getattr(request, "param", {})))
    made.painter, made.seen, made.faults = painters.made[-1], [], []
    made.shown.connect(made.seen.append)
    made.failed.connect(lambda *text: made.faults.append(text))
    yield made
    made.close()


def open_film(session, qtbot):
    with qtbot.waitSignal(session.opened):
        session.open(ConvertSettings(input="x", output="unused.mkv"), EditList())


@pytest.mark.parametrize("session", [{"delay": 0.05}], indirect=True)
def test_only_the_newest_request_is_shown(session, qtbot):
    open_film(session, qtbot)
    for frame in (3, 4, 5):
        session.seek(frame)
    qtbot.waitUntil(lambda: bool(session.seen) and session.seen[-1].approximation is None)
    assert {shown.frame for shown in session.seen} == {5}
    assert [shown.approximation for shown in session.seen] == ["no_history", None]


def test_a_frame_at_hand_says_so(session, qtbot):
    open_film(session, qtbot)
    for frame in (3, 4, 3):
        session.seek(frame)
        qtbot.waitUntil(lambda want=frame: bool(session.seen) and session.seen[-1].frame == want)
    assert [shown.cached for shown in session.seen] == [False, False, True]


def test_shares_are_counted(session, qtbot):
    open_film(session, qtbot)
    session.seek(0)
    qtbot.waitUntil(lambda: bool(session.seen))
    assert session.seen[-1].shares == {7: 1.0}


def test_a_fault_of_the_bridge_is_reported_not_raised(session, qtbot):
    open_film(session, qtbot)
    session.painter.answer = lambda request, approximation=None: (_ for _ in ()).throw(
        AssertionError
    )  # never reached
    from vidtrans.preview import Answer, Request

    session._last = Request(9, 0)
    session._from_engine(Answer(Request(9, 0), {"final": "no picture"}))
    qtbot.waitUntil(lambda: bool(session.faults))
    assert "Traceback" in session.faults[0][1]


# -- the document ----------------------------------------------------------------------------------


def test_steps_are_undone_and_redone(qapp):
    document, seen = Document(), []
    document.changed.connect(lambda before, after: seen.append((before, after)))
    one = EditList((RelabelClass("car", "bus"),))
    document.change_edits("first", one)
    document.change("model", model="other")
    document.view(playhead=7)
    document.undo.undo()
    document.undo.undo()
    assert document.project == Project(view=Project().view.model_copy(update={"playhead": 7}))
    document.undo.redo()
    assert document.project.render.edits == one
    assert document.undo.undoText() == "first"
    assert len(seen) == 5


def test_a_change_that_changes_nothing_is_no_step(qapp):
    document = Document()
    document.change("nothing", model=Project().render.model)
    assert document.undo.count() == 0
    assert not document.modified


def test_turning_a_spin_box_is_one_step(qapp):
    document = Document()
    for end in (10, 11, 12):
        document.change_edits(
            "range", EditList((RelabelClass("car", "bus", 0, end),)), merge="range 0"
        )
    document.change_edits("range", EditList((RelabelClass("car", "bus", 0, 5),)), merge="range 1")
    assert document.undo.count() == 2
    document.undo.undo()
    document.undo.undo()
    assert document.project == Project()


def test_modified_follows_the_saved_state(qapp, tmp_path):
    document = Document()
    document.change("model", model="other")
    saved = document.project
    document.change("model", model="third")
    document.saved(tmp_path / "x.vidtrans", saved)
    assert document.modified, "it was changed while it was being written"
    document.saved(tmp_path / "x.vidtrans", document.project)
    assert not document.modified
    document.undo.undo()
    assert document.modified
    document.undo.redo()
    assert not document.modified


# -- commands and their look -----------------------------------------------------------------------


@pytest.fixture
def actions(qapp):
    stack = QUndoStack()
    made = Actions(stack, stack)
    made.tint(theme.DARK)
    yield made
    stack.deleteLater()


def test_shortcuts_are_unique_and_every_command_is_complete(actions):
    taken = {}
    for command, action in actions:
        assert command.menu in MENUS
        assert action.toolTip()
        assert not command.icon or command.icon in icons.names()
        keys = action.shortcut().toString()
        if keys:
            assert keys not in taken, f"{command.key} and {taken[keys]} share {keys}"
            taken[keys] = command.key


def test_help_lists_every_shortcut(actions, qtbot):
    dialog = ShortcutsDialog(actions)
    qtbot.addWidget(dialog)
    listed = set()
    for place in range(dialog.table.topLevelItemCount()):
        head = dialog.table.topLevelItem(place)
        listed |= {head.child(row).text(1) for row in range(head.childCount())}
    assert {
        action.shortcut().toString() for _, action in actions if not action.shortcut().isEmpty()
    } <= listed
    assert len(listed) >= len([command for command in COMMANDS if command.shortcut])


@pytest.mark.parametrize("chosen", ["dark", "light"])
def test_themes(qapp, chosen):
    made = theme.choose(chosen)
    theme.apply(qapp, made)
    assert theme.theme_of(qapp.palette()) is made
    for name in icons.names():
        image = icons.pixmap(name, made.text, 24).toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(24) for y in range(24)), (
            f"{name} is empty"
        )


def test_a_problem_is_a_sentence_and_folds_its_details_away(qtbot):
    dialog = ProblemDialog("Export", "There is no space left.", "Traceback …")
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.folded.isVisible()
    dialog.unfold.click()
    assert dialog.folded.isVisible()
    dialog._copy()
    assert QApplication.clipboard().text() == "There is no space left.\n\nTraceback …"
    plain = ProblemDialog("Export", "There is no space left.")
    qtbot.addWidget(plain)
    plain.show()
    assert not plain.unfold.isVisible()


# -- garbage ---------------------------------------------------------------------------------------


def test_cycles_are_collected_in_the_windows_thread_only(qtbot):
    """A busy thread beside the window would collect them otherwise, and destroy widgets where Qt
    does not allow it."""
    seen = []

    class Cycle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            seen.append(threading.current_thread() is threading.main_thread())

    garbage = Garbage(interval_ms=10)
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            Cycle()

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        qtbot.waitUntil(lambda: len(seen) > 1000)
    finally:
        stop.set()
        worker.join()
        garbage.close()
    assert all(seen)


def test_the_collector_is_as_it_was_afterwards(qapp):
    was = gc.isenabled()
    gc.enable()
    garbage = Garbage()
    assert not gc.isenabled()
    garbage.close()
    assert gc.isenabled()
    if not was:
        gc.disable()
