"""The editor's tests run offscreen, with their own settings, and leave neither threads nor
windows behind."""

import functools
import gc
import importlib.util
import os
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QSettings
from PySide6.QtWidgets import QApplication
from vidtrans_gui.app import restore_environment

from vidtrans.frame import FrameTime, LabelFrame, VideoInfo
from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import load_scheme
from vidtrans.media.times import FilmTimes
from vidtrans.model.card import Card
from vidtrans.preview import Answer, Opened, Status

# Before anything makes the application object.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
restore_environment()


@pytest.fixture(scope="session")
def pixels():
    """The functions of pixels.py, which drive_editor.py uses too."""
    spec = importlib.util.spec_from_file_location("pixels", Path(__file__).with_name("pixels.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def qtbot(qtbot):
    """Waits as long as a busy machine needs: a wait that succeeds costs no more for it."""
    qtbot.waitUntil = functools.partial(qtbot.waitUntil, timeout=60000)
    return qtbot


@pytest.fixture(scope="package", autouse=True)
def one_collector():
    """Cycles are collected in the main thread alone, as in the program itself (see
    ``vidtrans_gui.garbage``)."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.collect()  # what the windows left, before a thread of other tests may come upon it
    gc.unfreeze()
    gc.enable()


@pytest.fixture(autouse=True)
def nothing_left(qapp):
    """After every test: no thread and no top-level widget, shown or hidden, more than before."""
    threads = {thread.ident for thread in threading.enumerate()}
    before = len(QApplication.topLevelWidgets())
    yield
    deadline = time.monotonic() + 30
    while True:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        left = [
            thread.name
            for thread in threading.enumerate()
            if thread.ident not in threads and not _foreign(thread)
        ]
        widgets = QApplication.topLevelWidgets()
        if (not left and len(widgets) <= before) or time.monotonic() > deadline:
            break
        gc.collect()
        time.sleep(0.01)
    gc.collect(1)
    assert not left, f"threads were left: {left}"
    assert len(widgets) <= before, f"widgets were left: {widgets}"


def _foreign(thread):
    """Threads that libraries keep for good."""
    return thread.name.startswith(("pydevd", "asyncio", "torch"))


@pytest.fixture
def preferences(tmp_path):
    from vidtrans_gui.preferences import Preferences

    return Preferences(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


class Painter:
    """A preview without a network: frame n is a flat picture of brightness n. It answers from a
    thread of its own, after ``delay`` seconds, with ``approximation`` before; frames that it
    painted are at hand. ``times``: when its frames are shown, else 25 a second."""

    def __init__(
        self,
        on_event,
        *,
        frames=100,
        delay=0.0,
        styles=None,
        instances=True,
        scene=None,
        approximation="no_history",
        times=None,
        size_hw=(32, 64),
    ):
        self.on_event, self.frames, self.delay, self.instances = on_event, frames, delay, instances
        self.scheme = load_scheme("cityscapes")
        self.styles = styles or {}
        self.scene = scene or (lambda n: np.full((32, 64), 7, np.uint8))
        self.approximation, self.size_hw = approximation, size_hw
        self.times = times or FilmTimes.at_rate(frames, Fraction(25))
        self.opened, self.edited, self.asked, self.scales = [], [], [], []
        self.refused = None
        self.painted = set()
        self.closed = False
        self._task = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="painter")
        self._thread.start()

    def open(self, settings, edits=None, *, scale="full"):
        self.opened.append(settings)
        self.scales.append(scale)
        self.edited.append(edits)
        self.painted.clear()
        self._put(("open", len(self.opened)))
        return len(self.opened)

    def edit(self, edits):
        self.edited.append(edits)
        self.painted.clear()

    def check(self, edits):
        return self.refused

    def submit(self, request):
        self.asked.append(request)
        if request.frame in self.painted:
            self.on_event(self.answer(request))
            return True
        self._put(("paint", request))
        return False

    def cancel(self):
        self._put(None)

    def status(self):
        spans = tuple((n, n + 1) for n in sorted(self.painted))
        return Status(
            cached={"final": spans},
            snapshots=(0, 24),
            cuts=(50,),
            cuts_known_to=self.frames,
            picture_bytes=1000,
        )

    def close(self, timeout_s=30.0):
        self.closed = True
        self._put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def labels(self, frame):
        from vidtrans.labels.edit import EditList
        from vidtrans.labels.edit_plan import EditPlan

        ids = self.scene(frame)
        instances = (
            np.where(ids >= 24, ids.astype(np.int32) * 1000 + 1, ids) if self.instances else None
        )
        read = LabelFrame(frame, ids, FrameTime(frame, Fraction(1, 25)), instances)
        edits = (self.edited[-1] if self.edited else None) or EditList()
        return EditPlan.of(edits, self.scheme, 35).apply(read)

    def answer(self, request, approximation=None):
        labels = self.labels(request.frame)
        height, width = labels.ids.shape
        waiting = approximation == "waiting"
        pictures = {
            layer: np.full((height, width, 3), request.frame % 256, np.uint8)
            for layer in (() if waiting else request.layers)
        }
        pictures["labels"] = colourise(labels.ids, self.scheme)
        return Answer(
            request,
            pictures,
            approximation=approximation,
            labels=labels if request.with_labels else None,
        )

    def _put(self, task):
        with self._changed:
            self._task = task
            self._changed.notify_all()

    def _work(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._task is not None or self.closed)
                if self.closed:
                    return
                (kind, value), self._task = self._task, None
            if kind == "open":
                self.on_event(self._film(value))
                continue
            if self.delay and value.approximate:
                self.on_event(self.answer(value, self.approximation))
            time.sleep(self.delay)
            self.painted.add(value.frame)
            self.on_event(self.answer(value))

    def _film(self, generation):
        info = VideoInfo(
            "labels.mkv",
            self.size_hw,
            self.times.rate,
            self.times.time_base,
            self.frames,
            "grey8",
            "ffv1",
            False,
        )
        card = Card(name="painter", system="vid2vid", generator={}, styles=self.styles)
        return Opened(
            generation, info, self.frames, (32, 64), card, self.scheme, "ids8", ("because",),
            self.scheme, 35, self.instances, "cpu", "fp32", self.size_hw, self.times,
        )  # fmt: skip


@pytest.fixture
def painters():
    """``painters(frames=..., delay=...)`` makes a factory of painters for a session; ``made``
    lists them."""

    def configure(**options):
        def make(on_event):
            painter = Painter(on_event, **options)
            configure.made.append(painter)
            return painter

        return make

    configure.made = []
    yield configure
    for painter in configure.made:
        painter.close()


@pytest.fixture
def window(qtbot, preferences, tmp_path, painters, scene, request):
    """An editor's window on a painter; ``@pytest.mark.parametrize('window', [{...}],
    indirect=True)`` sets it up."""
    from vidtrans_gui.main_window import MainWindow

    options = {"scene": scene} | getattr(request, "param", {})
    made = MainWindow(preferences, tmp_path / "state", engine=painters(**options))
    made.painter = painters.made[-1]
    made.resize(1280, 800)
    made.show()
    qtbot.waitUntil(lambda: not made.tasks.busy)
    yield made
    if not made._closing:
        made.shut_down()
    made.deleteLater()


@pytest.fixture
def opened(window, qtbot, label_film):
    """The window with a film open and its first frame shown."""
    window.files.open(str(label_film))
    qtbot.waitUntil(lambda: window.editing._shown is not None and not window.viewer.approximate)
    return window
