"""How the program starts: its command line, its environment, and its place on a desktop."""

import configparser
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import vidtrans_gui
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QWidget
from vidtrans_gui.app import close_on_interrupt, main, restore_environment

DATA = Path(vidtrans_gui.__file__).parent / "data"

START = """
import sys
from PySide6.QtCore import QTimer
from vidtrans_gui.app import build
app, window = build(sys.argv[1:])
QTimer.singleShot(0, window.shut_down)
app.exec()
import os
print(app.platformName(), window.windowTitle(), os.environ.get("QT_QPA_FONTDIR", "-"))
"""


def run(*command, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QT_")}
    return subprocess.run(
        [sys.executable, *command],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.mark.parametrize("spoiled", ["/x/site-packages/cv2/qt/plugins", None])
def test_what_opencv_sets_is_cleared_and_what_the_user_set_stays(monkeypatch, spoiled):
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        monkeypatch.delenv(name, raising=False)
        if spoiled:
            monkeypatch.setenv(name, spoiled)
    monkeypatch.setenv("QT_QPA_FONTDIR", "/my/fonts")
    restore_environment()
    assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in os.environ
    assert os.environ["QT_QPA_FONTDIR"] == "/my/fonts"


def test_it_starts_and_ends_offscreen(tmp_path):
    ended = run(
        "-c", START, QT_QPA_PLATFORM="offscreen", XDG_CONFIG_HOME=str(tmp_path / "c"),
        XDG_DATA_HOME=str(tmp_path / "d"),
        QT_QPA_FONTDIR="/x/cv2/qt/fonts",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["offscreen", "vidtrans[*]", "-"]
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "c").rglob("*.conf")), "the settings lie in the platform's place"


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="libraries are loaded ahead on Linux"
)
def test_nothing_loads_a_library_while_pytorchs_is_loaded(tmp_path):
    ended = run("-c", LIBRARIES, QT_QPA_PLATFORM="offscreen", XDG_CONFIG_HOME=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    found = ended.stdout.split()
    assert found == ["looked-up", "begun", "torch"], "_WITH_LIBRARIES lacks these modules"


LIBRARIES = """
import importlib.machinery, os, sys
import vidtrans_gui.app as app
def preload():
    print("begun")
    plain = importlib.machinery.PathFinder.find_spec
    def find(name, *rest):
        found = plain(name, *rest)
        if name == "torch" or (found and found.origin and found.origin.endswith(".so")):
            print(name, flush=True)
        if name == "torch":
            os._exit(0)
        return found
    importlib.machinery.PathFinder.find_spec = find
look_up = app._look_up_symbols
def looked_up():
    look_up()
    print("looked-up")
app.preload_torch, app._look_up_symbols = preload, looked_up
app.build(["--demo"])
"""


def test_dialogs_are_imported_when_they_are_opened(tmp_path):
    ended = run(
        "-c",
        START + "print([name for name in sys.modules if name.endswith('_dialog')])",
        QT_QPA_PLATFORM="offscreen",
        XDG_CONFIG_HOME=str(tmp_path),
    )
    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems always have a screen"
)
def test_no_screen_is_a_sentence(tmp_path):
    ended = run(
        "-m",
        "vidtrans_gui.app",
        "--demo",
        DISPLAY="",
        WAYLAND_DISPLAY="",
        QT_QPA_PLATFORM="",
        XDG_RUNTIME_DIR=str(tmp_path),
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("vidtrans-gui: there is no screen")
    assert ended.stderr.count("\n") == 1


@pytest.fixture
def wayland(tmp_path):
    """A Wayland compositor without a screen; what a client needs in its environment."""
    if shutil.which("weston") is None:
        pytest.skip(
            "weston is not installed (Debian: apt-get install weston), so there is no Wayland to"
            " show a window on"
        )
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(place), "WAYLAND_DISPLAY": "wayland-test"}
    command = [
        "weston",
        "--socket=wayland-test",
        "--idle-time=0",
        f"--log={tmp_path / 'weston.log'}",
    ]
    for backend in (
        "headless-backend.so",
        "headless",
    ):  # as it was called before version 12, and since
        weston = subprocess.Popen(
            [*command, f"--backend={backend}"],
            env=os.environ | environment,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while (
            weston.poll() is None
            and not (place / "wayland-test").exists()
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        if weston.poll() is None:
            break
    yield environment
    weston.terminate()
    weston.wait()


def test_it_starts_and_ends_under_wayland(tmp_path, wayland):
    home = {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d")}
    ended = run("-c", START, DISPLAY="", QT_QPA_PLATFORM="", **home, **wayland)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split()[0] == "wayland"
    assert "Traceback" not in ended.stderr


def test_help_and_version_need_no_screen():
    for option, word in (("--help", "FILE"), ("--version", "vidtrans-gui")):
        ended = run("-m", "vidtrans_gui.app", option, QT_QPA_PLATFORM="none")
        assert ended.returncode == 0
        assert word in ended.stdout


def test_without_qt_it_says_how_to_get_it(monkeypatch, capsys):
    def build(_argv):
        raise ModuleNotFoundError("No module named 'PySide6'", name="PySide6")

    monkeypatch.setattr("vidtrans_gui.app.build", build)
    assert main([]) == 2
    told = capsys.readouterr().err
    assert "pip install 'vidtrans[gui]'" in told
    assert "Traceback" not in told


def test_a_desktop_finds_it():
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read(DATA / "vidtrans-gui.desktop", "utf-8")
    assert entry["Desktop Entry"]["Exec"] == "vidtrans-gui %f"
    assert (DATA / f"{entry['Desktop Entry']['Icon']}.svg").exists()


def test_the_icon_can_be_drawn(qapp):
    image = QIcon(str(DATA / "vidtrans-gui.svg")).pixmap(64, 64).toImage()
    assert len({image.pixel(x, y) for x in range(64) for y in range(64)}) > 10


def test_an_interrupt_closes_the_window_from_the_event_loop(qtbot):
    class Window(QWidget):
        closed_within = None

        def closeEvent(self, event):
            self.closed_within = within
            super().closeEvent(event)

    window, before = Window(), signal.getsignal(signal.SIGINT)
    qtbot.addWidget(window)
    window.show()
    try:
        beat = close_on_interrupt(window)
        within = "the handler"
        signal.raise_signal(signal.SIGINT)
        within = "the event loop"
        qtbot.waitUntil(lambda: window.closed_within is not None)
        beat.stop()
    finally:
        signal.signal(signal.SIGINT, before)
    assert window.closed_within == "the event loop"
