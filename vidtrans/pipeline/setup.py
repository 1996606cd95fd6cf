"""From settings to open things: the input, how its labels are read, the model, and the first
frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

import vidtrans
from vidtrans.errors import InputError, Remedy, UsageError
from vidtrans.frame import Bytes, Frame, LabelFrame, VideoInfo
from vidtrans.labels.detect import parse_labels, resolve
from vidtrans.labels.edit import EditList, FirstFrame
from vidtrans.labels.edit_plan import EditPlan
from vidtrans.labels.encodings import WITH_INSTANCES
from vidtrans.labels.reader import LabelReader
from vidtrans.labels.scheme import load_scheme
from vidtrans.labels.scheme_detector import Detection
from vidtrans.media.fingerprint import fingerprint
from vidtrans.media.naming import names_pictures
from vidtrans.media.reader import Reader, open_reader
from vidtrans.model import find_bundle
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.pipeline.sizing import Sizing
from vidtrans.pipeline.stream import Painter
from vidtrans.sequence.loading import load_model
from vidtrans.sequence.model import Model

COUNT_UP_TO_BYTES = 64 << 20
"""Films whose container does not tell their length are counted, packet by packet, up to this
size."""
LOOK_AHEAD = 3
"""Frames from which the labels ``auto`` are detected."""


@dataclass(frozen=True, eq=False)
class Job:
    """Everything open that a run of ``settings`` needs."""

    settings: ConvertSettings
    reader: Reader
    instances: Reader | None
    label_reader: LabelReader
    detection: Detection | None
    painter: Painter
    first_frames: Bytes | None

    @property
    def info(self) -> VideoInfo:
        return self.reader.info

    def frames_expected(self) -> int | None:
        """How many frames the input has: exactly where that is cheap to know, else by its
        length, else None."""
        info, path = self.info, Path(self.settings.input)
        if info.frames is not None:
            return info.frames
        if path.is_file() and path.stat().st_size <= COUNT_UP_TO_BYTES:
            return self.reader.count()
        return None if info.duration_s is None else round(info.duration_s * info.rate)

    def facts(self) -> dict[str, str]:
        """What decides the pictures, in words: a run is only resumed with the same. Paths count
        by what they hold."""
        settings, render, model = self.settings, self.settings.render, self.painter.model
        size = render.size_hw
        return {
            "vidtrans": vidtrans.__version__,
            "torch": str(torch.__version__),
            "model": (f"{Path(render.model).name} ({_digest_of_files(find_bundle(render.model))})"),
            "device": model.device.type,
            "precision": model.precision,
            "input": (
                f"{Path(settings.input).name} ({self.info.size_hw[1]}x{self.info.size_hw[0]},"
                f" content {fingerprint(settings.input)})"
            ),
            "labels": (
                "pictures"
                if self.detection is None
                else f"{self.detection} ({_digest(repr(self.label_reader.scheme))})"
            ),
            "instances": (
                "none"
                if render.instances is None
                else f"{Path(render.instances).name} (content {fingerprint(render.instances)})"
            ),
            "size": "the input's" if size is None else f"{size[1]}x{size[0]} {render.fit}",
            "layer": render.layer,
            "scene cuts": (
                ", ".join(map(str, render.scene_cuts))
                if isinstance(render.scene_cuts, tuple)
                else render.scene_cuts
            ),
            "first frame": (
                "none" if self.first_frames is None else _digest(self.first_frames.tobytes())
            ),
            "edits": self._edits(),
            "seed": "none" if render.seed is None else str(render.seed),
            "codec": settings.codec or "default",
            "encoder options": (
                " ".join(f"{k}={v}" for k, v in sorted(settings.encoder_options.items())) or "none"
            ),
            "pixel format": settings.pixel_format or "default",
            "rate": str(render.rate or self.info.rate),
            "snapshot every": str(settings.snapshot_every or "default"),
        }

    def _edits(self) -> str:
        """The edits, and what their pictures show."""
        if not self.settings.render.edits:
            return "none"
        shown = b"".join(look.tobytes() for look in self.painter.looks.values())
        listed = [
            entry | ({"picture": ""} if "picture" in entry else {})
            for entry in self.settings.render.edits.to_json()
        ]
        return f"{len(listed)} ({_digest(repr(listed).encode() + shown)})"


@contextmanager
def open_job(settings: ConvertSettings, *, model: Model | None = None) -> Iterator[Job]:
    """Open the input, decide how its labels are read, load the model (``model``: that of
    ``settings``, loaded already).

    Raises InputError, ModelError or UsageError with one sentence; nothing is left open.
    """
    render = settings.render
    with ExitStack() as stack:
        # The input first: a wrong name is told before a large model is loaded.
        reader: Reader = stack.enter_context(open_reader(settings.input, rate=render.rate))
        if render.rate is not None and not names_pictures(settings.input):
            raise UsageError(
                f"a rate of {render.rate} was given, and a film has its own ({reader.info.rate}).",
                where=settings.input,
                hint="Rates are for folders of pictures.",
            )
        instances: Reader | None = None
        if render.instances is not None:
            instances = stack.enter_context(open_reader(render.instances, rate=render.rate))
            _check_instances(reader.info, instances.info)
        model = model or load_model(render.model, device=render.device, precision=render.precision)
        model = model.seeded(render.seed)
        if not model.label_nc:
            reader.close()
            reader = stack.enter_context(
                open_reader(settings.input, labels=False, rate=render.rate)
            )
        label_reader, detection = choose_labels(
            render.labels, first_frames_of(settings), reader.info, model
        )
        sizing = Sizing.plan(reader.info.size_hw, render.size_hw, render.fit)
        painter = Painter(model, sizing, render.layer, render.scene_cuts, reader.sequence_starts)
        has_instances = instances is not None or label_reader.encoding in WITH_INSTANCES
        painter = edited(painter, render.edits, has_instances=has_instances)
        given = read_pictures(render.first_frame, sizing) if render.first_frame else None
        yield Job(settings, reader, instances, label_reader, detection, painter, given)


def first_frames_of(settings: ConvertSettings) -> tuple[Frame, ...]:
    """The frames that detection looks at, from a reader of their own: the run's reader starts at
    its first frame."""
    with open_reader(settings.input, rate=settings.render.rate) as reader:
        return tuple(islice(reader, LOOK_AHEAD))


def choose_labels(
    text: str, frames: Sequence[Frame], info: VideoInfo, model: Model
) -> tuple[LabelReader, Detection | None]:
    """How the labels of ``frames`` are read for ``model``; no detection where the model takes
    pictures.

    Raises InputError where the frames are no label map or could be several schemes, UsageError for
    an unknown scheme.
    """
    choice = parse_labels(text)
    if not model.label_nc:
        return LabelReader(load_scheme("cityscapes"), label_nc=0), None
    detection = resolve(choice, frames, lossy=info.lossy)
    known = load_scheme(model.label_scheme) if model.label_scheme else None
    return (
        LabelReader(
            detection.scheme, detection.encoding, known, model.label_nc, clean_fringe=info.lossy
        ),
        detection,
    )


def read_label_frame(
    labels: str, model: Model, *, scheme: str = "auto", instances: str | None = None, frame: int = 0
) -> LabelFrame:
    """One label frame of a film or a picture, in the planes of ``model``, at the input's size.

    Raises InputError where it cannot be read or has no such frame; UsageError where the model takes
    pictures.
    """
    if not model.label_nc:
        raise UsageError(f"{model.card.name or 'the model'} paints from pictures, not from labels.")
    with ExitStack() as stack:
        reader = stack.enter_context(open_reader(labels))
        beside = None if instances is None else stack.enter_context(open_reader(instances))
        if beside is not None:
            _check_instances(reader.info, beside.info)
        frames = list(islice(reader, frame + 1))
        maps = None if beside is None else list(islice(beside, frame + 1))
        shortest = min(len(frames), len(frames if maps is None else maps))
        if shortest <= frame:
            raise InputError(
                f"has {shortest} frames, and frame {frame} is asked for.", where=labels
            )
        label_reader, _ = choose_labels(scheme, frames[:LOOK_AHEAD], reader.info, model)
        return label_reader.read(frames[frame], None if maps is None else maps[frame])[0]


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
    """``painter`` with these edits instead of its own, and the pictures that they give.

    Raises UsageError where the edits do not suit the model or the film, InputError where a picture
    cannot be read.
    """
    plan = plan_edits(edits, painter.model, has_instances=has_instances)
    looks = {
        edit.start: read_pictures([edit.picture], painter.sizing)
        for edit in edits.edits
        if isinstance(edit, FirstFrame)
    }
    return replace(painter, edits=plan, looks=looks)


def read_pictures(paths: Sequence[str], sizing: Sizing) -> Bytes:
    """Pictures to begin with, uint8 RGB [K,H,W,3] of the size that pictures leave with.

    Raises InputError where one cannot be read, UsageError where its size is neither this nor the
    input's.
    """
    pictures = []
    for path in paths:
        with open_reader(path, labels=False) as reader:
            picture = np.asarray(next(iter(reader)).pixels, dtype=np.uint8)
        if picture.shape[:2] == sizing.input_hw != sizing.scaled_hw:
            picture = np.asarray(
                cv2.resize(picture, sizing.scaled_hw[::-1], interpolation=cv2.INTER_AREA),
                dtype=np.uint8,
            )
        if picture.shape[:2] != sizing.scaled_hw:
            (h, w), (H, W) = picture.shape[:2], sizing.scaled_hw
            raise UsageError(
                f"the first frame has the size {w}x{h}, and the film {W}x{H}.",
                where=path,
                hint="Resize the picture to the film's size.",
            )
        pictures.append(picture)
    return np.stack(pictures)


def _check_instances(labels: VideoInfo, instances: VideoInfo) -> None:
    """What can be told before any work: another size, another length."""
    (h, w), (H, W) = instances.size_hw, labels.size_hw
    if (h, w) != (H, W):
        raise InputError(
            f"the instance map has the size {w}x{h}, and the labels {W}x{H}.",
            where=instances.source,
        )
    if None not in (labels.frames, instances.frames) and labels.frames != instances.frames:
        raise InputError(
            f"there are {instances.frames} frames of instances and {labels.frames} of labels.",
            where=instances.source,
        )


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=6).hexdigest()


def _digest_of_files(path: Path) -> str:
    """Of a model: one bundle, or a published checkpoint folder."""
    digest = hashlib.blake2b(digest_size=6)
    for part in sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]:
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
