"""Frames in, translations out: what the decode thread and the translate thread do, and the stream
that they make.

``convert``, the ffmpeg filter and whoever else turns frames into pictures share these, so that they
make the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch

from vidtrans.errors import InputError, Interrupted, Remedy, VidtransError
from vidtrans.frame import Bytes, Frame, FrameTime, LabelFrame, Translation
from vidtrans.labels.edit_plan import EditPlan
from vidtrans.labels.reader import LabelReader
from vidtrans.labels.report import ReportBuilder
from vidtrans.nets.painting import Painting
from vidtrans.pipeline.layers import render_layer
from vidtrans.pipeline.settings import Layer, SceneCuts
from vidtrans.pipeline.sizing import Sizing
from vidtrans.pipeline.threads import in_thread
from vidtrans.sequence.allocator import keep_freed_memory
from vidtrans.sequence.model import Model
from vidtrans.sequence.scene_cuts import is_cut
from vidtrans.sequence.state import State
from vidtrans.sequence.transfer import DeviceFrame


class PipelineError(VidtransError):
    """Something that no user did: a stage of the pipeline failed at ``frame``; the cause is
    chained."""


class Cancel(Protocol):
    """Whether to stop: a ``threading.Event`` is one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What the decode thread hands over: ``labels`` at the size that pictures leave with, of the
    decoded ``frame``; ``uploaded``, the same on its way to the device; ``cut``: another scene
    begins here; ``original``: the labels before edits."""

    frame: Frame
    labels: LabelFrame
    uploaded: DeviceFrame
    cut: bool
    original: LabelFrame


class PendingPicture(Protocol):
    """A picture that may still be on its way from the device."""

    def wait(self) -> Bytes: ...


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """What the translate thread hands over: the picture, on its way to the host, and the
    generator's state after it."""

    read: Read
    pending: PendingPicture
    state: State
    cut: bool

    @property
    def index(self) -> int:
        return self.read.frame.index

    @property
    def time(self) -> FrameTime:
        return self.read.frame.time

    def translation(self) -> Translation:
        """Wait for the picture."""
        return Translation(self.index, self.pending.wait(), self.time, self.cut)


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """A frame painted, all its layers, still on the device, and the generator's ``state`` after it.
    ``cut``: the history started anew before it."""

    state: State
    painting: Painting
    cut: bool


@dataclass(frozen=True)
class Painter:
    """How every frame of a film is painted; ``paint`` is a pure function, so that any frame can be
    painted again.

    ``cuts``: ``auto`` (found in the labels), ``off``, or the frames before which the history starts
    anew. ``sequence_starts``: frames at which the input itself begins another sequence; always
    cuts, unless ``off``. ``edits``: of labels and history; ``looks``: the pictures that they give,
    by frame, uint8 RGB [1,H,W,3] of the film's size. Cuts are found in the labels before edits,
    so that no edit makes one or hides one.
    """

    model: Model
    sizing: Sizing
    layer: Layer = "final"
    cuts: SceneCuts = "auto"
    sequence_starts: frozenset[int] = field(default=frozenset())
    edits: EditPlan = field(default_factory=EditPlan)
    looks: Mapping[int, Bytes] = field(default_factory=dict)

    def start(self, *, first_frames: Bytes | None = None) -> State:
        """The state before the film's first frame. ``first_frames``: pictures to begin with, uint8
        RGB [K,H,W,3] of the film's size."""
        return self.model.start(
            self.sizing.scaled_hw, first_frames=first_frames, least_hw=self.sizing.net_hw
        )

    def is_cut(self, previous: LabelFrame | None, labels: LabelFrame) -> bool:
        """Whether the history starts anew at ``labels``; ``previous`` is the label frame before
        it."""
        if previous is None or self.cuts == "off":
            return False
        if labels.index in self.sequence_starts:
            return True
        return is_cut(previous, labels) if self.cuts == "auto" else labels.index in self.cuts

    def read(self, frame: Frame, labels: LabelFrame, previous: LabelFrame | None) -> Read:
        """``labels`` as read from ``frame``, made ready to be painted; ``previous`` is
        ``read(...).original`` of the frame before it, None before the first. The upload starts
        here.

        Raises InputError where the labels do not suit the model or an edit.
        """
        original = self.sizing.scale(labels)
        edited = self.edits.apply(original)
        uploaded = self.model.upload(edited, least_hw=self.sizing.net_hw)
        return Read(frame, edited, uploaded, self.is_cut(previous, original), original)

    def paint(self, state: State, read: Read) -> Painted:
        """Paint ``read`` from ``state``; never waits for the device."""
        stepped = self.step(state, read)
        return Painted(read, self.picture(stepped, read, self.layer), stepped.state, stepped.cut)

    def step(self, state: State, read: Read) -> Stepped:
        """As ``paint``, before a layer is chosen."""
        index = read.frame.index
        look = self.looks.get(index)
        reset = read.cut or self.edits.resets(index)
        if look is not None:
            state = replace(self.start(first_frames=look), index=state.index)
        elif reset:
            state = self.model.reset(state)
        state, painting = self.model.step(state, read.uploaded)
        return Stepped(state, painting, reset and index > 0)

    def picture(self, stepped: Stepped, read: Read, layer: str) -> PendingPicture:
        """One layer of a painted frame on its way to the host, at the film's size."""
        return self.model.download(
            render_layer(stepped.painting, layer, read.labels, self.model.card.label_scheme)
        )


