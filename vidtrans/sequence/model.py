"""Models: ``start`` gives the state of a sequence, ``step`` maps a state and a frame to the next
state and a painting."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidtrans.errors import InputError, UsageError
from vidtrans.frame import FrameTime, LabelFrame, StyleChoice
from vidtrans.labels.edit import EditList, FirstFrame
from vidtrans.labels.edit_plan import EditPlan
from vidtrans.model.card import Card
from vidtrans.model.card_styles import card_scheme
from vidtrans.model.networks import Networks
from vidtrans.nets.conditioning import boundary, pyramid
from vidtrans.nets.painting import Conditioning, History, Painting, push
from vidtrans.nets.range import from_bytes
from vidtrans.nets.viewport import Viewport
from vidtrans.sequence.cuda_graph import TOLERANCES, CudaCapture, GraphedGenerator
from vidtrans.sequence.device import (
    Precision,
    cast_convolutions,
    choose_device,
    choose_precision,
    computing,
    place,
)
from vidtrans.sequence.state import State
from vidtrans.sequence.style_planes import Styling, checked_seed
from vidtrans.sequence.transfer import DeviceFrame, Pending, Transfer

Pictures = npt.NDArray[np.float32] | npt.NDArray[np.uint8] | Tensor


class Model:
    """A model: its networks, on a device, at a precision.

    It holds no video: all that a sequence needs is in its ``State``.

    The first frames of vid2vid (those before ``n_frames - 1``, for which the published system has
    no history yet) are, as the model's card says: painted by its single-image generator; or given
    pictures; or, with neither, painted raw from a window padded with the first frame's labels,
    without entering the history, so that from frame ``n_frames - 1`` on the pictures are the
    published ones. A card may also say ``raw``: the first frame is painted raw and starts the
    history.

    Args:
        networks: What `vidtrans.model.build` gives. They are moved to the device in place, and the
            weights of convolutions are cast there, so that models of other devices or precisions
            need networks of their own.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``mps``, ``xpu`` or ``xpu:N``.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        seed: Variety that can be repeated. A model with styles draws one for every instance, by the
            seed and the instance's number alone, so that an instance keeps its style; pix2pix drops
            half of its inner values, the same ones in every frame. None: each class's first style;
            dropout as the model's card says.

    Raises:
        UsageError: Where the device is not to be had, or nothing in the model varies by a seed.

    Example:
        A road of two frames, at once and frame by frame:

        >>> from vidtrans import load_model
        >>> model = load_model("street", device="cpu")
        >>> labels = np.full((2, 32, 64), 7, np.uint8)
        >>> model.translate(labels=labels).shape
        (2, 3, 32, 64)
        >>> state = model.start((32, 64))
        >>> for index, ids in enumerate(labels):
        ...     frame = LabelFrame(index, ids, FrameTime(index, Fraction(1, 25)))
        ...     state, painting = model.step(state, frame)
        >>> tuple(painting.picture.shape)
        (1, 3, 32, 64)
    """

    def __init__(
        self,
        networks: Networks,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        seed: int | None = None,
    ) -> None:
        self.networks = networks
        self.seed = checked_seed(seed, networks)
        self.card: Card = networks.card
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        for network in networks.modules():
            place(network, self.device)
            # The encoder is also used by itself, in full precision.
            half = self.device.type != "cpu" and self.precision != "fp32"
            if half and network is not networks.encoder:
                cast_convolutions(network, self.precision)
        if self.device.type == "cuda":
            graphed = GraphedGenerator(
                networks.generator,
                CudaCapture(self.device),
                tolerance=TOLERANCES[self.precision],
            )
            self.networks = replace(networks, generator=graphed)
        self._transfer = Transfer(self.device)
        self._styling = Styling(networks, self.device)

    # -- what the model is -------------------------------------------------------------------------

    @property
    def n_frames(self) -> int:
        """Frames in the window of labels (n_frames_G); 1 for image systems, which have no
        history."""
        return self.networks.generator.n_frames

    @property
    def label_nc(self) -> int:
        """Classes that the model knows; 0 where it paints from pictures."""
        return self.networks.label_nc

    @property
    def label_scheme(self) -> str | None:
        """Name of the label scheme of the model's planes, None where it paints from pictures."""
        return self.card.label_scheme

    @property
    def uses_instances(self) -> bool:
        """Whether the model has a boundary plane, or styles per instance. Without an instance
        map, classes serve as one."""
        return self.networks.use_boundary or self.networks.feature_nc > 0

    @property
    def size_multiple(self) -> int:
        """Heights and widths of other sizes are padded, by reflection, and cropped again: the
        caller need not care. See `vidtrans.nets.viewport`."""
        return self.networks.size_multiple

    def padded(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """The size at which the network works on frames of ``size_hw``."""
        return self.networks.padded(size_hw)

    def info(self, size_hw: tuple[int, int] | None = None) -> dict[str, Any]:
        """What ``vidtrans models info`` prints: see ``vidtrans.model.describe``."""
        from vidtrans.model.describe import describe

        return describe(self.networks, size_hw=size_hw) | {
            "device": str(self.device),
            "precision": self.precision,
        }

    def seeded(self, seed: int | None) -> Model:
        """The same model, weights shared, with another ``seed``.

        Raises:
            UsageError: Where nothing in the model varies by a seed.
        """
        other = copy.copy(self)
        other.seed = checked_seed(seed, self.networks)
        return other

    def eager(self) -> Model:
        """The same model, weights shared, whose generator runs operation by operation, for those
        who count or profile operations. On CUDA it is a CUDA graph otherwise."""
        other = copy.copy(self)
        generator = self.networks.generator
        if isinstance(generator, GraphedGenerator):
            other.networks = replace(self.networks, generator=generator.plain)
        return other

    def plan(self, edits: EditList) -> EditPlan:
        """``edits`` with their classes resolved to the model's planes.

        Raises:
            UsageError: Where they do not suit the model.
        """
        scheme = card_scheme(self.card, where=self.card.name or "the model")
        plan = EditPlan.of(edits, scheme, self.label_nc)
        for edit in edits.edits:
            choice = plan.style_choice(edit.start)
            if choice is not None:
                self.check_styles(choice)
        return plan

    def check_styles(self, choice: StyleChoice) -> None:
        """Raises UsageError where the model has no styles, or not those of ``choice``."""
        self._styling.check(choice)

    # -- streams -----------------------------------------------------------------------------------

    def start(
        self,
        size_hw: tuple[int, int],
        *,
        first_frames: Pictures | None = None,
        least_hw: tuple[int, int] = (1, 1),
    ) -> State:
        """The state before the first frame of a sequence.

        Args:
            size_hw: Height and width of the frames.
            first_frames: Pictures to begin with, float [K,3,H,W] in [-1,1] or uint8 RGB [K,H,W,3]
                (or one [H,W,3]). They are shown as the first K frames and fill the history; where K
                is less than n_frames - 1 the first is repeated before them. Models without a
                history ignore them.
            least_hw: The networks see pictures of at least this size; what is more than ``size_hw``
                is padding.

        Raises:
            UsageError: Where the first frames have another size or shape.
        """
        if min(size_hw) < 1:
            raise UsageError(f"frames of the size {size_hw[1]}x{size_hw[0]} cannot be painted.")
        if first_frames is None or self.n_frames == 1:
            return State(size_hw=size_hw, least_hw=least_hw)
        given = torch.as_tensor(first_frames)
        if given.dtype == torch.uint8:
            given = from_bytes(given[None] if given.dim() == 3 else given)
        if given.dim() != 4 or given.shape[0] < 1 or given.shape[1] != self.networks.output_nc:
            raise UsageError(
                f"the first frames have the shape {list(given.shape)}, and [K,3,H,W] is needed, K"
                " at least 1."
            )
        if tuple(given.shape[-2:]) != tuple(size_hw):
            raise UsageError(
                f"the first frames have the size {given.shape[-1]}x{given.shape[-2]}, and the"
                f" labels {size_hw[1]}x{size_hw[0]}."
            )
        padded = self.networks.viewport(size_hw, least_hw).reflect(given.float())
        return State(size_hw=size_hw, given=padded.to(self.device), least_hw=least_hw)

    def reset(self, state: State) -> State:
        """``state`` without its past, for a scene cut: the next frame is painted as the first of
        a sequence."""
        return State(size_hw=state.size_hw, index=state.index, least_hw=state.least_hw)

    def upload(self, frame: LabelFrame, *, least_hw: tuple[int, int] = (1, 1)) -> DeviceFrame:
        """Start to copy a frame to the device.

        May be called ahead of ``step``, and from another thread. A colour picture becomes grey for
        a model that reads one channel.

        Args:
            frame: The frame.
            least_hw: As given to ``start``.

        Raises:
            InputError: Where the frame holds classes that the model has not, lacks what it needs,
                or has a picture of another number of channels.
        """
        with_image = self.label_nc == 0 or (
            self.networks.encoder is not None and frame.image is not None
        )
        self._styling.check_frame(frame)
        if with_image:
            frame = _with_channels(frame, self.networks.image_nc)
        return self._transfer.upload(
            frame,
            self.networks.viewport(frame.size_hw, least_hw),
            label_nc=self.label_nc,
            with_image=with_image,
        )

    def download(self, picture: Tensor) -> Pending:
        """Start to copy a picture to the host.

        Args:
            picture: [1,3,H,W] in [-1,1], or uint8 values of any shape, which stay as they are.

        Returns:
            What gives the picture, uint8 RGB [H,W,3], or those values, when it is waited for.
        """
        return self._transfer.download(picture)

    @torch.inference_mode()
    def step(self, state: State, frame: LabelFrame | DeviceFrame) -> tuple[State, Painting]:
        """Paint the next frame. A pure function of its arguments that never waits for the device.

        Args:
            state: What ``start`` or the last ``step`` gave.
            frame: The frame, as read or as ``upload`` gave it.

        Returns:
            The state after the frame, and its painting: of the frame's own size, on the device.

        Raises:
            InputError: Where the frame has another size than the sequence, or does not suit the
                model.
        """
        if frame.size_hw != state.size_hw:
            raise InputError(
                f"the frame has the size {frame.size_hw[1]}x{frame.size_hw[0]}, "
                f"and the sequence began with {state.size_hw[1]}x{state.size_hw[0]}.",
                frame=frame.index,
            )
        if isinstance(frame, LabelFrame):
            frame = self.upload(frame, least_hw=state.least_hw)
        viewport = self.networks.viewport(state.size_hw, state.least_hw)
        if frame.viewport != viewport:
            raise ValueError(
                f"the frame was uploaded for {frame.viewport}, and the sequence has {viewport}"
            )
        frame = self._transfer.arrive(frame)
        state = state.to(self.device)
        window = self._window(state, frame)
        with computing(self.device, self.precision):
            painting, history = self._paint(state, window, frame)
        keep = self.n_frames - 1
        frames = state.frames + 1
        after = replace(
            state,
            frames=frames,
            index=state.index + 1,
            ids=_last(window.ids, keep),
            boundary=_last(window.boundary, keep),
            image=_last(window.image, keep),
            present=() if window.present is None or not keep else window.present[-keep:],
            history=history,
            given=None if state.given is None or frames >= state.given.shape[0] else state.given,
        )
        return after, _crop(painting, viewport)

    # -- whole arrays ------------------------------------------------------------------------------

    def translate(
        self,
        *,
        labels: npt.NDArray[np.integer[Any]] | None = None,
        instances: npt.NDArray[np.integer[Any]] | None = None,
        images: npt.NDArray[np.floating[Any]] | None = None,
        first_frames: Pictures | None = None,
        edits: EditList | None = None,
    ) -> npt.NDArray[np.float32]:
        """Translate a whole sequence at once. Inputs that the model does not use are ignored.

        Args:
            labels: Class ids [T,H,W].
            instances: Instance ids [T,H,W].
            images: float [T,C,H,W] in [-1,1], for models that translate pictures and for style
                encoders.
            first_frames: Pictures to begin with; see ``start``.
            edits: Edits of labels, instances and styles.

        Returns:
            float32 [T,3,H,W] in [-1,1], one picture for each input frame.

        Raises:
            UsageError: Where an input is missing, the inputs do not fit one another, or an edit
                does not suit the model.
        """
        pictures = [
            painting.picture
            for painting in self.paintings(labels, instances, images, first_frames, edits)
        ]
        return np.asarray(torch.cat(pictures).float().cpu().numpy(), dtype=np.float32)

    def paintings(
        self,
        labels: npt.NDArray[np.integer[Any]] | None = None,
        instances: npt.NDArray[np.integer[Any]] | None = None,
        images: npt.NDArray[np.floating[Any]] | None = None,
        first_frames: Pictures | None = None,
        edits: EditList | None = None,
    ) -> Iterator[Painting]:
        """As ``translate``, but gives each frame's `Painting`, one after the other."""
        state: State | None = None
        plan = EditPlan() if edits is None else self.plan(edits)
        if any(isinstance(edit, FirstFrame) for edit in plan.edits.edits):
            raise UsageError(
                "a first frame is no edit of arrays.", hint="Give its picture as first_frames."
            )
        for read in _frames(labels, instances, images, label_nc=self.label_nc):
            frame = plan.apply(read)
            if state is None:
                state = self.start(frame.size_hw, first_frames=first_frames)
            elif plan.resets(frame.index):
                state = self.reset(state)
            state, painting = self.step(state, frame)
            yield painting

    # -- one step, inside --------------------------------------------------------------------------

    def _window(self, state: State, frame: DeviceFrame) -> Conditioning:
        """The window up to ``frame``, as long as there are frames for it: at most ``n_frames``."""
        ids = image = edges = None
        present: tuple[tuple[int, ...], ...] | None = None
        if self.label_nc:
            assert frame.ids is not None
            ids = _append(state.ids, frame.ids[:, None])
            present = (*state.present, frame.present)
        if self.networks.use_boundary:
            instances = frame.ids if frame.instances is None else frame.instances
            if instances is None:
                raise InputError(
                    "the model looks at instances, and the frame has none.", frame=frame.index
                )
            edges = _append(state.boundary, boundary(instances)[:, None])
        if not self.label_nc:
            assert frame.image is not None
            image = _append(state.image, frame.image[:, None])
        return Conditioning(
            ids=ids, boundary=edges, image=image, present=present, viewport=frame.viewport
        )

    def _paint(
        self, state: State, window: Conditioning, frame: DeviceFrame
    ) -> tuple[Painting, History | None]:
        generator, first = self.networks.generator, self.networks.first
        keep = self.n_frames - 1
        if self.device.type == "cuda":
            # All label planes, the empty ones too: their number would change shapes from frame to
            # frame, and a CUDA graph has fixed ones.
            window = replace(window, present=None)
        if keep == 0:
            return (
                generator(replace(self._styled(window, frame), dropout_seed=self.seed), None),
                None,
            )
        if state.given is not None and state.frames < state.given.shape[0]:
            picture = state.given[state.frames : state.frames + 1]
            painting = Painting(picture=picture, scales=pyramid(picture, self.networks.scales))
            history = (
                _repeat(painting.scales, keep)
                if state.history is None
                else push(state.history, painting)
            )
            return painting, history

        full = (
            state.history is not None
            and state.history[0].shape[1] == keep * self.networks.output_nc
        )
        if full:
            assert state.history is not None
            painting = generator(
                self._styled(_pad_front(window, self.n_frames), frame), state.history
            )
            return painting, push(state.history, painting)
        if first is not None and self.card.first_frames == "single":
            picture = first(_newest(window), None).picture
            painting = Painting(picture=picture, scales=pyramid(picture, self.networks.scales))
            if state.history is None:
                return painting, painting.scales
            return painting, tuple(
                torch.cat(pair, dim=1) for pair in zip(state.history, painting.scales, strict=True)
            )
        painting = generator(self._styled(_pad_front(window, self.n_frames), frame), None)
        if self.card.first_frames == "raw":
            return painting, (*_repeat(painting.scales, keep), *painting.memory)
        if state.frames < keep:
            return painting, None
        zeros = tuple(torch.zeros_like(scale).repeat(1, keep, 1, 1) for scale in painting.scales)
        return painting, push(zeros, painting)

    def _styled(self, window: Conditioning, frame: DeviceFrame) -> Conditioning:
        """``window`` with the style planes of ``frame``, its newest."""
        return replace(window, features=self._styling.planes(frame, seed=self.seed))


def _frames(
    labels: npt.NDArray[np.integer[Any]] | None,
    instances: npt.NDArray[np.integer[Any]] | None,
    images: npt.NDArray[np.floating[Any]] | None,
    *,
    label_nc: int,
) -> Iterator[LabelFrame]:
    """The arrays of ``translate`` as label frames, checked against one another."""
    if label_nc and labels is None:
        raise UsageError("the model paints from labels, and none were given.")
    if not label_nc and images is None:
        raise UsageError("the model paints from pictures, and no images were given.")
    sizes: dict[str, tuple[int, ...]] = {}
    for name, array, dims in (
        ("labels", labels, 3),
        ("instances", instances, 3),
        ("images", images, 4),
    ):
        if array is None:
            continue
        if np.ndim(array) != dims:
            raise UsageError(
                f"{name} have the shape {list(np.shape(array))}, and {dims} dimensions are needed."
            )
        shape = np.shape(array)
        sizes[name] = (shape[0], *shape[-2:])
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {t} frames of {w}x{h}" for name, (t, h, w) in sizes.items())
        raise UsageError(f"the inputs do not fit one another: {listed}.")
    count, height, width = next(iter(sizes.values()))
    if count == 0 or 0 in (height, width):
        raise UsageError("there are no frames to translate.")
    blank = np.zeros((height, width), np.uint8)
    for t in range(count):
        ids = blank
        if labels is not None:
            ids = np.asarray(labels[t])
            if ids.dtype != np.uint8:
                if ids.min() < 0 or ids.max() > 255:
                    raise InputError("the labels hold values outside 0 to 255.", frame=t)
                ids = ids.astype(np.uint8)
        picture = (
            None if images is None else np.moveaxis(np.asarray(images[t], dtype=np.float32), 0, -1)
        )
        yield LabelFrame(
            index=t,
            ids=ids,
            time=FrameTime(t, Fraction(1)),
            instances=None if instances is None else np.asarray(instances[t]).astype(np.int32),
            image=picture,  # type: ignore[arg-type]  # upload takes float pictures as they are
        )


def _with_channels(frame: LabelFrame, wanted: int) -> LabelFrame:
    """``frame`` with a picture of ``wanted`` channels."""
    image = frame.image
    if image is None:
        return frame
    found = image.shape[2] if image.ndim == 3 else 1
    if found == wanted:
        return frame
    if (found, wanted) == (3, 1) and image.dtype == np.uint8:
        return replace(frame, image=cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None])  # type: ignore[arg-type]
    raise InputError(
        f"the picture has {found} channels, and the model reads {wanted}.", frame=frame.index
    )


