"""The records that travel: one for each room that a frame passes through.

bytes -> ``Frame`` -> ``LabelFrame`` -> (nets: ``Painting``) -> ``Translation`` -> bytes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame is shown: ``pts * time_base`` seconds, for ``duration * time_base`` seconds
    where that is known."""

    pts: int
    time_base: Fraction
    duration: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded input frame, as the file holds it: ids stay ids, colours stay colours.

    ``pixels``: uint8 RGB [H,W,3]; or uint8/uint16 [H,W] (grey, or indices where ``palette`` is
    given). ``palette``: uint8 RGB [256,3] of a palette picture, else None. ``index``: 0-based place
    in the input. ``source``: the file's name, for messages.
    """

    index: int
    pixels: Ids
    time: FrameTime
    palette: Bytes | None = None
    source: str = ""

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of an input before its frames are read.

    ``rate``: frames a second (average for variable timing). ``frames``: their count, None where the
    container does not say. ``kind``: ``rgb``, ``grey8``, ``grey16`` or ``palette``. ``lossy``: the
    codec alters pixels, so ids and colours may be off. ``sample_aspect``: width of a pixel over its
    height.
    """

    source: str
    size_hw: tuple[int, int]
    rate: Fraction
    time_base: Fraction
    frames: int | None
    kind: str
    codec: str
    lossy: bool
    sample_aspect: Fraction = Fraction(1)
    duration_s: float | None = None
    rotation: int = 0


@dataclass(frozen=True, slots=True)
class StyleChoice:
    """Which of a model's styles paint what, by number from 0: pairs of a class's plane, or an
    instance's id, and a style.

    An instance's choice goes before its class's; of several for the same thing the last counts.
    """

    classes: tuple[tuple[int, int], ...] = ()
    instances: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LabelFrame:
    """One frame in the model's own classes.

    ``ids``: uint8 [H,W], planes of the model, 0 .. label_nc - 1. ``instances``: int32 [H,W]
    instance ids or None. ``image``: uint8 RGB [H,W,3] for models that take pictures instead of
    labels (label_nc 0), else None. ``styles``: chosen for this frame, where the model has styles
    and any are chosen.
    """

    index: int
    ids: Bytes
    time: FrameTime
    instances: npt.NDArray[np.int32] | None = None
    image: Bytes | None = None
    styles: StyleChoice | None = None

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.ids.shape[0], self.ids.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Translation:
    """One output frame: uint8 RGB [H,W,3] ``picture`` with the timestamp of the input frame that it
    was painted for.

    ``cut``: the history was reset before this frame. ``layers``: other layers asked for, by name,
    uint8 RGB.
    """

    index: int
    picture: Bytes
    time: FrameTime
    cut: bool = False
    layers: dict[str, Bytes] = field(default_factory=dict)
