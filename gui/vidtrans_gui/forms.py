"""Rows of a form: labels aligned with their fields, and their buddies for screen readers."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QWidget,
)

_ARROWS = (Qt.Key.Key_Up, Qt.Key.Key_Down)
_COMMANDS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class _KeepArrows(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.ShortcutOverride and event.key() in _ARROWS:
            event.accept()
            return True
        # Letters are commands in this window. That of a disabled one would search the list.
        if (
            event.type() == QEvent.Type.KeyPress
            and isinstance(watched, QAbstractItemView | QComboBox)
            and event.text().isprintable()
            and event.text().strip()
            and not event.modifiers() & _COMMANDS
        ):
            return True
        return super().eventFilter(watched, event)


def keep_arrows(*widgets: QWidget) -> None:
    """Let these widgets handle Up and Down while focused, before shortcuts of commands do. Lists
    and boxes among them do not search for what is typed."""
    for widget in widgets:
        widget.installEventFilter(_KeepArrows(widget))


def leave_on_enter(*fields: QLineEdit | QAbstractSpinBox) -> None:
    """Let Enter take the focus from these fields, so that keys are commands again."""
    for field in fields:
        line = field.lineEdit() if isinstance(field, QAbstractSpinBox) else field
        # After the field's own handling of Enter.
        line.returnPressed.connect(field.clearFocus, Qt.ConnectionType.QueuedConnection)


def add_row(form: QFormLayout, text: str, field: QWidget, *extra: QWidget) -> None:
    """Add a row to a form.

    Args:
        form: The form.
        text: The label's text; may be empty.
        field: The field, which becomes the label's buddy.
        *extra: Widgets to the right of the field.
    """
    label = QLabel(text)
    label.setBuddy(field)
    label.setMinimumHeight(field.sizeHint().height())
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    if not extra:
        form.addRow(label, field)
        return
    row = QHBoxLayout()
    row.setSpacing(6)
    row.addWidget(field, 1)
    for widget in extra:
        row.addWidget(widget)
    form.addRow(label, row)
