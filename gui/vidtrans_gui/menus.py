"""The menu bar, made from the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QShortcut
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMenu

from vidtrans_gui import wording
from vidtrans_gui.actions import Actions, text_of
from vidtrans_gui.commands import MENUS
from vidtrans_gui.preferences import Preferences

# For keyboards without a plus key, and habits from other programs.
MORE_KEYS = {"Ctrl+=": "zoom-in", "=": "timeline-in", "Ctrl+Y": "redo"}


class Menus(QObject):
    """The menus: of the commands, and of recent files, layers, panels and appearance.

    Signals:
        layer_chosen(layer): A layer was chosen.
        preview_chosen(scale): A size of the preview was chosen, a ``PreviewScale``.
        appearance_chosen(appearance): ``system``, ``dark`` or ``light`` was chosen.
        recent_chosen(path): A recent file was chosen.
    """

    layer_chosen = Signal(str)
    preview_chosen = Signal(str)
    appearance_chosen = Signal(str)
    recent_chosen = Signal(str)

    def __init__(
        self,
        window: QMainWindow,
        actions: Actions,
        docks: Mapping[str, QDockWidget],
        preferences: Preferences,
    ) -> None:
        super().__init__(window)
        bar = window.menuBar()
        self.by_name: dict[str, QMenu] = {
            key: bar.addMenu(text_of(title)) for key, title in MENUS.items()
        }
        self.recent = QMenu(self.tr("Open &recent"), window)
        self.recent.setToolTipsVisible(True)
        for command, action in actions:
            menu = self.by_name[command.menu]
            if command.separator:
                menu.addSeparator()
            menu.addAction(action)
            if command.key == "open-folder":
                menu.addMenu(self.recent)
        view = self.by_name["View"]
        view.addSeparator()
        layers = view.addMenu(self.tr("&Layer"))
        for number, layer in enumerate(wording.layers(), 1):
            action = layers.addAction(wording.layer_name(layer))
            action.setShortcut(QKeySequence(f"Alt+{number}"))
            action.setStatusTip(wording.layer_tip(layer))
            action.triggered.connect(lambda _=False, chosen=layer: self.layer_chosen.emit(chosen))
        sizes = view.addMenu(self.tr("Pre&view size"))
        self._previews: dict[str, QAction] = {}
        group = QActionGroup(sizes)
        for value, text in (
            ("auto", self.tr("Automatic")),
            ("full", self.tr("As the export")),
            ("half", self.tr("1/2")),
            ("quarter", self.tr("1/4")),
        ):
            action = self._previews[value] = group.addAction(sizes.addAction(text))
            action.setCheckable(True)
            action.setStatusTip(
                self.tr("The size at which the preview is painted; exports keep their own")
            )
            action.triggered.connect(lambda _=False, chosen=value: self.preview_chosen.emit(chosen))
        self.show_preview("auto")
        panels = view.addMenu(self.tr("P&anels"))
        for dock in docks.values():
            panels.addAction(dock.toggleViewAction())
        appearance = view.addMenu(self.tr("A&ppearance"))
        group = QActionGroup(appearance)
        for value, text in (
            ("system", self.tr("As the system")),
            ("dark", self.tr("Dark")),
            ("light", self.tr("Light")),
        ):
            action = group.addAction(appearance.addAction(text))
            action.setCheckable(True)
            action.setChecked(preferences.appearance == value)
            action.triggered.connect(
                lambda _=False, chosen=value: self.appearance_chosen.emit(chosen)
            )
        for keys, name in MORE_KEYS.items():
            QShortcut(QKeySequence(keys), window).activated.connect(actions[name].trigger)

    def show_preview(self, scale: str) -> None:
        """Mark the size of the preview."""
        self._previews[scale].setChecked(True)

    def show_recent(self, paths: Sequence[Path]) -> None:
        """Fill the menu of recent files, newest first."""
        self.recent.clear()
        for path in paths:
            action = self.recent.addAction(path.name.replace("&", "&&"))
            action.setToolTip(str(path))
            action.setStatusTip(str(path))
            action.triggered.connect(
                lambda _=False, chosen=str(path): self.recent_chosen.emit(chosen)
            )
        self.recent.setEnabled(bool(paths))
