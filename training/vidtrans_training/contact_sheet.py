"""The contact sheet of training data: what the network will see, for the eye."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from vidtrans.frame import Bytes
from vidtrans.labels.boundary import boundary
from vidtrans.labels.palette import colourise
from vidtrans.labels.scheme import Scheme
from vidtrans.nets.range import to_bytes
from vidtrans.pipeline.layers import flow_colours
from vidtrans_training.clip import Clip

COLUMN_WIDTH = 384
"""Pixels; five columns fit a screen of 1920."""
_TITLE_HEIGHT = 20
_UNTRUSTED = 0.35
"""Brightness of the flow where it is not trusted."""


def contact_sheet(clips: Sequence[Clip], scheme: Scheme | None) -> Bytes:
    """One row for each clip's last frame, with titled columns.

    Args:
        clips: Samples as the network gets them.
        scheme: The scheme of the network's planes, for their colours; None where pictures are
            translated.

    Returns:
        uint8 RGB: condition, boundary (where there are labels or instances), real picture, and
        flow to the frame before, dark where it is not trusted (where there is flow).
    """
    rows = [_row(clip, scheme) for clip in clips]
    titles = list(rows[0])
    lines = [np.hstack([_title(title) for title in titles])]
    for row in rows:
        scaled = [_column(row[title]) for title in titles]
        lines.append(np.hstack(scaled))
    return np.ascontiguousarray(np.vstack(lines))


def _row(clip: Clip, scheme: Scheme | None) -> dict[str, Bytes]:
    last = clip.frames(len(clip) - 1, len(clip))
    shown: dict[str, Bytes] = {}
    ids = None if last.labels is None else last.labels[0].numpy()
    if last.images is not None:
        shown["input"] = to_bytes(last.images[:, :3]).numpy()
    elif ids is not None and scheme is not None:
        shown["labels"] = colourise(ids, scheme)
    if last.instances is not None:
        shown["boundary"] = _grey(boundary(last.instances[0].numpy()))
    if last.features is not None:
        shown["features"] = to_bytes(last.features[:, :3]).numpy()
    shown["real"] = to_bytes(last.real).numpy()
    if last.flow:
        distance = min(last.flow)
        colours = flow_colours(last.flow[distance])
        trusted = last.confidence[distance]
        light = torch.where(trusted > 0, 1.0, _UNTRUSTED)
        shown["flow (dark: not trusted)"] = to_bytes((colours + 1) * light - 1).numpy()
    return shown


def _grey(edges: np.ndarray) -> Bytes:
    return np.repeat(edges.astype(np.uint8)[..., None] * 255, 3, axis=2)


def _column(picture: Bytes) -> Bytes:
    height, width = picture.shape[:2]
    size = COLUMN_WIDTH, max(1, round(height * COLUMN_WIDTH / width))
    method = cv2.INTER_AREA if width > COLUMN_WIDTH else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def _title(text: str) -> Bytes:
    line = np.full((_TITLE_HEIGHT, COLUMN_WIDTH, 3), 32, np.uint8)
    place = 6, _TITLE_HEIGHT - 6
    cv2.putText(line, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (230, 230, 230), 1, cv2.LINE_AA)
    return line
