"""The teacher of motion: flow from a frame to an earlier one, and where it is trusted.

vid2vid (Wang et al. 2018) takes FlowNet2's flow for true. Here it is exact where the material comes
from the procedural street, and otherwise estimated: by OpenCV's DIS (Kroeger et al. 2016) or by
torchvision's RAFT (Teed and Deng 2020) where torchvision is installed. Estimates are kept on disk
beside the data.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch

from vidtrans.atomic_write import whole_file
from vidtrans.errors import InputError, OutputError, UsageError
from vidtrans.frame import Bytes
from vidtrans.nets.range import from_bytes
from vidtrans.nets.warp import warp
from vidtrans_training.datasets.geometry import Motion, Transform, scale_picture
from vidtrans_training.datasets.sources import Layout, SequenceSources

TRUSTED_BELOW = 0.02
"""Largest squared difference, summed over RGB in [-1,1], between a pixel and what its flow leads to
for the flow to be trusted: the published threshold."""
CACHE_FOLDER = ".vidtrans-flow"
"""Folder beside the data in which estimates are kept."""
_RAFT_STRIDE = 8
_RAFT_LEAST = 128
"""RAFT works on sides of multiples of 8, and its correlation pyramid needs 128 pixels."""

TeacherName = Literal["auto", "exact", "dis", "raft"]
Estimator = Callable[[Bytes, Bytes], npt.NDArray[np.float32]]
"""Two uint8 RGB pictures [H,W,3], the current and the earlier one -> flow float32 [2,H,W] from the
current to the earlier."""


class Teacher(Protocol):
    """Tells the motion between two frames of a sequence."""

    def motion(
        self,
        sequence: SequenceSources,
        index: int,
        back: int,
        current: Bytes,
        earlier: Bytes,
    ) -> Motion:
        """Flow from frame ``index`` to frame ``index - back``.

        Args:
            sequence: The sequence that both frames belong to.
            index: The current frame.
            back: How many frames lie between.
            current: The current picture as stored, uint8 RGB [H,W,3].
            earlier: The earlier picture.

        Returns:
            Flow of the whole picture, at whatever size the teacher works.
        """
        ...


def open_teacher(
    name: TeacherName,
    layout: Layout,
    transform: Transform,
    *,
    cache: Path | None = None,
    weights: Path | None = None,
) -> Teacher:
    """The teacher of that name.

    Args:
        name: ``auto`` is exact where the data set has exact flow, else DIS.
        layout: The data set.
        transform: Pictures are estimated at the size that this scales them to.
        cache: Folder for estimates, None for a hidden one beside the data.
        weights: A file of RAFT's weights, None for torchvision's own.

    Raises:
        UsageError: The data set has no exact flow, or torchvision is not installed.
    """
    if name == "exact" or (name == "auto" and layout.has_flow):
        if not layout.has_flow:
            raise UsageError(
                f"{layout.root} has no exact flow; only clips of vidtrans-world have.",
                hint="Choose the teacher dis or raft.",
            )
        return ExactTeacher()
    estimator, method = raft_estimator(weights) if name == "raft" else (dis_flow, DIS_METHOD)
    return EstimatingTeacher(estimator, method, transform, cache or layout.root / CACHE_FOLDER)


# --- exact ----------------------------------------------------------------------------------------


class ExactTeacher:
    """The flow that the renderer of the procedural street wrote, composed over several frames."""

    def motion(
        self,
        sequence: SequenceSources,
        index: int,
        back: int,
        current: Bytes,
        earlier: Bytes,
    ) -> Motion:
        """See `Teacher.motion`."""
        steps = []
        for at in range(index, index - back, -1):
            path = sequence.frames[at].flow
            assert path is not None
            steps.append(read_flow(path, (current.shape[0], current.shape[1])))
        return composed(steps)


def read_flow(path: Path, size_hw: tuple[int, int]) -> Motion:
    """Exact flow as `vidtrans-world` writes it.

    Raises:
        InputError: The file is missing, damaged or of another size.
    """
    try:
        with np.load(path) as file:
            flow, hidden = file["flow"].astype(np.float32), file["occlusion"].astype(np.bool_)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"the flow is missing or unreadable: {error}.", where=path) from error
    if flow.shape != (2, *size_hw) or hidden.shape != size_hw:
        raise InputError(f"the flow has shape {flow.shape}, expected {(2, *size_hw)}.", where=path)
    return Motion(flow, ~hidden)


def composed(steps: Sequence[Motion]) -> Motion:
    """Flow over several frames from flows of one frame each, the newest first.

    A place is trusted where it was visible in every frame between.
    """
    flow, trusted = steps[0].flow, steps[0].trusted
    height, width = trusted.shape
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    for step in steps[1:]:
        x, y = columns + flow[0], rows + flow[1]
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        further = cv2.remap(
            np.ascontiguousarray(np.moveaxis(step.flow, 0, -1)),
            x,
            y,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        seen = cv2.remap(
            step.trusted.astype(np.uint8), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
        )
        flow = flow + np.moveaxis(further, -1, 0)
        trusted = trusted & inside & seen.astype(np.bool_)
    return Motion(np.ascontiguousarray(flow), trusted)


# --- estimated ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EstimatingTeacher:
    """Flow from an estimator, kept on disk.

    An estimate is found again by a digest of what it was made of: both pictures at the size they
    were given to the estimator, and the method. After a change of any of them it is made anew.

    Args:
        estimator: Makes the flow.
        method: Names the estimator, its version and settings.
        transform: The estimator sees pictures at this one's scaled size.
        cache: Folder of the estimates; where it cannot be written they are made each time.
    """

    estimator: Estimator
    method: str
    transform: Transform
    cache: Path
    _told: list[bool] = field(default_factory=list, compare=False, repr=False)

    def motion(
        self,
        sequence: SequenceSources,
        index: int,
        back: int,
        current: Bytes,
        earlier: Bytes,
    ) -> Motion:
        """See `Teacher.motion`."""
        size = self.transform.whole((current.shape[0], current.shape[1])).scaled_hw
        now, before = scale_picture(current, size), scale_picture(earlier, size)
        digest = hashlib.blake2b(f"{self.method} {size}".encode(), digest_size=16)
        digest.update(now.tobytes())
        digest.update(before.tobytes())
        name = sequence.frames[index].picture
        number = index if name.index is None else name.index
        path = self.cache / sequence.name / f"{name.path.stem}.{number}-{back}.safetensors"
        kept = _read_estimate(path, digest.hexdigest(), size)
        if kept is not None:
            return kept
        # Rounded before it is used, so that a made and a kept estimate are the same.
        flow = self.estimator(now, before).astype(np.float16).astype(np.float32)
        motion = Motion(flow, trusted_pixels(now, before, flow))
        self._keep(path, digest.hexdigest(), motion)
        return motion

    def _keep(self, path: Path, digest: str, motion: Motion) -> None:
        from safetensors.numpy import save

        data = save(
            {
                "flow": motion.flow.astype(np.float16),
                "trusted": np.packbits(motion.trusted, axis=1),
            },
            {"digest": digest, "method": self.method},
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path, what="the flow") as temporary:
                temporary.write_bytes(data)
        except (OutputError, OSError) as error:
            if not self._told:
                self._told.append(True)
                warnings.warn(
                    f"flow cannot be kept on disk and is estimated each time: {error}"
                    " Name another folder with flow_cache.",
                    stacklevel=2,
                )


def _read_estimate(path: Path, digest: str, size_hw: tuple[int, int]) -> Motion | None:
    """A kept estimate, None where there is none made of the same."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, "np") as file:
            if (file.metadata() or {}).get("digest") != digest:
                return None
            flow, packed = file.get_tensor("flow"), file.get_tensor("trusted")
    except (OSError, SafetensorError):
        return None  # cut off: it is made again
    trusted = np.unpackbits(packed, axis=1, count=size_hw[1]).astype(np.bool_)
    if flow.shape != (2, *size_hw) or trusted.shape != size_hw:
        return None
    return Motion(flow.astype(np.float32), trusted)


