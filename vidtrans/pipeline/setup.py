"""From settings to open things: the input, how its labels are read, the model, and the first
frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice, repeat
from pathlib import Path

import cv2
import numpy as np

from vidtrans.errors import InputError, Remedy, UsageError
from vidtrans.frame import Bytes, Frame, LabelFrame, VideoInfo
from vidtrans.labels.detect import parse_labels
from vidtrans.labels.edit import EditList, FirstFrame
from vidtrans.labels.edit_plan import EditPlan
from vidtrans.labels.encodings import WITH_INSTANCES
from vidtrans.labels.reader import LabelReader
from vidtrans.labels.scheme import load_scheme
from vidtrans.labels.scheme_detector import WARNING, Detection
from vidtrans.media.images import ImageReader
from vidtrans.media.naming import FrameKey, exists
from vidtrans.media.reader import Reader, open_reader
from vidtrans.model.card_styles import card_scheme
from vidtrans.pipeline.large import check_pixels
from vidtrans.pipeline.look_ahead import LOOK_AHEAD, LookedAt
from vidtrans.pipeline.look_ahead import look_ahead as look_at
from vidtrans.pipeline.settings import ConvertSettings, RenderSettings
from vidtrans.pipeline.sizing import Sizing
from vidtrans.pipeline.stream import Painter
from vidtrans.sequence.loading import load_model
from vidtrans.sequence.model import Model
from vidtrans.sequence.state import State

COUNT_UP_TO_BYTES = 64 << 20
"""Films whose container does not tell their length are counted, packet by packet, up to this
size."""
_MOSTLY_UNLABELED = 0.5
"""The share of pixels without a class of the model over which the reading is warned of."""


@dataclass(frozen=True, eq=False)
class Render:
    """Everything open that paints the pictures of ``settings``.

    Attributes:
        settings: What decides the pictures.
        reader: The open input.
        frames: Its frames from the first one, those that were looked at included. Read either
            these, or the reader after a seek.
        instances: The open instance maps beside the labels, None where there are none.
        label_reader: How the labels are read.
        detection: What they are taken for; None where the model takes pictures.
        painter: How every frame is painted.
        first_frames: The pictures that the film starts from, None where none are given.
        remarks: Sentences for people about how the input is read, where that may surprise.
    """

    settings: RenderSettings
    reader: Reader
    frames: Iterator[Frame]
    instances: Reader | None
    label_reader: LabelReader
    detection: Detection | None
    painter: Painter
    first_frames: Bytes | None
    remarks: tuple[str, ...] = ()

    @property
    def info(self) -> VideoInfo:
        return self.reader.info

    def start(self) -> State:
        """The generator's state before the first frame."""
        return self.painter.start(first_frames=self.first_frames)

    def frames_expected(self) -> int | None:
        """How many frames the input has: exactly where that is cheap to know, else by its
        length, else None."""
        info, path = self.info, Path(self.info.source)
        if info.frames is not None:
            return info.frames
        if exists(path) and path.is_file() and path.stat().st_size <= COUNT_UP_TO_BYTES:
            return self.reader.count()
        return None if info.duration_s is None else round(info.duration_s * info.rate)


@contextmanager
def open_render(
    reader: Reader,
    settings: RenderSettings,
    *,
    model: Model | None = None,
    look_ahead: int = LOOK_AHEAD,
    given_hw: tuple[int, int] | None = None,
) -> Iterator[Render]:
    """Decide how an open input is read, load the model, and check that they suit each other.

    Args:
        reader: The open input, at its first frame: a file, an image sequence or a pipe. It stays
            the caller's to close. It is not opened again: the frames that were looked at come again
            in ``Render.frames``.
        settings: What decides the pictures.
        model: That of ``settings``, where it is loaded already.
        look_ahead: Frames that detection looks at where they decide. 1 where the second frame may
            not come before the first picture has gone out.
        given_hw: The size that pictures which are given, such as first frames, are made for, where
            it is not that of the output: a preview may be smaller.

    Raises:
        InputError: The labels cannot be read, or the instance maps do not fit them.
        ModelError: The model cannot be used.
        UsageError: A setting does not suit the input or the model.
    """
    with ExitStack() as stack:
        if settings.rate is not None and reader.stems is None:
            raise UsageError(
                f"a rate of {settings.rate} was given, and a film has its own"
                f" ({reader.info.rate}).",
                where=reader.info.source,
                hint="Rates are for folders of pictures.",
            )
        instances: Reader | None = None
        remarks = reader.info.remarks
        if settings.instances is not None:
            instances = stack.enter_context(
                open_reader(
                    settings.instances,
                    rate=settings.rate,
                    protocols=settings.allow_protocols,
                    allow_gaps=settings.allow_gaps,
                    skip_damaged=settings.skip_damaged,
                )
            )
            remarks += pair_instances(reader, instances)
        # The model last: errors of the input are reported before a large model is loaded.
        model = model or load_model(
            settings.model, device=settings.device, precision=settings.precision
        )
        model = model.seeded(settings.seed)
        frames: Iterator[Frame]
        detection: Detection | None = None
        choice = parse_labels(settings.labels)
        if model.label_nc:
            looked_at = look_at(reader, choice, look_ahead)
            label_reader = reader_for(looked_at.detection, reader.info, model)
            frames = looked_at.frames
            detection = with_losses(looked_at, label_reader)
        else:
            reader.as_pictures()
            label_reader = LabelReader(load_scheme("cityscapes"), label_nc=0)
            frames = iter(reader)
        sizing = replace(
            Sizing.plan(reader.info.size_hw, settings.size_hw, settings.fit), given_hw=given_hw
        )
        remarks += check_pixels(model, sizing, settings.max_pixels, where=reader.info.source)
        painter = edited(
            Painter(model, sizing, settings.layer, settings.scene_cuts, reader.sequence_starts),
            settings.edits,
            has_instances=instances is not None or label_reader.encoding in WITH_INSTANCES,
        )
        given = read_pictures(settings.first_frame, sizing) if settings.first_frame else None
        yield Render(
            settings=settings,
            reader=reader,
            frames=frames,
            instances=instances,
            label_reader=label_reader,
            detection=detection,
            painter=painter,
            first_frames=given,
            remarks=remarks,
        )


