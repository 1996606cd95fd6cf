"""What tests of several parts share: a tiny model with random weights, and label films with
known pixels."""

import ast
import faulthandler
import multiprocessing
import os
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

# Tests' networks are tiny: more threads only wait for one another, all the more on a busy machine.
torch.set_num_threads(1)


def pytest_runtest_setup(item):
    """Tests of what only some systems have are skipped on the others."""
    if item.get_closest_marker("posix") and sys.platform == "win32":
        pytest.skip("needs a POSIX system")
    if item.get_closest_marker("linux") and sys.platform != "linux":
        pytest.skip("needs Linux")


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    """The test that leaves a thread or a worker process running fails and names it. At its exit
    Python waits for them, so that pytest would not end after the last test."""
    before, children = set(threading.enumerate()), set(multiprocessing.active_children())
    yield
    left = [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.daemon and not thread.name.startswith("ThreadPool")
    ]
    for thread in left:
        thread.join(timeout=20)
    assert not [thread.name for thread in left if thread.is_alive()]
    assert not (set(multiprocessing.active_children()) - children)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """A run whose tests are over ends. After a minute it prints what it waits for, and ends with
    the status that the tests gave it: a CI machine otherwise waits until its own time is over."""
    ended = getattr(config, "ended_with", None)
    if ended is None:
        return

    def end():
        time.sleep(60)
        print("pytest does not end. Its threads:", file=sys.__stderr__)
        faulthandler.dump_traceback(sys.__stderr__)
        print("Its child processes:", *_children(), sep="\n  ", file=sys.__stderr__, flush=True)
        os._exit(ended)

    threading.Thread(target=end, daemon=True).start()
    # Python's threads stop once the interpreter is being finalized; faulthandler's thread does not.
    faulthandler.dump_traceback_later(120, exit=True, file=sys.__stderr__)


def pytest_sessionfinish(session, exitstatus):
    session.config.ended_with = int(exitstatus)


def _children() -> list[str]:
    import psutil

    return [str(child) for child in psutil.Process().children(recursive=True)]


ROAD, SIDEWALK, BUILDING, SKY, CAR = 7, 8, 11, 23, 26


