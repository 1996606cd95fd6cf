"""The model manager: embedded and own models, their cards, import of published checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from vidtrans.model import BundleEntry
from vidtrans_gui import library, wording
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.problem import show_problem
from vidtrans_gui.tasks import Tasks

translate = QCoreApplication.translate


def _rows(entry: BundleEntry, facts: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The card as pairs of a name and a value; ``facts`` as ``library.facts`` returns them."""
    card = entry.card
    if card is None:
        return []
    rows = [
        (translate("ModelDialog", "System"), f"{card.system}, {card.architecture}"),
        (
            translate("ModelDialog", "Labels"),
            card.label_scheme or translate("ModelDialog", "numbers only"),
        ),
    ]
    if card.training_hw:
        rows.append(
            (
                translate("ModelDialog", "Trained at"),
                f"{card.training_hw[1]} × {card.training_hw[0]}",
            )
        )
    if facts is not None:
        height, width = facts["flop_size_hw"]
        rows += [
            (
                translate("ModelDialog", "Classes"),
                (
                    str(facts["label_nc"])
                    if facts["label_nc"]
                    else translate("ModelDialog", "none, it takes pictures")
                ),
            ),
            (
                translate("ModelDialog", "Parameters"),
                translate("ModelDialog", "{0:.2f} million").format(facts["parameters"] / 1e6),
            ),
            (
                translate("ModelDialog", "Cost"),
                translate("ModelDialog", "{0:.1f} GFLOP a frame at {1} × {2}").format(
                    facts["flop_per_frame"] / 1e9, width, height
                ),
            ),
        ]
    if card.styles:
        rows.append(
            (
                translate("ModelDialog", "Styles"),
                ", ".join(f"{name}: {len(centres)}" for name, centres in card.styles.items()),
            )
        )
    size = (
        wording.amount(entry.path.stat().st_size)
        if entry.path.exists()
        else translate("ModelDialog", "gone")
    )
    rows += [
        (
            translate("ModelDialog", "Origin"),
            card.provenance or translate("ModelDialog", "not said"),
        ),
        (translate("ModelDialog", "Licence"), card.licence or translate("ModelDialog", "not said")),
        (translate("ModelDialog", "File"), f"{entry.path} ({size})"),
    ]
    return rows


