"""Samples: which frames, which crop. A pure function of seed, epoch and position.

Two runs with the same seed see the same samples, however many worker processes decode them and
wherever one of them was stopped and resumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidtrans.errors import InputError, VidtransError
from vidtrans.labels.boundary import instances_from_labels
from vidtrans.nets.range import from_bytes
from vidtrans_training.clip import Clip
from vidtrans_training.datasets.geometry import Geometry, Motion, Transform
from vidtrans_training.datasets.material import Material, RawFrame, UnknownClasses, read_route
from vidtrans_training.datasets.sources import SequenceSources
from vidtrans_training.teacher import Teacher

T = TypeVar("T")

REPLACEMENTS = 10
"""A sample that cannot be read is replaced by another one, at most so many times in a row."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many frames a sequence has in an epoch.

    Args:
        generated: Frames to generate, at most.
        chunk: They are generated in chunks of so many.
    """

    generated: int = 1
    chunk: int = 1


@dataclass(frozen=True, slots=True)
class Draw:
    """Names one sample of a run: its epoch and position (both from 0), the unit of data at this
    position and the lengths of the epoch's sequences."""

    epoch: int
    position: int
    unit: int
    lengths: Lengths


@dataclass(frozen=True, slots=True)
class Fault:
    """A sample that could not be read: ``where`` is the file, ``message`` the whole sentence."""

    where: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A clip, and what could not be read before it was found."""

    clip: Clip
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Samples:
    """Samples of a data set.

    Args:
        material: The data set.
        transform: How samples are cut.
        seed: Of the order and of everything random.
        history: Frames of a sequence before the first generated one (``n_frames_G - 1``); None
            for single pictures (pix2pix, pix2pixHD).
        from_nothing: Sequences begin without a picture (``no_first_img``). A sample may then begin
            before its sequence, whose first frame stands for those before it, as it does when a
            film is converted.
        max_t_step: Largest step from frame to frame of a sequence.
        visits: How often an epoch visits each sequence (published: once).
        distances: Frame distances g at which flow is given (1, n_frames_D, n_frames_D^2, ...).
        teacher: Gives the flow; needed where there are distances.
        strict: The first file that cannot be read ends the run.
    """

    material: Material
    transform: Transform
    seed: int = 1
    history: int | None = None
    from_nothing: bool = False
    max_t_step: int = 1
    visits: int = 1
    distances: tuple[int, ...] = ()
    teacher: Teacher | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if not len(self):
            need = 1 if self.history is None else self.history + 1
            longest = max(map(len, self.material.sequences), default=0)
            raise InputError(
                f"no sequence has {need} frames; the longest has {longest}.",
                where=self.material.layout.root,
                hint="Number consecutive frames one after the other, one folder a sequence.",
            )

    def __len__(self) -> int:
        """Units of data, each visited once in an epoch."""
        if self.history is None:
            return self.material.layout.frames
        return len(self._long) * self.visits

    @property
    def _long(self) -> list[SequenceSources]:
        assert self.history is not None
        return [clip for clip in self.material.sequences if len(clip) > self.history]

    @property
    def longest(self) -> int:
        """Frames of the longest sequence."""
        return max(map(len, self.material.sequences))

    def order(self, epoch: int) -> list[int]:
        """The units in the order in which an epoch visits them."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self))
        return [int(unit) for unit in order]

    def __getitem__(self, draws: Sequence[Draw]) -> list[Drawn] | VidtransError:
        """The samples that ``draws`` name (torch.utils.data asks for a batch at a time).

        An error is returned: raised in a worker process it would reach the user as a traceback.
        """
        try:
            return [self.draw(each) for each in draws]
        except VidtransError as error:
            return error

    def draw(self, draw: Draw) -> Drawn:
        """One sample. What cannot be read is replaced by a sample of another unit.

        Raises:
            InputError: `REPLACEMENTS` samples in a row cannot be read, or one where ``strict``.
            UnknownClasses: A label map has classes that the network does not.
        """
        faults: list[Fault] = []
        unit = draw.unit
        while True:
            rng = np.random.default_rng([self.seed, draw.epoch, draw.position, len(faults)])
            try:
                return Drawn(self._clip(unit, draw.lengths, rng), tuple(faults))
            except UnknownClasses:
                raise
            except InputError as error:
                if self.strict or len(faults) + 1 >= REPLACEMENTS:
                    raise
                faults.append(Fault(error.where or "", str(error)))
                unit = int(rng.integers(len(self)))

    def _clip(self, unit: int, lengths: Lengths, rng: np.random.Generator) -> Clip:
        if self.history is None:
            sequence, indices = self._frame(unit)
        else:
            sequence = self._long[unit // self.visits]
            indices = _window(
                len(sequence),
                lengths,
                self.history,
                self.max_t_step,
                rng,
                from_nothing=self.from_nothing,
            )
        frames = self.material.read(sequence, indices)
        _same_size(frames)
        try:
            geometry = self.transform.draw(frames[0].size_hw, rng)
        except InputError as error:
            raise InputError(error.message, where=frames[0].name) from None
        return self.clip(sequence, indices, frames, geometry)

    def _frame(self, unit: int) -> tuple[SequenceSources, list[int]]:
        for sequence in self.material.sequences:
            if unit < len(sequence):
                return sequence, [unit]
            unit -= len(sequence)
        raise IndexError(unit)

    def whole(self, sequence: SequenceSources, indices: Sequence[int]) -> Clip:
        """Whole frames of a sequence at the largest size, neither cropped nor mirrored: for sheets
        and sample films."""
        frames = self.material.read(sequence, indices)
        _same_size(frames)
        geometry = self.transform.whole(frames[0].size_hw)
        return self.clip(sequence, indices, frames, geometry)

    def clip(
        self,
        sequence: SequenceSources,
        indices: Sequence[int],
        frames: Sequence[RawFrame],
        geometry: Geometry,
    ) -> Clip:
        """Frames as tensors."""
        first = frames[0]
        flow, confidence = self._motion(sequence, indices, frames, geometry)
        return Clip(
            real=torch.stack([geometry.picture(frame.picture) for frame in frames]),
            labels=None
            if first.labels is None
            else torch.stack([torch.from_numpy(geometry.nearest(_some(f.labels))) for f in frames]),
            instances=None
            if first.instances is None and first.labels is None
            else torch.stack([torch.from_numpy(geometry.nearest(_instances(f))) for f in frames]),
            images=None
            if first.image is None
            else torch.stack([geometry.picture(_some(f.image)) for f in frames]),
            features=None
            if first.features is None
            else torch.stack([_features(geometry, _some(f.features)) for f in frames]),
            flow=flow,
            confidence=confidence,
            scene=self._scene(sequence, indices, geometry),
            names=tuple(frame.name for frame in frames),
        )

    def _scene(
        self, sequence: SequenceSources, indices: Sequence[int], geometry: Geometry
    ) -> Tensor | None:
        """Where the camera is in the street, where the data tell it and it is of use."""
        if self.history is None or geometry.cropped:
            return None
        route = read_route(sequence, indices)
        if route is None:
            return None
        # Mirrored, the fronts on the left are on the right.
        return torch.from_numpy(route[:, [0, 2, 1]] if geometry.flip else route)

    def _motion(
        self,
        sequence: SequenceSources,
        indices: Sequence[int],
        frames: Sequence[RawFrame],
        geometry: Geometry,
    ) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        flow: dict[int, Tensor] = {}
        confidence: dict[int, Tensor] = {}
        if self.teacher is None:
            return flow, confidence
        height, width = geometry.size_hw
        for g in self.distances:
            if g >= len(frames):
                continue
            blank = Motion(
                np.zeros((2, height, width), np.float32), np.zeros((height, width), bool)
            )
            motions = [blank] * g
            for t in range(g, len(frames)):
                back = indices[t] - indices[t - g]
                if not back:  # the sequence's first frame stands for the one before it
                    motions.append(replace(blank, trusted=~blank.trusted))
                    continue
                pictures = frames[t].picture, frames[t - g].picture
                found = self.teacher.motion(sequence, indices[t], back, *pictures)
                motions.append(geometry.motion(found))
            flow[g] = torch.from_numpy(np.stack([motion.flow for motion in motions]))
            trusted = np.stack([motion.trusted for motion in motions])[:, None]
            confidence[g] = torch.from_numpy(trusted.astype(np.float32))
        return flow, confidence


def stacked(clips: Sequence[Clip]) -> Clip:
    """Clips of one size one after the other: a batch of single pictures.

    Raises:
        InputError: Their sizes differ.
    """
    first = clips[0]
    if len(clips) == 1:
        return first
    for clip in clips[1:]:
        if clip.size_hw != first.size_hw:
            (h, w), (high, wide) = first.size_hw, clip.size_hw
            raise InputError(
                f"is {wide}x{high} after scaling, but the picture {first.names[0]} of the same"
                f" batch is {w}x{h}.",
                where=clip.names[0],
                hint="Choose a resize_or_crop that gives one size, or batches of 1.",
            )

    def joined(parts: list[Tensor | None]) -> Tensor | None:
        there = [part for part in parts if part is not None]
        return torch.cat(there) if len(there) == len(parts) else None

    return Clip(
        real=torch.cat([clip.real for clip in clips]),
        labels=joined([clip.labels for clip in clips]),
        instances=joined([clip.instances for clip in clips]),
        images=joined([clip.images for clip in clips]),
        features=joined([clip.features for clip in clips]),
        names=tuple(name for clip in clips for name in clip.names),
    )


def _window(
    length: int,
    lengths: Lengths,
    history: int,
    max_t_step: int,
    rng: np.random.Generator,
    *,
    from_nothing: bool = False,
) -> list[int]:
    """Frames of one sample of a sequence of ``length``: whole chunks of generated frames and the
    history before them, at a random step and from a random start; ``from_nothing``: the first
    generated frame may be the sequence's first."""
    room = min(lengths.generated, length - history)
    # A sequence shorter than one chunk is one shorter chunk.
    generated = max(room // lengths.chunk * lengths.chunk, min(room, lengths.chunk))
    frames = generated + history
    longest = min(max_t_step, (length - 1) // max(frames - 1, 1))
    step = int(rng.integers(1, max(longest, 1) + 1))
    earliest = -history * step if from_nothing else 0
    start = int(rng.integers(earliest, length - (frames - 1) * step))
    return [max(start + step * at, 0) for at in range(frames)]


def _same_size(frames: Sequence[RawFrame]) -> None:
    first = frames[0]
    for frame in frames[1:]:
        if frame.size_hw != first.size_hw:
            (h, w), (high, wide) = first.size_hw, frame.size_hw
            raise InputError(
                f"is {wide}x{high}, but {first.name} of the same sequence is {w}x{h}.",
                where=frame.name,
            )


def _instances(frame: RawFrame) -> npt.NDArray[np.int32]:
    """The frame's instances; without a map every class is one thing, as when a model is used."""
    if frame.instances is not None:
        return frame.instances
    return instances_from_labels(_some(frame.labels))


def _features(geometry: Geometry, picture: np.ndarray) -> Tensor:
    return from_bytes(torch.from_numpy(geometry.nearest(picture)))


def _some(value: T | None) -> T:
    assert value is not None  # every frame of a data set has the same parts
    return value
