"""A contact sheet of a model's styles: each class of a label frame in each of its styles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from vidtrans.errors import UsageError
from vidtrans.frame import Bytes, LabelFrame, StyleChoice
from vidtrans.labels.scheme import Scheme
from vidtrans.model.card_styles import card_scheme, centres_of, class_names
from vidtrans.nets.range import to_bytes
from vidtrans.sequence.model import Model

CELL_HW = (120, 200)
"""Height and width of a cell, pixels."""
WARM_UP_FRAMES = 3
"""Frames that a model with a history paints before the one that is shown: a first picture, which
has no history to agree with, does not show how a film will look."""
_NAME_WIDTH = 132
_GAP = 4
_INK, _PAPER = (232, 232, 232), (24, 24, 26)

OnPainted = Callable[[int, int], None]
"""Called with the number of pictures painted, and of those to paint."""


@dataclass(frozen=True, slots=True)
class _Row:
    plane: int
    name: str
    box: tuple[slice, slice]
    styles: int


def style_sheet(
    model: Model,
    frame: LabelFrame,
    *,
    classes: Sequence[str] = (),
    cell_hw: tuple[int, int] = CELL_HW,
    on_painted: OnPainted | None = None,
) -> Bytes:
    """A row for each class and a column for each style, numbered as edits number them.

    A cell shows the class's largest instance. All other classes keep their first style, or the one
    that the model's seed draws.

    Args:
        model: a model with styles.
        frame: the labels to paint, in the model's planes.
        classes: names of classes; empty: all in the frame that have styles.
        cell_hw: height and width of a cell, pixels.
        on_painted: called after each picture.

    Returns:
        uint8 RGB [H,W,3].

    Raises:
        UsageError: the model has no styles, or a class has none or is not in the frame.
    """
    model.check_styles(StyleChoice())
    rows = _rows(model, frame, classes, cell_hw)
    if not rows:
        names = ", ".join(
            class_names(model.card).get(plane, str(plane)) for plane in centres_of(model.card)
        )
        raise UsageError(f"no class of the frame has styles; those with styles: {names}.")
    columns = max(row.styles for row in rows)
    h, w = cell_hw
    sheet = np.full(
        (_GAP + 22 + len(rows) * (h + _GAP), _NAME_WIDTH + columns * (w + _GAP), 3),
        _PAPER,
        np.uint8,
    )
    for style in range(columns):
        _write(sheet, str(style), _NAME_WIDTH + style * (w + _GAP) + 4, 18)
    total, done = sum(row.styles for row in rows), 0
    for place, row in enumerate(rows):
        top = _GAP + 22 + place * (h + _GAP)
        _write(sheet, row.name, 8, top + h // 2 + 5)
        for style in range(row.styles):
            picture = _painted(
                model, replace(frame, styles=StyleChoice(classes=((row.plane, style),)))
            )[row.box]
            left = _NAME_WIDTH + style * (w + _GAP)
            shrinks = picture.shape[0] > h
            method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            sheet[top : top + h, left : left + w] = cv2.resize(
                np.ascontiguousarray(picture), (w, h), interpolation=method
            )
            done += 1
            if on_painted is not None:
                on_painted(done, total)
    return sheet


def _rows(
    model: Model, frame: LabelFrame, classes: Sequence[str], cell_hw: tuple[int, int]
) -> list[_Row]:
    card = model.card
    centres, names = centres_of(card), class_names(card)
    scheme = card_scheme(card, where=card.name or "the model")
    wanted = [_plane(name, scheme) for name in classes] or list(centres)
    rows = []
    for plane in wanted:
        name = names.get(plane, str(plane))
        if classes:
            model.check_styles(StyleChoice(classes=((plane, 0),)))
        mask = frame.ids == plane
        if not mask.any():
            if classes:
                raise UsageError(f"class {name} is not in the frame.")
            continue
        if frame.instances is not None:
            ids, counts = np.unique(frame.instances[mask], return_counts=True)
            mask &= frame.instances == ids[counts.argmax()]
        rows.append(
            _Row(plane, name, box_around(mask, cell_hw[1] / cell_hw[0]), len(centres[plane]))
        )
    return rows


def _plane(name: str, scheme: Scheme | None) -> int:
    if name.isdecimal():
        return int(name)
    if scheme is None:
        raise UsageError(f"the model knows its classes by number only, and {name!r} is no number.")
    return scheme.find(name).id


def _painted(model: Model, frame: LabelFrame) -> Bytes:
    state = model.start(frame.size_hw)
    for _ in range(WARM_UP_FRAMES if model.n_frames > 1 else 0):
        state, _ = model.step(state, frame)
    _, painting = model.step(state, frame)
    return np.asarray(to_bytes(painting.picture).cpu().numpy(), dtype=np.uint8)


def box_around(
    mask: npt.NDArray[np.bool_], aspect: float, *, margin: float = 0.3
) -> tuple[slice, slice]:
    """The box around a mask, with a margin.

    Args:
        mask: bool [H,W] with at least one pixel set.
        aspect: the box's width over its height, as near as the frame allows.
        margin: on each side, as a share of the mask's height and width.

    Returns:
        The box's rows and columns; it lies within the frame.
    """
    limit_h, limit_w = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height = max(int(rows[-1] - rows[0] + 1) * (1 + 2 * margin), 16)
    width = max(int(columns[-1] - columns[0] + 1) * (1 + 2 * margin), 16)
    height, width = max(height, width / aspect), max(width, height * aspect)
    shrink = min(1.0, limit_h / height, limit_w / width)
    h, w = round(height * shrink), round(width * shrink)
    top = min(max(0, round((rows[0] + rows[-1] + 1 - h) / 2)), limit_h - h)
    left = min(max(0, round((columns[0] + columns[-1] + 1 - w) / 2)), limit_w - w)
    return slice(top, top + h), slice(left, left + w)


def _write(sheet: Bytes, text: str, x: int, y: int) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.48, _INK, 1, cv2.LINE_AA)
