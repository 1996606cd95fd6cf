"""The timeline: playhead, in and out points, cuts, edits, and cached frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QScrollBar, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from vidtrans.media.times import FilmTimes
from vidtrans_gui.theme import Theme, theme_of
from vidtrans_gui.timescale import TimeScale

RULER, TRACK, LANE, CACHE, GAP = 24, 26, 16, 6, 4
_GRIP = 6
_TENS = Fraction(10)
"""Where frames have no common length, the ruler's ticks are round numbers of frames."""


@dataclass(frozen=True)
class EditRange:
    """An edit as the timeline draws it.

    Attributes:
        key: The edit's index in the list.
        start: Its first frame.
        stop: The frame after its last.
        text: Its description.
        colour: ``#rrggbb``.
    """

    key: int
    start: int
    stop: int
    text: str
    colour: str


class TimelineCanvas(QWidget):
    """The timeline without its scroll bar. Frames count from 0; the end of a range is exclusive.

    Signals:
        scrubbed(frame): The pointer moves the playhead.
        scrub_ended(): The pointer was released.
        in_moved(frame): The pointer moves the in point.
        out_moved(frame): The pointer moves the out point; exclusive.
        edit_picked(key): An edit was clicked.
        scale_changed(): Another part of the film is visible.
    """

    scrubbed = Signal(int)
    scrub_ended = Signal()
    in_moved = Signal(int)
    out_moved = Signal(int)
    edit_picked = Signal(int)
    scale_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._times = FilmTimes.at_rate(0, Fraction(25))
        self._frame = 0
        self._in, self._out = 0, 0
        self._cuts: tuple[int, ...] = ()
        self._resets: tuple[int, ...] = ()
        self._cached: tuple[tuple[int, int], ...] = ()
        self._snapshots: tuple[int, ...] = ()
        self._edits: tuple[EditRange, ...] = ()
        self._picked: int | None = None
        self._scale = TimeScale.whole(0, 1)
        self._drag: str | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Timeline"))
        self.setAccessibleDescription(
            self.tr("Drag to move through the film; Ctrl and the wheel zoom")
        )

    # -- state -------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(800, self._height())

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self._height())

    def _height(self) -> int:
        return RULER + TRACK + LANE * self._lanes() + CACHE + 2 * GAP + 2

    @property
    def frames(self) -> int:
        return self._scale.frames

    @property
    def frame(self) -> int:
        return self._frame

    @property
    def scale(self) -> TimeScale:
        return self._scale

    @property
    def cached(self) -> tuple[tuple[int, int], ...]:
        return self._cached

    @property
    def snapshots(self) -> tuple[int, ...]:
        return self._snapshots

    @property
    def cuts(self) -> tuple[int, ...]:
        return self._cuts

    @property
    def edits(self) -> tuple[EditRange, ...]:
        return self._edits

    @property
    def in_out(self) -> tuple[int, int]:
        """The first frame of the range, and the frame after its last."""
        return self._in, self._out

    def set_film(self, times: FilmTimes) -> None:
        frames, self._times = times.frames, times
        self._frame, self._in, self._out = 0, 0, frames
        self._cuts = self._resets = self._snapshots = ()
        self._cached, self._edits, self._picked = (), (), None
        self._set_scale(TimeScale.whole(frames, self.width()))

    def set_frame(self, frame: int) -> None:
        self._frame = min(max(0, frame), max(0, self.frames - 1))
        if self._drag is None:
            self._set_scale(self._scale.showing(self._frame))
        self.update()

    def set_in_out(self, first: int, stop: int) -> None:
        self._in, self._out = first, stop
        self.update()

    def set_cuts(self, cuts: Sequence[int], resets: Sequence[int] = ()) -> None:
        """Set the frames of scene cuts, and of resets that edits force."""
        self._cuts, self._resets = tuple(cuts), tuple(resets)
        self.update()

    def set_cached(self, cached: Sequence[tuple[int, int]], snapshots: Sequence[int]) -> None:
        self._cached, self._snapshots = tuple(cached), tuple(snapshots)
        self.update()

    def set_edits(self, edits: Sequence[EditRange], picked: int | None = None) -> None:
        lanes = self._lanes()
        self._edits, self._picked = tuple(edits), picked
        if lanes != self._lanes():
            self.updateGeometry()
        self.update()

    def zoom(self, factor: float, x: float | None = None) -> None:
        self._set_scale(self._scale.zoomed(factor, self._scale.x(self._frame) if x is None else x))

    def zoom_whole(self) -> None:
        self._set_scale(TimeScale.whole(self.frames, self.width()))

    def scroll_to(self, first: float) -> None:
        self._set_scale(self._scale.scrolled(first))

    def _set_scale(self, scale: TimeScale) -> None:
        if scale != self._scale:
            self._scale = scale
            self.scale_changed.emit()
        self.update()

    # -- geometry ----------------------------------------------------------------------------------

    def _placed(self) -> list[tuple[EditRange, int]]:
        """Each edit with its lane: the first one without overlap, at most three."""
        ends: list[int] = []
        placed = []
        for edit in sorted(self._edits, key=lambda edit: (edit.start, edit.key)):
            lane = next((n for n, end in enumerate(ends) if end <= edit.start), len(ends))
            lane = min(lane, 2)
            if lane == len(ends):
                ends.append(0)
            ends[lane] = max(ends[lane], edit.stop)
            placed.append((edit, lane))
        return placed

    def _lanes(self) -> int:
        return max((lane for _, lane in self._placed()), default=0) + 1

    def _track(self) -> QRectF:
        return QRectF(0, RULER, self.width(), TRACK)

    def _edit_box(self, edit: EditRange, lane: int) -> QRectF:
        left, right = self._scale.x(edit.start), self._scale.x(edit.stop)
        return QRectF(left, RULER + TRACK + GAP + LANE * lane, max(4.0, right - left), LANE - 3)

    def _edit_at(self, position: QPointF) -> EditRange | None:
        for edit, lane in reversed(self._placed()):
            if self._edit_box(edit, lane).contains(position):
                return edit
        return None

    # -- painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.panel))
        painter.fillRect(QRectF(0, 0, self.width(), RULER), QColor(theme.window))
        if self.frames:
            self._paint_ruler(painter, theme)
            self._paint_track(painter, theme)
            self._paint_edits(painter, theme)
            self._paint_cache(painter, theme)
            self._paint_playhead(painter, theme)
        painter.end()

    def _paint_ruler(self, painter: QPainter, theme: Theme) -> None:
        font = QFont(self.font())
        font.setPointSizeF(max(6.5, font.pointSizeF() - 1.5))
        painter.setFont(font)
        large, fine = self._scale.ticks(self._times.rate if self._times.constant else _TENS)
        first, last = int(self._scale.first), self._scale.frame(self.width()) + 1
        for frame in range(first - first % fine, last + 1, fine):
            x = round(self._scale.x(frame)) + 0.5
            written = frame % large == 0
            painter.setPen(QColor(theme.muted if written else theme.faint))
            painter.drawLine(QPointF(x, RULER - (9 if written else 5)), QPointF(x, RULER - 1))
            if written:
                painter.drawText(QPointF(x + 4, RULER - 10), self._times.timecode(frame))

    def _paint_track(self, painter: QPainter, theme: Theme) -> None:
        track = self._track()
        film = QRectF(
            self._scale.x(0),
            track.y(),
            self._scale.x(self.frames) - self._scale.x(0),
            track.height(),
        )
        painter.fillRect(film.intersected(track), QColor(theme.field))
        inside = QRectF(
            self._scale.x(self._in),
            track.y(),
            self._scale.x(self._out) - self._scale.x(self._in),
            track.height(),
        )
        shade = QColor(theme.accent)
        shade.setAlpha(58)
        painter.fillRect(inside.intersected(track), shade)
        painter.fillRect(
            QRectF(inside.x(), track.y(), inside.width(), 2).intersected(track),
            QColor(theme.accent),
        )
        for frame, forced in [
            *((cut, False) for cut in self._cuts),
            *((reset, True) for reset in self._resets),
        ]:
            x = self._scale.x(frame)
            if -2 <= x <= self.width() + 2:
                painter.setPen(
                    QPen(
                        QColor(theme.cut),
                        1.5,
                        Qt.PenStyle.SolidLine if forced else Qt.PenStyle.DashLine,
                    )
                )
                painter.drawLine(QPointF(x, track.top() + 2), QPointF(x, track.bottom() - 1))
                self._diamond(
                    painter, QPointF(x, track.center().y()), 4.5 if forced else 3.5, theme.cut
                )
        for x, side in ((inside.left(), 1), (inside.right(), -1)):
            painter.setPen(QPen(QColor(theme.accent), 2))
            edge = x + side
            corner = [QPointF(edge + side * 5, track.top() + 1), QPointF(edge, track.top() + 1)]
            painter.drawPolyline(
                QPolygonF(
                    [
                        *corner,
                        QPointF(edge, track.bottom() - 1),
                        QPointF(edge + side * 5, track.bottom() - 1),
                    ]
                )
            )

    @staticmethod
    def _diamond(painter: QPainter, at: QPointF, size: float, colour: str) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour))
        corners = [
            at + QPointF(0, -size),
            at + QPointF(size, 0),
            at + QPointF(0, size),
            at + QPointF(-size, 0),
        ]
        painter.drawPolygon(QPolygonF(corners))
        painter.restore()

    def _paint_edits(self, painter: QPainter, theme: Theme) -> None:
        font = QFont(self.font())
        font.setPointSizeF(max(6.5, font.pointSizeF() - 2))
        painter.setFont(font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for edit, lane in self._placed():
            box = self._edit_box(edit, lane)
            if not box.intersects(QRectF(self.rect())):
                continue
            colour = QColor(edit.colour)
            painter.setPen(
                QPen(QColor(theme.text), 1.5) if edit.key == self._picked else Qt.PenStyle.NoPen
            )
            painter.setBrush(colour)
            painter.drawRoundedRect(box, 3, 3)
            shown = box.intersected(QRectF(self.rect())).adjusted(5, 0, -4, 0)
            if shown.width() > 24:
                painter.setPen(QColor("#101010" if colour.lightness() > 120 else "#f4f4f4"))
                text = painter.fontMetrics().elidedText(
                    edit.text, Qt.TextElideMode.ElideRight, int(shown.width())
                )
                painter.drawText(
                    shown, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text
                )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_cache(self, painter: QPainter, theme: Theme) -> None:
        top = self.height() - CACHE - 1
        painter.fillRect(QRectF(0, top, self.width(), CACHE), QColor(theme.field))
        for start, stop in self._cached:
            left, right = self._scale.x(start), self._scale.x(stop)
            if right > 0 and left < self.width():
                painter.fillRect(
                    QRectF(left, top, max(1.0, right - left), CACHE), QColor(theme.cached)
                )
        for frame in self._snapshots:
            x = self._scale.x(frame)
            if 0 <= x <= self.width():
                painter.fillRect(QRectF(x, top - 2, 2, CACHE + 2), QColor(theme.snapshot))

    def _paint_playhead(self, painter: QPainter, theme: Theme) -> None:
        left, width = self._scale.x(self._frame), self._scale.per_frame
        colour = QColor(theme.playhead)
        if width >= 4:
            veil = QColor(colour)
            veil.setAlpha(50)
            painter.fillRect(QRectF(left, RULER, width, self.height() - RULER), veil)
        x = left + min(width, 1.0) / 2 if width < 4 else left
        painter.setPen(QPen(colour, 1.5))
        painter.drawLine(QPointF(x, RULER - 4), QPointF(x, self.height()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        head = [
            QPointF(x - 6, RULER - 13),
            QPointF(x + 6, RULER - 13),
            QPointF(x + 6, RULER - 7),
            QPointF(x, RULER - 1),
        ]
        painter.drawPolygon(QPolygonF([*head, QPointF(x - 6, RULER - 7)]))

    # -- pointer -----------------------------------------------------------------------------------

    def _part_at(self, position: QPointF) -> str:
        if self._track().contains(position):
            nearest = min(
                (abs(position.x() - self._scale.x(frame)), name)
                for frame, name in ((self._in, "in"), (self._out, "out"))
            )
            if nearest[0] <= _GRIP:
                return nearest[1]
        return "frame"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self.frames:
            return
        edit = self._edit_at(event.position())
        if edit is not None:
            self.edit_picked.emit(edit.key)
            return
        self._drag = self._part_at(event.position())
        self._dragged_to(event.position())

    def _dragged_to(self, position: QPointF) -> None:
        frame = self._scale.frame(position.x())
        edge = min(
            max(0, round(self._scale.first + position.x() / self._scale.per_frame)), self.frames
        )
        if self._drag == "in":
            self.in_moved.emit(min(edge, self._out - 1))
        elif self._drag == "out":
            self.out_moved.emit(max(edge, self._in + 1))
        elif frame != self._frame:
            self.scrubbed.emit(frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            self._dragged_to(event.position())
        else:
            sizing = (
                self._part_at(event.position()) != "frame"
                and self._edit_at(event.position()) is None
            )
            self.setCursor(Qt.CursorShape.SizeHorCursor if sizing else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            self._drag = None
            self.scrub_ended.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.25 ** (delta.y() / 120), event.position().x())
        else:
            move = delta.x() or delta.y()
            self.scroll_to(self._scale.first - move / 120 * self._scale.shown * 0.1)
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._set_scale(self._scale.resized(self.width()))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and self.frames:
            position = QPointF(event.pos())
            edit = self._edit_at(position)
            QToolTip.showText(
                event.globalPos(),
                edit.text if edit else self._tooltip(self._scale.frame(position.x())),
                self,
            )
            return True
        return super().event(event)

    def _tooltip(self, frame: int) -> str:
        lines = [self.tr("Frame {0} · {1}").format(frame, self._times.timecode(frame))]
        if frame in self._resets:
            lines.append(self.tr("Reset forced here"))
        elif frame in self._cuts:
            lines.append(self.tr("Cut"))
        if any(start <= frame < stop for start, stop in self._cached):
            lines.append(self.tr("Painted and cached"))
        return "\n".join(lines)


class Timeline(QWidget):
    """The canvas with a scroll bar, which is hidden while the whole film is visible."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = TimelineCanvas(self)
        self._bar = QScrollBar(Qt.Orientation.Horizontal, self)
        self._bar.setAccessibleName(self.tr("Timeline position"))
        self._bar.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.canvas)
        layout.addWidget(self._bar)
        self.canvas.scale_changed.connect(self._follow)
        self._bar.valueChanged.connect(self.canvas.scroll_to)

    def _follow(self) -> None:
        scale = self.canvas.scale
        self._bar.blockSignals(True)
        self._bar.setRange(0, max(0, round(scale.frames - scale.shown)))
        self._bar.setPageStep(max(1, round(scale.shown)))
        self._bar.setValue(round(scale.first))
        self._bar.blockSignals(False)
        self._bar.setVisible(not scale.is_whole)
