"""The dock of exports: each job with its progress and its buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from vidtrans_gui import icons, wording
from vidtrans_gui.export_queue import Job
from vidtrans_gui.theme import mono_font, theme_of

# The buttons of a job by its state.
VERBS = {
    "waiting": ("up", "down", "settings", "pause", "cancel"),
    "running": ("pause", "cancel"),
    "paused": ("up", "down", "settings", "resume", "cancel"),
    "done": ("reveal", "remove"),
    "failed": ("details", "retry", "remove"),
    "cancelled": ("retry", "remove"),
}
_ICONS = {
    "pause": "pause",
    "resume": "play",
    "cancel": "cancel",
    "retry": "retry",
    "reveal": "reveal",
    "remove": "delete",
    "details": "help",
    "copy": "copy",
    "up": "up",
    "down": "down",
    "settings": "settings",
}


class JobRow(QFrame):
    """One job.

    Signals:
        requested(verb, id): A button was clicked.
    """

    requested = Signal(str, int)

    def __init__(self, job: Job, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self._state = ""
        self.name = QLabel(self)
        self.name.setProperty("role", "title")
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.status = QLabel(self)
        self.status.setWordWrap(True)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(2)
        top = QHBoxLayout()
        top.addWidget(self.name, 1)
        top.addLayout(self._buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 8)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addWidget(self.status)
        self.status.setFont(mono_font(9))
        self.show_job(job)

    def show_job(self, job: Job) -> None:
        """Show the job's new state."""
        self.job = job
        self.name.setText(job.output.name)
        self.name.setToolTip(str(job.output))
        fraction = job.fraction
        self.bar.setVisible(job.state in ("waiting", "running", "paused"))
        self.bar.setRange(0, 0 if job.state == "running" and fraction is None else 1000)
        self.bar.setValue(round(1000 * (fraction or 0)))
        self.bar.setAccessibleName(self.tr("Progress of {0}").format(job.output.name))
        self.status.setText(self._text(job))
        self.status.setProperty("role", "error" if job.state == "failed" else "muted")
        if job.state != self._state:
            self._state = job.state
            self._make_buttons(job)
            self.status.style().polish(self.status)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and self._state:
            self._make_buttons(self.job)  # icons in the new theme's colours
        super().changeEvent(event)

    def _text(self, job: Job) -> str:
        total = "?" if job.total is None else str(job.total)
        match job.state:
            case "waiting":
                return self.tr("waiting")
            case "running":
                parts = [
                    f"{job.done}/{total}",
                    f"{job.fps:.1f} fps",
                    wording.time_left(job.seconds_left),
                ]
                return " · ".join(part for part in parts if part)
            case "paused":
                return self.tr("paused at {0}/{1}").format(job.done, total)
            case "done":
                return self.tr("done: {0} frames in {1:.0f} s").format(job.done, job.seconds)
            case "cancelled":
                return self.tr("cancelled")
            case _:
                return job.message

    def _make_buttons(self, job: Job) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        texts = {
            "pause": self.tr("Pause"),
            "resume": self.tr("Go on"),
            "cancel": self.tr("Cancel"),
            "retry": self.tr("Try again"),
            "reveal": self.tr("Show in folder"),
            "remove": self.tr("Remove from the list"),
            "details": self.tr("What went wrong"),
            "copy": self.tr("Copy command line"),
            "up": self.tr("Earlier"),
            "down": self.tr("Later"),
            "settings": self.tr("Settings…"),
        }
        theme = theme_of(self.palette())
        for verb in (*VERBS[job.state], "copy"):
            button = QToolButton(self)
            button.setIcon(icons.icon(_ICONS[verb], theme))
            button.setIconSize(QSize(16, 16))
            button.setToolTip(texts[verb])
            button.setAccessibleName(f"{texts[verb]}: {job.output.name}")
            button.setObjectName(verb)
            button.clicked.connect(
                lambda _=False, chosen=verb: self.requested.emit(chosen, self.job.id)
            )
            self._buttons.addWidget(button)


class QueuePanel(QWidget):
    """All jobs, the newest at the bottom.

    Signals:
        requested(verb, id): A button of a job was clicked.
        films_wanted(): Films to export shall be chosen.
        manifest_wanted(): The list shall be copied as a manifest.
    """

    requested = Signal(str, int)
    films_wanted = Signal()
    manifest_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(
            Qt.WidgetAttribute.WA_StyledBackground
        )  # the dock's colour, not the window's
        self.rows: dict[int, JobRow] = {}
        self._empty = QLabel(self.tr("No exports yet."), self)
        self._empty.setProperty("role", "muted")
        self._empty.setContentsMargins(10, 10, 10, 10)
        inner = QWidget(self)
        self._list = QVBoxLayout(inner)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(1)
        self._list.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidget(inner)
        inner.setAutoFillBackground(False)
        scroll.viewport().setAutoFillBackground(False)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName(self.tr("Exports"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.add = QPushButton(self.tr("Add films…"), self)
        self.add.setToolTip(self.tr("Export several films, each with its own settings"))
        self.manifest = QPushButton(self.tr("Copy as batch manifest"), self)
        self.manifest.setToolTip(self.tr("The exports that are not done, for vidtrans batch"))
        self.add.clicked.connect(self.films_wanted)
        self.manifest.clicked.connect(self.manifest_wanted)
        buttons = QVBoxLayout()
        buttons.setContentsMargins(10, 8, 10, 4)
        buttons.addWidget(self.add)
        buttons.addWidget(self.manifest)
        layout.addLayout(buttons)
        layout.addWidget(self._empty)
        layout.addWidget(scroll, 1)

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Show exactly these jobs."""
        for gone in self.rows.keys() - {job.id for job in jobs}:
            self.rows.pop(gone).deleteLater()
        for place, job in enumerate(jobs):
            self.show_job(job)
            if self._list.indexOf(self.rows[job.id]) != place:
                self._list.insertWidget(place, self.rows[job.id])
        self._empty.setVisible(not self.rows)
        self.manifest.setEnabled(any(not job.ended for job in jobs))

    def show_job(self, job: Job) -> None:
        """Show a job's new state, in a new row if it has none."""
        row = self.rows.get(job.id)
        if row is None:
            row = self.rows[job.id] = JobRow(job, self)
            row.requested.connect(self.requested)
            self._list.insertWidget(self._list.count() - 1, row)
            self._empty.setVisible(False)
        else:
            row.show_job(job)