def trusted_pixels(
    current: Bytes, earlier: Bytes, flow: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """The published confidence: where the earlier picture, warped by the flow, looks like the
    current one.

    Args:
        current: uint8 RGB [H,W,3].
        earlier: uint8 RGB [H,W,3].
        flow: float32 [2,H,W] from the current to the earlier picture.

    Returns:
        bool [H,W]: squared difference summed over RGB in [-1,1] below `TRUSTED_BELOW`.
    """
    now, before = (from_bytes(torch.from_numpy(picture))[None] for picture in (current, earlier))
    moved = warp(before, torch.from_numpy(flow)[None])
    return ((now - moved) ** 2).sum(1)[0].lt(TRUSTED_BELOW).numpy()


DIS_METHOD = f"dis-2 opencv-{cv2.__version__}"
"""Changes with `dis_flow`, so that estimates of the old one are made again."""


def dis_flow(current: Bytes, earlier: Bytes) -> npt.NDArray[np.float32]:
    """Dense inverse search, down to single pixels.

    The medium preset stops at half the size. On streets of 512x256 pixels the finest scale, denser
    patches and more iterations bring its mean end-point error over one frame from 0.91 to 0.70
    pixels (``vidtrans-train flow-error``) for twice the time, which the cache makes bearable.
    """
    now, before = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (current, earlier))
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchStride(3)
    dis.setGradientDescentIterations(50)
    dis.setVariationalRefinementIterations(10)
    flow = dis.calc(now, before, np.zeros((*now.shape, 2), np.float32))
    return np.ascontiguousarray(np.moveaxis(flow, -1, 0), np.float32)


