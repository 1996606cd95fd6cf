"""The viewer: the picture and its labels, fitted, zoomed, panned and compared."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from vidtrans_gui.theme import theme_of

Compare = Literal["single", "wipe", "side", "blink"]
COMPARISONS: tuple[Compare, ...] = ("single", "wipe", "side", "blink")
MIN_ZOOM, MAX_ZOOM = 1 / 16, 32.0
_GRIP = 7


class Viewer(QWidget):
    """Compares the labels with the picture of the chosen layer.

    The zoom is the number of device pixels per picture pixel, so that 1.0 is exact on any screen.
    Signals carry coordinates in pixels of the picture.

    Signals:
        hovered(x, y): The pointer is over a pixel; (-1, -1) outside of the picture.
        picked(x, y): A pixel was clicked.
        menu_wanted(x, y, position): The context menu was requested, at a global position.
        zoom_changed(zoom): The zoom is different.
        wipe_changed(position): The wipe was moved, 0 to 1.
    """

    hovered = Signal(int, int)
    picked = Signal(int, int)
    menu_wanted = Signal(int, int, QPoint)
    zoom_changed = Signal(float)
    wipe_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels = QImage()
        self._result = QImage()
        self._mask = QImage()
        self._compare: Compare = "wipe"
        self._wipe = 0.5
        self._fit = True
        self._zoom = 1.0
        self._centre = QPointF(
            0.5, 0.5
        )  # the point of the picture, 0 to 1, at the centre of a pane
        self._mark = ""
        self._note = ""
        self._full = QSize()
        self._message = ""
        self._captions = (self.tr("Labels"), self.tr("Result"))
        self._drag: str | None = None
        self._last = QPointF()
        self._pressed = QPointF()
        self._blink_labels = False
        self._blinker = QTimer(self, interval=500)
        self._blinker.timeout.connect(self._flip)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Viewer"))
        self.setAccessibleDescription(
            self.tr("The labels and the painted picture of the current frame")
        )

    # -- what is shown -----------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(960, 540)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 160)

    def show_pictures(self, labels: QImage, result: QImage, *, mark: str = "") -> None:
        """Show both pictures of a frame; a null image stands for a missing one.

        Args:
            labels: The labels in colours.
            result: The picture.
            mark: Why ``result`` is not the exact picture of the frame; empty where it is.
        """
        size = self._picture_size()
        self._labels, self._result, self._mark = labels, result, mark
        if self._picture_size() != size:
            self.zoom_changed.emit(self.zoom)
        self.update()

    def set_full_size(self, size: QSize, note: str = "") -> None:
        """Set the size that the pictures stand for, where they are smaller: zoom counts its pixels.

        Args:
            size: The size of the export; empty for that of the pictures.
            note: What is written over the picture.
        """
        self._full, self._note = size, note
        self._changed_zoom()

    def show_mask(self, mask: QImage) -> None:
        """Show an ARGB overlay of the picture's size; a null image removes it."""
        self._mask = mask
        self.update()

    def show_message(self, text: str) -> None:
        """Show a sentence over the picture; an empty one removes it."""
        self._message = text
        self.update()

    def set_captions(self, labels: str, result: str) -> None:
        self._captions = (labels, result)
        self.update()

    def clear(self) -> None:
        self._labels, self._result, self._mask = QImage(), QImage(), QImage()
        self._mark, self._message, self._note, self._full = "", "", "", QSize()
        self.fit()

    @property
    def labels(self) -> QImage:
        return self._labels

    @property
    def result(self) -> QImage:
        return self._result

    @property
    def approximate(self) -> bool:
        return bool(self._mark)

    @property
    def mark(self) -> str:
        """Why the picture is not the exact one of the frame; empty where it is."""
        return self._mark

    @property
    def note(self) -> str:
        """What is written over the picture of a reduced preview."""
        return self._note

    @property
    def message(self) -> str:
        return self._message

    # -- comparing ---------------------------------------------------------------------------------

    @property
    def compare(self) -> Compare:
        return self._compare

    def set_compare(self, compare: Compare) -> None:
        self._compare = compare
        self._blink_labels = False
        if compare == "blink":
            self._blinker.start()
        else:
            self._blinker.stop()
        self._changed_zoom()

    @property
    def wipe(self) -> float:
        """Where the wipe divides the picture: at 0 all is result, at 1 all is labels."""
        return self._wipe

    def set_wipe(self, position: float) -> None:
        self._wipe = min(1.0, max(0.0, position))
        self.wipe_changed.emit(self._wipe)
        self.update()

    def _flip(self) -> None:
        self._blink_labels = not self._blink_labels
        self.update()

    # -- zoom --------------------------------------------------------------------------------------

    @property
    def zoom(self) -> float:
        """Device pixels per picture pixel."""
        return self._fitted() if self._fit else self._zoom

    @property
    def fitted(self) -> bool:
        return self._fit

    def fit(self) -> None:
        self._fit = True
        self._centre = QPointF(0.5, 0.5)
        self._changed_zoom()

    def set_zoom(self, zoom: float, around: QPointF | None = None) -> None:
        """Zoom around a point of the widget, by default the centre of the pane."""
        zoom = min(MAX_ZOOM, max(MIN_ZOOM, zoom))
        around = QPointF(self._pane(0).center()) if around is None else around
        pane = self._pane(self._pane_at(around))
        before = self._target(pane)
        if before.isEmpty():  # there is no picture yet
            self._fit, self._zoom = False, zoom
            return
        point = QPointF(
            (around.x() - before.x()) / before.width(), (around.y() - before.y()) / before.height()
        )
        self._fit, self._zoom = False, zoom
        size = self._picture_size()
        width, height = (
            size.width() * zoom / self.devicePixelRatioF(),
            size.height() * zoom / self.devicePixelRatioF(),
        )
        self._centre = QPointF(
            point.x() - (around.x() - pane.center().x()) / width,
            point.y() - (around.y() - pane.center().y()) / height,
        )
        self._clamp_centre()
        self._changed_zoom()

    def _clamp_centre(self) -> None:
        self._centre = QPointF(
            min(1.0, max(0.0, self._centre.x())), min(1.0, max(0.0, self._centre.y()))
        )

    def _changed_zoom(self) -> None:
        self.zoom_changed.emit(self.zoom)
        self.update()

    def _picture_size(self) -> QSize:
        """The size that the pictures stand for."""
        size = self._image_size()
        return size if size.isEmpty() or self._full.isEmpty() else self._full

    def _image_size(self) -> QSize:
        return self._result.size() if not self._result.isNull() else self._labels.size()

    def _fitted(self) -> float:
        size, pane = self._picture_size(), self._pane(0)
        if size.isEmpty():
            return 1.0
        margin = 12
        across = max(1.0, pane.width() - 2 * margin) / size.width()
        down = max(1.0, pane.height() - 2 * margin) / size.height()
        return min(across, down) * self.devicePixelRatioF()

    # -- geometry ----------------------------------------------------------------------------------

    def _pane(self, number: int) -> QRectF:
        """The whole widget, or one half for pictures side by side."""
        if self._compare != "side":
            return QRectF(self.rect())
        half = self.width() / 2
        return QRectF(half * number, 0, half, self.height())

    def _pane_at(self, position: QPointF) -> int:
        return int(self._compare == "side" and position.x() >= self.width() / 2)

    def _target(self, pane: QRectF) -> QRectF:
        """The rectangle of the whole picture, drawn into ``pane``."""
        size = self._picture_size()
        scale = self.zoom / self.devicePixelRatioF()
        width, height = size.width() * scale, size.height() * scale
        centre = QPointF(0.5, 0.5) if self._fit else self._centre
        return QRectF(
            pane.center().x() - centre.x() * width,
            pane.center().y() - centre.y() * height,
            width,
            height,
        )

    def picture_point(self, position: QPointF) -> tuple[int, int] | None:
        """The pixel (x, y) of the pictures, as they are, under a point; None outside."""
        target = self._target(self._pane(self._pane_at(position)))
        size = self._image_size()
        if target.isEmpty() or not target.contains(position):
            return None
        x = int((position.x() - target.x()) / target.width() * size.width())
        y = int((position.y() - target.y()) / target.height() * size.height())
        return min(x, size.width() - 1), min(y, size.height() - 1)

    def _wipe_x(self) -> float:
        target = self._target(self._pane(0)).intersected(QRectF(self.rect()))
        return target.x() + self._wipe * target.width()

    # -- painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = theme_of(self.palette())
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.surround))
        if not self._picture_size().isEmpty():
            self._paint_pictures(painter)
        if self._message:
            self._paint_message(painter)
        painter.end()

    def _paint_pictures(self, painter: QPainter) -> None:
        # Interpolated up to a zoom of 4; above it single pixels shall be visible.
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.zoom < 4)
        pane = self._pane(0)
        if self._compare == "side":
            for number, (image, caption) in enumerate(
                zip((self._labels, self._result), self._captions, strict=True)
            ):
                pane = self._pane(number)
                self._draw(painter, image, pane)
                self._chip(painter, caption, pane, Qt.AlignmentFlag.AlignLeft)
            painter.setPen(QColor(theme_of(self.palette()).border))
            painter.drawLine(QPointF(self.width() / 2, 0), QPointF(self.width() / 2, self.height()))
        elif self._compare == "wipe" and not self._labels.isNull() and not self._result.isNull():
            line = self._wipe_x()
            self._draw(painter, self._labels, pane, QRectF(0, 0, line, self.height()))
            self._draw(
                painter, self._result, pane, QRectF(line, 0, self.width() - line, self.height())
            )
            shown = self._target(pane).intersected(pane)
            self._chip(
                painter,
                self._captions[0],
                QRectF(0, 0, line, self.height()),
                Qt.AlignmentFlag.AlignLeft,
            )
            right = QRectF(line, 0, self.width() - line, self.height())
            self._chip(painter, self._captions[1], right, Qt.AlignmentFlag.AlignRight)
            self._paint_wipe(painter, line, shown)
        else:
            labels = (self._compare == "blink" and self._blink_labels) or self._result.isNull()
            self._draw(painter, self._labels if labels else self._result, pane)
            self._chip(
                painter, self._captions[0 if labels else 1], pane, Qt.AlignmentFlag.AlignLeft
            )
        if self._mark:
            self._paint_mark(painter)
        if self._note:
            pane = self._pane(0)
            self._label(
                painter,
                self._note,
                self._target(pane).intersected(pane),
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop,
                QColor(0, 0, 0, 150),
                QColor(255, 255, 255, 225),
            )

    def _draw(
        self, painter: QPainter, image: QImage, pane: QRectF, clip: QRectF | None = None
    ) -> None:
        if image.isNull():
            return
        painter.save()
        painter.setClipRect(pane if clip is None else clip)
        target = self._target(pane)
        painter.drawImage(target, image, QRectF(image.rect()))
        if not self._mask.isNull():
            painter.drawImage(target, self._mask, QRectF(self._mask.rect()))
        painter.restore()

    def _paint_wipe(self, painter: QPainter, line: float, shown: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(0, 0, 0, 140), 3))
        painter.drawLine(QPointF(line, shown.top()), QPointF(line, shown.bottom()))
        painter.setPen(QPen(QColor(255, 255, 255, 230), 1))
        painter.drawLine(QPointF(line, shown.top()), QPointF(line, shown.bottom()))
        middle = shown.center().y()
        painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
        painter.setBrush(QColor(255, 255, 255, 235))
        painter.drawEllipse(QPointF(line, middle), 10, 10)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(40, 40, 40))
        for side in (-1, 1):
            tip = [
                QPointF(line + side * 7, middle),
                QPointF(line + side * 3, middle - 4),
                QPointF(line + side * 3, middle + 4),
            ]
            painter.drawPolygon(QPolygonF(tip))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _chip(self, painter: QPainter, text: str, pane: QRectF, side: Qt.AlignmentFlag) -> None:
        """Draw a caption in a lower corner of the picture."""
        area = self._target(self._pane(self._pane_at(pane.center()))).intersected(pane)
        self._label(
            painter,
            text,
            area,
            side | Qt.AlignmentFlag.AlignBottom,
            QColor(0, 0, 0, 150),
            QColor(255, 255, 255, 225),
        )

    def _label(
        self,
        painter: QPainter,
        text: str,
        area: QRectF,
        side: Qt.AlignmentFlag,
        back: QColor,
        front: QColor,
    ) -> None:
        font = QFont(self.font())
        font.setPointSizeF(max(7.0, font.pointSizeF() - 1))
        painter.setFont(font)
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(text) + 14, metrics.height() + 5
        if not text or area.width() < width + 16 or area.height() < height + 16:
            return
        x = area.right() - width - 8 if side & Qt.AlignmentFlag.AlignRight else area.left() + 8
        y = area.top() + 8 if side & Qt.AlignmentFlag.AlignTop else area.bottom() - height - 8
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(back)
        box = QRectF(x, y, width, height)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(front)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_mark(self, painter: QPainter) -> None:
        pane = self._pane(1 if self._compare == "side" else 0)
        area = self._target(pane).intersected(pane)
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
        self._label(
            painter,
            self._mark,
            area,
            side,
            QColor("#d9a441"),
            QColor("#1a1205"),
        )

    def _paint_message(self, painter: QPainter) -> None:
        theme = theme_of(self.palette())
        painter.setFont(self.font())
        box = QRectF(self.rect()).adjusted(40, 40, -40, -40)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        bounds = painter.boundingRect(box, int(flags), self._message).adjusted(-16, -10, 16, 10)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        back = QColor(theme.panel)
        back.setAlpha(235)
        painter.setBrush(back)
        painter.drawRoundedRect(bounds, 6, 6)
        painter.setPen(QColor(theme.text))
        painter.drawText(box, int(flags), self._message)

    # -- pointer and keys --------------------------------------------------------------------------

    def _near_wipe(self, position: QPointF) -> bool:
        if self._compare != "wipe" or self._labels.isNull() or self._result.isNull():
            return False
        return abs(position.x() - self._wipe_x()) <= _GRIP

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._last = self._pressed = event.position()
        if event.button() == Qt.MouseButton.LeftButton and self._near_wipe(event.position()):
            self._drag = "wipe"
        elif (
            event.button() == Qt.MouseButton.MiddleButton
            or event.button() == Qt.MouseButton.LeftButton
        ):
            self._drag = "pan"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        if self._drag == "wipe":
            target = self._target(self._pane(0)).intersected(QRectF(self.rect()))
            self.set_wipe((position.x() - target.x()) / max(1.0, target.width()))
        elif (
            self._drag == "pan"
            and not self._fit
            and (position - self._pressed).manhattanLength() > 3
        ):
            target = self._target(self._pane(0))
            moved = position - self._last
            self._centre -= QPointF(
                moved.x() / max(1.0, target.width()), moved.y() / max(1.0, target.height())
            )
            self._clamp_centre()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.update()
        else:
            self.setCursor(
                Qt.CursorShape.SplitHCursor
                if self._near_wipe(position)
                else Qt.CursorShape.CrossCursor
            )
        self._last = position
        point = self.picture_point(position)
        self.hovered.emit(*(point or (-1, -1)))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drag, self._drag = self._drag, None
        moved = (event.position() - self._pressed).manhattanLength() > 3
        self.setCursor(Qt.CursorShape.CrossCursor)
        if drag == "pan" and not moved and event.button() == Qt.MouseButton.LeftButton:
            point = self.picture_point(event.position())
            if point is not None:
                self.picked.emit(*point)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._near_wipe(event.position()):
            self.set_wipe(0.5)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        point = self.picture_point(QPointF(event.pos()))
        if point is not None:
            self.menu_wanted.emit(*point, event.globalPos())

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(-1, -1)

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        if steps and not self._picture_size().isEmpty():
            self.set_zoom(self.zoom * 1.2**steps, event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the wipe with Alt and the arrow keys."""
        step = {Qt.Key.Key_Left: -0.02, Qt.Key.Key_Right: 0.02}.get(Qt.Key(event.key()))
        if (
            step is not None
            and self._compare == "wipe"
            and event.modifiers() & Qt.KeyboardModifier.AltModifier
        ):
            self.set_wipe(self._wipe + step)
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.zoom_changed.emit(self.zoom)