class ModelDialog(QDialog):
    """The model manager.

    Signals:
        changed(): Models were added or removed.
        chosen(model): This model, a name or a path, shall be used.
    """

    changed = Signal()
    chosen = Signal(str)

    def __init__(
        self, preferences: Preferences, tasks: Tasks, current: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Models"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        self.resize(860, 520)
        self._preferences, self._tasks, self._current = preferences, tasks, current
        self._entries: tuple[BundleEntry, ...] = ()
        self._facts: dict[str, dict[str, Any]] = {}
        self._closed = False
        self._importing = False
        self.list = QListWidget(self)
        self.list.setFixedWidth(240)
        self.list.setAccessibleName(self.tr("Models"))
        self.title = QLabel(self)
        self.title.setProperty("role", "heading")
        self.card = QLabel(self)
        self.card.setWordWrap(True)
        self.card.setTextFormat(Qt.TextFormat.RichText)
        self.card.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.card.setAccessibleName(self.tr("Model card"))
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Import progress"))
        self.progress_text = QLabel(self)
        self.progress_text.setProperty("role", "muted")
        self.use = QPushButton(self.tr("Use this model"), self)
        self.use.setProperty("primary", True)
        self.add = QPushButton(self.tr("Add model file…"), self)
        self.add.setToolTip(self.tr("Copy a .safetensors bundle among your models"))
        self.import_ = QPushButton(self.tr("Import checkpoints…"), self)
        self.import_.setToolTip(
            self.tr("A folder of published pix2pix, pix2pixHD or vid2vid checkpoints")
        )
        self.remove = QPushButton(self.tr("Remove"), self)
        close = QPushButton(self.tr("Close"), self)

        right = QVBoxLayout()
        right.setSpacing(10)
        right.addWidget(self.title)
        right.addWidget(self.card, 1)
        right.addWidget(self.progress_text)
        right.addWidget(self.progress)
        top = QHBoxLayout()
        top.setSpacing(18)
        top.addWidget(self.list)
        top.addLayout(right, 1)
        buttons = QHBoxLayout()
        for button in (self.add, self.import_, self.remove):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.use)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 14)
        layout.setSpacing(14)
        layout.addLayout(top, 1)
        layout.addLayout(buttons)
        self.list.currentRowChanged.connect(self._show_card)
        self.list.itemDoubleClicked.connect(lambda _item: self.use.click())
        self.use.clicked.connect(self._use)
        self.add.clicked.connect(self._add)
        self.import_.clicked.connect(self._import)
        self.remove.clicked.connect(self._remove)
        close.clicked.connect(self.reject)
        for button in (self.add, self.import_, self.remove, close):
            button.setAutoDefault(False)  # Enter is for the model that is selected
        self.use.setDefault(True)
        self._show_progress(False)
        self.refresh()

    # -- the list ----------------------------------------------------------------------------------

    def refresh(self, pick: str | None = None) -> None:
        """Read the models' cards in a background thread, then list them.

        ``pick`` is the name or path of the model to select; None keeps the selection.
        """
        wanted = pick or self._entry_name() or self._current
        self._run(lambda report: library.entries(), lambda entries: self._listed(entries, wanted))

    def _listed(self, entries: tuple[BundleEntry, ...], pick: str) -> None:
        self._entries = entries
        self.list.blockSignals(True)
        self.list.clear()
        for entry in entries:
            note = (
                self.tr("unusable")
                if entry.card is None
                else self.tr("bundled")
                if entry.embedded
                else self.tr("yours")
            )
            item = QListWidgetItem(f"{entry.name}\n{note}")
            self.list.addItem(item)
        self.list.blockSignals(False)
        # The project names an embedded model by its name, another one by its path.
        rows = [row for row, entry in enumerate(entries) if pick in (entry.name, str(entry.path))]
        self.list.setCurrentRow(rows[0] if rows else 0)
        self._show_card()

    def _entry(self) -> BundleEntry | None:
        row = self.list.currentRow()
        return self._entries[row] if 0 <= row < len(self._entries) else None

    def _entry_name(self) -> str | None:
        entry = self._entry()
        return entry.name if entry else None

    def _show_card(self, _row: int = 0) -> None:
        entry = self._entry()
        self.use.setEnabled(entry is not None and entry.card is not None)
        in_use = entry is not None and self._current in (entry.name, str(entry.path))
        self.remove.setEnabled(entry is not None and not entry.embedded and not in_use)
        self.remove.setToolTip(
            self.tr("This model is in use; choose another one first") if in_use else ""
        )
        if entry is None:
            self.title.setText(self.tr("No models"))
            self.card.setText("")
            return
        self.title.setText(entry.card.name if entry.card and entry.card.name else entry.name)
        if entry.card is None:
            self.card.setText(entry.problem or "")
            return
        facts = self._facts.get(entry.name)
        cells = "".join(
            f"<tr><td style='padding: 3px 18px 3px 0'>{name}</td><td style='padding: 3px"
            f" 0'>{_escaped(value)}</td></tr>"
            for name, value in _rows(entry, facts)
        )
        self.card.setText(f"<table>{cells}</table>")
        if facts is None:
            name, path = entry.name, entry.path
            self._run(
                lambda report: library.facts(path),
                lambda found: self._counted(name, found),
                quiet=True,
            )

    def _counted(self, name: str, facts: dict[str, Any]) -> None:
        self._facts[name] = facts
        if self._entry_name() == name:
            self._show_card()

    # -- commands ----------------------------------------------------------------------------------

    def _use(self) -> None:
        entry = self._entry()
        if entry is not None and entry.card is not None:
            self._current = entry.name if entry.embedded else str(entry.path)
            self.chosen.emit(self._current)
            self.accept()

    def _add(self) -> None:
        dialog = QFileDialog(
            self,
            self.tr("Add a model"),
            self._preferences.folder("model"),
            self.tr("Models (*.safetensors)"),
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.add_file)
        dialog.open()

    def add_file(self, path: str) -> None:
        """Copy a bundle into the user's folder of models."""
        self._preferences.remember_folder("model", path)
        self._slow(lambda report: library.add(Path(path), report))

    def _import(self) -> None:
        dialog = QFileDialog(
            self, self.tr("Folder of checkpoints"), self._preferences.folder("checkpoints")
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.import_folder)
        dialog.open()

    def import_folder(self, folder: str) -> None:
        """Import a folder of published checkpoints."""
        self._preferences.remember_folder("checkpoints", folder)
        self._slow(lambda report: library.import_folder(Path(folder), report))

    def _remove(self) -> None:
        entry = self._entry()
        if entry is None or entry.embedded:
            return
        box = QMessageBox(
            QMessageBox.Icon.Question,
            self.tr("Remove model"),
            self.tr("Delete the model {0} from this computer?").format(entry.name),
            QMessageBox.StandardButton.Cancel,
            self,
        )
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.setEscapeButton(QMessageBox.StandardButton.Cancel)
        delete = box.addButton(self.tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        delete.clicked.connect(lambda: self.remove_file(entry))
        box.open()

    def remove_file(self, entry: BundleEntry) -> None:
        """Delete one of the user's models."""

        def done(_none: object) -> None:
            self.changed.emit()
            self.refresh()

        self._run(lambda report: library.remove(entry), done)

    # -- slow work ---------------------------------------------------------------------------------

    def _slow(self, work: Callable[[Callable[[float, str], None]], str]) -> None:
        """Add a model in a background thread.

        If the dialog is closed meanwhile the work continues, and its outcome is still reported.
        """
        self._importing = True
        self._show_progress(True)

        def ended() -> None:
            self._importing = False
            self._show_progress(False)
            if self._closed:
                self.deleteLater()

        def done(name: str) -> None:
            self.changed.emit()
            if not self._closed:
                self.refresh(name)
            ended()

        def failed(message: str, details: str) -> None:
            parent = (self.parentWidget() if self._closed else None) or self
            show_problem(parent, self.tr("Models"), message, details)
            ended()

        self._tasks.start(work, done=done, failed=failed, progressed=self._progressed)

    def _run(
        self, work: Callable[..., Any], done: Callable[[Any], object], *, quiet: bool = False
    ) -> None:
        def still(call: Callable[..., object]) -> Callable[..., None]:
            """Drop results that come after the dialog was closed."""

            def unless_closed(*values: object) -> None:
                if not self._closed:
                    call(*values)

            return unless_closed

        def failed(message: str, details: str) -> None:
            if not quiet:
                show_problem(self, self.tr("Models"), message, details)

        self._tasks.start(work, done=still(done), failed=still(failed))

    def _progressed(self, fraction: float, text: str) -> None:
        self.progress.setValue(round(fraction * 1000))
        self.progress_text.setText(text)

    def _show_progress(self, shown: bool) -> None:
        self.progress.setVisible(shown)
        self.progress.setValue(0)
        self.progress_text.setVisible(shown)
        for button in (self.add, self.import_):
            button.setEnabled(not shown)

    def done(self, result: int) -> None:
        self._closed = True
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, not self._importing)
        super().done(result)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