def raft_estimator(weights: Path | None) -> tuple[Estimator, str]:
    """torchvision's large RAFT.

    Args:
        weights: A file with its state dictionary (``.pth`` or ``.safetensors``); None for
            torchvision's own, which are downloaded on first use.

    Raises:
        UsageError: torchvision is not installed, or its weights cannot be had.
        InputError: The file of weights cannot be read.
    """
    try:
        from torchvision.models import optical_flow  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise UsageError(
            "the teacher raft needs torchvision, which is not installed here.",
            hint="pip install torchvision, or choose the teacher dis.",
        ) from error
    if weights is None:
        own = optical_flow.Raft_Large_Weights.DEFAULT
        try:
            network = optical_flow.raft_large(weights=own, progress=False)
        except OSError as error:
            raise UsageError(
                f"RAFT's weights cannot be downloaded ({error}).",
                hint=f"Fetch {own.url} elsewhere and name the file with flow_weights.",
            ) from error
        method = f"raft-large {own.name}"
    else:
        network = optical_flow.raft_large(weights=None)
        state, digest = _read_weights(weights)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise InputError("holds no weights of RAFT large.", where=weights) from error
        method = f"raft-large {digest}"
    network.eval()
    return _Raft(network), method


class _Raft:
    def __init__(self, network: Any) -> None:
        self._network = network

    @torch.inference_mode()
    def __call__(self, current: Bytes, earlier: Bytes) -> npt.NDArray[np.float32]:
        height, width = current.shape[:2]
        padding = (
            0,
            max(-(-width // _RAFT_STRIDE) * _RAFT_STRIDE, _RAFT_LEAST) - width,
            0,
            max(-(-height // _RAFT_STRIDE) * _RAFT_STRIDE, _RAFT_LEAST) - height,
        )
        now, before = (
            torch.nn.functional.pad(
                from_bytes(torch.from_numpy(picture))[None],
                padding,
                mode="replicate",
            )
            for picture in (current, earlier)
        )
        flow: torch.Tensor = self._network(now, before)[-1]
        return flow[0, :, :height, :width].numpy().astype(np.float32)


def _read_weights(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path), digest
        return torch.load(path, map_location="cpu", weights_only=True), digest
    except Exception as error:  # torch.load raises several kinds for what is no such file
        raise InputError(f"cannot be read as weights: {error}.", where=path) from error
