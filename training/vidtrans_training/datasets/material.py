"""A data set opened: sources decoded, label maps read into the network's planes."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vidtrans.errors import InputError, OutputError
from vidtrans.frame import Bytes, Frame
from vidtrans.labels.detect import parse_labels, resolve
from vidtrans.labels.palette import colourise
from vidtrans.labels.reader import LabelReader, image_of
from vidtrans.labels.report import ReadReport
from vidtrans.labels.scheme import load_scheme
from vidtrans.labels.scheme_detector import Detection
from vidtrans.media.reader import Reader, open_reader
from vidtrans_training.datasets.sources import FrameSources, Layout, SequenceSources, Source

LOOK_AT = 3
"""Label maps from which the scheme is told, as many as `vidtrans convert` looks at."""
_OPEN_FILMS = 6
"""Films kept open by each process; three belong to a sequence."""


class UnknownClasses(InputError):
    """A label map holds values that the network has no plane for: a fault of the settings, so no
    file is skipped for it."""


class OtherSize(InputError):
    """A label map, instance map or feature picture is of another size than its picture."""


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame:
    """One frame as stored, before scaling.

    Args:
        name: Its file, for messages.
        picture: The real picture, uint8 RGB [H,W,3].
        labels: The network's class planes, uint8 [H,W]; None where a picture is translated.
        image: The picture that is translated, uint8 RGB [H,W,3]; None where labels are.
        instances: Instance ids, int32 [H,W].
        features: Feature picture, uint8 RGB [H,W,3].
        report: What was found in the label map.
    """

    name: str
    picture: Bytes
    labels: Bytes | None
    image: Bytes | None
    instances: npt.NDArray[np.int32] | None
    features: Bytes | None
    report: ReadReport

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.picture.shape[0], self.picture.shape[1]


class Decoder:
    """Decodes sources with the engine's readers; keeps the last films open.

    Open films stay behind when it is pickled, so that each worker process opens its own.
    """

    def __init__(self) -> None:
        self._films: OrderedDict[tuple[Path, bool], tuple[Reader, Iterator[Frame], int]] = (
            OrderedDict()
        )

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]

    def decode(self, source: Source, *, labels: bool) -> Frame:
        """The frame at ``source``.

        Args:
            source: What to read.
            labels: Keep grey and palette pixels as ids; False gives RGB.

        Raises:
            InputError: It is missing, damaged, or has no halves.
        """
        stored = labels or source.colours is not None
        if source.index is None:
            frame = self._image(source.path, stored)
        else:
            frame = self._film_frame(source.path, source.index, stored)
        if source.colours is not None:
            ids: Any = frame.pixels
            frame = replace(frame, pixels=colourise(ids, load_scheme(source.colours)))
        if source.half is None:
            return frame
        width = frame.pixels.shape[1]
        if width % 2:
            raise InputError(
                f"is {width} pixels wide, which is no even number, so it holds no two pictures"
                " side by side.",
                where=source.path,
            )
        columns = slice(0, width // 2) if source.half == "left" else slice(width // 2, width)
        half: Any = np.ascontiguousarray(frame.pixels[:, columns])
        return replace(frame, pixels=half)

    def lossy(self, source: Source) -> bool:
        """Whether the codec alters pixels."""
        with open_reader(source.path) as reader:
            return reader.info.lossy

    def _image(self, path: Path, labels: bool) -> Frame:
        try:
            with open_reader(path, labels=labels) as reader:
                return next(iter(reader))
        except InputError as error:
            error.frame = None  # an image file has no frames
            raise

    def _film_frame(self, path: Path, index: int, labels: bool) -> Frame:
        key = (path, labels)
        reader, frames, at = self._films.pop(key, (None, None, -1))
        if reader is None:
            reader = open_reader(path, labels=labels)
            at = 0
            frames = iter(reader)
        if at != index or frames is None:
            reader.seek(index)
            frames = iter(reader)
        frame = next(frames, None)
        if frame is None:
            reader.close()
            raise InputError("ends before this frame.", where=path, frame=index)
        self._films[key] = reader, frames, index + 1
        while len(self._films) > _OPEN_FILMS:
            self._films.popitem(last=False)[1][0].close()
        return frame


@dataclass(frozen=True)
class Material:
    """A layout with the way its label maps are read.

    Args:
        layout: The sources.
        decoder: Reads them.
        labels: Reads label maps into planes; None where pictures are translated.
        detection: What the label maps were taken for, None where pictures are translated.
        unknown_ids: What a value without a class does: ``error`` or ``unlabeled``.
    """

    layout: Layout
    decoder: Decoder
    labels: LabelReader | None
    detection: Detection | None
    unknown_ids: Literal["error", "unlabeled"] = "error"

    @property
    def sequences(self) -> tuple[SequenceSources, ...]:
        """The frames, by sequence."""
        return self.layout.sequences

    def without(self, names: Sequence[str]) -> Material:
        """The sequences that are not in ``names``."""
        return self._only(lambda name: name not in names)

    def only(self, names: Sequence[str]) -> Material:
        """The sequences in ``names``."""
        return self._only(lambda name: name in names)

    def _only(self, wanted: Any) -> Material:
        kept = tuple(clip for clip in self.sequences if wanted(clip.name))
        return replace(self, layout=replace(self.layout, sequences=kept))

    def size_hw(self) -> tuple[int, int]:
        """Height and width of the first picture that can be read.

        Raises:
            InputError: None can be read.
        """
        refused: InputError | None = None
        for sequence in self.sequences:
            render_if_missing(sequence)
            for frame in sequence.frames:
                try:
                    return self.decoder.decode(frame.picture, labels=False).size_hw
                except InputError as error:
                    refused = refused or error
        raise refused or InputError("holds no frames.", where=self.layout.root)

    def read(self, sequence: SequenceSources, indices: Sequence[int]) -> list[RawFrame]:
        """Frames of a sequence, as stored.

        Raises:
            InputError: A file is missing, damaged or of another size than its picture.
            UnknownClasses: A label map holds values that the network has no plane for.
        """
        render_if_missing(sequence)
        return [self.read_frame(sequence.frames[index]) for index in indices]

    def read_frame(self, sources: FrameSources) -> RawFrame:
        """One frame, see `read`."""
        picture = image_of(self.decoder.decode(sources.picture, labels=False))
        label = self.decoder.decode(sources.label, labels=self.labels is not None)
        beside = (
            None
            if sources.instances is None
            else self.decoder.decode(sources.instances, labels=True)
        )
        features = (
            None
            if sources.features is None
            else image_of(self.decoder.decode(sources.features, labels=False))
        )
        sizes = {"label map": (sources.label, label.size_hw)}
        if beside is not None and sources.instances is not None:
            sizes["instance map"] = (sources.instances, beside.size_hw)
        if features is not None and sources.features is not None:
            sizes["feature picture"] = (sources.features, features.shape[:2])
        for what, (source, size) in sizes.items():
            if size != picture.shape[:2]:
                raise OtherSize(
                    f"this {what} is {size[1]}x{size[0]}, but its picture {sources.picture} is"
                    f" {picture.shape[1]}x{picture.shape[0]}; they must be of one size.",
                    where=source.path,
                    frame=source.index,
                )
        report = ReadReport(label.index, label.pixels.shape[0] * label.pixels.shape[1])
        instances = None
        if self.labels is None:
            image, ids = image_of(label), None
            if beside is not None:
                from vidtrans.labels.reader import instance_ids

                instances = instance_ids(beside)
        else:
            read, report = self.labels.read(label, beside)
            image, ids, instances = None, read.ids, read.instances
            if report.unknown_ids and self.unknown_ids == "error":
                raise _unknown(sources.label, report, self.labels)
        return RawFrame(str(sources.picture), picture, ids, image, instances, features, report)


def open_material(
    layout: Layout,
    *,
    labels: str = "auto",
    scheme: str | None = None,
    label_nc: int | None = None,
    unknown_ids: Literal["error", "unlabeled"] = "error",
) -> Material:
    """Open a layout; the label scheme is told from the first label maps.

    Args:
        layout: What was found.
        labels: As ``vidtrans convert --labels`` takes it: ``auto``, ``SCHEME``,
            ``SCHEME:ENCODING`` or a palette file.
        scheme: The scheme of the network's planes, None for that of the label maps.
        label_nc: The network's label planes; None: as many as the scheme has ids. 0: pictures are
            translated instead.
        unknown_ids: What a value that no class has does: ``error`` or ``unlabeled``.

    Raises:
        InputError: The first label maps cannot be read, or are no label maps.
        UsageError: An unknown scheme or encoding.
    """
    decoder = Decoder()
    if not layout.frames:
        raise InputError("holds no frame with a label map and a picture.", where=layout.root)
    if label_nc == 0:
        return Material(layout, decoder, None, None, unknown_ids)
    choice = parse_labels(labels)
    model_scheme = None if scheme is None else load_scheme(scheme)
    seen, lossy = _first_labels(layout, decoder)
    detection = resolve(choice, seen, lossy=lossy, expected=model_scheme)
    reader = LabelReader(
        detection.scheme,
        detection.encoding,
        model_scheme or detection.scheme,
        label_nc,
        clean_fringe=lossy or detection.fringed,
        unknown_ids="unlabeled",
    )
    return Material(layout, decoder, reader, detection, unknown_ids)


def _first_labels(layout: Layout, decoder: Decoder) -> tuple[list[Frame], bool]:
    """Up to ``LOOK_AT`` label maps that can be read, from all over the data set, and whether their
    codec is lossy. A damaged file is for whoever reads it later to report."""
    every = [(clip, frame) for clip in layout.sequences for frame in clip.frames]
    step = max(1, len(every) // LOOK_AT)
    spread = dict.fromkeys(every[::step])
    spread.update(dict.fromkeys(every[:64]))
    seen: list[Frame] = []
    lossy = False
    refused: InputError | None = None

    def readable() -> Iterator[tuple[Frame, bool]]:
        nonlocal refused
        for clip, frame in spread:
            try:
                render_if_missing(clip)
                yield decoder.decode(frame.label, labels=True), decoder.lossy(frame.label)
            except InputError as error:
                refused = refused or error

    for frame, altered in islice(readable(), LOOK_AT):
        seen.append(frame)
        lossy = lossy or altered
    if not seen:
        assert refused is not None
        raise refused
    return seen, lossy


def read_route(sequence: SequenceSources, indices: Sequence[int]) -> npt.NDArray[np.float32] | None:
    """Where the camera is in its street in each frame, as the renderer knows it.

    Returns:
        float32 [T,3]: metres travelled, metres to the house fronts on the left and on the right;
        None where the clip does not tell.

    Raises:
        InputError: ``world.json`` is damaged, or tells of another number of frames.
    """
    if sequence.world is None:
        return None
    try:
        told = json.loads(sequence.world.read_text(encoding="utf-8")).get("route") or None
        if told is None:
            return None
        route = np.array(told, np.float32)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"this is unreadable: {error}.", where=sequence.world) from error
    if route.shape != (len(sequence), 3) or not np.isfinite(route).all():
        raise InputError(
            f"route has the shape {route.shape}, expected {(len(sequence), 3)}.",
            where=sequence.world,
        )
    return route[list(indices)]


def render_if_missing(sequence: SequenceSources) -> None:
    """Render a street that is to be rendered when it is first read."""
    street = sequence.street
    if street is None or street.folder.exists():
        return
    from vidtrans_world.clip import write_clip
    from vidtrans_world.render import render_clip

    try:
        street.folder.parent.mkdir(parents=True, exist_ok=True)
        frames = render_clip(street.seed, street.frames, street.size_hw, street.kind)
        write_clip(street.folder, street.seed, frames, street.kind)
    except OSError as error:
        if street.folder.exists():
            return  # another process was faster
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"the street cannot be rendered here: {error.strerror or error}.", where=street.folder
        ) from error


def _unknown(source: Source, report: ReadReport, labels: LabelReader) -> UnknownClasses:
    worst = sorted(report.unknown_ids.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{value} ({pixels} pixels)" for value, pixels in worst[:4])
    more = f" and {len(worst) - 4} more" if len(worst) > 4 else ""
    return UnknownClasses(
        f"holds label values {shown}{more}, for which the network has no plane: label_nc is"
        f" {labels.planes.planes}, so values 0 to {labels.planes.planes - 1} of scheme"
        f" {labels.scheme.name} are known.",
        where=source.path,
        frame=source.index,
        hint="Raise label_nc, name the right scheme (labels), or set unknown_ids = 'unlabeled'.",
    )
