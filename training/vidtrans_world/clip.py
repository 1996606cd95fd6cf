"""A clip on disk: a folder of PNGs and flow files that appears under its name only when it is
whole.

``rgb/000000.png`` 8-bit RGB, ``labels/000000.png`` 8-bit ids, ``instances/000000.png`` 16-bit ids,
``flow/000000.npz`` with ``flow`` float16 [2,H,W] and ``occlusion`` bool [H,W], and ``world.json``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import cv2
import numpy as np

from vidtrans.errors import InputError, OutputError
from vidtrans_world import __version__
from vidtrans_world.camera import FPS, camera_at, route_at
from vidtrans_world.render import WorldFrame
from vidtrans_world.street import Kind, plan_street


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What ``world.json`` says: the seed, ``frames``, ``size_hw``, frames a second, the version of
    this package that drew it, the focal length in pixels, the kind of street, and for each frame
    the `camera.Route`: metres travelled, and metres to the fronts of the houses on the left and on
    the right."""

    seed: int
    frames: int
    size_hw: tuple[int, int]
    fps: int
    version: str
    focal: float
    kind: Kind = "varied"
    route: tuple[tuple[float, float, float], ...] = ()


def clip_folder(out: Path, seed: int) -> Path:
    """Where the clip of ``seed`` lies under ``out``."""
    return out / f"clip_{seed}"


def write_clip(
    folder: Path, seed: int, frames: Iterable[WorldFrame], kind: Kind = "varied"
) -> ClipInfo:
    """Writes ``frames`` to ``folder`` and says what it wrote. Raises ``OutputError`` where it
    exists or cannot be written."""
    if folder.exists():
        raise OutputError(
            "the clip exists already.", where=folder, hint="Choose another folder or delete it."
        )
    draft = folder.parent / f".{folder.name}.{os.getpid()}.part"
    try:
        for name in ("rgb", "labels", "instances", "flow"):
            (draft / name).mkdir(parents=True, exist_ok=True)
        count, size = 0, (0, 0)
        for count, frame in enumerate(frames, 1):
            size = (frame.labels.shape[0], frame.labels.shape[1])
            _write_frame(draft, f"{count - 1:06d}", frame)
        street = plan_street(seed, kind)
        route = tuple(astuple(route_at(street, index / FPS)) for index in range(count))
        info = ClipInfo(
            seed, count, size, FPS, __version__, camera_at(street, 0.0, size).focal, kind, route
        )
        (draft / "world.json").write_text(
            json.dumps(asdict(info), indent=1) + "\n", encoding="utf-8"
        )
        draft.rename(folder)
    except OSError as error:
        raise OutputError(
            f"cannot write the clip: {error.strerror or error}.", where=folder
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return info


def _write_frame(draft: Path, name: str, frame: WorldFrame) -> None:
    pictures = {"rgb": frame.rgb[..., ::-1], "labels": frame.labels, "instances": frame.instances}
    for kind, picture in pictures.items():
        done, data = cv2.imencode(
            ".png", np.ascontiguousarray(picture), [cv2.IMWRITE_PNG_COMPRESSION, 4]
        )
        if not done:
            raise OutputError("cannot encode a PNG.", where=draft / kind / f"{name}.png")
        (draft / kind / f"{name}.png").write_bytes(data.tobytes())
    np.savez_compressed(
        draft / "flow" / f"{name}.npz",
        flow=frame.flow.astype(np.float16),
        occlusion=frame.occlusion,
    )


def read_info(folder: Path) -> ClipInfo:
    """Reads ``world.json``. Raises ``InputError`` where there is none or it is damaged."""
    try:
        read = json.loads((folder / "world.json").read_text(encoding="utf-8"))
        read["size_hw"] = (int(read["size_hw"][0]), int(read["size_hw"][1]))
        read["route"] = tuple((float(a), float(b), float(c)) for a, b, c in read.get("route", ()))
        return ClipInfo(**read)
    except FileNotFoundError as error:
        raise InputError("no clip is here: world.json is missing.", where=folder) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"world.json is damaged: {error}.", where=folder) from error


def read_frame(folder: Path, index: int) -> WorldFrame:
    """Reads one frame. Raises ``InputError`` where a file is missing or damaged."""
    name = f"{index:06d}"
    rgb, labels, instances = (
        _read_png(folder / kind / f"{name}.png") for kind in ("rgb", "labels", "instances")
    )
    try:
        with np.load(folder / "flow" / f"{name}.npz") as stored:
            flow, occlusion = stored["flow"].astype(np.float32), stored["occlusion"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"the flow cannot be read: {error}.", where=folder / "flow" / f"{name}.npz", frame=index
        ) from error
    return WorldFrame(np.ascontiguousarray(rgb[..., ::-1]), labels, instances, flow, occlusion)


def _read_png(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise InputError("the picture is missing or cannot be read.", where=path)
    return picture
