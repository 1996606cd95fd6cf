"""Frames in, translations out: the work of the decode and translate threads, and their stream.

``convert``, the ffmpeg filter and the editor's preview share these functions, so that they give the
same pictures bit for bit.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from vidtrans.errors import InputError, Interrupted, Remedy, VidtransError
from vidtrans.frame import Bytes, Frame, FrameTime, LabelFrame, Nv12, Translation
from vidtrans.labels.edit_plan import EditPlan
from vidtrans.labels.reader import LabelReader
from vidtrans.labels.report import ReportBuilder
from vidtrans.nets.nv12 import to_nv12
from vidtrans.nets.painting import Painting
from vidtrans.pipeline.layers import render_layer
from vidtrans.pipeline.settings import Layer, SceneCuts
from vidtrans.pipeline.sizing import Sizing
from vidtrans.pipeline.threads import in_thread
from vidtrans.sequence.allocator import keep_freed_memory
from vidtrans.sequence.model import Model
from vidtrans.sequence.openmp import end_idle_workers
from vidtrans.sequence.scene_cuts import is_cut
from vidtrans.sequence.state import State
from vidtrans.sequence.transfer import DeviceFrame


class PipelineError(VidtransError):
    """A stage of the pipeline failed at ``frame``, and no input or setting of the user is at fault.

    The cause is chained.
    """


class Cancel(Protocol):
    """Whether to stop: a ``threading.Event`` is one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A decoded frame with its labels, ready to be painted.

    Attributes:
        frame: The decoded frame.
        labels: Its labels after edits, at the output's size.
        uploaded: The same labels, being copied to the device.
        cut: Whether another scene begins at this frame.
        original: The labels before edits, at the output's size.
    """

    frame: Frame
    labels: LabelFrame
    uploaded: DeviceFrame
    cut: bool
    original: LabelFrame


class PendingPicture(Protocol):
    """A picture that is being copied from the device."""

    def wait(self) -> Bytes:
        """Wait for the copy; gives the picture, uint8 RGB [H,W,3], or what `Painter.nv12` says."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A painted frame.

    Attributes:
        read: The frame and labels that it was painted from.
        pending: The picture, being copied to the host.
        state: The generator's state after it.
        cut: Whether the history was reset before it.
    """

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
    """A painted frame with all its layers, on the device.

    Attributes:
        state: The generator's state after it.
        painting: Its layers.
        cut: Whether the history was reset before it.
    """

    state: State
    painting: Painting
    cut: bool


@dataclass(frozen=True)
class Painter:
    """How every frame of a film is painted.

    ``paint`` is a pure function, so that any frame can be painted again. Cuts are found in the
    labels before edits, so that no edit makes or hides one.

    Attributes:
        model: The model that paints.
        sizing: The sizes of input, network and output.
        layer: The layer that ``paint`` gives.
        cuts: ``auto`` (found in the labels), ``off``, or the frames before which the history is
            reset.
        sequence_starts: Frames at which the input begins another sequence: cuts, unless ``cuts``
            is ``off``.
        edits: Edits of labels and history.
        nv12: The NV12 planes that ``paint`` gives in place of RGB pictures, with the last row and
            column repeated up to even sides; None: RGB.
        reference_frames: The first-frame pictures of the edits, by frame: uint8 RGB [1,H,W,3] of
            the output's size.
    """

    model: Model
    sizing: Sizing
    layer: Layer = "final"
    cuts: SceneCuts = "auto"
    sequence_starts: frozenset[int] = field(default=frozenset())
    edits: EditPlan = field(default_factory=EditPlan)
    reference_frames: Mapping[int, Bytes] = field(default_factory=dict)
    nv12: Nv12 | None = None

    def start(self, *, first_frames: Bytes | None = None) -> State:
        """The state before the film's first frame.

        Args:
            first_frames: Pictures to begin with, uint8 RGB [K,H,W,3] of the output's size.
        """
        return self.model.start(
            self.sizing.scaled_hw, first_frames=first_frames, least_hw=self.sizing.net_hw
        )

    def is_cut(self, previous: LabelFrame | None, labels: LabelFrame) -> bool:
        """Whether the history is reset at ``labels``.

        Args:
            previous: The label frame before it, before edits; None for the first frame.
            labels: The label frame, before edits.
        """
        if previous is None or self.cuts == "off":
            return False
        if labels.index in self.sequence_starts:
            return True
        return is_cut(previous, labels) if self.cuts == "auto" else labels.index in self.cuts

    def read(self, frame: Frame, labels: LabelFrame, previous: LabelFrame | None) -> Read:
        """Prepare the labels of a frame for painting, and start their upload.

        Args:
            frame: The decoded frame.
            labels: Its labels, at the input's size.
            previous: ``original`` of the frame before it; None before the first.

        Raises:
            InputError: The labels do not suit the model or an edit.
        """
        original = self.sizing.scale(labels)
        edited = self.edits.apply(original)
        uploaded = self.model.upload(edited, least_hw=self.sizing.net_hw)
        return Read(frame, edited, uploaded, self.is_cut(previous, original), original)

    def paint(self, state: State, read: Read) -> Painted:
        """Paint a frame from the state before it. Does not wait for the device."""
        stepped = self.step(state, read)
        picture = self._rendered(stepped, read, self.layer)
        if self.nv12 is not None:
            picture = to_nv12(picture, self.nv12)
        return Painted(read, self.model.download(picture), stepped.state, stepped.cut)

    def step(self, state: State, read: Read) -> Stepped:
        """As ``paint``, but gives all layers."""
        index = read.frame.index
        reference = self.reference_frames.get(index)
        reset = read.cut or self.edits.resets(index)
        if reference is not None:
            state = replace(self.start(first_frames=reference), index=state.index)
        elif reset:
            state = self.model.reset(state)
        state, painting = self.model.step(state, read.uploaded)
        return Stepped(state, painting, reset and index > 0)

    def picture(self, stepped: Stepped, read: Read, layer: str) -> PendingPicture:
        """Start to copy one layer of a painted frame to the host, RGB at the output's size."""
        return self.model.download(self._rendered(stepped, read, layer))

    def _rendered(self, stepped: Stepped, read: Read, layer: str) -> Tensor:
        return render_layer(stepped.painting, layer, read.labels, self.model.card.label_scheme)


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
    except torch.OutOfMemoryError as error:
        raise PipelineError(
            f"{stage} ran out of the GPU's memory.",
            frame=frame,
            remedy=Remedy("Try {precision:bf16}, a smaller {size_hw} or {device:cpu}."),
        ) from error
    except Exception as error:
        if _wants_memory(error):
            raise PipelineError(
                f"{stage} ran out of memory.",
                frame=frame,
                remedy=Remedy("Try a smaller {size_hw}."),
            ) from error
        raise PipelineError(
            f"{stage} failed: {type(error).__name__}: {error}", frame=frame
        ) from error


