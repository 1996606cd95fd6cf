"""Connects the export dialog, the queue and its panel."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from vidtrans.errors import VidtransError
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans_gui import wording
from vidtrans_gui.dialogs import ask, choose_file
from vidtrans_gui.document import Document
from vidtrans_gui.export_queue import ExportQueue, Job
from vidtrans_gui.export_store import ExportStore, Left, manifest
from vidtrans_gui.file_kinds import FILMS
from vidtrans_gui.inbox import Inbox
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.queue_panel import QueuePanel
from vidtrans_gui.session import Session
from vidtrans_gui.shell_command import command_line
from vidtrans_gui.still import write_still
from vidtrans_gui.tasks import Tasks

# The dialogs are imported when they are opened: the window starts sooner.
if TYPE_CHECKING:
    from vidtrans_gui.export_dialog import ExportedFilm
    from vidtrans_gui.films_dialog import FilmsDialog

_LISTED = 8
"""Names of unfinished exports that a question lists."""


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
        store: ExportStore,
    ) -> None:
        super().__init__(window)
        self._session, self._tasks = session, tasks
        self._in_out = (0, 0)
        self._frame = 0
        self._store = store
        # Some changes come together.
        self._saving = QTimer(self, singleShot=True, interval=200)
        self._saving.timeout.connect(self._save)
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
        panel.films_wanted.connect(self.choose_films)
        panel.manifest_wanted.connect(self.copy_manifest)
        panel.show_jobs(())

    def dialog(self) -> None:
        """Open the export dialog."""
        from vidtrans_gui.export_dialog import ExportDialog

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
        from vidtrans_gui.export_dialog import ExportedFilm

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

    # -- several films -----------------------------------------------------------------------------

    def choose_films(self) -> None:
        """Open a dialog that chooses films, then one with the settings of each."""
        dialog = QFileDialog(
            self._window,
            self.tr("Films to export"),
            self._preferences.folder("film"),
            f"{self.tr('Films ({0})').format(FILMS)};;{self.tr('All files (*)')}",
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.add_films)
        dialog.open()

    def add_films(self, paths: Sequence[str]) -> FilmsDialog:
        """Open the dialog that exports several films.

        They begin with the model, device and precision of the window.
        """
        from vidtrans_gui.export_presets import PRESETS
        from vidtrans_gui.films_dialog import FilmsDialog

        render = self._document.project.render
        own = {name: getattr(render, name) for name in ("model", "device", "precision")}
        preset = PRESETS[0]
        exports = []
        for path in paths:
            output = preset.output_for(Path(path).with_name(f"{Path(path).stem}-street"))
            settings = ConvertSettings.read(input=str(path), output=str(output), **own)
            exports.append(preset.applied(settings))
        dialog = FilmsDialog(exports, self._window, writing=self._writing())
        dialog.queued.connect(self._add_all)
        dialog.open()
        return dialog

    def _add_all(self, exports: Sequence[ConvertSettings], *, held: bool = False) -> None:
        for settings in exports:
            self.queue.add(settings, held=held)
        self._listed()
        self.queued.emit()

    def copy_manifest(self) -> None:
        """Copy the exports that are not done, as a manifest of ``vidtrans batch``."""
        jobs = [job for job in self.queue.jobs() if not job.ended]
        if jobs:
            text, folder = manifest(jobs)
            QGuiApplication.clipboard().setText(text)
            self.notified.emit(
                self.tr(
                    "The manifest is on the clipboard; run: vidtrans batch FILE.jsonl {0}"
                ).format(shlex.quote(str(folder)))
            )

    # -- a window that ended -----------------------------------------------------------------------

    def offer_left(self) -> None:
        """Ask what to do with exports that a window which no longer runs did not finish."""
        self._tasks.start(
            lambda report: self._store.left_behind(),
            done=self._offer,
            failed=lambda _message, _details: None,
        )

    def _offer(self, left: Sequence[Left]) -> None:
        if not left:
            return
        exports = [settings for each in left for settings in each.exports]
        names = "\n".join(Path(settings.output).name for settings in exports[:_LISTED])
        more = len(exports) - _LISTED
        if more > 0:
            names += "\n" + self.tr("and {0} more").format(more)

        def take(held: bool) -> None:
            self._add_all(exports, held=held)
            discard()

        def discard() -> None:
            def work(_report: object) -> None:
                for each in left:
                    self._store.discard(each)

            self._tasks.start(
                work,
                done=lambda _none: None,
                failed=lambda _message, _details: None,
            )

        ask(
            self._window,
            self.tr("Unfinished exports"),
            self.tr("These exports were not finished when vidtrans ended:\n{0}").format(names),
            {
                self.tr("Go on"): lambda: take(False),
                self.tr("List them only"): lambda: take(True),
                self.tr("Forget them"): discard,
                self.tr("Later"): None,
            },
        )

    def _save(self) -> None:
        self._tasks.start(
            lambda report: self._store.save(self.queue.jobs()),
            done=lambda _none: None,
            failed=lambda message, _details: self.notified.emit(message),
        )

    def _listed(self) -> None:
        """The list has changed: show it, and write it to the disk soon."""
        self._panel.show_jobs(self.queue.jobs())
        self._saving.start()

    def add(self, settings: ConvertSettings) -> Job:
        """Queue an export."""
        self._preferences.remember_folder("export", settings.output)
        job = self.queue.add(settings)
        self._listed()
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
            case "up" | "down":
                self.queue.move(number, -1 if verb == "up" else 1)
            case "settings":
                self._change_settings(job)
        self._listed()

    def _change_settings(self, job: Job) -> None:
        """Open the dialog of a job that waits."""
        from vidtrans_gui.export_dialog import ExportDialog

        writing = self._writing() - {job.output.absolute()}
        dialog = ExportDialog(
            job.settings, str(job.output.parent), job.output.stem, self._window, writing=writing
        )
        dialog.show_settings(job.settings)
        dialog.queued.connect(lambda settings: self._changed_settings(job.id, settings))
        dialog.open()

    def _changed_settings(self, number: int, settings: ConvertSettings) -> None:
        self.queue.change(number, settings)
        self._listed()

    def _changed(self, job: Job) -> None:
        if job.id not in {known.id for known in self.queue.jobs()}:
            return
        self._panel.show_job(job)
        if job.state != "running":
            self._saving.start()
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
        self._saving.stop()
        self.queue.close()
        with suppress(VidtransError):  # the next start does not offer them
            self._store.save(self.queue.jobs())
        self._store.release()
