"""Tiny clips with known pixels, coded by the real ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

FRAMES, HEIGHT, WIDTH = 6, 32, 48


def ffmpeg(*args: str | Path, data: bytes | None = None) -> bytes:
    stdin = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-nostdin", *map(str, args)],
        capture_output=True,
        check=False,
        **stdin,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="session")
def run_ffmpeg() -> Callable[..., bytes]:
    return ffmpeg


@pytest.fixture(scope="session")
def ids() -> np.ndarray:
    """uint8 [6,32,48]: blocks of ids 0..33 that move two pixels a frame, 11 among them."""
    blocks = (np.arange(24, dtype=np.uint8).reshape(4, 6) * 11 % 34).repeat(8, 0).repeat(8, 1)
    return np.stack([np.roll(blocks, 2 * i, axis=1) for i in range(FRAMES)])


@pytest.fixture(scope="session")
def instance_ids(ids) -> np.ndarray:
    """uint16 [6,32,48]: id * 1000 + n for ids from 24, else the plain id."""
    wide = ids.astype(np.uint16)
    return np.where(wide >= 24, wide * 1000 + 1, wide).astype(np.uint16)


@pytest.fixture(scope="session")
def palette() -> np.ndarray:
    """uint8 [34,3]: a colour for each id."""
    return np.random.default_rng(3).integers(0, 256, (34, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def colours(ids, palette) -> np.ndarray:
    """uint8 [6,32,48,3]"""
    return palette[ids]


@pytest.fixture(scope="session")
def encode():
    """encode(frames, out, *ffmpeg options): raw frames through the real ffmpeg."""

    def run(frames: np.ndarray, out: Path, *options: str, rate: str = "25") -> Path:
        form = "rgb24" if frames.ndim == 4 else "gray" if frames.dtype == np.uint8 else "gray16le"
        size = f"{frames.shape[2]}x{frames.shape[1]}"
        raw = ["-f", "rawvideo", "-pix_fmt", form, "-s", size, "-r", rate, "-i", "-"]
        ffmpeg(*raw, *options, out, data=np.ascontiguousarray(frames).tobytes())
        return out

    return run


@pytest.fixture(scope="session")
def write_images():
    """write_images(frames, folder, pattern, start=0, step=1): PNGs as stored."""

    def run(
        frames: np.ndarray, folder: Path, pattern: str = "{:06d}.png", start: int = 0, step: int = 1
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        made = []
        for i, frame in enumerate(frames):
            path = folder / pattern.format(start + i * step)
            assert cv2.imwrite(str(path), frame[:, :, ::-1] if frame.ndim == 3 else frame)
            made.append(path)
        return made

    return run
