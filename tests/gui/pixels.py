"""Pixels of a viewer's picture: their colours, and where they lie in the widget.

The inverse functions of ``to_qimage`` and ``Viewer.picture_point``, for the tests and for
drive_editor.py.
"""

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage


def from_qimage(image):
    """The pixels of a QImage as uint8 RGB [H,W,3], a copy."""
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).copy()


def widget_point(viewer, x, y):
    """The widget point over the centre of picture pixel (x, y), in the first pane."""
    target, size = viewer._target(viewer._pane(0)), viewer._picture_size()
    return QPointF(
        target.x() + (x + 0.5) / max(1, size.width()) * target.width(),
        target.y() + (y + 0.5) / max(1, size.height()) * target.height(),
    )
