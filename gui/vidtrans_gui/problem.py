"""Dialogs for errors: a sentence, and collapsed details."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vidtrans_gui import icons
from vidtrans_gui.theme import mono_font, theme_of


class ProblemDialog(QDialog):
    """Shows one sentence, and a traceback on request."""

    def __init__(
        self, title: str, message: str, details: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.message, self.details = message, details
        theme = theme_of(self.palette())
        sign = QLabel(self)
        ratio = self.devicePixelRatioF()
        drawn = icons.pixmap("warning", theme.warning, round(32 * ratio))
        drawn.setDevicePixelRatio(ratio)
        sign.setPixmap(drawn)
        sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        text = QLabel(message, self)
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setWordWrap(True)
        text.setMinimumWidth(420)
        text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        text.setAccessibleName(message)
        self.folded = QPlainTextEdit(details, self)
        self.folded.setReadOnly(True)
        self.folded.setFont(mono_font(9))
        self.folded.setMinimumHeight(220)
        self.folded.setAccessibleName(self.tr("Details"))
        self.folded.setVisible(False)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok, self)
        buttons.accepted.connect(self.accept)
        self.unfold = QPushButton(self.tr("Details"), self)
        self.unfold.setCheckable(True)
        self.unfold.toggled.connect(self._unfold)
        if details:
            buttons.addButton(self.unfold, QDialogButtonBox.ButtonRole.ActionRole)
        else:
            self.unfold.hide()
        copy = QPushButton(self.tr("Copy"), self)
        copy.setToolTip(self.tr("Copy the sentence and the details"))
        copy.clicked.connect(self._copy)
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)

        row = QHBoxLayout()
        row.setSpacing(14)
        row.addWidget(sign)
        row.addWidget(text, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 18, 18, 14)
        layout.setSpacing(14)
        layout.addLayout(row)
        layout.addWidget(self.folded)
        layout.addWidget(buttons)

    def _unfold(self, shown: bool) -> None:
        self.folded.setVisible(shown)
        self.adjustSize()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(
            "\n\n".join(part for part in (self.message, self.details) if part)
        )


def show_problem(parent: QWidget, title: str, message: str, details: str = "") -> ProblemDialog:
    """Show an error in a dialog that is modal to the window but does not block the caller.

    A message that is shown already is not shown twice.
    """
    for shown in parent.findChildren(ProblemDialog):
        if shown.isVisible() and shown.message == message:
            return shown
    dialog = ProblemDialog(title, message, details, parent)
    dialog.open()
    return dialog
