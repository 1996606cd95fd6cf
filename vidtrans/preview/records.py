"""What is asked of the preview and what it answers: frozen values, so that any thread may hold
them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vidtrans.errors import Remedy, VidtransError, WordSetting, python_words
from vidtrans.frame import Bytes, FrameTime, LabelFrame, VideoInfo
from vidtrans.labels.scheme import Scheme
from vidtrans.model.card import Card
from vidtrans.pipeline.settings import PreviewLayer

Approximation = Literal["fresh", "near", "labels"]


@dataclass(frozen=True, slots=True)
class Request:
    """Show ``frame`` (0-based), in all of ``layers``.

    ``id``: grows from request to request; a newer request cancels an older one. ``with_labels``:
    send the label frame too (the class under the cursor, shares), where the picture is at hand in a
    second answer after it. ``ahead``: frames to paint after this one while nothing else is asked
    (playing: a second's worth; a large number paints the whole film in the background).
    ``approximate``: whether quick answers are wanted meanwhile.
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

    ``pictures``: uint8 RGB [H,W,3] by layer, all of one size, read-only. A layer that the model
    does not make at this frame (flow of a first frame) is its neutral picture. ``approximation``:
    None for exactly what ``convert`` would write; ``fresh``: painted without its past; ``near``:
    the nearest frame at hand; ``labels``: the labels' colours. An approximate answer is followed by
    the exact one, with the same id, unless a newer request comes. ``cut``: the history starts anew
    at this frame. ``labels``: edited; ``original``: as read; both at the network's size: their top
    left corner is the picture's. ``seconds``: from ``submit`` to this answer. ``replayed``: frames
    painted for it, and ``painting_s`` the seconds that went into these alone.
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
        return self.request.frame


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A film and a model are open.

    ``frames``: their exact count. ``size_hw``: of the pictures. ``scheme``: of the labels as read,
    and ``reasons`` for it; ``model_scheme``: the model's classes, None where it only knows numbers.
    ``has_instances``: instance maps are there.
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


@dataclass(frozen=True, slots=True)
class Failed:
    """``open``, an edit or a request (its ``request``) failed.

    ``message``: what failed, as one sentence, and ``remedies``: what to do where that names
    settings; ``sentence`` gives both. ``details``: a traceback where no user is at fault, else
    empty. ``kind``: the error's class name.
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
        """A failure as a value: exception objects never leave the worker's thread."""
        kind = type(error).__name__
        if isinstance(error, VidtransError):
            text, remedies = error.description, error.remedies
        else:
            text, remedies = f"{kind}: {error}", ()
        return cls(text, details, kind, request, generation, remedies)

    def error(self) -> VidtransError:
        """The failure as an error to raise in another thread, without the first one's traceback."""
        error = VidtransError(self.message)
        error.remedies = self.remedies
        return error

    def sentence(self, word: WordSetting = python_words) -> str:
        """The whole failure as a sentence, in which ``word`` names the settings."""
        return self.error().sentence(word)


Event = Answer | Opened | Failed


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand, for a timeline and a status bar; spans are half-open frame ranges (first,
    end).

    ``cached``: by layer, the frames whose picture is at hand. ``snapshots``: frames that can be
    painted without any replay. ``cuts``: frames before which the history starts anew, known up to
    frame ``cuts_known_to`` (exclusive). ``picture_bytes``, ``snapshot_bytes``, ``label_bytes``,
    ``given_bytes``: memory taken. ``fps``: frames painted a second lately, 0 while idle.
    ``replaying``: (frames done, frames in all) of the request at work, None when there is none.
    """

    cached: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    snapshots: tuple[int, ...] = ()
    cuts: tuple[int, ...] = ()
    cuts_known_to: int = 0
    picture_bytes: int = 0
    snapshot_bytes: int = 0
    label_bytes: int = 0
    given_bytes: int = 0
    fps: float = 0.0
    replaying: tuple[int, int] | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much memory the preview may take, in bytes, and how often it keeps the generator's
    state, in frames.

    ``given_bytes``: for the pictures of ``FirstFrame`` edits.
    """

    picture_bytes: int = 1 << 30
    snapshot_bytes: int = 1 << 30
    label_bytes: int = 128 << 20
    given_bytes: int = 64 << 20
    snapshot_every: int = 24
