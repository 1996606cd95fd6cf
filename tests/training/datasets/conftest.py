"""Tiny data sets in every layout: a street that moves 2 pixels to the left each frame."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

HEIGHT, WIDTH, SHIFT, WIDE = 64, 128, 2, 256
ROAD, SIDEWALK, BUILDING, SKY, CAR = 7, 8, 11, 23, 26
CARS = (10, 120, 200)


def _street() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, instances and picture of the whole street."""
    labels = np.full((HEIGHT, WIDE), BUILDING, np.uint8)
    labels[: HEIGHT // 4] = SKY
    labels[HEIGHT // 2 :] = SIDEWALK
    labels[5 * HEIGHT // 8 :] = ROAD
    instances = labels.astype(np.uint16)
    for number, left in enumerate(CARS):
        place = (slice(HEIGHT // 2, 3 * HEIGHT // 4), slice(left, left + 20))
        labels[place], instances[place] = CAR, CAR * 1000 + number
    instances[labels != CAR] = labels[labels != CAR]
    rng = np.random.default_rng(5)
    fine = rng.integers(0, 120, (HEIGHT, WIDE, 3)).astype(np.uint8)
    picture = cv2.GaussianBlur(fine, (0, 0), 2)
    picture = np.clip((picture.astype(np.int32) - 60) * 5 + 60 + labels[..., None] * 4, 0, 255)
    return labels, instances, picture.astype(np.uint8)


STREET = _street()


@dataclass(frozen=True)
class Shot:
    labels: np.ndarray
    instances: np.ndarray
    picture: np.ndarray


def shot(n: int) -> Shot:
    """Frame ``n`` of the street."""
    seen = slice(n * SHIFT, n * SHIFT + WIDTH)
    return Shot(*(np.ascontiguousarray(whole[:, seen]) for whole in STREET))


def write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = picture[..., ::-1] if picture.ndim == 3 else picture
    assert cv2.imwrite(str(path), np.ascontiguousarray(shown))
    return path


def write_film(path: Path, frames, pixel_format: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.pix_fmt = pixel_format
        stream.height, stream.width = frames[0].shape[:2]
        stored = "gray16le" if frames[0].dtype == np.uint16 else None
        for pixels in frames:
            kind = stored or ("gray" if pixels.ndim == 2 else "rgb24")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format=kind)))
        container.mux(stream.encode(None))
    return path


def _nested(root: Path, frames: int, sequences: int = 2) -> None:
    for name in [f"drive_{i}" for i in range(sequences)]:
        for n in range(frames):
            at = shot(n)
            write(root / "train_A" / name / f"frame_{n:04}.png", at.labels)
            write(root / "train_B" / name / f"frame_{n:04}.png", at.picture)
            write(root / "train_inst" / name / f"frame_{n:04}.png", at.instances)


def _pix2pixhd(root: Path, frames: int) -> None:
    for n in range(frames):
        at = shot(n)
        write(root / "train_label" / f"{n:04}.png", at.labels)
        write(root / "train_img" / f"{n:04}.png", at.picture)
        write(root / "train_inst" / f"{n:04}.png", at.instances)
        write(root / "train_feat" / f"{n:04}.png", np.full((HEIGHT, WIDTH, 3), n, np.uint8))


def _flat_ab(root: Path, frames: int) -> None:
    for n in range(frames):
        write(root / "train_A" / f"{n:04}.png", 255 - shot(n).picture)
        write(root / "train_B" / f"{n:04}.png", shot(n).picture)


def _side_by_side(root: Path, frames: int) -> None:
    for n in range(frames):
        pair = np.hstack([255 - shot(n).picture, shot(n).picture])
        write(root / "train" / f"{n + 1}.png", pair)


def _ab_folders(root: Path, frames: int) -> None:
    for n in range(frames):
        write(root / "A" / "train" / f"{n + 1}.png", 255 - shot(n).picture)
        write(root / "B" / "train" / f"{n + 1}.png", shot(n).picture)


def _cityscapes(root: Path, frames: int) -> None:
    for city, sequence in (("aachen", 3), ("bonn", 7)):
        for n in range(frames):
            stem, at = f"{city}_{sequence:06}_{n:06}", shot(n)
            write(
                root / "leftImg8bit_sequence/train" / city / f"{stem}_leftImg8bit.png", at.picture
            )
            fine = root / "gtFine/train" / city
            write(fine / f"{stem}_gtFine_labelIds.png", at.labels)
            write(fine / f"{stem}_gtFine_instanceIds.png", at.instances)
            write(fine / f"{stem}_gtFine_color.png", 255 - at.picture)


def _films(root: Path, frames: int) -> None:
    shots = [shot(n) for n in range(frames)]
    write_film(root / "labels.mkv", [at.labels for at in shots], "gray")
    write_film(root / "real.mkv", [at.picture for at in shots], "bgr0")
    write_film(root / "instances.mkv", [at.instances for at in shots], "gray16le")


def _folders(root: Path, frames: int) -> None:
    for n in range(frames):
        at = shot(n)
        write(root / "labels" / f"a_{n:03}.png", at.labels)
        write(root / "images" / f"a_{n:03}.png", at.picture)
        write(root / "instances" / f"a_{n:03}.png", at.instances)


def _world(root: Path, frames: int) -> None:
    clip = root / "clip_1"
    flow = np.zeros((2, HEIGHT, WIDTH), np.float16)
    flow[0] = SHIFT
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[:, WIDTH - SHIFT :] = True
    for n in range(frames):
        at = shot(n)
        write(clip / "rgb" / f"{n:06}.png", at.picture)
        write(clip / "labels" / f"{n:06}.png", at.labels)
        write(clip / "instances" / f"{n:06}.png", at.instances)
        (clip / "flow").mkdir(exist_ok=True)
        np.savez(clip / "flow" / f"{n:06}.npz", flow=flow, occlusion=hidden)
    (clip / "world.json").write_text("{}")


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "vid2vid": _nested,
    "pix2pixhd": _pix2pixhd,
    "folders-ab": _flat_ab,
    "pix2pix": _side_by_side,
    "pix2pix-folders": _ab_folders,
    "cityscapes": _cityscapes,
    "films": _films,
    "folders": _folders,
    "world": _world,
}


class Tiny:
    """What tests need of this module."""

    SHIFT, SIZE_HW, KINDS = SHIFT, (HEIGHT, WIDTH), tuple(WRITERS)
    PICTURES = ("folders-ab", "pix2pix", "pix2pix-folders")
    shot = staticmethod(shot)
    write = staticmethod(write)
    write_film = staticmethod(write_film)

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self, kind: str, frames: int = 5) -> Path:
        WRITERS[kind](self.root / kind, frames)
        return self.root / kind


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path)
