"""The choices of models, devices, label schemes and instance maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from vidtrans_gui import library
from vidtrans_gui.dialogs import choose_file
from vidtrans_gui.document import Document
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.render_bar import Choice, RenderBar
from vidtrans_gui.tasks import Tasks

if TYPE_CHECKING:
    from vidtrans_gui.model_dialog import ModelDialog


class Choices(QObject):
    """Fills the boxes of the render bar, and opens the dialogs that add choices.

    Signals:
        failed(title, message, details): A list could not be read.
    """

    failed = Signal(str, str, str)

    def __init__(
        self,
        window: QWidget,
        document: Document,
        bar: RenderBar,
        preferences: Preferences,
        tasks: Tasks,
    ) -> None:
        super().__init__(window)
        self._window, self._document, self._bar = window, document, bar
        self._preferences, self._tasks = preferences, tasks
        self.refresh()

    def refresh(self) -> None:
        """List models and devices in a background thread: this reads files and queries CUDA."""

        def look(_report: Any) -> tuple[Any, Any]:
            return library.entries(), library.devices()

        def failed(message: str, details: str) -> None:
            self.failed.emit(self.tr("Models"), message, details)

        self._tasks.start(look, done=self._found, failed=failed)

    def _found(self, found: tuple[Any, Any]) -> None:
        entries, devices = found
        models = [
            Choice(
                entry.name if entry.embedded else str(entry.path),
                entry.name,
                str(entry.path),
                entry.problem or "",
            )
            for entry in entries
        ]
        places = [Choice(name, title, title, problem) for name, title, problem in devices]
        self._bar.offer(
            models, places, [Choice(kind, kind) for kind in ("auto", "fp32", "bf16", "fp16")]
        )
        self._bar.show_project(self._document.project)

    def use_model(self, model: str) -> None:
        """Use ``model``, a bundled model's name or a path, for this film and those opened later."""
        self._preferences.put("model", model)
        if self._document.project.input is None:
            self._document.load(
                self._document.project.model_copy(update={"model": model}), None
            )  # nothing to undo yet
        else:
            self._document.change(self.tr("Change model"), model=model)

    def open_models(self) -> ModelDialog:
        """Open the model manager."""
        from vidtrans_gui.model_dialog import ModelDialog

        dialog = ModelDialog(
            self._preferences, self._tasks, self._document.project.render.model, self._window
        )
        dialog.changed.connect(self.refresh)
        dialog.chosen.connect(self.use_model)
        dialog.open()
        return dialog

    def choose_instances(self) -> None:
        """Open a dialog that chooses the film's instance maps."""

        def chosen(path: str) -> None:
            self._document.change(self.tr("Change instance maps"), instances=path)

        kinds = self.tr("Instance maps (*.mkv *.png *.tif *.nut);;All files (*)")
        choose_file(
            self._window,
            self._preferences,
            "film",
            self.tr("Instance maps"),
            kinds,
            chosen,
            mode=QFileDialog.FileMode.ExistingFile,
        )

    def choose_palette(self) -> None:
        """Open a dialog that chooses a palette file as label scheme."""

        def chosen(path: str) -> None:
            self._document.change(self.tr("Change label scheme"), labels=path)

        kinds = self.tr("Palettes (*.toml *.json)")
        choose_file(
            self._window, self._preferences, "palette", self.tr("Palette file"), kinds, chosen
        )
