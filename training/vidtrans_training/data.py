"""Clips: folders of pictures with labels, instances and exact flow, and the crops of them that a
step learns from.

CLIP/rgb/000000.png        the picture, 8-bit RGB CLIP/labels/000000.png     Cityscapes labelIds,
8-bit grey CLIP/instances/000000.png  instance ids, 16-bit grey CLIP/flow/000000.npz       ``flow``
[2,H,W] (x then y, pixels, to the previous frame), ``occlusion`` bool [H,W] CLIP/world.json written
last: the clip is whole; may hold ``route``, for each frame metres travelled and metres to
                           the house fronts, left and right (else found from labels and flow)
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidtrans.errors import InputError
from vidtrans.labels.boundary import boundary, instances_from_labels
from vidtrans.model.street_classes import street_classes
from vidtrans.nets.extent import STRIDE, extents
from vidtrans.nets.painting import SceneMeasurements
from vidtrans.nets.range import from_bytes, normalise
from vidtrans.nets.street_geometry import estimate_scene
from vidtrans.nets.viewport import Viewport

FIRST_INSTANCE = 1000
"""Instance ids from here on are those of single things, as in Cityscapes."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A whole clip in memory.

    ``rgb`` uint8 [T,H,W,3]; ``labels`` uint8, ``edges`` and ``class_edges`` bool [T,H,W]
    (boundaries between instances, and between classes only), ``extents`` and ``class_extents``
    uint8 [T,4,H/4,W/4] within them; ``flow`` float16 [T,2,H,W]; ``hidden`` bool [T,H,W]: not in the
    previous picture; ``scene`` float32 [T,3], see `vidtrans.nets.street_geometry`. ``things``
    uint16 [T,H,W]: which thing a pixel is of, 0 for none; ``colours`` float32 [1 + things, 3] in
    [-1,1]: the mean of each over the whole clip, zeros for none.
    """

    name: str
    rgb: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    edges: npt.NDArray[np.bool_]
    class_edges: npt.NDArray[np.bool_]
    extents: npt.NDArray[np.uint8]
    class_extents: npt.NDArray[np.uint8]
    flow: npt.NDArray[np.float16]
    hidden: npt.NDArray[np.bool_]
    scene: npt.NDArray[np.float32]
    things: npt.NDArray[np.uint16]
    colours: npt.NDArray[np.float32]

    @property
    def frames(self) -> int:
        return len(self.rgb)

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.labels.shape[1], self.labels.shape[2]


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of crops of consecutive frames. The first ``n_frames - 1`` come before the first to
    be painted.

    ``real`` float [B,T,3,h,w] in [-1,1]; ``ids`` uint8 and ``edges`` bool [B,T,h,w]; ``flow`` float
    [B,T,2,h,w]; ``trusted`` float [B,T,1,h,w], 1 where the flow leads to the same point of the
    scene, inside the crop; ``extents`` uint8 [B,T,4,h/4,w/4]; ``scene`` float [B,T,3]; ``corner``
    and ``full`` float [B,2]: the crops' first pixels (y, x) and their pictures' height and width;
    ``styles`` float [B,T,3,h,w]: the mean colour of the thing that a pixel is of, in [-1,1].
    """

    real: Tensor
    ids: Tensor
    edges: Tensor
    flow: Tensor
    trusted: Tensor
    extents: Tensor
    scene: Tensor
    corner: Tensor
    full: Tensor
    styles: Tensor

    @property
    def viewport(self) -> Viewport:
        """Where the crops lie in their pictures, which are all of one size."""
        corners = tuple((int(y), int(x)) for y, x in self.corner.tolist())
        height, width = (int(side) for side in self.full[0].tolist())
        return Viewport((height, width), (self.ids.shape[-2], self.ids.shape[-1]), corners)

    def measured(self, t: int) -> SceneMeasurements:
        """What was measured on the whole picture of frame ``t``."""
        return SceneMeasurements(self.extents[:, t], self.scene[:, t])

    def to(self, device: torch.device) -> Sequences:
        return Sequences(
            **{part.name: getattr(self, part.name).to(device) for part in fields(self)}
        )


