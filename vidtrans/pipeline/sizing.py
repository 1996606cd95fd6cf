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
    """The sizes of a run, (height, width) in pixels.

    Attributes:
        input_hw: The decoded labels.
        scaled_hw: The resized labels, and the output.
        net_hw: The least size that the network sees; `vidtrans.sequence` pads to it and removes
            the padding again.
        given_hw: That of pictures which are made for another size of the output; None for
            ``scaled_hw``.
    """

    input_hw: tuple[int, int]
    scaled_hw: tuple[int, int]
    net_hw: tuple[int, int]
    given_hw: tuple[int, int] | None = None

    @property
    def resized_hw(self) -> frozenset[tuple[int, int]]:
        """The sizes of given pictures that are resized to ``scaled_hw``."""
        return frozenset({self.input_hw, self.given_hw or self.input_hw}) - {self.scaled_hw}

    @classmethod
    def plan(
        cls,
        input_hw: tuple[int, int],
        size_hw: tuple[int, int] | None,
        fit: Literal["pad", "resize"],
    ) -> Sizing:
        """The sizes for a wanted size.

        Args:
            input_hw: The size of the input.
            size_hw: The wanted size; None for the input's.
            fit: ``resize`` to exactly ``size_hw``, or ``pad``: the largest size within it that
                keeps the input's aspect, padded to it for the network.
        """
        if size_hw is None:
            return cls(input_hw, input_hw, input_hw)
        if fit == "resize":
            return cls(input_hw, size_hw, size_hw)
        scale = min(Fraction(size_hw[0], input_hw[0]), Fraction(size_hw[1], input_hw[1]))
        scaled = max(1, round(input_hw[0] * scale)), max(1, round(input_hw[1] * scale))
        return cls(input_hw, scaled, size_hw)

    def sample_aspect(self, of_input: Fraction) -> Fraction:
        """The sample aspect ratio of the output, which keeps the display aspect of the input.

        Args:
            of_input: The input's sample aspect ratio, width over height of a pixel.
        """
        if self.scaled_hw == self.input_hw or self.scaled_hw != self.net_hw:
            return of_input  # the resizing kept the aspect, up to rounding to whole pixels
        (h, w), (H, W) = self.input_hw, self.scaled_hw
        return of_input * Fraction(w * H, h * W)

    def scale(self, labels: LabelFrame) -> LabelFrame:
        """Resize a label frame to ``scaled_hw``.

        Ids and instances take their nearest pixel. Pictures are averaged over areas where they
        shrink and interpolated bicubically where they grow.
        """
        if self.scaled_hw == self.input_hw:
            return labels
        instances = None
        if labels.instances is not None:
            # OpenCV cannot resize int32. Nearest-pixel resizing copies values unchanged, so their
            # bits can be passed as float32.
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
