"""Pictures of another size than the film's, fitted to it. Does not depend on Qt."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from vidtrans.errors import OutputError
from vidtrans.frame import Bytes
from vidtrans.media.pngs import write_picture
from vidtrans.media.reader import open_reader

Fit = Literal["crop", "stretch"]


def picture_size(path: str) -> tuple[int, int]:
    """Height and width of a picture.

    Raises:
        InputError: It cannot be read.
    """
    with open_reader(path, labels=False) as reader:
        return reader.info.size_hw


def fitted(picture: Bytes, size_hw: tuple[int, int], how: Fit) -> Bytes:
    """A picture at another size.

    Args:
        picture: uint8 RGB [H,W,3].
        size_hw: The size.
        how: ``stretch`` to it, or ``crop`` what has another shape, from the middle.
    """
    if how == "crop":
        height, width = picture.shape[:2]
        scale = min(height / size_hw[0], width / size_hw[1])
        rows = max(1, round(size_hw[0] * scale))
        columns = max(1, round(size_hw[1] * scale))
        top, left = (height - rows) // 2, (width - columns) // 2
        picture = picture[top : top + rows, left : left + columns]
    shrinks = picture.shape[0] > size_hw[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size_hw[::-1], interpolation=method), np.uint8)


def fitted_copy(path: str, size_hw: tuple[int, int], how: Fit) -> Path:
    """Write a picture at another size, as a PNG beside it; one that is there already is replaced.

    Args:
        path: The picture.
        size_hw: The size.
        how: As for ``fitted``.

    Returns:
        The copy, ``NAME-WIDTHxHEIGHT-crop.png``.

    Raises:
        InputError: The picture cannot be read.
        OutputError: The copy cannot be written.
    """
    with open_reader(path, labels=False) as reader:
        picture = np.asarray(next(iter(reader)).pixels, np.uint8)
    source = Path(path)
    name = f"{source.stem}-{size_hw[1]}x{size_hw[0]}-{how}.png"
    target = source.with_name(name)
    try:
        write_picture(target, fitted(picture, size_hw, how), what="the fitted copy")
    except OutputError as error:
        error.hint = "Copy the picture to a folder that can be written to, and choose it there."
        raise
    return target
