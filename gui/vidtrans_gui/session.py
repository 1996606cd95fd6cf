"""The open film of the window: requests frames of the preview and drops stale answers."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage

from vidtrans.errors import VidtransError
from vidtrans.frame import LabelFrame
from vidtrans.labels.edit import EditList
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.preview import (
    Answer,
    Failed,
    Opened,
    PreviewEngine,
    PreviewLayer,
    PreviewScale,
    Request,
    Status,
)
from vidtrans_gui import wording
from vidtrans_gui.inbox import Inbox
from vidtrans_gui.pictures import to_qimage


class Engine(Protocol):
    """The methods of ``PreviewEngine`` that the window uses."""

    def open(
        self,
        settings: ConvertSettings,
        edits: EditList | None = None,
        *,
        scale: PreviewScale = "full",
    ) -> int: ...
    def edit(self, edits: EditList) -> None: ...
    def check(self, edits: EditList) -> VidtransError | None: ...
    def submit(self, request: Request) -> bool: ...
    def cancel(self) -> None: ...
    def status(self) -> Status: ...
    def close(self, timeout_s: float = 30.0) -> bool: ...


@dataclass(frozen=True, eq=False)
class Shown:
    """An answer of the preview, converted for painting.

    Attributes:
        request: The request.
        layer: The layer of ``result``.
        result: The picture of the layer; null where there is none.
        label_picture: The labels in colours; null where there are none.
        approximation: None for the exact picture.
        cut: Whether the history is reset at this frame.
        seconds: From request to answer.
        labels: The edited label frame; None unless requested.
        shares: The share of each plane of the picture, 0 to 1; None unless labels were requested.
        cached: Whether the picture was in the cache.
    """

    request: Request
    layer: PreviewLayer
    result: QImage
    label_picture: QImage
    approximation: str | None
    cut: bool
    seconds: float
    labels: LabelFrame | None = None
    shares: dict[int, float] | None = field(default=None)
    cached: bool = False

    @property
    def frame(self) -> int:
        """The requested frame."""
        return self.request.frame


def shown_of(answer: Answer) -> Shown:
    """Convert an answer: pictures to QImages, labels to shares. To be called in a worker thread."""
    wanted = next(
        layer
        for layer in answer.request.layers
        if layer != "labels" or len(answer.request.layers) == 1
    )
    result = answer.pictures.get(wanted)
    label_picture = answer.pictures.get("labels")
    some = result if result is not None else label_picture
    shares = None
    if answer.labels is not None and some is not None:
        height, width = some.shape[:2]
        counts = np.bincount(answer.labels.ids[:height, :width].ravel())
        shares = {
            int(plane): int(counts[plane]) / max(1, int(counts.sum()))
            for plane in np.flatnonzero(counts)
        }
    return Shown(
        answer.request,
        wanted,
        QImage() if result is None else to_qimage(result),
        QImage() if label_picture is None else to_qimage(label_picture),
        answer.approximation,
        answer.cut,
        answer.seconds,
        answer.labels,
        shares,
    )


class Session(QObject):
    """A preview and its current request. All signals come in the window's thread.

    Signals:
        opened(film): A film is open; ``film`` is an ``Opened``.
        shown(shown): A picture came; ``shown`` is a ``Shown``.
        failed(message, details): Opening, an edit or a request failed.
        gap_found(message): The film was not opened, because pictures of it are missing.
        status_changed(status): The preview's ``Status``, five times a second.
    """

    opened = Signal(object)
    shown = Signal(object)
    failed = Signal(str, str)
    gap_found = Signal(str)
    status_changed = Signal(object)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        engine: Callable[[Callable[[Any], None]], Engine] = PreviewEngine,
    ) -> None:
        super().__init__(parent)
        self._inbox = Inbox(self._take, self)
        self._engine = engine(self._from_engine)
        self._generation = 0
        self._film: Opened | None = None
        self._last: Request | None = None
        self._ids = 0
        self._cached: set[int] = set()
        self._layer: PreviewLayer = "final"
        self._timer = QTimer(self, interval=200)
        self._timer.timeout.connect(self._poll)
        self._timer.start()

    @property
    def film(self) -> Opened | None:
        """The open film; None while there is none or it is being opened."""
        return self._film

    @property
    def layer(self) -> PreviewLayer:
        """The layer that is shown."""
        return self._layer

    def open(
        self, settings: ConvertSettings, edits: EditList, scale: PreviewScale = "full"
    ) -> None:
        """Open a film; ``opened``, ``failed`` or ``gap_found`` follows."""
        self._film = None
        self._last = None
        self._generation = self._engine.open(settings, edits, scale=scale)

    def problem_of(self, edits: EditList) -> str:
        """Why these edits do not suit the open film, in a sentence; empty where they do."""
        error = self._engine.check(edits)
        return "" if error is None else wording.sentence(error)

    def edit(self, edits: EditList) -> None:
        """Use these edits from now on, and request the current frame again."""
        self._engine.edit(edits)
        self.request_again()

    def seek(
        self, frame: int, *, ahead: int = 0, with_labels: bool = True, approximate: bool = True
    ) -> None:
        """Request a frame; earlier requests are cancelled.

        Args:
            frame: The frame.
            ahead: Frames to paint after it.
            with_labels: Whether the label frame is needed.
            approximate: Whether approximations are shown meanwhile.
        """
        self._ids += 1
        layers: tuple[PreviewLayer, ...] = (
            ("labels",) if self._layer == "labels" else (self._layer, "labels")
        )
        self._submit(Request(self._ids, frame, layers, with_labels, ahead, approximate))

    def request_again(self, *, ahead: int | None = None) -> None:
        """Request the current frame again."""
        if self._last is not None:
            self.seek(self._last.frame, ahead=self._last.ahead if ahead is None else ahead)

    def set_layer(self, layer: PreviewLayer) -> None:
        """Show another layer."""
        if layer != self._layer:
            self._layer = layer
            self.request_again()

    def leave(self) -> None:
        """Leave the film, also one that is being opened."""
        self._film, self._last = None, None
        self._generation = 0
        self._engine.cancel()

    def close(self) -> bool:
        """End the preview's thread; False if the current frame did not finish in time."""
        self._timer.stop()
        self._inbox.close()
        return self._engine.close()

    def _submit(self, request: Request) -> None:
        if self._film is None:
            return
        self._last = request
        if self._engine.submit(request):
            self._cached.add(request.id)

    def _from_engine(self, event: Any) -> None:
        """Pass an event on as a value. Called in the preview's thread; must not raise."""
        try:
            self._inbox.put(shown_of(event) if isinstance(event, Answer) else event)
        except Exception as error:
            self._inbox.put(Failed(f"{type(error).__name__}: {error}", traceback.format_exc()))

    def _take(self, event: Any) -> None:
        if isinstance(event, Shown):
            if self._last is None or event.request.id != self._last.id:
                self._cached.discard(event.request.id)
                return  # stale: there is a newer request
            cached = event.request.id in self._cached
            if event.approximation is None:
                self._cached.discard(event.request.id)
            self.shown.emit(replace(event, cached=cached))
        elif isinstance(event, Opened):
            if event.generation == self._generation:
                self._film = event
                self.opened.emit(event)
        elif isinstance(event, Failed):
            newer = event.request is not None and (
                self._last is None or event.request.id != self._last.id
            )
            older = event.request is None and event.generation not in (0, self._generation)
            if not (newer or older):
                sentence = event.sentence(wording.setting_words)
                if any("allow_gaps" in remedy.settings for remedy in event.remedies):
                    self.gap_found.emit(sentence)
                else:
                    self.failed.emit(sentence, event.details)

    def _poll(self) -> None:
        if self._film is not None:
            self.status_changed.emit(self._engine.status())
