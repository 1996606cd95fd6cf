"""To the device and back without making anybody wait: pinned memory and side streams on devices
that have streams, plain calls elsewhere.

Pinned memory comes from PyTorch's allocator, which keeps what is given back: after some frames the
same few buffers take turns, and none is taken from the system any more.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidtrans.errors import InputError
from vidtrans.frame import Bytes, LabelFrame, StyleChoice
from vidtrans.nets.range import from_bytes, to_bytes
from vidtrans.nets.viewport import Viewport
from vidtrans.sequence.device import device_module

Event = Any
"""``torch.cuda.Event`` or ``torch.xpu.Event``."""


@dataclass(frozen=True, eq=False)
class DeviceFrame:
    """A label frame on the device, padded as the networks need it.

    Attributes:
        size_hw: The frame's own height and width.
        index: The frame's number, for messages.
        ids: Classes, uint8 [1,H,W]; None where the model reads none.
        instances: int32 [1,H,W]; None where there are none.
        image: float [1,C,H,W] in [-1,1]; None where the model reads none.
        present: The classes that occur, ascending.
        largest_instance: An upper bound of the instance ids.
        styles: Styles chosen for the frame.
        ready: On devices with streams, the event after which the tensors may be read.
        viewport: How the frame lies in the padded tensors.
    """

    size_hw: tuple[int, int]
    index: int = 0
    ids: Tensor | None = None
    instances: Tensor | None = None
    image: Tensor | None = None
    present: tuple[int, ...] = ()
    largest_instance: int = 0
    styles: StyleChoice | None = None
    ready: Event | None = None
    viewport: Viewport | None = None


def classes_present(ids: Bytes) -> tuple[int, ...]:
    """The values that occur in uint8 ``ids``, ascending."""
    histogram = cv2.calcHist([np.ascontiguousarray(ids)], [0], None, [256], [0, 256])
    return tuple(int(value) for value in np.flatnonzero(histogram))


class Pending:
    """A picture on its way to the host; ``wait`` gives its uint8 values, and may be called from any
    thread."""

    def __init__(self, picture: Tensor, done: Event | None = None) -> None:
        self._picture = picture
        self._done = done

    def wait(self) -> Bytes:
        if self._done is None:
            return self._picture.cpu().numpy()
        self._done.synchronize()
        # A copy, so that the pinned buffer goes back to its pool with this object.
        return self._picture.numpy().copy()


class Transfer:
    """Uploads and downloads of one model on one device, each on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._module = device_module(device)
        self._up = None if self._module is None else self._module.Stream(device)
        self._down = None if self._module is None else self._module.Stream(device)

    def upload(
        self, frame: LabelFrame, viewport: Viewport, *, label_nc: int, with_image: bool
    ) -> DeviceFrame:
        """Copy a frame to the device; returns before the copy is done.

        Args:
            frame: The frame.
            viewport: How it is padded.
            label_nc: Classes of the model; 0 where it reads pictures.
            with_image: Whether the frame's picture is copied too.

        Raises:
            InputError: Where the frame holds a class that the model has not, or misses what the
                model needs.
        """
        ids = instances = image = None
        present: tuple[int, ...] = ()
        largest = 0
        if label_nc:
            present = classes_present(frame.ids)
            if present and present[-1] >= label_nc:
                unknown = ", ".join(str(c) for c in present if c >= label_nc)
                raise InputError(
                    f"the labels hold class {unknown}, and the model knows classes 0 to"
                    f" {label_nc - 1}.",
                    frame=frame.index,
                    hint="Name the labels' scheme, so that they are mapped to the model's classes.",
                )
            ids = self._to_device(frame.ids)
        if frame.instances is not None:
            if frame.instances.shape != frame.size_hw:
                raise InputError(
                    f"the instance map has the size {_size(frame.instances)}, and the labels"
                    f" {_size(frame.ids)}.",
                    frame=frame.index,
                )
            largest = int(frame.instances.max())
            instances = self._to_device(np.ascontiguousarray(frame.instances, dtype=np.int32))
        if with_image:
            if frame.image is None:
                raise InputError(
                    "the model paints from pictures, and the frame has none.", frame=frame.index
                )
            image = self._to_device(frame.image)
        with self._on(self._up):
            moved = DeviceFrame(
                size_hw=frame.size_hw if image is None else (image.shape[0], image.shape[1]),
                index=frame.index,
                ids=None if ids is None else viewport.reflect(ids[None]),
                instances=None if instances is None else viewport.reflect(instances[None]),
                image=None if image is None else viewport.reflect(_planar(image)),
                present=present,
                largest_instance=largest,
                styles=frame.styles,
                ready=None if self._module is None else self._module.Event(),
                viewport=viewport,
            )
            if moved.ready is not None:
                moved.ready.record()
        return moved

    def arrive(self, frame: DeviceFrame) -> DeviceFrame:
        """Make the current stream (never the host) wait until ``frame`` is there."""
        if frame.ready is not None:
            stream = self._module.current_stream(self.device)
            stream.wait_event(frame.ready)
            for part in (frame.ids, frame.instances, frame.image):
                if part is not None:
                    part.record_stream(stream)
        return frame

    def download(self, picture: Tensor) -> Pending:
        """``picture`` [1,3,H,W] in [-1,1], or its uint8 values as they are, on its way to the host;
        returns before the copy is done."""
        pixels = picture if picture.dtype == torch.uint8 else to_bytes(picture)
        if self._down is None or pixels.device.type != self.device.type:
            return Pending(pixels)
        self._down.wait_stream(self._module.current_stream(self.device))
        with self._on(self._down):
            host = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
            host.copy_(pixels, non_blocking=True)
            pixels.record_stream(self._down)
            done = self._module.Event()
            done.record()
        return Pending(host, done)

    def _to_device(self, array: npt.NDArray[np.generic]) -> Tensor:
        host = torch.from_numpy(np.ascontiguousarray(array))
        if self._up is None:
            return host.to(self.device)
        with self._on(self._up):
            return host.pin_memory().to(self.device, non_blocking=True)

    def _on(self, stream: Any) -> AbstractContextManager[None]:
        """What is done within is done on ``stream``, where there are streams."""
        # Not ``with stream``: several threads may be within at once.
        entered: AbstractContextManager[None] = (
            nullcontext() if stream is None else self._module.stream(stream)
        )
        return entered


def _planar(image: Tensor) -> Tensor:
    """A picture uint8 [H,W,C], or float in [-1,1], as float32 [1,C,H,W] in [-1,1]."""
    if image.dtype == torch.uint8:
        return from_bytes(image)[None]
    return image.permute(2, 0, 1)[None].float()


def _size(array: npt.NDArray[np.generic]) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
