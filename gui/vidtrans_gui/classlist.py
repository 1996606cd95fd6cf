"""The class list: colour, name and share of every class of the current frame, the one under the
cursor marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from vidtrans_gui.forms import keep_arrows
from vidtrans_gui.theme import theme_of

_Index = QModelIndex | QPersistentModelIndex
RowRole = Qt.ItemDataRole.UserRole
UnderCursorRole = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class ClassRow:
    """One class: ``colour`` RGB 0..255, ``share`` 0..1 of the frame's pixels, ``styled``: an
    edit chooses its style."""

    name: str
    colour: tuple[int, int, int]
    share: float
    styled: bool = False


class ClassModel(QAbstractListModel):
    """Rows sorted by share, largest first; classes that the frame lacks come after, by name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ClassRow] = []
        self._under = ""

    def rowCount(self, parent: _Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.name
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return self.tr("{0}: {1:.2%} of this frame").format(row.name, row.share)
            case _ if role == RowRole:
                return row
            case _ if role == UnderCursorRole:
                return row.name == self._under
        return None

    @property
    def rows(self) -> list[ClassRow]:
        return list(self._rows)

    def show_rows(self, rows: Sequence[ClassRow]) -> None:
        """Replace the rows; the selection stays, and with the same order the scroll position."""
        new_rows = sorted(rows, key=lambda row: (row.share == 0, -row.share, row.name))
        if [row.name for row in new_rows] == [row.name for row in self._rows]:
            self._rows = new_rows
            if new_rows:
                self.dataChanged.emit(self.index(0), self.index(len(new_rows) - 1))
            return
        self.layoutAboutToBeChanged.emit()
        kept = self.persistentIndexList()
        named = {row.name: row_number for row_number, row in enumerate(new_rows)}
        moved = [named.get(self._rows[index.row()].name, -1) for index in kept]
        self._rows = new_rows
        self.changePersistentIndexList(
            kept,
            [self.index(row_number) if row_number >= 0 else QModelIndex() for row_number in moved],
        )
        self.layoutChanged.emit()

    def mark(self, name: str) -> None:
        """Mark the class under the cursor; an empty name marks none."""
        if name == self._under:
            return
        old, self._under = self._under, name
        for row_number, row in enumerate(self._rows):
            if row.name in (old, name):
                self.dataChanged.emit(
                    self.index(row_number), self.index(row_number), [UnderCursorRole]
                )


class _RowPainter(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(160, option.fontMetrics.height() + 10)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row = index.data(RowRole)
        widget = option.widget
        area = QRectF(option.rect)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        theme = theme_of(widget.palette())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected:
            painter.fillRect(area, QColor(theme.accent))
        elif index.data(UnderCursorRole):
            painter.fillRect(area, QColor(theme.hover))
        share = f"{row.share:.1%}" if row.share >= 0.0005 else ("<0.1%" if row.share > 0 else "–")
        text = QColor(theme.on_accent if selected else theme.text if row.share > 0 else theme.muted)
        faint = QColor(
            theme.on_accent if selected else theme.muted if row.share > 0 else theme.faint
        )

        swatch = QRectF(area.left() + 10, area.center().y() - 6, 12, 12)
        painter.setPen(QPen(QColor(0, 0, 0, 90), 1))
        painter.setBrush(QColor(*row.colour))
        painter.drawRoundedRect(swatch, 3, 3)

        numbers = painter.fontMetrics().horizontalAdvance("100.0%")
        right = QRectF(area.right() - numbers - 10, area.top(), numbers, area.height())
        bar = QRectF(right.left() - 58, area.center().y() - 2, 50, 4)
        name = QRectF(
            swatch.right() + 8, area.top(), bar.left() - swatch.right() - 14, area.height()
        )
        shown = painter.fontMetrics().elidedText(
            row.name + ("  ◆" if row.styled else ""), Qt.TextElideMode.ElideRight, int(name.width())
        )
        painter.setPen(text)
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        painter.setPen(faint)
        painter.drawText(right, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, share)
        if row.share > 0:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.field))
            painter.drawRoundedRect(bar, 2, 2)
            # The square root keeps small classes visible next to road and sky.
            painter.setBrush(QColor(theme.on_accent if selected else theme.muted))
            painter.drawRoundedRect(
                QRectF(bar.x(), bar.y(), max(2.0, bar.width() * row.share**0.5), bar.height()), 2, 2
            )
        painter.restore()


class ClassList(QListView):
    """The list of classes in the current frame.

    Signals:
        class_picked(name): A class was clicked or activated.
        menu_wanted(name, position): The context menu of a class was requested, at a global
            position.
    """

    class_picked = Signal(str)
    menu_wanted = Signal(str, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.classes = ClassModel(self)
        self.setModel(self.classes)
        self.setItemDelegate(_RowPainter(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        keep_arrows(self)
        self.setAccessibleName(self.tr("Classes"))
        self.setAccessibleDescription(
            self.tr("Classes of the current frame with their share of its pixels")
        )
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.clicked.connect(lambda index: self.class_picked.emit(index.data()))
        self.activated.connect(lambda index: self.class_picked.emit(index.data()))
        self._choosing = False
        self.customContextMenuRequested.connect(self._request_menu)

    def _request_menu(self, position: QPoint) -> None:
        index = self.indexAt(position)
        if index.isValid():
            self.setCurrentIndex(index)
            self.menu_wanted.emit(index.data(), self.viewport().mapToGlobal(position))

    def currentChanged(self, current: _Index, previous: _Index) -> None:
        """Select the class that the keys went to: a command acts on what is marked."""
        super().currentChanged(current, previous)
        if current.isValid() and not self._choosing and self.hasFocus():
            self.class_picked.emit(current.data())

    def choose(self, name: str) -> None:
        """Select the class called ``name``; clear the selection where it is not listed."""
        self._choosing = True
        try:
            for row_number, row in enumerate(self.classes.rows):
                if row.name == name:
                    self.setCurrentIndex(self.classes.index(row_number))
                    return
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())
        finally:
            self._choosing = False