def _append(past: Tensor | None, newest: Tensor) -> Tensor:
    return newest if past is None else torch.cat([past, newest], dim=1)


def _last(window: Tensor | None, keep: int) -> Tensor | None:
    # A copy, so that the oldest frame's memory is not held by a view.
    return None if window is None or keep == 0 else window[:, -keep:].clone()


def _newest(window: Conditioning) -> Conditioning:
    """The newest frame alone."""
    return replace(
        window,
        ids=_last(window.ids, 1),
        boundary=_last(window.boundary, 1),
        image=_last(window.image, 1),
        present=None if window.present is None else window.present[-1:],
    )


def _pad_front(window: Conditioning, length: int) -> Conditioning:
    """``window`` with its oldest frame repeated in front up to ``length`` frames."""

    def padded(part: Tensor | None) -> Tensor | None:
        if part is None or part.shape[1] == length:
            return part
        return torch.cat([part[:, :1]] * (length - part.shape[1]) + [part], dim=1)

    present = window.present
    if present is not None:
        present = present[:1] * (length - len(present)) + present
    return replace(
        window,
        ids=padded(window.ids),
        boundary=padded(window.boundary),
        image=padded(window.image),
        present=present,
    )


def _repeat(scales: Sequence[Tensor], keep: int) -> History:
    return tuple(scale.repeat(1, keep, 1, 1) for scale in scales)


def _crop(painting: Painting, viewport: Viewport) -> Painting:
    """Every part of ``painting`` without the padding, coarser scales by their share of it."""
    if viewport.picture_hw == viewport.size_hw:
        return painting
    parts = {
        f.name: None if part is None else viewport.crop(part)
        for f in fields(painting)
        if f.name not in ("scales", "memory")
        for part in (getattr(painting, f.name),)
    }
    scales = tuple(viewport.crop(scale) for scale in painting.scales)
    return Painting(scales=scales, memory=painting.memory, **parts)  # type: ignore[arg-type]
