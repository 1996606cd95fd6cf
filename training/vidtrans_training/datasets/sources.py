"""Where each frame of a data set lies: frozen descriptions without any pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Half = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Source:
    """One stored picture.

    Args:
        path: An image file or a film.
        index: The frame of a film, from 0; None for an image file.
        half: Half of a picture that holds two side by side; None for the whole picture.
        colours: The scheme in whose colours a label map of ids becomes a picture; None: pixels are
            taken as they are stored.
    """

    path: Path
    index: int | None = None
    half: Half | None = None
    colours: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.index is None else f"{self.path}, frame {self.index}"


@dataclass(frozen=True, slots=True)
class FrameSources:
    """The pictures that belong to one frame.

    Args:
        label: Its label map, or the picture that is translated (``label_nc`` 0).
        picture: The real picture.
        instances: Its instance map.
        features: Its ready-made feature picture (pix2pixHD's ``load_features``).
        flow: A ``.npz`` with the exact ``flow`` [2,H,W] to the frame before and ``occlusion``
            [H,W].
    """

    label: Source
    picture: Source
    instances: Source | None = None
    features: Source | None = None
    flow: Path | None = None


@dataclass(frozen=True, slots=True)
class Street:
    """A clip of the procedural street that is rendered when it is first read.

    Args:
        folder: Where the clip is written.
        seed: The street's number.
        frames: Length of the clip.
        size_hw: Height and width in pixels.
        kind: ``varied`` or ``terrace``, see ``vidtrans-world render``.
    """

    folder: Path
    seed: int
    frames: int
    size_hw: tuple[int, int]
    kind: Literal["varied", "terrace"]


@dataclass(frozen=True, slots=True)
class SequenceSources:
    """Consecutive frames, oldest first.

    Args:
        name: For messages and ``hold_out``.
        frames: Their sources.
        street: Set where they are rendered on demand.
        world: The ``world.json`` of a clip of the procedural street, which may tell where the
            camera is in each frame.
    """

    name: str
    frames: tuple[FrameSources, ...]
    street: Street | None = None
    world: Path | None = None

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a data set.

    Args:
        kind: ``unpaired``, ``names``, ``unreadable``, ``size``, ``labels`` or ``short``.
        message: One sentence.
        path: The file or folder that it is about.
        fatal: Training cannot start with it.
    """

    kind: Literal["unpaired", "names", "unreadable", "size", "labels", "short"]
    message: str
    path: Path
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Layout:
    """A data set as it was found on disk.

    Args:
        kind: The layout's name, see `vidtrans_training.datasets.layouts`.
        root: The folder that was named.
        sequences: Its frames, by sequence.
        problems: What does not fit together.
        notes: What a person should know, one sentence each.
    """

    kind: str
    root: Path
    sequences: tuple[SequenceSources, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Frames of all sequences."""
        return sum(map(len, self.sequences))

    @property
    def has_instances(self) -> bool:
        """Whether every frame has an instance map."""
        return bool(self.sequences) and all(
            frame.instances is not None for clip in self.sequences for frame in clip.frames
        )

    @property
    def has_flow(self) -> bool:
        """Whether every frame has exact flow."""
        return bool(self.sequences) and all(
            frame.flow is not None for clip in self.sequences for frame in clip.frames
        )
