"""Scaling, cropping and mirroring: the published ``resize_or_crop`` kinds, one draw per sample.

Pictures are scaled bicubically with antialiasing, labels and instances take their nearest pixel,
flow is scaled in size and value, cropped and mirrored with the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from vidtrans.errors import InputError, UsageError
from vidtrans.frame import Bytes
from vidtrans.nets.range import from_bytes
from vidtrans.validation import did_you_mean
from vidtrans_training.options import System

_Array = TypeVar("_Array", bound=np.generic)

_SCALES = ("scaleWidth", "scaleHeight", "randomScaleWidth", "randomScaleHeight", "resize")
_STILL = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")
_SEQUENCE = tuple(s + c for s in _SCALES for c in ("", "_and_crop", "_and_scaledCrop"))
KINDS: dict[System, tuple[str, ...]] = {
    "pix2pix": _STILL,
    "pix2pixhd": _STILL,
    "vid2vid": _SEQUENCE,
    # The street network measures the street in the whole picture: a part of it shows another one.
    "street": _SCALES,
}
"""The published kinds of each system (pix2pix calls the option ``preprocess``)."""

DEFAULT_KINDS: dict[System, str] = {
    "pix2pix": "resize_and_crop",
    "pix2pixhd": "scale_width",
    "vid2vid": "scaleWidth",
    "street": "scaleWidth",
}

SCALED_MULTIPLE = 4
"""vid2vid scales to multiples of 4 before it crops; pix2pix's smallest multiple."""
SEQUENCE_MULTIPLE = 32
"""vid2vid's pictures have sides of multiples of 32 at last."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Flow between two frames with where it is trusted.

    Args:
        flow: float32 [2,H,W], x then y, pixels, from a frame to where each pixel was in an
            earlier one.
        trusted: bool [H,W].
    """

    flow: npt.NDArray[np.float32]
    trusted: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Geometry:
    """What is done to every picture of one sample: scaled, then cropped, then mirrored.

    Args:
        scaled_hw: The whole picture's size after scaling.
        corner: Top and left of the crop, pixels of the scaled picture.
        size_hw: Size of the crop, which is the sample's.
        flip: Left and right are exchanged.
    """

    scaled_hw: tuple[int, int]
    corner: tuple[int, int]
    size_hw: tuple[int, int]
    flip: bool = False

    @property
    def cropped(self) -> bool:
        """Whether the sample shows less than the whole picture."""
        return self.size_hw != self.scaled_hw

    def picture(self, picture: Bytes) -> Tensor:
        """uint8 RGB [H,W,3] -> float32 [3,h,w] in [-1,1], scaled bicubically."""
        shown = scale_picture(picture, self.scaled_hw)
        # Mirrored and cropped as bytes, a quarter of the floats' size.
        part = np.ascontiguousarray(self._part(shown))
        return from_bytes(torch.from_numpy(part))

    def nearest(self, values: npt.NDArray[_Array]) -> npt.NDArray[_Array]:
        """[H,W] or [H,W,C] of 8 or 32 bits -> the same of the sample's size; nearest pixels."""
        if values.shape[:2] != self.scaled_hw:
            # OpenCV scales no int32; a nearest pixel is copied whole, so its bits may pass as
            # float32.
            bits: Any = values.view(np.float32) if values.dtype.itemsize == 4 else values
            scaled = cv2.resize(bits, self.scaled_hw[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            values = scaled.view(values.dtype)
        return np.ascontiguousarray(self._part(values))

    def motion(self, motion: Motion) -> Motion:
        """Flow of the whole picture -> flow of the sample. A flow that leads out of a crop is not
        trusted: what it leads to is not in the sample."""
        height, width = motion.flow.shape[1:]
        flow = np.moveaxis(motion.flow, 0, -1)
        if (height, width) != self.scaled_hw:
            ratio = np.array([self.scaled_hw[1] / width, self.scaled_hw[0] / height], np.float32)
            flow = cv2.resize(flow, self.scaled_hw[::-1], interpolation=cv2.INTER_LINEAR) * ratio
        trusted = self.nearest(motion.trusted.view(np.uint8)).view(np.bool_)
        flow = np.array(np.moveaxis(self._part(flow), -1, 0), np.float32, order="C")
        if self.flip:
            np.negative(flow[0], out=flow[0])
        if self.cropped:
            (h, w), (dx, dy) = self.size_hw, flow
            x, y = np.arange(w) + dx, np.arange(h)[:, None] + dy
            trusted &= (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
        return Motion(flow, trusted)

    def _part(self, whole: npt.NDArray[_Array]) -> npt.NDArray[_Array]:
        (top, left), (height, width) = self.corner, self.size_hw
        part = whole[top : top + height, left : left + width]
        return part[:, ::-1] if self.flip else part


def scale_picture(picture: Bytes, size_hw: tuple[int, int]) -> Bytes:
    """uint8 RGB [H,W,3] at another size: bicubic, antialiased as Pillow does."""
    if picture.shape[:2] == size_hw:
        return picture
    planes = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    scaled = F.interpolate(planes, size_hw, mode="bicubic", antialias=True)
    return np.ascontiguousarray(scaled[0].permute(1, 2, 0).numpy())


@dataclass(frozen=True, slots=True)
class Transform:
    """How samples are cut from pictures.

    Args:
        system: Whose kinds ``kind`` names.
        kind: One of ``KINDS[system]``.
        load_size: Scale to this (``loadSize``; pix2pix ``load_size``).
        fine_size: Side of a crop (``fineSize``; pix2pix ``crop_size``); smallest size of the random
            kinds.
        multiple: The network takes sides of multiples of this.
        flip: Mirror every other sample.

    Raises:
        UsageError: The kind is unknown, or the sizes are impossible.
    """

    system: System
    kind: str
    load_size: int
    fine_size: int
    multiple: int = 1
    flip: bool = True

    def __post_init__(self) -> None:
        known = KINDS[self.system]
        if self.kind not in known:
            raise UsageError(
                f"there is no resize_or_crop '{self.kind}' for {self.system}.",
                hint=did_you_mean(self.kind, known),
            )
        step = self._multiple
        if self._crops and self.fine_size % step and not self._on_sequences:
            below, above = self.fine_size // step * step, -(-self.fine_size // step) * step
            raise UsageError(
                f"fine_size is {self.fine_size}, but the network takes crops of multiples of"
                f" {step}.",
                hint=f"Nearest: {below or above}, {above}.",
            )
        if self._scales and self.load_size < step:
            raise UsageError(f"load_size is {self.load_size}, the network takes {step} at least.")
        if self._crops and self.fine_size < step:
            raise UsageError(f"fine_size is {self.fine_size}, the network takes {step} at least.")
        random = self.kind.startswith("random")
        if self._scales and (self._crops or random) and self.fine_size > self.load_size:
            raise UsageError(
                f"fine_size {self.fine_size} is larger than load_size {self.load_size}, so no crop"
                " of it fits."
            )

    @property
    def _on_sequences(self) -> bool:
        return self.system in ("vid2vid", "street")

    @property
    def _crops(self) -> bool:
        return self.kind.endswith(("crop", "Crop"))

    @property
    def _scales(self) -> bool:
        return self.kind not in ("crop", "none")

    @property
    def _multiple(self) -> int:
        least = SEQUENCE_MULTIPLE if self._on_sequences else SCALED_MULTIPLE
        return math.lcm(self.multiple, least)

    def draw(self, size_hw: tuple[int, int], rng: np.random.Generator) -> Geometry:
        """A random geometry for pictures of ``size_hw``.

        Raises:
            InputError: The pictures are too small for the crop.
        """
        low, high = self.fine_size, self.load_size
        load = int(rng.integers(low, high + 1)) if self.kind.startswith("random") else high
        scaled = self._scaled(size_hw, load)
        size = self._size(size_hw, scaled)
        if size[0] > scaled[0] or size[1] > scaled[1] or min(size) < 1:
            raise InputError(
                f"a crop of {size[1]}x{size[0]} does not fit into the picture, which is"
                f" {scaled[1]}x{scaled[0]} after scaling ({self.kind}, load_size {self.load_size},"
                f" fine_size {self.fine_size})."
            )
        corner = self._corner((scaled[0] - size[0], scaled[1] - size[1]), rng)
        return Geometry(scaled, corner, size, bool(self.flip and rng.random() < 0.5))

    def whole(self, size_hw: tuple[int, int]) -> Geometry:
        """The whole picture, scaled to the largest size that `draw` gives: what is shown on sheets
        and what the teacher of flow sees."""
        scaled = self._scaled(size_hw, self.load_size)
        return Geometry(scaled, (0, 0), scaled)

    def check(self, size_hw: tuple[int, int]) -> None:
        """Refuse pictures that are too small for the crop.

        Raises:
            InputError: Pictures of ``size_hw`` are.
        """
        self.draw(size_hw, np.random.default_rng(0))

    def size_of(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the largest sample of pictures of ``size_hw``."""
        return self._size(size_hw, self._scaled(size_hw, self.load_size))

    def _scaled(self, size_hw: tuple[int, int], load: int) -> tuple[int, int]:
        height, width = size_hw
        kind = self.kind
        if kind in ("crop", "none"):
            wanted: tuple[float, float] = height, width
        elif kind.startswith("resize"):
            wanted = load, load
        elif "Height" in kind:
            wanted = load, load * width / height
        else:
            wanted = load * height / width, load
        if self._on_sequences:
            return _to(wanted, SCALED_MULTIPLE if self._crops else self._multiple)
        if self._crops:
            return max(1, int(wanted[0])), max(1, int(wanted[1]))
        if self.system == "pix2pixhd" and kind == "scale_width":
            step = self._multiple
            return max(step, int(wanted[0]) // step * step), max(step, int(load) // step * step)
        return _to(wanted, self._multiple)

    def _size(self, size_hw: tuple[int, int], scaled: tuple[int, int]) -> tuple[int, int]:
        if not self._crops:
            return scaled
        height, width = self.fine_size, self.fine_size
        if self.kind.endswith("scaledCrop"):
            if "Height" in self.kind:
                width = round(self.fine_size * size_hw[1] / size_hw[0])
            else:
                height = round(self.fine_size * size_hw[0] / size_hw[1])
        if not self._on_sequences:
            return height, width
        if self.kind.startswith("random"):
            # A small draw leaves less than the crop wants: then all of it is taken.
            height, width = min(height, scaled[0]), min(width, scaled[1])
        step = self._multiple
        return max(step, height // step * step), max(step, width // step * step)

    def _corner(self, span: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """Top and left of a crop that may move by ``span`` pixels down and to the right."""
        if not self._crops:
            return 0, 0
        if not self._on_sequences:
            return int(rng.integers(span[0] + 1)), int(rng.integers(span[1] + 1))
        # As published for streets: about the middle in x, in the upper eighth in y.
        left = round(float(rng.normal(span[1] / 2, span[1] / 3)))
        top = int(rng.integers(span[0] // 8 + 1))
        return top, min(max(left, 0), span[1])


def _to(size: tuple[float, float], step: int) -> tuple[int, int]:
    """Both sides to the nearest multiple of ``step``, at least one of it."""
    return max(step, round(size[0] / step) * step), max(step, round(size[1] / step) * step)
