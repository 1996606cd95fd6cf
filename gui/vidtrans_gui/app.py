"""``vidtrans-gui [FILE]``: makes the application, shows the window, and cleans up after it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from vidtrans.errors import UsageError
from vidtrans.startup import loading_modules, preload_torch

if TYPE_CHECKING:
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication, QLabel, QWidget

    from vidtrans_gui.main_window import MainWindow

_WITH_LIBRARIES = (
    "PySide6.QtSvg",
    "av",
    "csv",
    "filelock",
    "heapq",
    "json",
    "multiprocessing.connection",
    "psutil",
    "pydantic",
    "uuid",
    "zoneinfo",
)
"""Modules with shared libraries of their own that the window's modules import, beside Qt, OpenCV
and PyTorch. They are imported before ``preload_torch``, which loading a library has to wait for."""
_OVERWRITTEN = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def restore_environment() -> None:
    """Import OpenCV and restore the environment variables that it overwrites.

    opencv-python points Qt at its own plugins, which PySide6 cannot load ("could not load the Qt
    platform plugin xcb"). This must run before the application object is made. Values that the
    user had set are kept.
    """
    kept = {name: os.environ.get(name) for name in _OVERWRITTEN}
    import cv2  # noqa: F401

    for name, value in kept.items():
        if value is None or "cv2" in value:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _look_up_symbols() -> None:
    """Make the first use of pydantic's compiled part, which looks up symbols: like loading a
    library, this has to wait for ``preload_torch``."""
    from pydantic_core import SchemaSerializer, core_schema

    SchemaSerializer(core_schema.any_schema())


def check_screen() -> None:
    """Refuse to start without a screen: Qt would end the process.

    Raises:
        UsageError: On Linux, neither X11 nor Wayland is available.
    """
    display_set = any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    )
    if (
        display_set
        or not sys.platform.startswith("linux")
        or (Path(os.environ.get("XDG_RUNTIME_DIR", "")) / "wayland-0").exists()
    ):
        return
    raise UsageError(
        "there is no screen to open a window on: neither DISPLAY nor WAYLAND_DISPLAY is set.",
        hint="Start it in a desktop session, or over ssh with ssh -X.",
    )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    from vidtrans_gui.about import version_of

    parser = argparse.ArgumentParser(
        prog="vidtrans-gui", description="The desktop editor: label films painted as street films."
    )
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="a label film, a folder of label images, a project or a model",
    )
    parser.add_argument(
        "--demo", action="store_true", help="open the demo clip that comes with vidtrans"
    )
    parser.add_argument(
        "--version", action="version", version=f"vidtrans-gui {version_of('vidtrans')}"
    )
    return parser.parse_args(arguments)


def build(argv: Sequence[str]) -> tuple[QApplication, MainWindow]:
    """Make the application, show its window, and begin to open what ``argv`` names.

    Args:
        argv: The arguments of ``vidtrans-gui``.

    Returns:
        The application, whose ``exec`` runs it, and the window.

    Raises:
        UsageError: There is no screen.
    """
    options = _parse(argv)
    check_screen()
    restore_environment()
    with loading_modules():
        from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
        from PySide6.QtGui import QIcon
        from PySide6.QtWidgets import QApplication

        for name in _WITH_LIBRARIES:
            import_module(name)
    _look_up_symbols()

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setOrganizationName("vidtrans")
    app.setApplicationName("vidtrans-gui")
    app.setApplicationDisplayName("vidtrans")
    app.setDesktopFileName("vidtrans-gui")
    translator = QTranslator(app)
    if translator.load(
        QLocale(), "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    ):
        app.installTranslator(translator)
    app.setWindowIcon(QIcon(str(Path(__file__).parent / "data" / "vidtrans-gui.svg")))

    # What was imported above has loaded its shared libraries, and what follows neither loads one
    # nor looks up symbols until PyTorch is imported.
    preload_torch()
    with loading_modules():
        from vidtrans.labels.scheme_scores import candidate_schemes
        from vidtrans.pipeline.settings import ConvertSettings  # noqa: F401
        from vidtrans_gui import theme
        from vidtrans_gui.preferences import Preferences, state_folder

    preferences = Preferences()
    theme.apply(app, theme.choose(preferences.appearance))
    splash = _splash()
    app.processEvents()
    candidate_schemes()  # kept for the detection of labels
    with loading_modules():
        from vidtrans.assets.demo_clip import DEMO_SEED, demo_instances, demo_labels
        from vidtrans_gui.files import Demo
        from vidtrans_gui.main_window import MainWindow  # brings torch, which takes seconds

    demo = Demo(demo_labels(), demo_instances(), DEMO_SEED)
    window = MainWindow(preferences, state_folder(), demo=demo)
    _report_faults(window)
    window.closed.connect(app.quit)
    window.show()
    splash.close()
    splash.deleteLater()
    window.start(options.file, demo=options.demo)
    return app, window


def main(argv: Sequence[str] | None = None) -> int:
    """Run the editor.

    Args:
        argv: The arguments; None for those of the process.

    Returns:
        The exit code.
    """
    try:
        app, window = build(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        sys.stderr.write(f"vidtrans-gui: {error}\n")
        return error.exit_code
    except ImportError as error:
        if "PySide6" not in f"{error} {error.path}":
            raise
        sys.stderr.write(
            f"vidtrans-gui: Qt cannot be loaded ({error}). Install it with: pip install"
            " 'vidtrans[gui]'\n"
        )
        return 2
    from vidtrans_gui.garbage import Garbage

    garbage = Garbage(window)

    beat = close_on_interrupt(window)
    code = app.exec()
    beat.stop()
    garbage.close()
    window.preferences.sync()
    return code


def close_on_interrupt(window: QWidget) -> QTimer:
    """Let Ctrl-C in a terminal close ``window``.

    The handler only queues the closing in the event loop: the signal may have interrupted the
    thread while it held a lock that closing needs.

    Returns:
        The timer that lets Python handle signals; stop it at the end.
    """
    from PySide6.QtCore import QTimer

    signal.signal(signal.SIGINT, lambda *_: QTimer.singleShot(0, window.close))
    # Python handles signals between its own instructions only, and Qt's event loop has none.
    beat = QTimer(window, interval=250)
    beat.timeout.connect(lambda: None)
    beat.start()
    return beat


def _splash() -> QLabel:
    """A picture in the middle of the screen for the second in which libraries are imported.

    No QSplashScreen: showing one takes a second of waiting for the window to appear, which Qt 6.11
    notices only afterwards.
    """
    from PySide6.QtCore import QCoreApplication, QRect, Qt
    from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPixmap
    from PySide6.QtWidgets import QLabel

    from vidtrans_gui import icons, theme

    colours = theme.DARK
    picture = QPixmap(360, 150)
    picture.fill(QColor(colours.window))
    painter = QPainter(picture)
    painter.drawPixmap(28, 43, icons.pixmap("film", colours.accent, 64))
    painter.setPen(QColor(colours.text))
    font = painter.font()
    font.setPointSizeF(20)
    painter.setFont(font)
    painter.drawText(112, 84, "vidtrans")
    painter.setFont(QGuiApplication.font())
    painter.setPen(QColor(colours.muted))
    painter.drawText(
        QRect(5, 5, 350, 140),
        Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight,
        QCoreApplication.translate("App", "Starting…"),
    )
    painter.end()
    splash = QLabel()
    splash.setWindowFlags(Qt.WindowType.SplashScreen | Qt.WindowType.FramelessWindowHint)
    splash.setPixmap(picture)
    splash.setFixedSize(picture.size())
    splash.move(QGuiApplication.primaryScreen().geometry().center() - splash.rect().center())
    splash.show()
    return splash


def _report_faults(window: MainWindow) -> None:
    """Show unexpected exceptions of the window's thread in a dialog, with the traceback."""
    from PySide6.QtCore import QCoreApplication

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(text)
        sentence = QCoreApplication.translate(
            "App", "Something went wrong in the editor: {0}"
        ).format(error)
        window.show_problem("vidtrans", sentence, text)

    sys.excepthook = report


if __name__ == "__main__":
    raise SystemExit(main())
