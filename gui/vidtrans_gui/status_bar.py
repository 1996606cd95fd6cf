"""The status bar: what is under the cursor, progress, speed, memory and device."""

from __future__ import annotations

import psutil
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from vidtrans.preview import Opened, Status
from vidtrans_gui import wording
from vidtrans_gui.theme import mono_font


def resident_bytes() -> int:
    """The resident memory of this process, in bytes."""
    return psutil.Process().memory_info().rss


class StatusBar(QStatusBar):
    """The status bar; figures have a fixed width, so that it does not flicker."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.under = QLabel(self)
        self.work = QLabel(self)
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(90)
        self.progress.setAccessibleName(self.tr("Painting progress"))
        self.fps = QLabel(self)
        self.memory = QLabel(self)
        self.device = QLabel(self)
        for label, name, tip in (
            (
                self.under,
                self.tr("Under the cursor"),
                self.tr("Pixel, class and instance under the cursor"),
            ),
            (self.work, self.tr("Work"), self.tr("What is being painted")),
            (
                self.fps,
                self.tr("Speed"),
                self.tr("Frames a second: shown while playing, painted otherwise"),
            ),
            (
                self.memory,
                self.tr("Memory"),
                self.tr("Memory of the program, and of it the pictures and snapshots kept"),
            ),
            (
                self.device,
                self.tr("Device and precision"),
                self.tr("Where and how precisely it paints"),
            ),
        ):
            label.setAccessibleName(name)
            label.setToolTip(tip)
        for label in (self.under, self.fps, self.memory):
            label.setFont(mono_font(9))
        self.addWidget(self.under, 1)
        for widget in (self.work, self.progress, self.fps, self.memory, self.device):
            self.addPermanentWidget(widget)
        self.show_status(Status(), 0.0)

    def show_film(self, film: Opened | None) -> None:
        """Show device and precision of an open film; None clears the bar."""
        self.device.setText("" if film is None else f"{film.device} · {film.precision}")
        if film is None:
            self.show_status(Status(), 0.0)

    def show_status(self, status: Status, shown_fps: float) -> None:
        """Show the preview's status.

        Args:
            status: The status.
            shown_fps: Pictures shown per second; 0 while not playing.
        """
        working = status.replaying is not None
        self.progress.setVisible(working)
        if status.replaying is not None:
            done, total = status.replaying
            self.progress.setRange(0, max(1, total))
            self.progress.setValue(done)
            self.work.setText(self.tr("painting {0} of {1}").format(min(done + 1, total), total))
        else:
            self.work.setText(self.tr("painting ahead") if status.busy else "")
        if shown_fps:
            self.fps.setText(self.tr("{0:4.1f} fps").format(shown_fps))
        else:
            self.fps.setText(
                self.tr("{0:4.1f} fps painted").format(status.fps) if status.fps else ""
            )
        kept = status.picture_bytes + status.snapshot_bytes + status.reference_bytes
        parts = [wording.amount(resident_bytes())]
        if kept:
            parts.append(self.tr("{0} kept").format(wording.amount(kept)))
        self.memory.setText(" · ".join(parts))
