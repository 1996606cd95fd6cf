"""The commands as QActions, for menus, buttons and the list under Help."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QUndoStack

from vidtrans_gui import icons
from vidtrans_gui.commands import COMMANDS, Command
from vidtrans_gui.theme import Theme


def text_of(text: str) -> str:
    """The translation of a text of ``commands.py``."""
    return QCoreApplication.translate("Actions", text)


def plain(text: str) -> str:
    """The translation of a command's text, without mnemonic mark and trailing ellipsis."""
    return text_of(text).replace("&", "").rstrip("…")


class Actions(QObject):
    """A QAction for each command, by its key."""

    def __init__(self, parent: QObject, undo: QUndoStack) -> None:
        super().__init__(parent)
        self._actions: dict[str, QAction] = {}
        # These two follow the stack: their texts say what would be undone.
        made = {"undo": undo.createUndoAction(self), "redo": undo.createRedoAction(self)}
        groups: dict[str, QActionGroup] = {}
        for command in COMMANDS:
            action = made.get(command.key) or QAction(text_of(command.text), self)
            if command.shortcut:
                action.setShortcut(QKeySequence(command.shortcut))
            tip = text_of(command.tip) if command.tip else plain(command.text)
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            action.setToolTip(f"{tip} ({keys})" if keys else tip)
            action.setStatusTip(tip)
            action.setCheckable(command.checkable)
            if command.group:
                group = groups.setdefault(command.group, QActionGroup(self))
                group.addAction(action)
            self._actions[command.key] = action

    def __getitem__(self, key: str) -> QAction:
        return self._actions[key]

    def __iter__(self) -> Iterator[tuple[Command, QAction]]:
        for command in COMMANDS:
            yield command, self._actions[command.key]

    def tint(self, theme: Theme) -> None:
        """Draw all icons in the theme's colours."""
        for command, action in self:
            if command.icon:
                action.setIcon(icons.icon(command.icon, theme))
        self._pause_icon, self._play_icon = icons.icon("pause", theme), icons.icon("play", theme)

    def show_playing(self, playing: bool) -> None:
        """Give ``play`` the icon of what it does next."""
        self._actions["play"].setIcon(self._pause_icon if playing else self._play_icon)

    def enable_film(self, there: bool) -> None:
        """Enable the commands that need a film, if there is one."""
        for command, action in self:
            if command.needs_film:
                action.setEnabled(there)
