"""Conversion of arrays to Qt's images, and overlays of masks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QColor, QImage

from vidtrans.frame import Bytes


def to_qimage(picture: Bytes) -> QImage:
    """Convert a picture for painting; may be called from any thread.

    Args:
        picture: uint8 RGB [H,W,3].

    Returns:
        An image that owns its pixels, in RGB32, which Qt paints fastest.
    """
    height, width = picture.shape[:2]
    contiguous = np.ascontiguousarray(picture)
    return QImage(
        contiguous.data, width, height, 3 * width, QImage.Format.Format_RGB888
    ).convertToFormat(QImage.Format.Format_RGB32)


def mask_overlay(mask: npt.NDArray[np.bool_], colour: str) -> QImage:
    """Draw a mask as a translucent area with an outline.

    Args:
        mask: bool [H,W].
        colour: ``#rrggbb``.

    Returns:
        A premultiplied ARGB image of the same size.
    """
    tint = QColor(colour)
    inner = mask.astype(np.uint8)
    rim = mask & (
        cv2.erode(inner, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        == 0
    )
    painted = np.zeros(mask.shape, np.uint32)
    for where, alpha in ((mask, 70), (rim, 235)):
        part = [round(value * alpha / 255) for value in (tint.red(), tint.green(), tint.blue())]
        painted[where] = alpha << 24 | part[0] << 16 | part[1] << 8 | part[2]
    height, width = mask.shape
    return QImage(
        painted.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied
    ).copy()