@contextmanager
def open_input(settings: ConvertSettings, *, model: Model | None = None) -> Iterator[Render]:
    """Open ``settings.input``, and what paints it as ``open_render`` does.

    Raises InputError, ModelError or UsageError; nothing is left open.
    """
    with (
        open_source(settings) as reader,
        open_render(reader, settings.render, model=model) as render,
    ):
        yield render


def open_source(settings: ConvertSettings) -> Reader:
    """Open ``settings.input`` for reading. Raises InputError."""
    return open_reader(
        settings.input,
        rate=settings.render.rate,
        protocols=settings.render.allow_protocols,
        allow_gaps=settings.render.allow_gaps,
        skip_damaged=settings.render.skip_damaged,
        stream=settings.render.stream,
    )


def reader_for(detection: Detection, info: VideoInfo, model: Model) -> LabelReader:
    """How labels that are taken for ``detection`` are read for ``model``.

    Raises UsageError where the model's label scheme is unknown.
    """
    known = card_scheme(model.card, where=model.card.name or "the model")
    return LabelReader(
        detection.scheme,
        detection.encoding,
        known,
        model.label_nc,
        clean_fringe=info.lossy or detection.fringed,
    )


def with_losses(looked_at: LookedAt, label_reader: LabelReader) -> Detection:
    """The detection with a warning where most pixels would have no class of the model.

    Raises InputError where the frames that were looked at cannot be read.
    """
    detection = looked_at.detection
    lost = pixels = 0
    for frame in looked_at.telling:
        labels, report = label_reader.read(frame, None)
        lost += int(np.count_nonzero(labels.ids == label_reader.planes.unlabeled))
        pixels += report.pixels
    if lost <= _MOSTLY_UNLABELED * pixels or detection.warnings:
        return detection
    warning = (
        f"{WARNING}{lost / pixels:.0%} of the pixels have no class of the model when read as"
        f" {detection}."
    )
    return replace(detection, reasons=(*detection.reasons, warning))


def read_label_frame(
    labels: str, model: Model, *, scheme: str = "auto", instances: str | None = None, frame: int = 0
) -> LabelFrame:
    """One label frame of a film or a picture, in the planes of ``model``, at the input's size.

    Raises InputError where it cannot be read or has no such frame; UsageError where the model takes
    pictures.
    """
    if not model.label_nc:
        raise UsageError(f"{model.card.name or 'the model'} paints from pictures, not from labels.")
    settings = RenderSettings(labels=scheme, instances=instances)
    with open_reader(labels) as reader, open_render(reader, settings, model=model) as render:
        maps = repeat(None) if render.instances is None else render.instances
        found = list(islice(zip(render.frames, maps, strict=False), frame + 1))
        if len(found) <= frame:
            raise InputError(
                f"has {len(found)} frames, and frame {frame} is asked for.", where=labels
            )
        return render.label_reader.read(*found[frame])[0]


def plan_edits(edits: EditList, model: Model, *, has_instances: bool) -> EditPlan:
    """``edits`` with their classes resolved to the planes of ``model``.

    ``has_instances``: the film has instance maps. Raises UsageError where the edits do not suit the
    model or the film.
    """
    if edits.about_instances and not has_instances:
        raise UsageError(
            "an edit is about an instance, and there are no instance maps.",
            remedy=Remedy("Give them with {instances}."),
        )
    return model.plan(edits)


def edited(painter: Painter, edits: EditList, *, has_instances: bool) -> Painter:
    """``painter`` with these edits instead of its own, and their reference frames.

    Raises UsageError where the edits do not suit the model or the film, InputError where a picture
    cannot be read.
    """
    plan = plan_edits(edits, painter.model, has_instances=has_instances)
    reference_frames = {
        edit.start: read_pictures([edit.picture], painter.sizing)
        for edit in edits.edits
        if isinstance(edit, FirstFrame)
    }
    return replace(painter, edits=plan, reference_frames=reference_frames)


