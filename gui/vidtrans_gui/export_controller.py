"""Connects the export dialog, the queue and its panel."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QWidget

from vidtrans.errors import VidtransError
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans_gui import wording
from vidtrans_gui.dialogs import choose_file
from vidtrans_gui.document import Document
from vidtrans_gui.export_dialog import ExportDialog, ExportedFilm
from vidtrans_gui.export_queue import ExportQueue, Job
from vidtrans_gui.inbox import Inbox
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.queue_panel import QueuePanel
from vidtrans_gui.session import Session
from vidtrans_gui.shell_command import command_line
from vidtrans_gui.still import write_still
from vidtrans_gui.tasks import Tasks


def reveal(path: Path) -> None:
    """Show a file in the platform's file browser, selected where the browser supports it."""
    if sys.platform == "win32":
        QProcess.startDetached("explorer", ["/select,", str(path)])
    elif sys.platform == "darwin":
        QProcess.startDetached("open", ["-R", str(path)])
    else:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path if path.is_dir() else path.parent)))


class ExportController(QObject):
    """Adds exports to the queue and reports their progress to the panel.

    Signals:
        queued(): A job was added.
        ended(job): A job is done, failed or cancelled.
        failed(title, message, details): A problem to show.
        notified(message): A message for the status bar.
    """

    queued = Signal()
    ended = Signal(object)
    failed = Signal(str, str, str)
    notified = Signal(str)

    def __init__(
        self,
        window: QWidget,
        document: Document,
        session: Session,
        panel: QueuePanel,
        preferences: Preferences,
        tasks: Tasks,
    ) -> None:
        super().__init__(window)
        self._session, self._tasks = session, tasks
        self._in_out = (0, 0)
        self._frame = 0
        self._window, self._document, self._panel, self._preferences = (
            window,
            document,
            panel,
            preferences,
        )
        self._inbox = Inbox(self._changed, self)
        self.queue = ExportQueue(self._inbox.put, word=wording.setting_words)
        self._reported: set[int] = set()
        panel.requested.connect(self.handle_request)

    def dialog(self) -> None:
        """Open the export dialog."""
        folder = self._preferences.folder("export")
        try:
            base = self._document.project.settings(output=str(Path(folder) / "street.mp4"))
        except VidtransError as error:
            self.failed.emit(self.tr("Export"), wording.sentence(error), "")
            return
        dialog = ExportDialog(
            base, folder, self._name(), self._window, film=self._film(), writing=self._writing()
        )
        dialog.queued.connect(self.add)
        dialog.open()

    def set_range(self, first: int, stop: int) -> None:
        """Take note of in and out points; ``stop`` is exclusive."""
        self._in_out = (first, stop)

    def set_frame(self, frame: int) -> None:
        """Take note of the playhead."""
        self._frame = frame

    def _film(self) -> ExportedFilm | None:
        film = self._session.film
        return None if film is None else ExportedFilm.of(film, self._in_out)

    def _writing(self) -> frozenset[Path]:
        """The outputs of exports that are not done."""
        jobs = self.queue.jobs()
        return frozenset(job.output.absolute() for job in jobs if not job.ended)

    def still_dialog(self) -> None:
        """Open a dialog that saves the frame at the playhead as a picture."""
        frame = self._frame
        choose_file(
            self._window,
            self._preferences,
            "export",
            self.tr("Save frame {0}").format(frame),
            self.tr("Pictures (*.png)"),
            lambda path: self.save_still(Path(path), frame),
            save_as=f"{self._name()}-{frame:06d}.png",
        )

    def save_still(self, path: Path, frame: int) -> None:
        """Save a frame as it is exported, as a PNG; it is painted in the background."""
        target = path if path.suffix.lower() == ".png" else path.with_name(f"{path.name}.png")
        layer = self._session.layer
        try:
            settings = self._document.project.settings(layer=layer, start=frame, end=frame + 1)
        except VidtransError as error:
            self.failed.emit(self.tr("Save frame"), wording.sentence(error), "")
            return
        self.notified.emit(self.tr("Painting frame {0}…").format(frame))
        self._tasks.start(
            lambda report: write_still(settings, target),
            done=lambda _none: self.notified.emit(self.tr("Saved {0}").format(target.name)),
            failed=lambda message, details: self.failed.emit(
                self.tr("Save frame"), message, details
            ),
        )

    def _name(self) -> str:
        return f"{self._document.name}-street"

    def add(self, settings: ConvertSettings) -> Job:
        """Queue an export."""
        self._preferences.remember_folder("export", settings.output)
        job = self.queue.add(settings)
        self._panel.show_jobs(self.queue.jobs())
        self.queued.emit()
        return job

    def copy_command(self) -> None:
        """Copy the shell command that exports the project to the clipboard."""
        try:
            film = self._film()
            first, stop = (0, 0) if film is None else film.in_out
            chosen = {
                "start": first or None,
                "end": None if film is None or stop == film.frames else stop,
            }
            settings = self._document.project.settings(output=f"{self._name()}.mp4", **chosen)
        except VidtransError as error:
            self.failed.emit(self.tr("Export"), wording.sentence(error), "")
            return
        QGuiApplication.clipboard().setText(command_line(settings))
        self.notified.emit(self.tr("The command is on the clipboard"))

    def handle_request(self, verb: str, number: int) -> None:
        """Do what a button of the panel requests.

        Args:
            verb: The button's action, one of ``queue_panel.VERBS`` or ``copy``.
            number: The job's id.
        """
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
                self._reported.discard(number)
        self._panel.show_jobs(self.queue.jobs())

    def _changed(self, job: Job) -> None:
        if job.id not in {known.id for known in self.queue.jobs()}:
            return
        self._panel.show_job(job)
        if job.ended and job.id not in self._reported:
            self._reported.add(job.id)
            self.ended.emit(job)

    @property
    def busy(self) -> bool:
        """Whether jobs are waiting or running."""
        return any(job.state in ("waiting", "running") for job in self.queue.jobs())

    def close(self) -> None:
        """Stop after the current frame; an unfinished export can be resumed."""
        self._inbox.close()
        self.queue.close()
