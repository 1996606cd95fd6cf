"""What does not fit into a bar: its parts give way one by one, and a menu takes their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QBoxLayout, QComboBox, QMenu, QToolButton, QWidget

Entry = Callable[[QMenu], object]
"""Puts what a hidden part does into a menu."""


class Overflow(QToolButton):
    """The arrow at the end of a bar, with the menu of what is hidden.

    It is visible only while a part is hidden.
    """

    def __init__(
        self, bar: QWidget, row: QBoxLayout, spare: Sequence[tuple[QWidget, Entry]]
    ) -> None:
        """Make the arrow.

        Args:
            bar: The bar.
            row: Its layout, to which the arrow is added.
            spare: The parts that may give way, the first one first, and their entries.
        """
        super().__init__(bar)
        self._row, self._spare = row, tuple(spare)
        self.setText("»")
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolTip(self.tr("What does not fit into the bar"))
        self.setAccessibleName(self.tr("More commands"))
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill)
        self.setMenu(self._menu)
        row.addWidget(self)
        self.hide()

    def fit(self, width: int) -> None:
        """Hide as many parts as a bar of ``width`` pixels needs."""
        for part, _ in self._spare:
            part.show()
        self.hide()
        for part, _ in self._spare:
            if self._row.minimumSize().width() <= width:
                break
            self.show()
            part.hide()

    def entries(self) -> list[QAction]:
        """The entries of the menu."""
        self._fill()
        return self._menu.actions()

    def _fill(self) -> None:
        self._menu.clear()
        for part, entry in self._spare:
            if part.isHidden():
                entry(self._menu)


def button_entry(button: QToolButton) -> Entry:
    """The entry of a button: its command."""
    return lambda menu: menu.addAction(button.defaultAction())


def box_entry(box: QComboBox) -> Entry:
    """The entry of a box: a menu of its choices."""

    def put(menu: QMenu) -> None:
        choices = menu.addMenu(box.accessibleName())
        group = QActionGroup(choices)
        for row in range(box.count()):
            action = group.addAction(choices.addAction(box.itemText(row)))
            action.setCheckable(True)
            action.setChecked(row == box.currentIndex())
            item = box.model().index(row, 0)
            action.setEnabled(bool(box.model().flags(item) & Qt.ItemFlag.ItemIsEnabled))
            action.triggered.connect(lambda _=False, chosen=row: _choose(box, chosen))

    return put


def _choose(box: QComboBox, row: int) -> None:
    box.setCurrentIndex(row)
    box.activated.emit(row)
