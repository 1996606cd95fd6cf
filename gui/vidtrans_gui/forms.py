"""Rows of a form: a label in line with its field, and bound to it for screen readers and mnemonics."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QWidget


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
    row.addWidget(field, 1)
    for widget in beside:
        row.addWidget(widget)
    form.addRow(label, row)
