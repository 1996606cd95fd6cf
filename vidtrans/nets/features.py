"""Style planes: features averaged over each instance, and which of a model's styles each pixel
shows.

pix2pixHD (Wang et al. 2018, section 3.4) paints an instance in a style by setting its feature
planes to one cluster centre of the features that its encoder gave the training pictures' instances
of that class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from vidtrans.frame import StyleChoice
from vidtrans.nets.constants import constant

_WORD = 0xFFFFFFFF
_WITHOUT_FLOAT64 = "mps"
"""The device type that has no float64 (Apple's Metal)."""


def average_instances(features: Tensor, instances: Tensor, largest: int) -> Tensor:
    """Average features over the pixels of each instance, each channel and picture by itself.

    Args:
        features: float [N,F,H,W]. Gradients flow through the means.
        instances: int [N,H,W] from 0 to ``largest``.
        largest: Known to the host, so that nothing waits for the device.

    Returns:
        float [N,F,H,W], constant over each instance.
    """
    if features.requires_grad:
        return torch.stack(
            [
                _means(picture.flatten(1), regions.reshape(-1), largest).view_as(picture)
                for picture, regions in zip(features, instances, strict=True)
            ]
        )
    averaged = torch.empty_like(features, memory_format=torch.contiguous_format)
    for picture, regions, out in zip(features, instances, averaged, strict=True):
        average = _average_on_host if features.device.type == "cpu" else _average
        average(picture.flatten(1), regions.reshape(-1), largest, out.flatten(1))
    return averaged


def _average(features: Tensor, index: Tensor, largest: int, out: Tensor) -> None:
    out.copy_(_means(features, index, largest))


def _means(features: Tensor, index: Tensor, largest: int) -> Tensor:
    if features.device.type == _WITHOUT_FLOAT64:
        return _means(features.cpu(), index.cpu(), largest).to(features.device)
    index = index.long()
    counts = torch.zeros(largest + 1, dtype=torch.float64, device=features.device)
    counts.index_add_(0, index, torch.ones_like(index, dtype=torch.float64)).clamp_(min=1)
    sums = counts.new_zeros(features.shape[0], largest + 1).index_add(1, index, features.double())
    return torch.index_select((sums / counts).to(features.dtype), 1, index)


def _average_on_host(features: Tensor, index: Tensor, largest: int, out: Tensor) -> None:
    # numpy's bincount and take are four times as fast as torch's scatter and gather on a CPU.
    numbers = index.numpy()
    counts = np.maximum(np.bincount(numbers, minlength=largest + 1), 1)
    for channel, filled in zip(features.numpy(), out.numpy(), strict=True):
        means = np.bincount(numbers, channel, largest + 1) / counts
        np.take(means.astype(channel.dtype), numbers, out=filled, mode="clip")


@dataclass(frozen=True, eq=False)
class StyleTable:
    """A model's styles, on a device.

    Attributes:
        centres: float [F, 1 + K], the first column zeros, for classes without styles; then each
            class's cluster centres in turn.
        first: A class's first column, int64 [label_nc].
        counts: A class's number of styles, at least 1, int64 [label_nc].
    """

    centres: Tensor
    first: Tensor
    counts: Tensor

    @classmethod
    def of(
        cls, styles: Mapping[int, Sequence[Sequence[float]]], label_nc: int, feature_nc: int
    ) -> StyleTable:
        """From the centres of each class (by plane), each of ``feature_nc`` numbers."""
        columns: list[Sequence[float]] = [[0.0] * feature_nc]
        first, counts = [0] * label_nc, [1] * label_nc
        for plane in sorted(styles):
            if 0 <= plane < label_nc and styles[plane]:
                first[plane], counts[plane] = len(columns), len(styles[plane])
                columns += styles[plane]
        return cls(
            torch.tensor(columns, dtype=torch.float32).T.contiguous(),
            torch.tensor(first),
            torch.tensor(counts),
        )

    def to(self, device: torch.device) -> StyleTable:
        return StyleTable(self.centres.to(device), self.first.to(device), self.counts.to(device))


def style_numbers(
    ids: Tensor,
    regions: Tensor,
    table: StyleTable,
    *,
    choice: StyleChoice | None = None,
    seed: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Decide the style of each pixel; the same on every device.

    Args:
        ids: Classes, integer [N,H,W].
        regions: Instances, integer [N,H,W]; classes where there are none.
        table: The model's styles.
        choice: Styles chosen for classes and instances. None: none is.
        seed: Draws a style for every instance that has no chosen one, by the seed and the
            instance's number alone, so that an instance keeps its style from frame to frame. None:
            these have style 0.

    Returns:
        Each pixel's style within its class, int64 [N,H,W], and where it was chosen, bool [N,H,W];
        None: nowhere.
    """
    planes = ids.long()
    # (hash * count) / 2^32 draws evenly without the slow remainder.
    numbers = (
        torch.zeros_like(planes)
        if seed is None
        else (_hashed(regions.long(), seed) * table.counts[planes]) >> 32
    )
    if choice is None:
        return numbers, None
    chosen = torch.full_like(planes, -1)
    if choice.classes:
        by_class = dict(choice.classes)
        chosen = constant(
            tuple(by_class.get(plane, -1) for plane in range(len(table.counts))),
            ids.device,
            torch.int64,
        )[planes]
    if choice.instances:
        by_instance = sorted(dict(choice.instances).items())
        known = constant(tuple(instance for instance, _ in by_instance), ids.device, torch.int64)
        styles = constant(tuple(style for _, style in by_instance), ids.device, torch.int64)
        index = torch.searchsorted(known, regions.long()).clamp_(max=len(by_instance) - 1)
        chosen = torch.where(known[index] == regions, styles[index], chosen)
    where = chosen >= 0
    return torch.where(where, chosen, numbers), where


def style_planes(
    ids: Tensor,
    regions: Tensor,
    table: StyleTable,
    *,
    choice: StyleChoice | None = None,
    seed: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Feature planes of the styles that `style_numbers` decides.

    Returns:
        Planes float [N,F,H,W], 0 for classes without styles, and where they were chosen, bool
        [N,H,W]; None: nowhere.
    """
    if choice is None and seed is None and ids.device.type == "cpu":
        return _first_styles(ids, table), None
    numbers, chosen = style_numbers(ids, regions, table, choice=choice, seed=seed)
    # A number beyond a class's own styles (refused long before) must not reach into another class.
    columns = table.first[ids.long()] + torch.minimum(numbers, table.counts[ids.long()] - 1)
    n, h, w = ids.shape
    planes = table.centres.index_select(1, columns.reshape(-1))
    return planes.reshape(-1, n, h, w).transpose(0, 1), chosen


def _first_styles(ids: Tensor, table: StyleTable) -> Tensor:
    """Feature planes of each class's style 0."""
    numbers = ids.numpy()
    classes = np.minimum(np.arange(256), len(table.first) - 1)
    by_class = table.centres.numpy()[:, table.first.numpy()[classes]]
    planes = np.empty((len(by_class), *ids.shape), by_class.dtype)
    for values, out in zip(by_class, planes, strict=True):
        if numbers.dtype == np.uint8:  # a third of the time of numpy's take, a tenth of a gather's
            for picture, plane in zip(numbers, out, strict=True):
                cv2.LUT(picture, values, plane)
        else:
            np.take(values, numbers, out=out, mode="clip")
    return torch.from_numpy(planes).transpose(0, 1)


def _hashed(numbers: Tensor, seed: int) -> Tensor:
    """Every number and the seed mixed to 32 even bits (Wellons' lowbias32), int64."""
    x = (numbers & _WORD) ^ _hash_int(seed)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> shift)) * factor) & _WORD
    return x ^ (x >> 16)


def _hash_int(seed: int) -> int:
    x = (seed ^ (seed >> 32)) & _WORD
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> shift)) * factor) & _WORD
    return x ^ (x >> 16)