def whole_clips(folder: Path) -> list[Path]:
    """The clip folders that are finished, by name."""
    return sorted(path.parent for path in folder.glob("*/world.json"))


def load_clip(folder: Path) -> Clip:
    """Reads one clip. Raises InputError with the file that is missing, unreadable or of another
    size."""
    names = sorted(path.stem for path in (folder / "rgb").glob("*.png"))
    if not names:
        raise InputError("There are no pictures rgb/*.png.", where=folder)
    rgb = [
        cv2.cvtColor(
            read_picture(folder / "rgb" / f"{name}.png", cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
        )
        for name in names
    ]
    labels = [
        read_picture(folder / "labels" / f"{name}.png", cv2.IMREAD_UNCHANGED) for name in names
    ]
    instances = [
        read_picture(folder / "instances" / f"{name}.png", cv2.IMREAD_UNCHANGED) for name in names
    ]
    motion = [_motion(folder / "flow" / f"{name}.npz", labels[0].shape) for name in names]
    for kind, pictures in (("rgb", rgb), ("labels", labels), ("instances", instances)):
        for name, picture in zip(names, pictures, strict=True):
            if picture.shape[:2] != rgb[0].shape[:2]:
                size, first = picture.shape[:2], rgb[0].shape[:2]
                raise InputError(
                    f"Size {size[1]}x{size[0]}, the clip has {first[1]}x{first[0]}.",
                    where=folder / kind / name,
                )
    ids, shown = np.stack(labels), np.stack(rgb, dtype=np.uint8)
    things, colours = thing_colours(np.stack(instances), shown)
    edges = np.stack([boundary(frame.astype(np.int32)) for frame in instances])
    class_edges = np.stack([boundary(instances_from_labels(frame)) for frame in labels])
    return Clip(
        folder.name,
        shown,
        ids,
        edges,
        class_edges,
        extents(torch.from_numpy(ids), torch.from_numpy(edges)).numpy(),
        extents(torch.from_numpy(ids), torch.from_numpy(class_edges)).numpy(),
        np.stack([flow for flow, _ in motion]),
        np.stack([hidden for _, hidden in motion]),
        _route(folder, ids, [flow for flow, _ in motion]),
        things,
        colours,
    )


def thing_colours(
    instances: npt.NDArray[np.integer[Any]], rgb: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32]]:
    """``things`` and ``colours`` of a `Clip` from its instance ids [T,H,W], which are 1000 or more
    for things, and its pictures [T,H,W,3]."""
    found, place = np.unique(
        np.where(instances < FIRST_INSTANCE, 0, instances), return_inverse=True
    )
    if found[0]:
        found, place = np.insert(found, 0, 0), place + 1
    place = place.reshape(-1)
    pixels = np.maximum(np.bincount(place, minlength=len(found)), 1)
    sums = [
        np.bincount(place, channel.reshape(-1), len(found)) for channel in np.moveaxis(rgb, -1, 0)
    ]
    colours = normalise(np.stack(sums, axis=1) / pixels[:, None]).astype(np.float32)
    colours[0] = 0
    return place.reshape(instances.shape).astype(np.uint16), colours


def _route(
    folder: Path, ids: npt.NDArray[np.uint8], flows: list[npt.NDArray[np.float16]]
) -> npt.NDArray[np.float32]:
    """The scene of every frame [T,3]: as the clip says, or as the network will find it."""
    try:
        told = json.loads((folder / "world.json").read_text(encoding="utf-8")).get("route") or None
        if told is not None:
            route = np.array(told, np.float32)
            if route.shape != (len(ids), 3) or not np.isfinite(route).all():
                raise ValueError(f"route has shape {route.shape}, expected {(len(ids), 3)}")
            return route
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"This is unreadable: {error}.", where=folder / "world.json") from error
    scene: Tensor | None = None
    scenes = []
    for labels, flow in zip(ids, flows, strict=True):
        scene = estimate_scene(
            scene, torch.from_numpy(labels)[None], torch.from_numpy(flow)[None], street_classes()
        )
        scenes.append(scene)
    return torch.cat(scenes).numpy()


