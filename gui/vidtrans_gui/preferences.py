"""What the editor remembers between runs, in the platform's settings (QSettings)."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from vidtrans_gui.theme import Appearance

_APART = ("model", "checkpoints")


class Preferences:
    """Typed access to the settings; an invalid value counts as missing."""

    def __init__(self, settings: QSettings | None = None) -> None:
        self._film: Path | None = None
        self._chosen: dict[str, str] = {}  # folders chosen since the film was opened
        self._settings = settings if settings is not None else QSettings("vidtrans", "vidtrans-gui")

    @property
    def appearance(self) -> Appearance:
        """The colours of the window."""
        value = str(self._settings.value("appearance", "system"))
        return "dark" if value == "dark" else "light" if value == "light" else "system"

    @appearance.setter
    def appearance(self, value: Appearance) -> None:
        self._settings.setValue("appearance", value)

    def folder(self, purpose: str) -> str:
        """The folder where a dialog starts: that of the last one for ``purpose`` since the film was
        opened, else the film's; without a film, that of an earlier run.

        Purposes are ``film``, ``project``, ``export``, ``picture``, ``palette``, ``model`` and
        ``checkpoints``. Those of the last two have nothing to do with the film.
        """
        kept = str(self._settings.value(f"folders/{purpose}", ""))
        films = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
        beside = "" if self._film is None or purpose in _APART else str(self._film.parent)
        candidates = (self._chosen.get(purpose, ""), beside, kept, films)
        return next((each for each in candidates if each and Path(each).is_dir()), str(Path.home()))

    def film_opened(self, film: str | None) -> None:
        """Let dialogs start beside another film; None where there is none."""
        found = None if film is None or "://" in film else Path(film).absolute()
        if found is not None and not os.access(found.parent, os.W_OK):
            found = None
        if found != self._film:
            self._film = found
            self._chosen.clear()

    def remember_folder(self, purpose: str, path: str | Path) -> None:
        """Remember the folder of the chosen file ``path`` for the next dialog."""
        self._chosen[purpose] = str(Path(path).parent)
        self._settings.setValue(f"folders/{purpose}", str(Path(path).parent))

    def layout(self) -> tuple[QByteArray, QByteArray] | None:
        """Geometry and dock layout of the window; None where there is none."""
        geometry, state = (
            self._settings.value("window/geometry"),
            self._settings.value("window/state"),
        )
        if isinstance(geometry, QByteArray) and isinstance(state, QByteArray):
            return geometry, state
        return None

    def remember_layout(self, geometry: QByteArray, state: QByteArray) -> None:
        """Remember geometry and dock layout."""
        self._settings.setValue("window/geometry", geometry)
        self._settings.setValue("window/state", state)

    def get(self, key: str, otherwise: str = "") -> str:
        """A setting as text, else ``otherwise``."""
        return str(self._settings.value(key, otherwise))

    def put(self, key: str, value: str) -> None:
        """Change a setting."""
        self._settings.setValue(key, value)

    def sync(self) -> None:
        """Write the settings to disk."""
        self._settings.sync()


def state_folder() -> Path:
    """The folder of recovery copies and the list of recent files."""
    return (
        Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation))
        / "vidtrans"
        / "editor"
    )
