"""Requests and events of the preview: frozen values, which threads may share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vidtrans.errors import Remedy, VidtransError, WordSetting, python_words
from vidtrans.frame import Bytes, FrameTime, LabelFrame, VideoInfo
from vidtrans.labels.scheme import Scheme
from vidtrans.media.times import FilmTimes
from vidtrans.model.card import Card
from vidtrans.pipeline.settings import PreviewLayer

Approximation = Literal["no_history", "near", "waiting"]
"""What comes before the exact picture: the frame painted without its history, the cached picture of
a frame nearby, or, where a picture would delay the exact one too much, the labels alone."""
PreviewScale = Literal["auto", "full", "half", "quarter"]
"""The size of the preview's pictures, as a part of that which ``convert`` writes. ``auto`` is the
largest that the device paints in a time that one waits for (``preview.scale``)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for the pictures of one frame. A newer request cancels an older one.

    Attributes:
        id: Grows from request to request.
        frame: The frame, from 0.
        layers: The layers to answer with.
        with_labels: Whether the answer carries the label frame too. If the picture is cached, it
            comes in a second answer.
        ahead: Frames to paint after this one while there is no other request: a second's worth
            while playing; a large number paints the whole film in the background.
        approximate: Whether an approximation may come before the exact answer.
    """

    id: int
    frame: int
    layers: tuple[PreviewLayer, ...] = ("final",)
    with_labels: bool = False
    ahead: int = 0
    approximate: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The pictures of a request.

    An approximate answer is followed by the exact one with the same id, unless a newer request
    comes.

    Attributes:
        request: The request.
        pictures: uint8 RGB [H,W,3] by layer, all of one size, read-only; without the layers asked
            for where the answer is ``waiting``. A layer that the model
            does not make at this frame (the flow of a first frame) is a neutral picture.
        time: The frame's timestamp; None if it was not read yet.
        approximation: None for exactly what ``convert`` would write.
        cut: Whether the history is reset at this frame.
        labels: The edited labels, at the network's size; None unless requested. Their top left
            corner is that of the picture.
        original: The labels before edits, at the network's size; None unless requested.
        seconds: From ``submit`` to this answer.
        replayed: Number of frames painted for it.
        painting_s: Seconds spent on painting these.
    """

    request: Request
    pictures: dict[str, Bytes]
    time: FrameTime | None = None
    approximation: Approximation | None = None
    cut: bool = False
    labels: LabelFrame | None = None
    original: LabelFrame | None = None
    seconds: float = 0.0
    replayed: int = 0
    painting_s: float = 0.0

    @property
    def frame(self) -> int:
        """The requested frame."""
        return self.request.frame


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A film and a model are open.

    Attributes:
        generation: The number that ``PreviewEngine.open`` returned.
        info: The input's properties.
        frames: The exact number of frames.
        size_hw: Height and width of the preview's pictures.
        card: The model's card.
        scheme: The scheme in which the labels are read.
        encoding: The encoding of the labels; ``pictures`` where the model takes pictures.
        reasons: Why that scheme and encoding were chosen, a sentence each.
        model_scheme: The model's classes; None where they have no names.
        label_nc: The number of the model's label planes.
        has_instances: Whether there are instance maps.
        device: The torch device.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        full_hw: Height and width of the pictures that ``convert`` writes.
        times: When each frame is shown.
        remarks: Sentences for people about how the input is read, where that may surprise.
    """

    generation: int
    info: VideoInfo
    frames: int
    size_hw: tuple[int, int]
    card: Card
    scheme: Scheme
    encoding: str
    reasons: tuple[str, ...]
    model_scheme: Scheme | None
    label_nc: int
    has_instances: bool
    device: str
    precision: str
    full_hw: tuple[int, int]
    times: FilmTimes
    remarks: tuple[str, ...] = ()

    @property
    def reduced(self) -> bool:
        """Whether the preview's pictures are smaller than those that ``convert`` writes."""
        return self.size_hw != self.full_hw


@dataclass(frozen=True, slots=True)
class Failed:
    """``open``, an edit or a request failed.

    Attributes:
        message: What failed, as one sentence.
        details: A traceback where the program is at fault, else empty.
        kind: The error's class name.
        request: The request that failed; None for ``open`` and edits.
        generation: The number that ``PreviewEngine.open`` returned.
        remedies: What to do, where that names settings; ``sentence`` includes them.
    """

    message: str
    details: str = ""
    kind: str = "VidtransError"
    request: Request | None = None
    generation: int = 0
    remedies: tuple[Remedy, ...] = ()

    @classmethod
    def of(
        cls,
        error: BaseException,
        details: str = "",
        *,
        request: Request | None = None,
        generation: int = 0,
    ) -> Failed:
        """The failure as a value: an exception would keep the worker's stack and tensors alive."""
        kind = type(error).__name__
        if isinstance(error, VidtransError):
            text, remedies = error.description, error.remedies
        else:
            text, remedies = f"{kind}: {error}", ()
        return cls(text, details, kind, request, generation, remedies)

    def error(self) -> VidtransError:
        """The failure as an error that another thread can raise."""
        error = VidtransError(self.message)
        error.remedies = self.remedies
        return error

    def sentence(self, word: WordSetting = python_words) -> str:
        """The message and the remedies, in which ``word`` names the settings."""
        return self.error().sentence(word)


Event = Answer | Opened | Failed


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the preview, for a timeline and a status bar.

    Attributes:
        cached: Half-open ranges (first, end) of the frames whose picture is cached, by layer.
        snapshots: Frames that are painted without a replay.
        cuts: Frames before which the history is reset.
        cuts_known_to: The first frame from which on cuts may be unknown.
        picture_bytes: Memory of finished pictures.
        snapshot_bytes: Memory of generator states.
        label_bytes: Memory of decoded frames.
        reference_bytes: Memory of the pictures of ``FirstFrame`` edits.
        fps: Frames painted per second during the last three seconds; 0 while idle.
        replaying: (frames done, frames in all) of the current request; None when there is none.
        busy: Whether the worker is at work.
    """

    cached: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    snapshots: tuple[int, ...] = ()
    cuts: tuple[int, ...] = ()
    cuts_known_to: int = 0
    picture_bytes: int = 0
    snapshot_bytes: int = 0
    label_bytes: int = 0
    reference_bytes: int = 0
    fps: float = 0.0
    replaying: tuple[int, int] | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits of the preview's memory.

    Attributes:
        picture_bytes: For finished pictures.
        snapshot_bytes: For generator states.
        label_bytes: For decoded frames.
        reference_bytes: For the pictures of ``FirstFrame`` edits.
        snapshot_every: Frames from one kept state to the next.
    """

    picture_bytes: int = 1 << 30
    snapshot_bytes: int = 1 << 30
    label_bytes: int = 128 << 20
    reference_bytes: int = 64 << 20
    snapshot_every: int = 24