def read_picture(path: Path, mode: int) -> npt.NDArray[np.uint8]:
    """A picture as OpenCV reads it. Raises InputError where it cannot be read."""
    picture = cv2.imread(str(path), mode)
    if picture is None:
        raise InputError("This picture is missing or unreadable.", where=path)
    return picture  # type: ignore[return-value]


def _motion(
    path: Path, size_hw: tuple[int, ...]
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]:
    try:
        with np.load(path) as file:
            flow, hidden = file["flow"].astype(np.float16), file["occlusion"].astype(np.bool_)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"The flow is missing or unreadable: {error}.", where=path) from error
    if flow.shape != (2, *size_hw[:2]) or hidden.shape != size_hw[:2]:
        raise InputError(
            f"The flow has shape {flow.shape}, expected {(2, *size_hw[:2])}.", where=path
        )
    return flow, hidden


class ClipPool:
    """The clips of a folder that grows; `refresh` takes in what is new, up to ``max_clips`` (the
    oldest stay).

    ``share`` (i, n): only every n-th clip, from the i-th on, for one of n processes; by the digits
    of its name where it has some, so that a clip that appears late changes nobody's share.
    """

    def __init__(
        self,
        folder: Path,
        max_clips: int,
        hold_out: tuple[str, ...] = (),
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.folder, self.max_clips, self.hold_out, self.share = folder, max_clips, hold_out, share
        self.clips: list[Clip] = []

    def refresh(self, at_most: int | None = None) -> int:
        """Loads new clips (``at_most`` so many, for short pauses); returns how many there are
        now."""
        have = {clip.name for clip in self.clips}
        new = [
            path
            for path in whole_clips(self.folder)
            if path.name not in have and path.name not in self.hold_out
        ]
        new = [path for path in new if _number(path.name) % self.share[1] == self.share[0]]
        for path in new[: self.max_clips - len(self.clips)][:at_most]:
            self.clips.append(load_clip(path))
        return len(self.clips)

    def held_out(self) -> list[Clip]:
        return [
            load_clip(self.folder / name)
            for name in self.hold_out
            if (self.folder / name / "world.json").exists()
        ]

    def sample(
        self,
        rng: np.random.Generator,
        batch: int,
        frames: int,
        crop: tuple[int, int],
        *,
        flip: bool = False,
        no_instances: float = 0.0,
        still: float = 0.0,
    ) -> Sequences:
        """``batch`` random crops of ``frames`` consecutive frames; a share ``still`` of them
        shows one frame all the time."""
        crops = []
        for _ in range(batch):
            stands = rng.random() < still
            clip = self._pick(rng, 1 if stands else frames)
            shown = _crop(clip, rng, 1 if stands else frames, crop, flip, no_instances)
            crops.append(_standing(shown, frames) if stands else shown)
        parts = [torch.stack(part) for part in zip(*crops, strict=True)]
        real, ids, edges, flow, hidden, steps, scene, styles, corner, full = parts
        trusted = _trusted(flow, hidden)
        return Sequences(
            from_bytes(real).contiguous(),
            ids,
            edges,
            flow,
            trusted,
            steps,
            scene,
            corner,
            full,
            styles.movedim(-1, 2),
        )

    def _pick(self, rng: np.random.Generator, frames: int) -> Clip:
        long = [clip for clip in self.clips if clip.frames >= frames]
        if not long:
            raise InputError(f"No clip has {frames} frames.", where=self.folder)
        return long[rng.integers(len(long))]


def _number(name: str) -> int:
    digits = "".join(character for character in name if character.isdigit())
    return int(digits) if digits else sum(name.encode())


def whole_sequence(clip: Clip) -> Sequences:
    """All frames of a clip, uncropped, as a batch of one."""
    parts = (clip.rgb, clip.labels, clip.edges, clip.flow, clip.hidden, clip.extents, clip.scene)
    real, ids, edges, flow, hidden, steps, scene = (torch.from_numpy(part)[None] for part in parts)
    full = torch.tensor([clip.size_hw], dtype=torch.float32)
    trusted = _trusted(flow.float(), hidden)
    styles = torch.from_numpy(clip.colours[clip.things])[None].movedim(-1, 2)
    return Sequences(
        from_bytes(real).contiguous(),
        ids,
        edges,
        flow.float(),
        trusted,
        steps,
        scene,
        torch.zeros(1, 2),
        full,
        styles,
    )


def _standing(parts: tuple[Tensor, ...], frames: int) -> tuple[Tensor, ...]:
    """The parts of a crop of one frame as if the camera and all else stood still for ``frames``
    frames."""
    real, ids, edges, flow, hidden, steps, scene, styles = (
        part.expand(frames, *part.shape[1:]) for part in parts[:-2]
    )
    return (
        real,
        ids,
        edges,
        torch.zeros_like(flow),
        torch.zeros_like(hidden),
        steps,
        scene,
        styles,
        *parts[-2:],
    )


def _crop(
    clip: Clip,
    rng: np.random.Generator,
    frames: int,
    crop: tuple[int, int],
    flip: bool,
    no_instances: float,
) -> tuple[Tensor, ...]:
    (height, width), (h, w) = clip.size_hw, crop
    if h > height or w > width:
        raise InputError(
            f"A crop of {w}x{h} does not fit into the clip's {width}x{height}.", where=clip.name
        )
    start = int(rng.integers(clip.frames - frames + 1))
    # Corners on the grid of the cells in which extents are counted.
    top, left = (
        int(rng.integers((whole - part) // STRIDE + 1)) * STRIDE
        for whole, part in ((height, h), (width, w))
    )
    by_class = rng.random() < no_instances
    edges, steps = (
        (clip.class_edges, clip.class_extents) if by_class else (clip.edges, clip.extents)
    )
    cells = (slice(top // STRIDE, (top + h) // STRIDE), slice(left // STRIDE, (left + w) // STRIDE))
    steps = steps[start : start + frames][:, :, cells[0], cells[1]]
    window = (slice(start, start + frames), slice(top, top + h), slice(left, left + w))
    rgb, labels, borders, hidden = (
        part[window] for part in (clip.rgb, clip.labels, edges, clip.hidden)
    )
    flow = clip.flow[window[0], :, window[1], window[2]].astype(np.float32)
    scene = clip.scene[window[0]]
    styles = clip.colours[clip.things[window]]
    if flip and rng.random() < 0.5:
        rgb, labels, borders, hidden = (part[:, :, ::-1] for part in (rgb, labels, borders, hidden))
        styles = styles[:, :, ::-1]
        flow = flow[..., ::-1] * np.array([-1, 1], np.float32)[:, None, None]
        steps = steps[:, [0, 1, 3, 2], :, ::-1]
        scene = scene[:, [0, 2, 1]]
        left = width - w - left
    parts = (rgb, labels, borders, flow, hidden, steps, scene, styles)
    arrays = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
    return (
        *arrays,
        torch.tensor([top, left], dtype=torch.float32),
        torch.tensor([height, width], dtype=torch.float32),
    )


def _trusted(flow: Tensor, hidden: Tensor) -> Tensor:
    """1 where a point was to be seen in the previous picture of this crop."""
    h, w = flow.shape[-2:]
    x = flow[:, :, 0] + torch.arange(w, device=flow.device)
    y = flow[:, :, 1] + torch.arange(h, device=flow.device)[:, None]
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    return (inside & ~hidden)[:, :, None].float()
