"""Translating at another size than the input's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np

from vidtrans.frame import LabelFrame


@dataclass(frozen=True, slots=True)
class Sizing:
    """``input_hw``: as decoded. ``scaled_hw``: the labels are resized to this, and pictures leave
    with it. ``net_hw``: the network sees pictures of at least this size; `vidtrans.sequence` pads
    them and takes the padding off again."""

    input_hw: tuple[int, int]
    scaled_hw: tuple[int, int]
    net_hw: tuple[int, int]

    @classmethod
    def plan(
        cls,
        input_hw: tuple[int, int],
        size_hw: tuple[int, int] | None,
        fit: Literal["pad", "resize"],
    ) -> Sizing:
        """``resize``: exactly ``size_hw``. ``pad``: as large as fits into it at the input's
        aspect, the rest padded."""
        if size_hw is None:
            return cls(input_hw, input_hw, input_hw)
        if fit == "resize":
            return cls(input_hw, size_hw, size_hw)
        scale = min(Fraction(size_hw[0], input_hw[0]), Fraction(size_hw[1], input_hw[1]))
        scaled = max(1, round(input_hw[0] * scale)), max(1, round(input_hw[1] * scale))
        return cls(input_hw, scaled, size_hw)

    def sample_aspect(self, of_input: Fraction) -> Fraction:
        """Width of an output pixel over its height, so that the film keeps its shape on the
        screen."""
        if self.scaled_hw == self.input_hw or self.scaled_hw != self.net_hw:
            return of_input  # the aspect was kept (to the rounding of a pixel)
        (h, w), (H, W) = self.input_hw, self.scaled_hw
        return of_input * Fraction(w * H, h * W)

    def scale(self, labels: LabelFrame) -> LabelFrame:
        """The label frame at ``scaled_hw``: ids and instances by their nearest pixel, pictures by
        area."""
        if self.scaled_hw == self.input_hw:
            return labels
        instances = None
        if labels.instances is not None:
            # OpenCV resizes no int32; a nearest pixel is copied whole, so its bits may pass as
            # float32.
            instances = self._nearest(labels.instances.view(np.float32)).view(np.int32)
        image = None
        if labels.image is not None:
            shrinks = self.scaled_hw[0] < self.input_hw[0]
            method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            image = np.asarray(
                cv2.resize(labels.image, self.scaled_hw[::-1], interpolation=method), np.uint8
            )
        return replace(labels, ids=self._nearest(labels.ids), instances=instances, image=image)

    def _nearest(self, values: np.ndarray) -> np.ndarray:
        if values.size == 0:
            return values
        return cv2.resize(values, self.scaled_hw[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
