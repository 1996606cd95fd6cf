"""The dialog of styles, with a thumbnail of each."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QColor, QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from vidtrans_gui.inbox import Inbox
from vidtrans_gui.pictures import to_qimage
from vidtrans_gui.style_thumbs import Thumb
from vidtrans_gui.theme import theme_of

_COLUMNS, _MOST_ROWS = 4, 3
_THUMB, _CELL = QSize(200, 120), QSize(216, 152)


class StyleDialog(QDialog):
    """A sheet of thumbnails, which are painted while it is open.

    Attributes:
        stop: Set when no more thumbnails are needed.

    Signals:
        chosen(style): The number of the chosen style, from 0.
    """

    chosen = Signal(int)

    def __init__(
        self, title: str, count: int, parent: QWidget | None = None, *, names: Sequence[str] = ()
    ) -> None:
        """Make a sheet of ``count`` styles; ``names``: what they are called, empty for none."""
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rows = min(-(-count // _COLUMNS), _MOST_ROWS)
        self.resize(_COLUMNS * _CELL.width() + 56, rows * _CELL.height() + 100)
        self.stop = threading.Event()
        self._inbox = Inbox(self._show, self)
        self.sheet = QListWidget(self)
        self.sheet.setViewMode(QListView.ViewMode.IconMode)
        self.sheet.setResizeMode(QListView.ResizeMode.Adjust)
        self.sheet.setMovement(QListView.Movement.Static)
        self.sheet.setIconSize(_THUMB)
        self.sheet.setGridSize(_CELL)
        self.sheet.setAccessibleName(self.tr("Styles"))
        blank = QPixmap(_THUMB)
        blank.fill(QColor(theme_of(self.palette()).field))
        for style in range(count):
            name = names[style] if style < len(names) else ""
            text = self.tr("Style {0}").format(style) + (f" · {name}" if name else "")
            item = QListWidgetItem(QIcon(blank), text)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            self.sheet.addItem(item)
        self.sheet.setCurrentRow(0)
        self.note = QLabel(self.tr("Painting the styles…"), self)
        self.note.setProperty("role", "muted")
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 12)
        layout.addWidget(self.sheet, 1)
        layout.addWidget(self.note)
        layout.addWidget(buttons)
        self._painted = 0
        self.sheet.itemDoubleClicked.connect(self.accept)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)

    def put(self, thumb: Thumb) -> None:
        """Add a thumbnail, from any thread; it is converted there."""
        self._inbox.put((thumb.style, to_qimage(thumb.picture)))

    def _show(self, value: tuple[int, QImage]) -> None:
        style, image = value
        filled = image.scaled(
            _THUMB,
            Qt.AspectRatioMode.KeepAspectRatioByExpanding,
            Qt.TransformationMode.SmoothTransformation,
        )
        middle = QRect(QPoint(), _THUMB)
        middle.moveCenter(filled.rect().center())
        thumb = QPixmap.fromImage(filled.copy(middle))
        icon = QIcon(thumb)
        icon.addPixmap(
            thumb, QIcon.Mode.Selected
        )  # without the tint of a selection, which would falsify the colours to choose from
        self.sheet.item(style).setIcon(icon)
        self._painted += 1
        self.note.setText(
            "" if self._painted == self.sheet.count() else self.tr("Painting the styles…")
        )

    def show_note(self, message: str) -> None:
        """Show a message below the sheet, such as why there are no thumbnails."""
        self.note.setText(message)

    def accept(self) -> None:
        if self.sheet.currentRow() >= 0:
            self.chosen.emit(self.sheet.currentRow())
            super().accept()

    def done(self, result: int) -> None:
        self.stop.set()
        self._inbox.close()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.stop.set()
        self._inbox.close()
        super().closeEvent(event)
