"""Decoded frames to label frames: ids, palette pictures, colours, CARLA's red channel, instance
maps."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Literal, cast

import cv2
import numpy as np
import numpy.typing as npt

from vidtrans.errors import InputError, Remedy, UsageError
from vidtrans.frame import Bytes, Frame, Ids, LabelFrame
from vidtrans.labels.colours import colour_table
from vidtrans.labels.encodings import (
    DIVISORS,
    ENCODINGS,
    Encoding,
    shows_colours,
    stored_values,
)
from vidtrans.labels.report import ReadReport
from vidtrans.labels.scheme import NO_PLANE, PlaneMap, Scheme, stored_ids

UNREADABLE_LIMIT = 0.25
"""The largest share of pixels without a class that is read. Label films of 512x256 after x264 at
crf 38 have 0.03, so that more means another palette. Photos have 0.16 to 0.25 within the default
tolerance: it is detection that refuses those."""


@dataclass(frozen=True)
class LabelReader:
    """How the label pictures of an input are read.

    It holds settings only, so that one reader may serve many threads.

    Args:
        scheme: what the input's values mean.
        encoding: ``ids`` (grey, 8 or 16 bits), ``palette`` (a palette picture: by its colours where
            these are the scheme's, else by its indices), ``colours`` (RGB), ``carla-red`` (the id
            in red, the actor in green and blue), ``instances`` (16 bits, id * 1000 + n; values
            under 1000 are plain ids) or ``instances-256`` (16 bits, id * 256 + n).
        model_scheme: the scheme that the model was trained on. None: the model knows its planes by
            number only, and ids are planes.
        label_nc: the model's label planes. None: as many as its scheme has ids. 0: the model takes
            pictures, which become the ``image`` of a `LabelFrame`.
        tolerance: the largest Euclidean distance in RGB, 0..128, at which a colour still is a
            class.
        clean_fringe: whether pixels along edges that a lossy codec spoilt take the class of their
            neighbours.
        unknown_ids: what an id does that the scheme or the model does not have: ``error``, or
            ``unlabeled``: it becomes the model's unlabeled plane.

    Raises:
        UsageError: there is no such encoding, the tolerance is out of range, or the scheme has no
            colours to read ``colours`` by.
    """

    scheme: Scheme
    encoding: Encoding = "ids"
    model_scheme: Scheme | None = None
    label_nc: int | None = None
    tolerance: int = 48
    clean_fringe: bool = True
    unknown_ids: Literal["error", "unlabeled"] = "error"
    planes: PlaneMap = field(init=False, repr=False, compare=False)
    """From the scheme's ids to the model's planes."""

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise UsageError(
                f"there is no label encoding '{self.encoding}'.",
                hint=f"Known: {', '.join(ENCODINGS)}.",
            )
        if not 0 <= self.tolerance <= 128:
            raise UsageError(f"the colour tolerance is {self.tolerance}, and 0 to 128 is possible.")
        if self.encoding == "colours" and not self.scheme.colours():
            raise UsageError(
                f"scheme {self.scheme.name} has no colours, so it cannot be read from colours."
            )
        object.__setattr__(
            self, "planes", self.scheme.to_model(self.model_scheme, self.label_nc or None)
        )

    def __reduce__(self) -> tuple[type[LabelReader], tuple[object, ...]]:
        # The tables hold a read-only mapping, which cannot be pickled: they are made again.
        return LabelReader, tuple(getattr(self, part.name) for part in fields(self) if part.init)

    def read(self, frame: Frame, instances: Frame | None = None) -> tuple[LabelFrame, ReadReport]:
        """Reads one frame.

        Args:
            frame: the label picture.
            instances: the frame of the instance map beside the labels, None where there is none.
                The result then has instances only where the encoding holds them (`WITH_INSTANCES`).

        Returns:
            The frame in the model's planes, and what was found in it.

        Raises:
            InputError: an unknown id, a picture that does not fit the encoding, an instance map of
                another size, or more than `UNREADABLE_LIMIT` of the pixels without a class.
        """
        beside = None if instances is None else _beside(frame, instances)
        if self.label_nc == 0:
            height, width = frame.size_hw
            blank = np.zeros((height, width), np.uint8)
            label = LabelFrame(frame.index, blank, frame.time, beside, image_of(frame))
            return label, ReadReport(frame.index, height * width, held=_held(frame, instances))
        if self.encoding == "colours":
            ids, report = self._read_colours(frame)
            own = None
        elif self.encoding == "palette":
            ids, report = self._read_palette(frame)
            own = None
        else:
            values, own = self._values(frame)
            ids, report = self._read_ids(frame, values)
        report = replace(report, held=_held(frame, instances))
        return LabelFrame(frame.index, ids, frame.time, own if beside is None else beside), report

    def _values(self, frame: Frame) -> tuple[Ids, npt.NDArray[np.int32] | None]:
        """The stored ids, and the instances that the encoding holds beside them."""
        if self.encoding == "carla-red":
            if frame.pixels.ndim == 2:
                return frame.pixels, None
            red, green, blue = _channels(frame)
            # Tag and actor together tell instances apart, so the whole colour is the instance id.
            holds_actors = green.any() or blue.any() or frame.alpha is not None
            return red, instance_ids(frame) if holds_actors else None
        if frame.palette is not None and self.encoding == "ids":
            return stored_values(frame, "ids"), None
        grey = _grey(frame, "label")
        if self.encoding in DIVISORS:
            if grey.dtype != np.uint16:
                raise InputError(
                    "an instance map that holds the labels too needs 16 bits; this picture has 8.",
                    where=frame.source or None,
                    frame=frame.index,
                    remedy=Remedy("Give it with {instances}, beside the labels."),
                )
            return stored_values(frame, self.encoding), grey.astype(np.int32)
        return grey, None

    def _read_ids(self, frame: Frame, values: Ids) -> tuple[Bytes, ReadReport]:
        table = self.planes.table
        counts = _counts(values)
        unknown = {
            int(v): int(counts[v])
            for v in np.flatnonzero((counts > 0) & (table[: len(counts)] == NO_PLANE))
        }
        if unknown:
            self._refuse_unknown(frame, unknown)
            table = np.where(table == NO_PLANE, np.uint8(self.planes.unlabeled), table)
        return _look_up(table, values), self._report(frame, counts, unknown)

    def _read_palette(self, frame: Frame) -> tuple[Bytes, ReadReport]:
        indices = _grey(frame, "palette")
        if frame.palette is None or not self.scheme.colours():
            return self._read_ids(frame, indices)
        used = np.flatnonzero(_counts(indices))
        by_colour = dict(self.scheme.colours())
        own = {
            value: entry.colour for entry in self.scheme.classes for value in stored_ids(entry.id)
        }
        painted = {int(index): tuple(frame.palette[index].tolist()) for index in used}
        # Indices that are ids say more than colours, which several classes may share.
        if all(own.get(index) == colour for index, colour in painted.items()):
            return self._read_ids(frame, indices)
        if all(colour in by_colour for colour in painted.values()):
            table = np.zeros(256, np.uint16)
            for index, colour in painted.items():
                table[index] = stored_ids(by_colour[colour])[-1]
            return self._read_ids(frame, table.take(indices))
        return self._read_ids(frame, indices)

    def _read_colours(self, frame: Frame) -> tuple[Bytes, ReadReport]:
        pairs = self.scheme.colours()
        if frame.palette is None and frame.pixels.ndim != 3:
            raise InputError(
                f"this picture is grey, but labels in colours of scheme {self.scheme.name} were"
                " expected.",
                where=frame.source or None,
                frame=frame.index,
                remedy=Remedy(
                    "Grey pictures hold ids: {labels:{scheme}:ids}.", {"scheme": self.scheme.name}
                ),
            )
        snapped = colour_table(tuple(colour for colour, _ in pairs), self.tolerance).snap(
            image_of(frame), clean=self.clean_fringe
        )
        if snapped.unreadable > UNREADABLE_LIMIT * snapped.entries.size:
            raise InputError(
                f"{snapped.unreadable / snapped.entries.size:.0%} of this picture has colours that"
                f" scheme {self.scheme.name} does not have (tolerance {self.tolerance}), so it is"
                " not a label map of this scheme.",
                where=frame.source or None,
                frame=frame.index,
                remedy=Remedy("Name the scheme with {labels}, or give a palette file."),
            )
        stored = np.array([stored_ids(identity)[-1] for _, identity in pairs])
        table = np.full(256, self.planes.unlabeled, np.uint8)
        table[: len(stored)] = self.planes.table[stored]
        # A class of the same scheme that has an id but no plane in this model, as a model with
        # fewer planes may lack it.
        lost = np.flatnonzero(table[: len(stored)] == NO_PLANE)
        seen = _counts(snapped.entries)
        unknown = {int(stored[entry]): int(seen[entry]) for entry in lost if seen[entry]}
        if unknown:
            self._refuse_unknown(frame, unknown)
        table[lost] = self.planes.unlabeled
        counts = np.zeros(65536, np.int64)
        np.add.at(counts, stored, seen[: len(stored)])
        report = self._report(frame, counts, unknown, snapped.unreadable, snapped.cleaned)
        return _look_up(table, snapped.entries), report

    def _refuse_unknown(self, frame: Frame, unknown: dict[int, int]) -> None:
        """Refuses ids without a class or plane, unless they may become unlabeled."""
        if self.unknown_ids == "unlabeled":
            return
        worst = sorted(unknown, key=lambda value: -unknown[value])
        shown = ", ".join(f"{value} ({unknown[value]} pixels)" for value in worst[:4])
        more = f" and {len(worst) - 4} more" if len(worst) > 4 else ""
        raise InputError(
            f"label value{'s' if len(worst) > 1 else ''} {shown}{more}"
            f" {'are' if len(worst) > 1 else 'is'} no class of scheme {self.scheme.name}, and the"
            f" model has {self.planes.planes} label planes (0..{self.planes.planes - 1}).",
            where=frame.source or None,
            frame=frame.index,
            remedy=Remedy(
                "Name the right scheme with {labels}, or describe these values in a palette file"
                " ({labels:mine.toml})."
            ),
        )

    def _report(
        self,
        frame: Frame,
        counts: npt.NDArray[np.int64],
        unknown: dict[int, int],
        unreadable: int = 0,
        cleaned: int = 0,
    ) -> ReadReport:
        found = {
            int(value): int(counts[value])
            for value in np.flatnonzero(counts)
            if int(value) not in unknown
        }
        lost = set(self.planes.unmatched)
        unmatched = {
            name: n
            for value, n in found.items()
            if (name := self.scheme.name_of(value)) in lost and name is not None
        }
        height, width = frame.size_hw
        return ReadReport(
            frame.index, height * width, found, unreadable, cleaned, unmatched, unknown
        )


def image_of(frame: Frame) -> Bytes:
    """The frame as uint8 RGB [H,W,3]: palettes are looked up, grey is repeated, and of 16 bits the
    upper eight are kept."""
    if frame.palette is not None:
        looked_up: Bytes = frame.palette.take(frame.pixels, axis=0)
        return looked_up
    pixels = (
        frame.pixels if frame.pixels.dtype == np.uint8 else (frame.pixels >> 8).astype(np.uint8)
    )
    return cast(Bytes, pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB))


def instance_ids(frame: Frame) -> npt.NDArray[np.int32]:
    """Instance ids of a frame of an instance map, int32 [H,W]: grey values as they are; in an RGB
    map each colour is an instance, red << 16 | green << 8 | blue; in BDD100K's RGBA alpha counts
    too.

    Raises:
        InputError: a map in colours of 16 bits that int32 cannot number.
    """
    if frame.pixels.ndim == 2:
        return frame.pixels.astype(np.int32)
    if frame.pixels.dtype == np.uint16:
        return _deep_instance_ids(frame)
    if frame.alpha is not None and int(frame.pixels[..., 0].max()) < 128:
        # BDD100K's panoptic maps: the number of an instance is blue * 256 + alpha.
        red, green, blue = (frame.pixels[..., at].astype(np.int32) for at in range(3))
        return red << 24 | green << 16 | blue << 8 | frame.alpha
    packed = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGRA).view(np.int32)[..., 0]
    packed &= 0xFFFFFF
    return packed


def _deep_instance_ids(frame: Frame) -> npt.NDArray[np.int32]:
    """`instance_ids` of 16-bit colours: SYNTHIA's red is the class, its green the instance."""
    red, green, blue = (frame.pixels[..., at].astype(np.int64) for at in range(3))
    if shows_colours(frame.pixels):
        packed = (red >> 8) << 16 | (green >> 8) << 8 | blue >> 8
    elif int(red.max()) < 1 << 15 and not blue.any():
        packed = red << 16 | green
    elif max(int(red.max()), int(green.max()), int(blue.max())) < 1 << 10:
        packed = red << 20 | green << 10 | blue
    else:
        raise InputError(
            "this instance map has colours of 16 bits in all channels, more than can be numbered.",
            where=frame.source or None,
            frame=frame.index,
            hint="Write the instances as grey values of 16 bits.",
        )
    return packed.astype(np.int32)


