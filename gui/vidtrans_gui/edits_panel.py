"""The dock of edits: the selection, and the list of edits with their frame ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vidtrans.labels.edit import Edit, FirstFrame, ResetAt
from vidtrans_gui import wording
from vidtrans_gui.actions import Actions, plain
from vidtrans_gui.forms import add_row, keep_arrows, leave_on_enter
from vidtrans_gui.style_names import StyleNames

Reach = Literal["film", "range", "onward", "frame"]


@dataclass(frozen=True)
class Selection:
    """The selection as the panel shows it.

    Attributes:
        name: The class.
        colour: The class's colour, RGB.
        instance: The id in the instance map; None for the whole class.
        share: Its share of the picture, 0 to 1.
    """

    name: str
    colour: tuple[int, int, int]
    instance: int | None = None
    share: float = 0.0


def swatch(colour: tuple[int, int, int] | str, size: int = 14) -> QPixmap:
    """A square of ``size`` pixels in one colour."""
    drawn = QPixmap(size, size)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(0, 0, 0, 90))
    painter.setBrush(QColor(colour) if isinstance(colour, str) else QColor(*colour))
    painter.drawRoundedRect(1, 1, size - 2, size - 2, 3, 3)
    painter.end()
    return drawn


class EditsPanel(QWidget):
    """The panel of edits.

    Signals:
        picked(index): An edit was selected in the list.
        range_changed(index, start, end): The frame range of an edit was changed; ``end`` is
            exclusive, -1 for the end of the film.
    """

    picked = Signal(int)
    range_changed = Signal(int, int, int)

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(
            Qt.WidgetAttribute.WA_StyledBackground
        )  # the dock's colour, not the window's
        self.setMinimumWidth(
            260
        )  # room for the range of an edit, so that the viewer keeps its size when it appears
        self._edits: tuple[Edit, ...] = ()
        self._styles = StyleNames()
        self._frames = 0
        self._swatch = QLabel(self)
        self._name = QLabel(self)
        self._name.setProperty("role", "title")
        self._more = QLabel(self)
        self._more.setProperty("role", "muted")
        self._more.setWordWrap(True)
        self.reach = QComboBox(self)
        for key, text in (
            ("film", self.tr("whole film")),
            ("range", self.tr("from in to out")),
            ("onward", self.tr("from this frame on")),
            ("frame", self.tr("this frame only")),
        ):
            self.reach.addItem(text, key)
        self.reach.setAccessibleName(self.tr("Range of new edits"))
        self.reach.setToolTip(
            self.tr("The frames that a new edit applies to; it can be changed below afterwards")
        )
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Edits"))
        self.list.setIconSize(QSize(14, 14))
        self.list.setSpacing(1)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(
            Qt.TextElideMode.ElideMiddle
        )  # the frames, at the end, stay readable
        self._empty = QLabel(
            self.tr(
                "No edits yet. Click something in the picture, then relabel, delete or restyle it."
            ),
            self,
        )
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        self.start = QSpinBox(self)
        self.start.setAccessibleName(self.tr("First frame of the edit"))
        self.stop = QSpinBox(self)
        self.stop.setAccessibleName(self.tr("Last frame of the edit"))
        self.to_end = QCheckBox(self.tr("to end"), self)
        for box in (self.start, self.stop):
            box.setKeyboardTracking(False)  # half a number is no range
        keep_arrows(self.reach, self.list, self.start, self.stop)
        leave_on_enter(self.start, self.stop)
        self._range = QWidget(self)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(7)
        row = QHBoxLayout()
        row.addWidget(self._swatch)
        row.addWidget(self._name, 1)
        layout.addLayout(row)
        layout.addWidget(self._more)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for key in ("relabel", "delete", "style"):
            button = QToolButton(self)
            button.setDefaultAction(actions[key])
            short = self.tr("Delete") if key == "delete" else plain(actions[key].text())
            actions[key].setIconText(short)  # all three have room in a narrow window
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setIconSize(QSize(16, 16))
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setAccessibleName(actions[key].statusTip())
            button.setMinimumWidth(60)
            buttons.addWidget(button)
        layout.addLayout(buttons)
        form = QFormLayout()
        form.setContentsMargins(0, 2, 0, 4)
        add_row(form, self.tr("New edits:"), self.reach)
        layout.addLayout(form)
        layout.addWidget(self._empty, 1)
        layout.addWidget(self.list, 1)
        ends = QHBoxLayout(self._range)
        ends.setContentsMargins(0, 0, 0, 0)
        ends.addWidget(QLabel(self.tr("Frames"), self))
        ends.addWidget(self.start, 1)
        ends.addWidget(QLabel("–", self))
        ends.addWidget(self.stop, 1)
        ends.addWidget(self.to_end)
        remove = QToolButton(self)
        remove.setDefaultAction(actions["remove-edit"])
        remove.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        remove.setAccessibleName(actions["remove-edit"].statusTip())
        ends.addWidget(remove)
        layout.addWidget(self._range)
        self.list.currentRowChanged.connect(self._picked)
        self.start.valueChanged.connect(self._changed)
        self.stop.valueChanged.connect(self._changed)
        self.to_end.toggled.connect(self._changed)
        self.show_selection(None)
        self.show_edits((), 0)

    @property
    def chosen_reach(self) -> Reach:
        """The frame range of new edits."""
        return self.reach.currentData()  # type: ignore[no-any-return]

    @property
    def selected_index(self) -> int | None:
        """The index of the edit that is selected in the list."""
        row = self.list.currentRow()
        return row if 0 <= row < len(self._edits) else None

    def show_selection(self, selection: Selection | None) -> None:
        """Describe the selection."""
        self._swatch.setVisible(selection is not None)
        if selection is None:
            self._name.setText(self.tr("Nothing selected"))
            self._more.setText(self.tr("Click the picture or a class."))
            return
        self._swatch.setPixmap(swatch(selection.colour, 16))
        self._name.setText(selection.name)
        share = self.tr("{0:.1%} of this frame").format(selection.share)
        if selection.instance is None:
            self._more.setText(self.tr("Whole class · {0}").format(share))
        else:
            self._more.setText(self.tr("Instance {0} · {1}").format(selection.instance, share))

    def set_styles(self, styles: StyleNames) -> None:
        """Use these names of styles from now on."""
        self._styles = styles

    def show_edits(self, edits: Sequence[Edit], frames: int, pick: int | None = None) -> None:
        """Fill the list.

        Args:
            edits: The edits.
            frames: The number of the film's frames.
            pick: The index of the edit to select; None keeps the selection.
        """
        row = self.list.currentRow() if pick is None else pick
        self._edits, self._frames = tuple(edits), frames
        self.list.blockSignals(True)
        self.list.clear()
        for edit in edits:
            item = QListWidgetItem(
                swatch(wording.colour_of(edit)),
                f"{wording.describe(edit, self._styles)}   {self._frames_of(edit)}",
            )
            item.setToolTip(item.text())
            self.list.addItem(item)
        self.list.setCurrentRow(min(row, len(edits) - 1))
        self.list.blockSignals(False)
        self.list.setVisible(bool(edits))
        self._empty.setVisible(not edits)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._show_range()

    def _frames_of(self, edit: Edit) -> str:
        if isinstance(edit, FirstFrame | ResetAt):
            return self.tr("at {0}").format(edit.start)
        if edit.end is None:
            return (
                self.tr("all frames") if edit.start == 0 else self.tr("from {0}").format(edit.start)
            )
        return self.tr("{0}–{1}").format(edit.start, edit.end - 1)

    def select(self, index: int) -> None:
        """Select an edit in the list."""
        self.list.setCurrentRow(index)

    def _picked(self, row: int) -> None:
        self._show_range()
        self.picked.emit(row)

    def _show_range(self) -> None:
        self._range.setVisible(self.selected_index is not None)
        if self.selected_index is None:
            return
        edit = self._edits[self.selected_index]
        for part in (self.start, self.stop, self.to_end):
            part.blockSignals(True)
        last = max(0, self._frames - 1)
        at_once = isinstance(edit, FirstFrame | ResetAt)
        self.start.setRange(0, last)
        self.start.setValue(edit.start)
        self.stop.setRange(edit.start, last)
        self.stop.setValue(last if edit.end is None else edit.end - 1)
        self.to_end.setChecked(edit.end is None)
        self.stop.setEnabled(edit.end is not None and not at_once)
        self.to_end.setVisible(not at_once)
        for part in (self.start, self.stop, self.to_end):
            part.blockSignals(False)

    def _changed(self) -> None:
        if self.selected_index is not None:
            start = self.start.value()
            end = -1 if self.to_end.isChecked() else max(start, self.stop.value()) + 1
            self.range_changed.emit(self.selected_index, start, end)