def street_scene(n: int, height: int = 32, width: int = 64) -> np.ndarray:
    """Frame ``n`` of a street in Cityscapes labelIds: sky, a row of houses, pavement, road, and
    a car that moves."""
    ids = np.full((height, width), BUILDING, np.uint8)
    ids[: height // 4] = SKY
    ids[height // 2 :] = SIDEWALK
    ids[5 * height // 8 :] = ROAD
    left = (4 + n) % (width - 8)
    ids[height // 2 : 3 * height // 4, left : left + 8] = CAR
    return ids


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A bundle of the street architecture, small and untrained: right in everything but its
    pictures."""
    from dataclasses import asdict

    from vidtrans.model import Card, write_bundle
    from vidtrans.model.street_classes import foreground_classes, street_classes
    from vidtrans.nets.street import StreetConfig, StreetGenerator

    config = StreetConfig(
        fg_labels=foreground_classes(), channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1, 1)
    )
    torch.manual_seed(1)
    network = StreetGenerator(config, street_classes())
    card = Card(
        name="tiny",
        system="vid2vid",
        architecture="street",
        generator=asdict(config),
        first_frames="raw",
        training_hw=(32, 64),
    )
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    write_bundle(path, card, {f"G.{name}": tensor for name, tensor in network.state_dict().items()})
    return path


@pytest.fixture(scope="session")
def remedied_settings() -> frozenset[str]:
    """Every setting that a ``Remedy`` of the engine names, read from the source."""
    import vidtrans
    from vidtrans.errors import Remedy

    engine = Path(vidtrans.__file__).parent
    named: set[str] = set()
    for path in engine.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Remedy"):
                continue
            where = f"{path.relative_to(engine)}:{node.lineno}"
            text, *values = node.args
            assert isinstance(text, ast.Constant), f"{where}: the text of a remedy is a constant"
            given = ast.walk(values[0]) if values else ()
            keys = [
                key.value for found in given if isinstance(found, ast.Dict) for key in found.keys
            ]
            named |= Remedy(text.value, dict.fromkeys(keys, "")).settings
    return frozenset(named)


def write_grey_film(path: Path, frames, *, rate: int = 25, codec: str = "ffv1") -> Path:
    """A lossless film of uint8 or uint16 [H,W] frames, which it gives back as they are."""
    with av.open(str(path), "w") as container:
        stream = None
        for pixels in frames:
            kind = "gray" if pixels.dtype == np.uint8 else "gray16le"
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(rate))
                stream.height, stream.width = pixels.shape
                stream.pix_fmt = kind
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=kind))
            )
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def grey_film():
    """``grey_film(path, frames)`` writes a lossless film of ids."""
    return write_grey_film


@pytest.fixture(scope="session")
def scene():
    """``scene(n)``: frame n of the street in labelIds."""
    return street_scene


@pytest.fixture(scope="session")
def car_clip():
    """``car_clip()``: labels uint8 [T,H,W] of a car that moves to the right on a road."""

    def make(frames: int = 6, size: tuple[int, int] = (64, 96)) -> np.ndarray:
        labels = np.full((frames, *size), ROAD, np.uint8)
        labels[:, : size[0] // 2] = BUILDING
        for t in range(frames):
            labels[t, size[0] // 3 : 2 * size[0] // 3, 3 + 2 * t : 22 + 2 * t] = CAR
        return labels

    return make


@pytest.fixture(scope="session")
def label_frames():
    """``label_frames(labels)``: the label frames of an array [T,H,W], each class an instance."""

    def make(labels: np.ndarray) -> list:
        from vidtrans.frame import FrameTime, LabelFrame

        return [
            LabelFrame(t, ids, FrameTime(t, 1), instances=ids.astype(np.int32))
            for t, ids in enumerate(labels)
        ]

    return make


@pytest.fixture
def label_film(tmp_path):
    """A film of twelve street frames, 64x32 labelIds."""
    return write_grey_film(tmp_path / "labels.mkv", [street_scene(n) for n in range(12)])


@pytest.fixture
def decoded():
    """``decoded(path)``: every frame of a film or a folder of PNGs as uint8 RGB [T,H,W,3]."""

    def read(path: Path) -> np.ndarray:
        from vidtrans.media.reader import open_reader

        with open_reader(path, labels=False) as reader:
            return np.stack([frame.pixels for frame in reader])

    return read


@pytest.fixture(scope="session")
def shared():
    """The folder of real material and reference cases; tests that need it skip where it is
    missing."""
    place = Path(os.environ.get("VIDTRANS_SHARED") or Path(__file__).parents[2] / "shared")
    if not (place / "reference").is_dir() or not (place / "real").is_dir():
        pytest.skip(
            f"{place} holds no reference cases and real material; VIDTRANS_SHARED names the folder"
            " that does"
        )
    return place


TINY_VID2VID = {
    "label_nc": 35,
    "use_instance": True,
    "foreground": True,
    "channels": 4,
    "downsamplings": 1,
    "blocks": 1,
    "local_blocks": 1,
    "scales": 2,
}


def make_random_networks(card, seed: int = 0):
    """The networks of ``card`` with seeded random weights; norms' weights are random too, so
    that mixing them up shows."""
    from vidtrans.model.networks import empty

    networks = empty(card, "a test's card")
    generator = torch.Generator().manual_seed(seed)
    for module in networks.modules():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                spread = tensor[0].numel() ** -0.5 if tensor.dim() == 4 else 0.1
                middle = (
                    1.0
                    if tensor.dim() == 1 and not name.endswith(("bias", "running_mean"))
                    else 0.0
                )
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.copy_(
                    middle + spread * (noise.abs() if name.endswith("running_var") else noise)
                )
        module.requires_grad_(False)
    return networks


@pytest.fixture(scope="session")
def random_networks():
    """``random_networks(card)``: the networks of a card with seeded random weights."""
    return make_random_networks


@pytest.fixture(scope="session")
def published_networks():
    """Makes networks: ``published_networks()`` is a vid2vid of two scales, other settings and
    cards by keyword."""

    def make(*, seed: int = 0, first_frames: str = "none", first: dict | None = None, **config):
        from vidtrans.model import Card

        card = Card(
            system="vid2vid",
            generator=TINY_VID2VID | config,
            first_frames=first_frames,
            first=first,
        )
        return make_random_networks(card, seed)

    return make


@pytest.fixture(scope="session")
def published_model(published_networks):
    """Makes models on the CPU: see ``published_networks``."""

    def make(**settings):
        from vidtrans.sequence.model import Model

        return Model(published_networks(**settings), device="cpu")

    return make