def _held(frame: Frame, instances: Frame | None) -> bool:
    return frame.damaged or (instances is not None and instances.damaged)


def _beside(frame: Frame, instances: Frame) -> npt.NDArray[np.int32]:
    if instances.size_hw != frame.size_hw:
        (height, width), (high, wide) = frame.size_hw, instances.size_hw
        raise InputError(
            f"the instance map is {wide}x{high}, but its label"
            f" picture{f' {frame.source}' if frame.source else ''} is {width}x{height}; they must"
            " be of one size.",
            where=instances.source or None,
            frame=instances.index,
        )
    return instance_ids(instances)


def _grey(frame: Frame, what: str) -> Ids:
    """The one channel of a grey picture, also of one that was stored as RGB with three equal
    channels."""
    if frame.pixels.ndim == 2:
        return frame.pixels
    red, green, blue = _channels(frame)
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red
    raise InputError(
        f"this picture is in colour, but grey {what} ids were expected.",
        where=frame.source or None,
        frame=frame.index,
        remedy=Remedy("Name the encoding, for example {labels:cityscapes:colours}."),
    )


def _channels(frame: Frame) -> tuple[Ids, Ids, Ids]:
    red, green, blue = cv2.split(frame.pixels)
    return cast(tuple[Ids, Ids, Ids], (red, green, blue))


def _look_up(table: Bytes, values: Ids) -> Bytes:
    """``table`` [at least 256, or 65536 for 16 bits] at ``values``."""
    if values.dtype == np.uint8:
        return cast(Bytes, cv2.LUT(values, table[:256]))
    return table.take(values)


def _counts(values: Ids) -> npt.NDArray[np.int64]:
    """Pixels of every value, int64 [256] or [65536]."""
    size = 256 if values.dtype == np.uint8 else 65536
    total = np.zeros(size, np.int64)
    # OpenCV counts in float32, exact below 2^24: larger pictures go in bands.
    rows = max(1, (1 << 24) // max(values.shape[1], 1))
    for top in range(0, values.shape[0], rows):
        band = cv2.calcHist([values[top : top + rows]], [0], None, [size], [0, size])
        total += band.ravel().astype(np.int64)
    return total
