"""The bar below the viewer: buttons for playing, timecode and frame number."""

from __future__ import annotations

from fractions import Fraction

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QToolButton, QWidget

from vidtrans.media.times import FilmTimes, from_timecode
from vidtrans_gui.actions import Actions
from vidtrans_gui.forms import keep_arrows
from vidtrans_gui.overflow import Overflow, button_entry
from vidtrans_gui.theme import mono_font

NO_FILM = FilmTimes.at_rate(0, Fraction(25))
_GIVE_WAY = ("first", "last", "loop", "mark-in", "mark-out", "previous", "next")
"""Buttons that a narrow bar hides, the first one first."""
BUTTONS = ("first", "previous", "play", "next", "last", "loop", "mark-in", "mark-out")


def tool_button(actions: Actions, key: str, parent: QWidget, *, size: int = 20) -> QToolButton:
    """A flat button of the command ``key``; ``size`` is that of the icon in pixels."""
    button = QToolButton(parent)
    button.setDefaultAction(actions[key])
    button.setIconSize(QSize(size, size))
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setAccessibleName(actions[key].statusTip())
    return button


class TimecodeField(QLineEdit):
    """A field for a timecode; Enter confirms it, Escape restores it.

    Signals:
        entered(frame): A valid timecode was confirmed.
    """

    entered = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._times, self._frame = NO_FILM, 0
        self.setFont(mono_font())
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFixedWidth(self.fontMetrics().horizontalAdvance("00:00:00.000") + 26)
        self.returnPressed.connect(self._enter)
        self.show_frame(0)

    def set_film(self, times: FilmTimes) -> None:
        self._times = times
        self.show_frame(0)

    def show_frame(self, frame: int) -> None:
        self._frame = frame
        if not (self.hasFocus() and self.isModified()):
            self.setText(self._times.timecode(frame))

    def _enter(self) -> None:
        try:
            # A constant rate has timecode, of which the last parts are enough.
            read = self._times
            frame = (
                from_timecode(self.text(), read.rate)
                if read.constant
                else read.frame_of(self.text())
            )
        except ValueError as error:
            self.setToolTip(str(error))
            self.selectAll()
            return
        self.setToolTip(self.tr("Timecode; Enter goes there"))
        self.setModified(False)
        self.entered.emit(min(frame, max(0, self._times.frames - 1)))
        self.clearFocus()

    def event(self, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
        ):
            event.accept()  # before it deselects
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setModified(False)
            self.show_frame(self._frame)
            self.clearFocus()
            return
        super().keyPressEvent(event)


class Transport(QFrame):
    """Buttons, frame number, timecode, length and speed.

    Signals:
        frame_entered(frame): A frame number or timecode was entered.
    """

    frame_entered = Signal(int)

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.setProperty("edge", "top")
        self.timecode = TimecodeField(self)
        self.timecode.setAccessibleName(self.tr("Timecode"))
        self.timecode.setToolTip(self.tr("Timecode; Enter goes there"))
        self.frame = QSpinBox(self)
        self.frame.setFont(mono_font())
        self.frame.setProperty(
            "plain", True
        )  # the stylesheet hides the buttons; NoButtons would leave no room for the number
        self.frame.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.frame.setKeyboardTracking(False)
        self.frame.setFixedWidth(self.frame.fontMetrics().horizontalAdvance("0000000") + 24)
        self.frame.setAccessibleName(self.tr("Frame number"))
        self.frame.setToolTip(self.tr("Frame number, from 0; Enter goes there"))
        self.length = QLabel(self)
        self.length.setFont(mono_font())
        self.length.setProperty("role", "muted")
        self.speed = QLabel(self)
        self.speed.setProperty("role", "muted")
        self.speed.setMinimumWidth(34)

        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 10, 4)
        layout.setSpacing(3)
        layout.addWidget(self.timecode)
        layout.addSpacing(6)
        layout.addWidget(self.frame)
        layout.addStretch(1)
        buttons = {
            key: tool_button(actions, key, self, size=24 if key == "play" else 20)
            for key in BUTTONS
        }
        for key, button in buttons.items():
            layout.addWidget(button)
            if key in ("last", "loop"):
                layout.addSpacing(10)
        layout.addStretch(1)
        layout.addWidget(self.speed)
        layout.addWidget(self.length)
        self.more = Overflow(
            self, layout, [(buttons[key], button_entry(buttons[key])) for key in _GIVE_WAY]
        )
        self.setMinimumWidth(400)  # without what gives way
        self.timecode.entered.connect(self.frame_entered)
        self.frame.valueChanged.connect(self.frame_entered)
        self.frame.editingFinished.connect(
            self.frame.clearFocus
        )  # so that J, K and L are commands again
        keep_arrows(self.frame)
        self.set_film(NO_FILM)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow window buttons move into the menu at the end, one by one."""
        self.more.fit(event.size().width())
        super().resizeEvent(event)

    def set_film(self, times: FilmTimes) -> None:
        frames = times.frames
        self.timecode.set_film(times)
        self.frame.blockSignals(True)
        self.frame.setRange(0, max(0, frames - 1))
        self.frame.setValue(0)
        self.frame.blockSignals(False)
        varying = "" if times.constant else "  ·  VFR"
        self.length.setText(f"{times.length}  ·  {frames} f{varying}")
        self.length.setToolTip(
            self.tr("Length: {0} frames at {1:.6g} frames a second").format(
                frames, float(times.rate)
            )
            if times.constant
            else self.tr("Length: {0} frames at a variable rate, each with its own time").format(
                frames
            )
        )
        self.length.setVisible(frames > 0)
        self.setEnabled(frames > 0)
        self.more.fit(self.width())  # lengths differ

    def show_frame(self, frame: int) -> None:
        self.timecode.show_frame(frame)
        self.frame.blockSignals(True)
        self.frame.setValue(frame)
        self.frame.blockSignals(False)

    def show_speed(self, speed: int) -> None:
        """Show the speed of playing as a multiple of the film's rate."""
        self.speed.setText(f"{speed}×" if speed not in (0, 1) else "")
