"""Exports: from the dialog into the queue, from the queue into its panel, and to the file when
it is done."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QWidget

from vidtrans.errors import VidtransError
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans_gui import wording
from vidtrans_gui.document import Document
from vidtrans_gui.export_dialog import ExportDialog
from vidtrans_gui.export_queue import ExportQueue, Job
from vidtrans_gui.inbox import Inbox
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.queue_panel import QueuePanel
from vidtrans_gui.shell_command import command_line


def reveal(path: Path) -> None:
    """Show a file in the platform's file browser, selected where that can be asked for."""
    if sys.platform == "win32":
        QProcess.startDetached("explorer", ["/select,", str(path)])
    elif sys.platform == "darwin":
        QProcess.startDetached("open", ["-R", str(path)])
    else:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path if path.is_dir() else path.parent)))


class ExportController(QObject):
    """``queued``: a job was added, so that its panel may be shown. ``ended``: a job came to its
    end."""

    queued = Signal()
    ended = Signal(object)
    failed = Signal(str, str, str)
    told = Signal(str)

    def __init__(
        self, window: QWidget, document: Document, panel: QueuePanel, preferences: Preferences
    ) -> None:
        super().__init__(window)
        self._window, self._document, self._panel, self._preferences = (
            window,
            document,
            panel,
            preferences,
        )
        self._inbox = Inbox(self._changed, self)
        self.queue = ExportQueue(self._inbox.put, word=wording.setting_words)
        self._told: set[int] = set()
        panel.asked.connect(self.ask)

    def dialog(self) -> None:
        """Ask what to export and how."""
        folder = self._preferences.folder("export")
        try:
            base = self._document.project.settings(output=str(Path(folder) / "street.mp4"))
        except VidtransError as error:
            self.failed.emit(self.tr("Export"), wording.sentence(error), "")
            return
        dialog = ExportDialog(base, folder, self._name(), self._window)
        dialog.queued.connect(self.add)
        dialog.open()

    def _name(self) -> str:
        return f"{self._document.name}-street"

    def add(self, settings: ConvertSettings) -> Job:
        self._preferences.remember_folder("export", settings.output)
        job = self.queue.add(settings)
        self._panel.show_jobs(self.queue.jobs())
        self.queued.emit()
        return job

    def copy_command(self) -> None:
        """The project's export, as a command for a shell."""
        try:
            settings = self._document.project.settings(output=f"{self._name()}.mp4")
        except VidtransError as error:
            self.failed.emit(self.tr("Export"), wording.sentence(error), "")
            return
        QGuiApplication.clipboard().setText(command_line(settings))
        self.told.emit(self.tr("The command is on the clipboard"))

    def ask(self, verb: str, number: int) -> None:
        """What a button of the panel says to a job."""
        job = next((job for job in self.queue.jobs() if job.id == number), None)
        if job is None:
            return
        match verb:
            case "reveal":
                reveal(job.output)
            case "details":
                self.failed.emit(job.output.name, job.message, job.details)
            case "copy":
                QGuiApplication.clipboard().setText(command_line(job.settings))
            case "pause" | "resume" | "cancel" | "retry" | "remove":
                getattr(self.queue, verb)(number)
                self._told.discard(number)
        self._panel.show_jobs(self.queue.jobs())

    def _changed(self, job: Job) -> None:
        if job.id not in {known.id for known in self.queue.jobs()}:
            return
        self._panel.show_job(job)
        if job.ended and job.id not in self._told:
            self._told.add(job.id)
            self.ended.emit(job)

    @property
    def busy(self) -> bool:
        return any(job.state in ("waiting", "running") for job in self.queue.jobs())

    def close(self) -> None:
        """Stop after the frame at work; what is done can be taken up again."""
        self._inbox.close()
        self.queue.close()
