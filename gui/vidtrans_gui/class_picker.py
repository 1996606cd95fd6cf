"""A small dialog to choose a class by typing a part of its name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from vidtrans_gui.edits_panel import swatch


class ClassPicker(QDialog):
    """A list of classes with a filter.

    Signals:
        chosen(name): A class was confirmed.
    """

    chosen = Signal(str)

    def __init__(
        self,
        title: str,
        prompt: str,
        classes: Sequence[tuple[str, tuple[int, int, int]]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(320, 460)
        self.filter = QLineEdit(self)
        self.filter.setPlaceholderText(self.tr("Type to find a class"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName(self.tr("Find a class"))
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Classes"))
        for name, colour in classes:
            self.list.addItem(QListWidgetItem(swatch(colour, 16), name))
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        label = QLabel(prompt, self)
        label.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.setSpacing(9)
        for widget in (label, self.filter, self.list, self._buttons):
            layout.addWidget(widget)
        self.filter.textChanged.connect(self._narrow)
        self.filter.installEventFilter(self)
        self.list.itemDoubleClicked.connect(self.accept)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._narrow("")
        self.filter.setFocus()

    def _narrow(self, text: str) -> None:
        shown = []
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setHidden(text.casefold() not in item.text().casefold())
            if not item.isHidden():
                shown.append(item)
        current = self.list.currentItem()
        if shown and (current is None or current.isHidden()):
            self.list.setCurrentItem(shown[0])
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(shown))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down move through the list while the filter has the focus."""
        if (
            watched is self.filter
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
        ):
            step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
            rows = [row for row in range(self.list.count()) if not self.list.item(row).isHidden()]
            if step and rows:
                current = (
                    rows.index(self.list.currentRow()) if self.list.currentRow() in rows else 0
                )
                self.list.setCurrentRow(rows[min(max(0, current + step), len(rows) - 1)])
                return True
        return super().eventFilter(watched, event)

    def accept(self) -> None:
        item = self.list.currentItem()
        if item is not None and not item.isHidden():
            self.chosen.emit(item.text())
            super().accept()