def _wants_memory(error: Exception) -> bool:
    """Whether a library's own error says that there is not enough memory."""
    # torch's allocators for CPUs and for Apple's GPUs, OpenCV (StsNoMem), and a thread whose stack
    # finds no place.
    told = (
        "can't allocate memory",
        "MPS backend out of memory",
        "Insufficient memory",
        "can't start new thread",
    )
    return isinstance(error, MemoryError) or any(words in str(error) for words in told)


def read_labels(
    frames: Iterable[Frame],
    label_reader: LabelReader,
    painter: Painter,
    *,
    instances: Iterable[Frame] | None = None,
    previous: LabelFrame | None = None,
    report: ReportBuilder | None = None,
) -> Iterator[Read]:
    """Read the labels of each frame and start their upload: the work of the decode thread.

    Args:
        frames: The decoded label frames.
        label_reader: Turns them into the model's planes.
        painter: Resizes, edits and uploads them.
        instances: Instance maps, one for each of ``frames``; None where there are none.
        previous: Where a run is resumed, the label frame before the first of ``frames``, before
            edits.
        report: Collects what was read.

    Raises:
        InputError: A frame cannot be read, or ``instances`` has fewer or more frames than
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
    """Paint frames one after the other: the work of the translate thread.

    Nothing else runs the generator or holds its state.

    Raises:
        Interrupted: ``cancel`` is set; the frames painted before are given first.
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
    """Decode and translate, each in a thread of its own, ahead of the caller, which encodes.

    Leaving the context closes and joins both threads.

    Args:
        frames: The decoded label frames.
        label_reader: Turns them into the model's planes.
        painter: Paints them.
        state: The generator's state before the first frame.
        instances: Instance maps, one for each of ``frames``; None where there are none.
        previous: Where a run is resumed, the label frame before the first.
        report: Collects what was read.
        cancel: Ends the stream with Interrupted once it is set.
        depth: The most frames that wait between two threads.

    Returns:
        The painted frames in order. An error of either thread is raised after the frames that came
        before it.
    """

    if painter.model.device.type == "cpu":
        keep_freed_memory()
        end_idle_workers()  # of the caller, which has loaded the model

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
) -> Generator[Translation, None, None]:
    """Translate every input frame, in order.

    Closing or exhausting the iterator stops its threads.

    Args:
        frames: An open reader, or any label frames.
        label_reader: Turns them into the model's planes.
        painter: Paints them.
        instances: Instance maps, one for each of ``frames``; None where there are none.
        state: The state to start from, as ``painter.start`` gives it; None for a start
            without first frames.
        report: Collects what was read.
        cancel: Ends the stream with Interrupted once it is set.
        depth: The most frames that wait between two threads.

    Raises:
        InputError: A frame cannot be read.
        PipelineError: A stage failed for another reason.
        Interrupted: ``cancel`` was set.
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
