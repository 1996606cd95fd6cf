"""Rows of a form: a label in line with its field, and bound to it for screen readers and
mnemonics."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QWidget

_ARROWS = (Qt.Key.Key_Up, Qt.Key.Key_Down)


class _KeepArrows(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and event.key() in _ARROWS
        ):
            event.accept()
            return True
        return super().eventFilter(watched, event)


def keep_arrows(*widgets: QWidget) -> None:
    """Up and Down go to these while they have the focus, and not to the commands that have them
    as shortcuts."""
    for widget in widgets:
        widget.installEventFilter(_KeepArrows(widget))


def add_row(form: QFormLayout, text: str, field: QWidget, *beside: QWidget) -> None:
    """One row; ``beside``: widgets right of the field."""
    label = QLabel(text)
    label.setBuddy(field)
    label.setMinimumHeight(field.sizeHint().height())
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    if not beside:
        form.addRow(label, field)
        return
    row = QHBoxLayout()
    row.setSpacing(6)
    row.addWidget(field, 1)
    for widget in beside:
        row.addWidget(widget)
    form.addRow(label, row)