@contextmanager
def errors_at(frame: int, stage: str) -> Iterator[None]:
    """Complete the errors raised in this context with the frame and the stage.

    Raises:
        VidtransError: Every one, with ``frame`` set where it was unknown.
        PipelineError: For any other exception, which is chained as its cause.
    """
    try:
        yield
    except VidtransError as error:
        if error.frame is None:
            error.frame = frame
        raise
    except MemoryError as error:
        raise PipelineError(
            f"{stage} ran out of memory.", frame=frame, remedy=Remedy("Try a smaller {size_hw}.")
        ) from error
    except torch.OutOfMemoryError as error:
        raise PipelineError(
            f"{stage} ran out of the GPU's memory.",
            frame=frame,
            remedy=Remedy("Try {precision:bf16}, a smaller {size_hw} or {device:cpu}."),
        ) from error
    except Exception as error:
        raise PipelineError(
            f"{stage} failed: {type(error).__name__}: {error}", frame=frame
        ) from error


def read_labels(
    frames: Iterable[Frame],
    label_reader: LabelReader,
    painter: Painter,
    *,
    instances: Iterable[Frame] | None = None,
    previous: LabelFrame | None = None,
    report: ReportBuilder | None = None,
) -> Iterator[Read]:
    """The decode thread's work: each frame's labels in the model's planes and at the output's
    size, on their way to the device while the frame before is painted.

    ``previous``: the label frame before the first of ``frames``, where a run is taken up. Raises
    InputError for what cannot be read, and where ``instances`` has fewer or more frames than
    ``frames``.
    """
    instance_frames = iter(instances) if instances is not None else None
    count = 0
    for frame in frames:
        with errors_at(frame.index, "reading"):
            instance_frame = None
            if instance_frames is not None:
                instance_frame = next(instance_frames, None)
                if instance_frame is None:
                    raise InputError(
                        f"the instance maps end here, after {count} frames, and the labels go on.",
                        where=frame.source or None,
                        frame=frame.index,
                    )
            labels, found = label_reader.read(frame, instance_frame)
            if report is not None:
                report.add(found)
            read = painter.read(frame, labels, previous)
        count += 1
        previous = read.original
        yield read
    if instance_frames is not None:
        extra = next(instance_frames, None)
        if extra is not None:
            raise InputError(
                f"the instance maps go on at frame {extra.index}, and the labels end after {count}"
                " frames.",
                where=extra.source or None,
            )


def paint_frames(
    reads: Iterator[Read], painter: Painter, state: State, *, cancel: Cancel | None = None
) -> Iterator[Painted]:
    """The translate thread's work: the only place where a generator runs and a history lives.

    Raises Interrupted as soon as ``cancel`` is set, after the frames that are painted.
    """
    for read in reads:
        if cancel is not None and cancel.is_set():
            raise Interrupted("interrupted", frame=read.frame.index)
        with errors_at(read.frame.index, "translation"):
            painted = painter.paint(state, read)
        yield painted
        state = painted.state


@contextmanager
def painted_stream(
    frames: Iterable[Frame],
    label_reader: LabelReader,
    painter: Painter,
    state: State,
    *,
    instances: Iterable[Frame] | None = None,
    previous: LabelFrame | None = None,
    report: ReportBuilder | None = None,
    cancel: Cancel | None = None,
    depth: int = 2,
) -> Iterator[Iterator[Painted]]:
    """Decode and translate in a thread each; the caller's thread is the third, and encodes.

    Gives the painted frames in order. A failure of any of the three stops the others: an error of
    decode or translate is raised to the caller after the frames before it; leaving this context
    closes and joins both threads.
    """

    if painter.model.device.type == "cpu":
        keep_freed_memory()

    def translated() -> Iterator[Painted]:
        reads = read_labels(
            frames, label_reader, painter, instances=instances, previous=previous, report=report
        )
        with in_thread(reads, name="vidtrans-decode", depth=depth) as ahead:
            yield from paint_frames(ahead, painter, state, cancel=cancel)

    with in_thread(translated(), name="vidtrans-translate", depth=depth) as painted:
        yield painted


def translate_stream(
    frames: Iterable[Frame],
    label_reader: LabelReader,
    painter: Painter,
    *,
    instances: Iterable[Frame] | None = None,
    state: State | None = None,
    report: ReportBuilder | None = None,
    cancel: Cancel | None = None,
    depth: int = 2,
) -> Iterator[Translation]:
    """Every input frame translated, in order, each as soon as it is made: what ``convert`` writes
    and the filter pipes.

    ``frames``: an open reader, or any frames. ``state``: as ``painter.model.start`` gives it, None
    to start without first frames. Close the iterator (or exhaust it) to stop the threads behind it.

    Raises InputError for frames that cannot be read, PipelineError for what is nobody's mistake;
    both with the frame.
    """
    if state is None:
        state = painter.start()
    with painted_stream(
        frames,
        label_reader,
        painter,
        state,
        instances=instances,
        report=report,
        cancel=cancel,
        depth=depth,
    ) as stream:
        for painted in stream:
            with errors_at(painted.index, "translation"):
                translation = painted.translation()
            yield translation


__all__ = [
    "Cancel",
    "Painted",
    "Painter",
    "PipelineError",
    "Read",
    "Stepped",
    "errors_at",
    "paint_frames",
    "painted_stream",
    "read_labels",
    "translate_stream",
]
