"""The records of a frame, one for each room that it passes through.

bytes -> ``Frame`` -> ``LabelFrame`` -> (nets: ``Painting``) -> ``Translation`` -> bytes
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame is shown.

    Attributes:
        pts: its time, in units of ``time_base``.
        time_base: seconds.
        duration: how long it is shown, in units of ``time_base``, None where that is not known.
    """

    pts: int
    time_base: Fraction
    duration: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded input frame, as the file holds it: ids stay ids, colours stay colours.

    Attributes:
        index: its place in the input, 0-based.
        pixels: uint8 RGB [H,W,3], or uint8 or uint16 [H,W]: grey, or indices where there is a
            palette. Where labels are read, RGB of 16 bits stays uint16 RGB [H,W,3].
        time: when it is shown.
        palette: uint8 RGB [256,3] of a palette picture, else None.
        source: the file's name, for messages.
        alpha: uint8 [H,W], 0 (transparent) to 255, where labels are read from pictures that are not
            opaque everywhere; else None.
        damaged: whether the file's frame is damaged, and the pixels are those of a frame near it.
    """

    index: int
    pixels: Ids
    time: FrameTime
    palette: Bytes | None = None
    source: str = ""
    damaged: bool = False
    alpha: Bytes | None = None

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of an input before its frames are read.

    Attributes:
        source: the file, folder or pattern.
        size_hw: height and width, pixels.
        rate: frames a second; the average where the timing varies.
        time_base: the unit of its times, seconds.
        frames: the number of frames, None where the container does not say.
        kind: ``rgb``, ``grey8``, ``grey16`` or ``palette``.
        codec: ffmpeg's name of the codec.
        lossy: whether the codec alters pixels, so that ids and colours may be off.
        sample_aspect: the width of a pixel over its height.
        duration_s: seconds, None where that is not known.
        rotation: degrees by which players turn the pictures.
        limited_range: whether RGB is computed from YUV samples of limited range, which has 219
            steps for the 256 values of a grey picture.
        remarks: sentences for people about how the input is read, where that may surprise.
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
    limited_range: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StyleChoice:
    """Which of a model's styles paint what.

    The choice for an instance overrides that for its class; of several for the same class or
    instance the last counts.

    Attributes:
        classes: pairs of a class's plane and the number of a style, from 0.
        instances: pairs of an instance's id and the number of a style of its class.
    """

    classes: tuple[tuple[int, int], ...] = ()
    instances: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LabelFrame:
    """One frame in the model's own classes.

    Attributes:
        index: its place in the input, 0-based.
        ids: uint8 [H,W], planes of the model, 0 .. label_nc - 1.
        time: when it is shown.
        instances: int32 [H,W] instance ids, None where there are none.
        image: uint8 RGB [H,W,3] for models that take pictures instead of labels (label_nc 0), and
            for encoders of styles, else None.
        styles: those chosen for this frame, None where none are.
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
    """One output frame.

    Attributes:
        index: its place in the input and in the output, 0-based.
        picture: uint8 RGB [H,W,3].
        time: that of the input frame.
        cut: whether the history was reset before this frame.
    """

    index: int
    picture: Bytes
    time: FrameTime
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Nv12:
    """How pictures become NV12, what video encoders compute with: uint8 [3H/2,W] of limited range,
    H rows of luma, then H/2 rows of chroma, blue and red in turns, at half the resolution.

    Attributes:
        red: The share of red in luma (Kr).
        blue: The share of blue in luma (Kb).
    """

    red: float
    blue: float
