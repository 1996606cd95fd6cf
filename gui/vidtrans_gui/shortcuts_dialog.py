"""The dialog of keyboard shortcuts."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from vidtrans_gui.actions import Actions, plain
from vidtrans_gui.commands import MENUS
from vidtrans_gui.theme import mono_font


class ShortcutsDialog(QDialog):
    """A table of the commands with a shortcut, by menu."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(520, 640)
        self.table = QTreeWidget(self)
        self.table.setColumnCount(2)
        self.table.setHeaderLabels([self.tr("Command"), self.tr("Key")])
        self.table.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.header().setStretchLastSection(False)
        self.table.setRootIsDecorated(False)
        self.table.setAccessibleName(self.tr("Keyboard shortcuts"))
        for menu, title in MENUS.items():
            rows = [
                (command, action)
                for command, action in actions
                if command.menu == menu and not action.shortcut().isEmpty()
            ]
            if not rows:
                continue
            head = QTreeWidgetItem(self.table, [plain(title)])
            font = head.font(0)
            font.setBold(True)
            head.setFont(0, font)
            for command, action in rows:
                keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
                row = QTreeWidgetItem(head, [plain(command.text), keys])
                row.setFont(1, mono_font(9))
        more = QTreeWidgetItem(self.table, [self.tr("Pointer")])
        font = more.font(0)
        font.setBold(True)
        more.setFont(0, font)
        for what, how in (
            (self.tr("Zoom the picture"), self.tr("wheel")),
            (self.tr("Move the picture"), self.tr("drag")),
            (self.tr("Select a class or instance"), self.tr("click")),
            (self.tr("Move the wipe"), self.tr("drag, Alt+Left, Alt+Right")),
            (self.tr("Layer 1 to 7"), "Alt+1 … Alt+7"),
            (self.tr("Stretch the timeline"), self.tr("Ctrl+wheel")),
        ):
            QTreeWidgetItem(more, [what, how]).setFont(1, mono_font(9))
        self.table.expandAll()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.setCenterButtons(False)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.addWidget(self.table)
        layout.addWidget(buttons, 0, Qt.AlignmentFlag.AlignRight)
