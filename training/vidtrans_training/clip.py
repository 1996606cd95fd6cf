"""One training sample: the record that data loading produces and every system learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Clip:
    """T pictures with what they are generated from, oldest first.

    pix2pix: T is the batch. pix2pixHD: T = 1. vid2vid and street: a sequence of T frames.

    Args:
        real: The real pictures, float [T,3,H,W] in [-1,1] (pix2pix may have 1 channel).
        labels: The model's class planes, uint8 [T,H,W].
        instances: Instance ids, int32 [T,H,W].
        images: The condition where it is a picture, float [T,C,H,W] in [-1,1].
        features: Ready-made feature pictures (pix2pixHD's ``load_features``), float [T,F,H,W].
        flow: The teacher's flow for each frame distance g: float [T,2,H,W], x then y, in pixels,
            from frame t to where the pixel was in frame t - g. The first g frames are zeros and
            never used.
        confidence: Where that flow is trusted, for each g: float [T,1,H,W] of zeros and ones.
        scene: Where the camera is in its street, float [T,3], see
            `vidtrans.nets.street_geometry`; street estimates it where it is not given.
        names: The file of each frame, for messages.

    Raises:
        ValueError: A tensor's shape does not fit ``real``, or neither labels nor images are there.
    """

    real: Tensor
    labels: Tensor | None = None
    instances: Tensor | None = None
    images: Tensor | None = None
    features: Tensor | None = None
    flow: Mapping[int, Tensor] = field(default_factory=dict)
    confidence: Mapping[int, Tensor] = field(default_factory=dict)
    scene: Tensor | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.real.ndim != 4:
            raise ValueError(f"real has shape {tuple(self.real.shape)}, expected [T,C,H,W]")
        if self.labels is None and self.images is None:
            raise ValueError("a clip needs labels or images as its condition")
        frames, _, height, width = self.real.shape
        for name, part in (("labels", self.labels), ("instances", self.instances)):
            if part is not None and part.shape != (frames, height, width):
                raise ValueError(
                    f"{name} has shape {tuple(part.shape)}, expected {(frames, height, width)}"
                )
        pictures: dict[str, tuple[Tensor | None, int | None]] = {
            "images": (self.images, None),
            "features": (self.features, None),
            **{f"flow[{g}]": (part, 2) for g, part in self.flow.items()},
            **{f"confidence[{g}]": (part, 1) for g, part in self.confidence.items()},
        }
        for name, (part, channels) in pictures.items():
            if part is None:
                continue
            wanted = (frames, channels or (part.shape[1] if part.ndim == 4 else 1), height, width)
            if part.shape != wanted:
                raise ValueError(f"{name} has shape {tuple(part.shape)}, expected {wanted}")
        if self.scene is not None and self.scene.shape != (frames, 3):
            raise ValueError(f"scene has shape {tuple(self.scene.shape)}, expected {(frames, 3)}")
        if self.names and len(self.names) != frames:
            raise ValueError(f"{len(self.names)} names for {frames} frames")

    def __len__(self) -> int:
        return self.real.shape[0]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.real.shape[2], self.real.shape[3]

    def to(self, device: torch.device | str) -> Clip:
        """The same clip on ``device``."""
        return self._mapped(lambda part: part.to(device, non_blocking=True), self.names)

    def frames(self, start: int, stop: int) -> Clip:
        """The frames ``start`` (included) to ``stop`` (excluded), as views."""
        return self._mapped(lambda part: part[start:stop], self.names[start:stop])

    def fitted(self, multiple: int) -> Clip:
        """The largest part from the top left whose sides are multiples of ``multiple``."""
        height, width = (side // multiple * multiple for side in self.size_hw)

        def cut(part: Tensor) -> Tensor:
            return part[..., :height, :width] if part.ndim > 2 else part

        return self._mapped(cut, self.names)

    def _mapped(self, change: Callable[[Tensor], Tensor], names: tuple[str, ...]) -> Clip:
        def optional(part: Tensor | None) -> Tensor | None:
            return None if part is None else change(part)

        return Clip(
            real=change(self.real),
            labels=optional(self.labels),
            instances=optional(self.instances),
            images=optional(self.images),
            features=optional(self.features),
            flow={g: change(part) for g, part in self.flow.items()},
            confidence={g: change(part) for g, part in self.confidence.items()},
            scene=optional(self.scene),
            names=names,
        )
