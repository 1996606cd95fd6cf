"""The dialog that exports several films, each with its own settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vidtrans.media.writer import is_folder_target
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans_gui.export_dialog import ExportDialog


class FilmsDialog(QDialog):
    """A list of films with their outputs.

    Signals:
        queued(exports): The settings of the exports that were confirmed.
    """

    queued = Signal(list)

    def __init__(
        self,
        exports: Sequence[ConvertSettings],
        parent: QWidget | None = None,
        *,
        writing: Collection[Path] = (),
    ) -> None:
        """Make the dialog.

        Args:
            exports: The proposed settings of each film.
            parent: The dialog's parent.
            writing: The outputs of exports that are not done.
        """
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export films"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 380)
        self.exports = list(exports)
        self._writing = frozenset(writing)
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Films"))
        self.list.setSpacing(1)
        self.problem = QLabel(self)
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.settings = QPushButton(self.tr("Settings…"), self)
        self.settings.setToolTip(self.tr("Output, format and settings of the selected film"))
        self.remove = QPushButton(self.tr("Remove"), self)
        self.add = QPushButton(self.tr("Add to queue"), self)
        self.add.setProperty("primary", True)
        self.add.setDefault(True)
        cancel = QPushButton(self.tr("Cancel"), self)
        buttons = QHBoxLayout()
        buttons.addWidget(self.settings)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 14)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.problem)
        layout.addLayout(buttons)
        self.list.itemDoubleClicked.connect(lambda _item: self.open_settings())
        self.settings.clicked.connect(self.open_settings)
        self.remove.clicked.connect(self._remove)
        self.add.clicked.connect(self.accept)
        cancel.clicked.connect(self.reject)
        self._fill(0)

    def _fill(self, row: int) -> None:
        self.list.clear()
        for settings in self.exports:
            output = Path(settings.output)
            text = self.tr("{0}\nto {1}").format(Path(settings.input).name, output)
            item = QListWidgetItem(text)
            item.setSizeHint(QSize(0, 2 * self.fontMetrics().height() + 10))
            self.list.addItem(item)
        self.list.setCurrentRow(min(row, len(self.exports) - 1))
        problem = self._problem()
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.add.setEnabled(bool(self.exports) and not problem)
        for button in (self.settings, self.remove):
            button.setEnabled(bool(self.exports))

    def _problem(self) -> str:
        """The first reason why the exports cannot be queued; empty where they can."""
        seen: set[Path] = set()
        for settings in self.exports:
            output = Path(settings.output).absolute()
            if output in seen or output in self._writing:
                return self.tr("Two exports write {0}.").format(output.name)
            seen.add(output)
            taken = output.exists() and not is_folder_target(settings.output)
            if taken and not (settings.overwrite or settings.resume):
                return self.tr("{0} exists already. Choose another name, or replace it.").format(
                    output.name
                )
        return ""

    def open_settings(self) -> ExportDialog | None:
        """Open the settings of the selected film."""
        row = self.list.currentRow()
        if row < 0:
            return None
        settings = self.exports[row]
        output = Path(settings.output)
        dialog = ExportDialog(settings, str(output.parent), output.stem, self)
        dialog.show_settings(settings)
        dialog.queued.connect(lambda chosen: self._chosen(row, chosen))
        dialog.open()
        return dialog

    def _chosen(self, row: int, settings: ConvertSettings) -> None:
        self.exports[row] = settings
        self._fill(row)

    def _remove(self) -> None:
        row = self.list.currentRow()
        if row >= 0:
            del self.exports[row]
            self._fill(row)

    def accept(self) -> None:
        if self.add.isEnabled():
            self.queued.emit(list(self.exports))
            super().accept()
