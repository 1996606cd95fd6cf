"""Which part of the film's picture the tensors of a network show."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidtrans.nets.constants import constant, kept


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends not included."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Viewport:
    """Where the working picture (the tensors that a network sees) lies in the film's picture.

    The working picture may reach beyond the film's picture: then its margin is padding, a
    reflection of the picture. Or it shows a part of the film's picture only: a crop, in training.
    A viewport is a hashable value of the host, so what depends on it alone can be kept.

    Convention: pixels at the network's resolution, y down, x to the right; pixel i covers the
    coordinates i to i + 1.

    Attributes:
        picture_hw: Height and width of the film's picture.
        size_hw: Height and width of the working picture.
        origins: Coordinates (y, x) in the film's picture of the working picture's first pixel, for
            each picture of a batch, or one pair for all of them. Negative where padding comes
            first.

    Example:
        A film of 500x250 pixels in the middle of a working picture of 512x256:

        >>> Viewport.padded((250, 500), (256, 512), grid=2)
        Viewport(picture_hw=(250, 500), size_hw=(256, 512), origins=((-2, -6),))
    """

    picture_hw: tuple[int, int]
    size_hw: tuple[int, int]
    origins: tuple[tuple[int, int], ...] = ((0, 0),)

    @classmethod
    def whole(cls, size_hw: tuple[int, int]) -> Viewport:
        """A working picture that is the film's picture."""
        return cls(size_hw, size_hw)

    @classmethod
    def padded(
        cls, picture_hw: tuple[int, int], size_hw: tuple[int, int], grid: int | None = None
    ) -> Viewport:
        """A film's picture with padding around it.

        Args:
            picture_hw: Height and width of the film's picture.
            size_hw: Height and width of the working picture, at least as large.
            grid: Padding goes to all sides, so that the middle stays the middle; at the top and at
                the left in multiples of this. None: all of it goes to the bottom and to the right.
        """
        if grid is None:
            return cls(picture_hw, size_hw)
        y, x = (
            -((size - picture) // 2 // grid * grid)
            for picture, size in zip(picture_hw, size_hw, strict=True)
        )
        return cls(picture_hw, size_hw, ((y, x),))

    @property
    def content(self) -> Box:
        """The part of the working picture that is the film's own, without the padding.

        Raises:
            ValueError: Where pictures of a batch differ in it.
        """
        (height, width), (h, w) = self.picture_hw, self.size_hw
        found = {
            Box(max(-y, 0), min(height - y, h), max(-x, 0), min(width - x, w))
            for y, x in self.origins
        }
        if len(found) > 1:
            raise ValueError("the pictures of a batch are padded differently")
        return found.pop()

    @property
    def shows_all(self) -> bool:
        """Whether the whole of the film's picture is to be seen, with or without padding."""
        box = self.content
        return (box.bottom - box.top, box.right - box.left) == self.picture_hw

    def rows(self, stride: int, device: torch.device) -> Tensor:
        """Coordinates y in the film's picture of the middles of cells of ``stride`` pixels.

        Padding has the coordinates of what it reflects.

        Returns:
            float32 [N,h], N the number of `origins`, h = height / stride.
        """
        starts = tuple(y for y, _ in self.origins)
        return _coordinates(self.picture_hw[0], self.size_hw[0], stride, starts, device)

    def columns(self, stride: int, device: torch.device) -> Tensor:
        """Coordinates x in the film's picture, float32 [N,w]; see `rows`."""
        starts = tuple(x for _, x in self.origins)
        return _coordinates(self.picture_hw[1], self.size_hw[1], stride, starts, device)

    def reflect(self, picture: Tensor) -> Tensor:
        """The film's picture [...,H,W], of any type, as the working picture [...,h,w] shows it.

        Padding is a reflection without a repeated border, as often as it takes.
        """
        ((y, x),) = self.origins
        for dim, origin in ((-2, y), (-1, x)):
            have, size = self.picture_hw[dim], self.size_hw[dim]
            if (origin, have) != (0, size):
                picture = picture.index_select(dim, reflection(have, origin, size, picture.device))
        return picture

    def crop(self, working: Tensor) -> Tensor:
        """What of the working picture [...,h,w] is the film's own, a view.

        Coarser versions of the working picture are cropped to their share, rounded outwards.
        """
        box, (h, w), (full_h, full_w) = self.content, working.shape[-2:], self.size_hw
        return working[
            ...,
            box.top * h // full_h : -(-box.bottom * h // full_h),
            box.left * w // full_w : -(-box.right * w // full_w),
        ]


@kept(maxsize=256)
def reflection(length: int, start: int, size: int, device: torch.device) -> Tensor:
    """Indices int64 [size] into ``length`` values, from ``start`` on, reflected at both ends."""
    period = max(2 * (length - 1), 1)
    index = (torch.arange(size) + start) % period
    return torch.where(index < length, index, period - index).to(device)


@kept(maxsize=256)
def _coordinates(
    length: int, size: int, stride: int, starts: tuple[int, ...], device: torch.device
) -> Tensor:
    middles = (torch.arange(size // stride, device=device) + 0.5) * stride
    at = constant(starts, device)[:, None] + middles
    # Pixel centres are reflected at the first and at the last one.
    last = max(length - 1.0, 0.5)
    centre = (at - 0.5).remainder(2 * last)
    reflected = torch.where(centre <= last, centre, 2 * last - centre) + 0.5
    inside = (at >= 0) & (at <= length)
    return torch.where(inside, at, reflected)
