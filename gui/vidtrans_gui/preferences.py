"""What the editor remembers between runs, in the platform's own place (QSettings)."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from vidtrans_gui.theme import Appearance


class Preferences:
    """Typed access to the settings; a value that makes no sense counts as not there."""

    def __init__(self, settings: QSettings | None = None) -> None:
        self._settings = settings if settings is not None else QSettings("vidtrans", "vidtrans-gui")

    @property
    def appearance(self) -> Appearance:
        value = str(self._settings.value("appearance", "system"))
        return "dark" if value == "dark" else "light" if value == "light" else "system"

    @appearance.setter
    def appearance(self, value: Appearance) -> None:
        self._settings.setValue("appearance", value)

    def folder(self, purpose: str) -> str:
        """The folder of the last dialog for ``purpose`` (``film``, ``project``, ``export``,
        ...), else the user's films."""
        kept = str(self._settings.value(f"folders/{purpose}", ""))
        if kept and Path(kept).is_dir():
            return kept
        return QStandardPaths.writableLocation(
            QStandardPaths.StandardLocation.MoviesLocation
        ) or str(Path.home())

    def remember_folder(self, purpose: str, path: str | Path) -> None:
        """``path``: the file that was chosen."""
        self._settings.setValue(f"folders/{purpose}", str(Path(path).parent))

    def layout(self) -> tuple[QByteArray, QByteArray] | None:
        """Geometry and docks of the window."""
        geometry, state = (
            self._settings.value("window/geometry"),
            self._settings.value("window/state"),
        )
        if isinstance(geometry, QByteArray) and isinstance(state, QByteArray):
            return geometry, state
        return None

    def remember_layout(self, geometry: QByteArray, state: QByteArray) -> None:
        self._settings.setValue("window/geometry", geometry)
        self._settings.setValue("window/state", state)

    def get(self, key: str, otherwise: str = "") -> str:
        return str(self._settings.value(key, otherwise))

    def put(self, key: str, value: str) -> None:
        self._settings.setValue(key, value)

    def sync(self) -> None:
        self._settings.sync()


def state_folder() -> Path:
    """Where recovery copies and the list of recent files lie."""
    return (
        Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation))
        / "vidtrans"
        / "editor"
    )
