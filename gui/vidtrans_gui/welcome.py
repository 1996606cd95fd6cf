"""The page that is shown while nothing is open: the demo, opening, and recent files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from vidtrans_gui import icons
from vidtrans_gui.theme import theme_of


class Welcome(QWidget):
    """The welcome page.

    Signals:
        demo_wanted(): The demo shall be opened.
        open_wanted(): A dialog for films shall be opened.
        folder_wanted(): A dialog for folders of images shall be opened.
        recent_wanted(path): A recent file shall be opened.
    """

    demo_wanted = Signal()
    open_wanted = Signal()
    folder_wanted = Signal()
    recent_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Welcome"))
        card = QFrame(self)
        card.setProperty("role", "card")
        card.setFixedWidth(660)
        heading = QLabel(self.tr("Labels in, street out"), card)
        heading.setProperty("role", "heading")
        text = QLabel(
            self.tr(
                "Open a label film, a folder of label images or a project: vidtrans paints it as a"
                " street film, which you can look through, correct and export."
            ),
            card,
        )
        text.setWordWrap(True)
        text.setProperty("role", "muted")
        self.demo = QPushButton(self.tr("Open the demo"), card)
        self.demo.setProperty("primary", True)
        self.demo.setToolTip(self.tr("A short label film that comes with vidtrans"))
        self.open = QPushButton(self.tr("Open film or project…"), card)
        self.folder = QPushButton(self.tr("Open folder of images…"), card)
        self._icons = {self.demo: "film", self.open: "open", self.folder: "picture"}
        self._hint = QLabel(
            self.tr(
                "Films, folders, models and projects can also be dropped anywhere on this window."
            ),
            card,
        )
        self._hint.setProperty("role", "muted")
        self._hint.setWordWrap(True)
        self._recent_title = QLabel(self.tr("Recent"), card)
        self._recent_title.setProperty("role", "title")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(1)

        sign = QLabel(card)
        sign.setPixmap(
            QIcon(str(files("vidtrans_gui").joinpath("data", "vidtrans-gui.svg"))).pixmap(
                QSize(72, 72)
            )
        )
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.demo, self.open, self.folder):
            button.setMinimumHeight(34)
            button.setIconSize(QSize(18, 18))
            row.addWidget(button, 1)
        inner = QVBoxLayout(card)
        inner.setContentsMargins(36, 32, 36, 28)
        inner.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(6)
        words.addWidget(heading)
        words.addWidget(text)
        top = QHBoxLayout()
        top.setSpacing(20)
        top.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        inner.addLayout(top)
        inner.addSpacing(8)
        inner.addLayout(row)
        inner.addSpacing(8)
        inner.addWidget(self._recent_title)
        inner.addLayout(self._recent)
        inner.addWidget(self._hint)
        # Stretches around the card instead of an alignment, which would ignore height-for-width of
        # the wrapped labels.
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(card)
        across.addStretch(1)
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        outer.addLayout(across)
        outer.addStretch(3)
        self.demo.clicked.connect(self.demo_wanted)
        self.open.clicked.connect(self.open_wanted)
        self.folder.clicked.connect(self.folder_wanted)
        self.show_recent(())
        self._tint()

    def show_recent(self, paths: Sequence[Path]) -> None:
        """Show recent files, newest first; those that do not exist are disabled."""
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for path in paths[:5]:
            text = self.fontMetrics().elidedText(
                f"{path.name}    {path.parent}", Qt.TextElideMode.ElideMiddle, 560
            )
            button = QPushButton(text.replace("&", "&&"), self)
            button.setFlat(True)
            button.setStyleSheet("text-align: left; padding: 4px 6px; border: none;")
            button.setEnabled(path.exists())
            button.setToolTip(
                str(path) if path.exists() else self.tr("{0} is not there").format(path)
            )
            button.clicked.connect(
                lambda _=False, chosen=str(path): self.recent_wanted.emit(chosen)
            )
            self._recent.addWidget(button)
        self._recent_title.setVisible(bool(paths))

    def _tint(self) -> None:
        theme = theme_of(self.palette())
        for button, name in self._icons.items():
            colours = theme.on_accent if button is self.demo else theme.text
            button.setIcon(icons.pixmap(name, colours, 36))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._tint()
        super().changeEvent(event)