def read_pictures(paths: Sequence[str], sizing: Sizing) -> Bytes:
    """Pictures to begin with, uint8 RGB [K,H,W,3] of the size that pictures leave with.

    Raises InputError where one cannot be read, UsageError where its size is neither this nor the
    input's.
    """
    pictures = []
    for path in paths:
        with open_reader(path, labels=False) as reader:
            picture = np.asarray(next(iter(reader)).pixels, dtype=np.uint8)
        if picture.shape[:2] in sizing.resized_hw:
            picture = np.asarray(
                cv2.resize(picture, sizing.scaled_hw[::-1], interpolation=cv2.INTER_AREA),
                dtype=np.uint8,
            )
        if picture.shape[:2] != sizing.scaled_hw:
            (h, w), (H, W) = picture.shape[:2], sizing.given_hw or sizing.scaled_hw
            raise UsageError(
                f"the first frame has the size {w}x{h}, and the film {W}x{H}.",
                where=path,
                hint="Resize the picture to the film's size.",
            )
        pictures.append(picture)
    return np.stack(pictures)


def pair_instances(labels: Reader, instances: Reader) -> tuple[str, ...]:
    """Let instance maps come with the labels of the same frame, and refuse what does not fit.

    Image sequences are paired by the numbers in their names, other inputs frame by frame.

    Args:
        labels: The open labels.
        instances: The open instance maps, of which nothing has been read.

    Returns:
        What is to be said of it.

    Raises:
        InputError: They have another size, or a frame has no instance map.
    """
    if labels.keys is None or instances.keys is None:
        check_instances(labels.info, instances.info, count=_counted(labels, instances))
        return ()
    places = {key: place for place, key in enumerate(instances.keys)}
    missing = [index for index, key in enumerate(labels.keys) if key not in places]
    if missing:
        shifted = len(missing) == len(labels.keys) == len(places)
        if shifted and _same_steps(labels.keys, instances.keys):
            check_instances(labels.info, instances.info)
            return (
                f"{instances.info.source}: the numbers of the instance maps are other ones than"
                " those of the labels, and are as many; they are paired in order.",
            )
        assert labels.stems is not None
        raise InputError(
            f"there is no instance map of its number for {labels.stems[missing[0]]}"
            f" ({len(labels.keys)} label pictures, {len(places)} maps).",
            where=instances.info.source,
            frame=missing[0],
        )
    assert isinstance(instances, ImageReader)
    instances.select([places[key] for key in labels.keys])
    check_instances(labels.info, instances.info)
    left = len(places) - len(labels.keys)
    if not left:
        return ()
    return (
        f"{instances.info.source}: {left} of {len(places)} instance maps have no label picture of"
        " their number and are left out.",
    )


def _resized_labels(maps_hw: tuple[int, int], labels_hw: tuple[int, int]) -> str:
    """What is added where the labels have the maps' size rounded up to multiples of 16."""
    rounded = tuple(-(-side // 16) * 16 for side in maps_hw)
    if rounded != labels_hw:
        return ""
    return (
        " The labels' sides are the maps', rounded up to multiples of 16, as imageio resizes films"
        " unless it is given macro_block_size=1; labels that were not resized are sharper."
    )


def _same_steps(one: Sequence[FrameKey], other: Sequence[FrameKey]) -> bool:
    return len({b[1] - a[1] for a, b in zip(one, other, strict=True)}) == 1


def _counted(labels: Reader, instances: Reader) -> tuple[int | None, int | None]:
    """How many frames both have; None where that takes long to know."""

    def count(reader: Reader) -> int | None:
        path = Path(reader.info.source)
        if reader.info.frames is not None:
            return reader.info.frames
        small = exists(path) and path.is_file() and path.stat().st_size <= COUNT_UP_TO_BYTES
        return reader.count() if small else None

    return count(labels), count(instances)


def check_instances(
    labels: VideoInfo,
    instances: VideoInfo,
    *,
    count: tuple[int | None, int | None] | None = None,
) -> None:
    """Refuse instance maps that do not fit the labels, as far as is known before any work.

    Args:
        labels: The labels.
        instances: The instance maps.
        count: How many frames each has; None for what they say of themselves.

    Raises:
        InputError: They have another size, or, where both lengths are known, another length.
    """
    (h, w), (H, W) = instances.size_hw, labels.size_hw
    if (h, w) != (H, W):
        raise InputError(
            f"the instance map has the size {w}x{h}, and the labels {W}x{H}.",
            where=instances.source,
            hint="Resize the maps to their nearest pixels, without interpolation (ffmpeg: -vf"
            f" scale={W}:{H}:flags=neighbor)." + _resized_labels((h, w), (H, W)),
        )
    of_labels, of_maps = count or (labels.frames, instances.frames)
    if None not in (of_labels, of_maps) and of_labels != of_maps:
        first = min(of_maps or 0, of_labels or 0)
        raise InputError(
            f"there are {of_maps} frames of instances and {of_labels} of labels; frame {first} is"
            " the first without a partner.",
            where=instances.source,
        )
