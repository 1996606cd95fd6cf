"""The filter between two pipes, in this process or as the command; the real ffmpeg on either
side."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from vidtrans_ffmpeg.pipes import CancelEvent, InputPipe, OutputPipe
from vidtrans_ffmpeg.run import FilterSettings, run_filter

FILTER = [sys.executable, "-m", "vidtrans_ffmpeg"]


def street(count: int = 6, height: int = 32, width: int = 64) -> np.ndarray:
    """uint8 [count,H,W]: a street in Cityscapes labelIds with a car that moves."""
    frames = np.full((count, height, width), 11, np.uint8)
    frames[:, : height // 4] = 23
    frames[:, height // 2 :] = 8
    frames[:, 5 * height // 8 :] = 7
    for n in range(count):
        frames[n, height // 2 : 3 * height // 4, 4 + n : 12 + n] = 26
    return frames


@pytest.fixture(scope="session")
def ids() -> np.ndarray:
    return street()


@pytest.fixture(scope="session")
def send() -> Callable[..., bytes]:
    """send(frames, *ffmpeg options): the bytes that ``ffmpeg ... -`` writes for raw frames."""

    def run(frames: np.ndarray, *options: str, rate: str = "25") -> bytes:
        form = "rgb24" if frames.ndim == 4 else "gray" if frames.dtype == np.uint8 else "gray16le"
        size = f"{frames.shape[2]}x{frames.shape[1]}"
        raw = ["-f", "rawvideo", "-pix_fmt", form, "-s", size, "-r", rate, "-i", "-"]
        command = ["ffmpeg", "-v", "error", *raw, *options, "-"]
        done = subprocess.run(command, input=frames.tobytes(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture(scope="session")
def show() -> Callable[..., np.ndarray]:
    """show(bytes, pixel format, size_hw): what ffmpeg sees in a stream, as frames."""

    def run(data: bytes, form: str, size_hw: tuple[int, int], *options: str) -> np.ndarray:
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            "-",
            *options,
            "-fps_mode",
            "passthrough",
            "-f",
            "rawvideo",
            "-pix_fmt",
            form,
            "-",
        ]
        done = subprocess.run(command, input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        kind = np.uint16 if "16" in form else np.uint8
        shape = (-1, *size_hw, 3) if form == "rgb24" else (-1, *size_hw)
        return np.frombuffer(done.stdout, kind).reshape(shape)

    return run


@dataclass
class Through:
    """What the filter wrote, and the error that ended it (None: it ended well)."""

    out: bytes
    error: Exception | None
    frames: int


def through(data: bytes, **settings) -> Through:
    """``data`` through the filter in this process."""
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    collected: list[bytes] = []

    def feed() -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(in_write, view) :]
        except OSError:
            pass  # the filter stopped reading, as it does after an error
        os.close(in_write)

    def collect() -> None:
        while part := os.read(out_read, 1 << 16):
            collected.append(part)

    threads = [threading.Thread(target=feed), threading.Thread(target=collect)]
    for thread in threads:
        thread.start()
    cancel = CancelEvent()
    error = None
    frames = 0
    try:
        frames = run_filter(
            FilterSettings(**{"model": "identity", **settings}),
            InputPipe(in_read, cancel),
            OutputPipe(out_write),
            cancel,
        )
    except Exception as caught:
        error = caught
    os.close(in_read)
    os.close(out_write)
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    os.close(out_read)
    cancel.close()
    return Through(b"".join(collected), error, frames)


@pytest.fixture(scope="session")
def run_through() -> Callable[..., Through]:
    return through
