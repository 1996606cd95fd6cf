"""What surrounds a CUDA graph, with a recorder that needs no GPU: it runs the recorded function
again and writes its results where the first ones were."""

import contextlib
import gc
import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from vidtrans.model.card import Card
from vidtrans.model.networks import empty
from vidtrans.nets.blocks import FrameNorm
from vidtrans.nets.inference_layers import ReflectionPad2d
from vidtrans.nets.painting import Conditioning, Painting
from vidtrans.pipeline.layers import render_layer
from vidtrans.pipeline.settings import LAYERS
from vidtrans.sequence.cuda_graph import (
    GRAPHS_KEPT,
    CudaCapture,
    GraphedGenerator,
    NotCapturableError,
    OperationWatch,
    Recorded,
    _unique,
)
from vidtrans.sequence.device import cast_convolutions, computing
from vidtrans.sequence.model import Model


class Repeating:
    """Records by running again; what a replay does can be changed."""

    def __init__(self, replayed=lambda found, made: found.copy_(made)):
        self.recordings, self.replays, self.replayed = 0, 0, replayed

    def record(self, run):
        self.recordings += 1
        painting = run()

        def replay():
            self.replays += 1
            for found, made in zip(_unique(painting), _unique(run()), strict=True):
                self.replayed(found, made)

        return Recorded(painting, replay)

    def in_turn(self):
        return contextlib.nullcontext()

    def settle(self):
        pass


class Failing(Repeating):
    def record(self, run):
        raise RuntimeError("no graph today\nand a stack trace of C++")


def graphed(model, capture, tolerance=1e-5):
    """``model``, replaying from ``capture``."""
    generator = GraphedGenerator(model.networks.generator, capture, tolerance=tolerance)
    model.networks = replace(model.networks, generator=generator)
    return model


@pytest.fixture
def painted(label_frames):
    """``painted(model, labels)``: the state after each frame, and its painting."""

    def paint(model, labels, state=None):
        state = model.start(labels.shape[1:]) if state is None else state
        for frame in label_frames(labels):
            state, painting = model.step(state, frame)
            yield state, painting

    return paint


PIX2PIX = Card(system="pix2pix", generator={"channels": 4, "downsamplings": 6})


@pytest.mark.parametrize("settings", [{}, {"first_frames": "raw"}, {"foreground": False}])
def test_a_film_is_painted_as_without_graphs(published_networks, settings, car_clip):
    capture = Repeating()
    labels = car_clip()
    wanted = Model(published_networks(**settings), device="cpu").translate(labels=labels)
    model = graphed(Model(published_networks(**settings), device="cpu"), capture)
    assert np.array_equal(model.translate(labels=labels), wanted)
    # All frames show the same classes: one graph. The first frames have no full history.
    assert capture.recordings == 1
    checks = 2
    full = len(labels) - (1 if "first_frames" in settings else 3)
    assert capture.replays == checks + full


def test_models_of_single_pictures_have_graphs_too(random_networks):
    images = np.random.default_rng(0).uniform(-1, 1, (3, 3, 64, 64)).astype(np.float32)
    capture = Repeating()
    wanted = Model(random_networks(PIX2PIX), device="cpu").translate(images=images)
    model = graphed(Model(random_networks(PIX2PIX), device="cpu"), capture)
    assert np.array_equal(model.translate(images=images), wanted)
    assert capture.recordings == 1
    # Another seed drops other values, which are constants of the graph.
    seeded = model.seeded(5)
    wanted = Model(random_networks(PIX2PIX), device="cpu", seed=5).translate(images=images)
    assert np.array_equal(seeded.translate(images=images), wanted)
    assert capture.recordings == 2


def test_paintings_and_states_are_never_overwritten(published_networks, car_clip, painted):
    model = graphed(Model(published_networks(), device="cpu"), Repeating())
    kept = []
    for state, painting in painted(model, car_clip()):
        tensors = [*_unique(painting), *(state.history or ())]
        kept.append((tensors, [tensor.clone() for tensor in tensors]))
    for tensors, then in kept:
        assert all(torch.equal(now, before) for now, before in zip(tensors, then, strict=True))
    graph = next(iter(model.networks.generator._graphs.values()))
    static = {t.data_ptr() for t in (*graph._inputs, *_unique(graph._recorded.painting))}
    assert not static & {tensor.data_ptr() for tensors, _ in kept for tensor in tensors}


def test_parts_that_are_one_tensor_stay_one(published_networks, car_clip, painted):
    model = graphed(Model(published_networks(), device="cpu"), Repeating())
    *_, (_, painting) = painted(model, car_clip())
    assert painting.scales[-1] is painting.picture


def test_sequences_in_turns_and_resumed_ones_are_their_own(published_networks, car_clip, painted):
    capture = Repeating()
    plain = Model(published_networks(), device="cpu")
    model = graphed(Model(published_networks(), device="cpu"), capture)
    one, other = car_clip(), car_clip()[:, ::-1].copy()
    wanted = [list(painted(plain, labels)) for labels in (one, other)]
    found = ([], [])
    for pair in zip(painted(model, one), painted(model, other), strict=True):
        for sequence, step in zip(found, pair, strict=True):
            sequence.append(step)
    for sequence, exact in zip(found, wanted, strict=True):
        for (_, painting), (_, picture) in zip(sequence, exact, strict=True):
            assert torch.equal(painting.picture, picture.picture)
    resumed = type(plain.start((32, 64))).from_bytes(found[0][3][0].to_bytes())
    again = [painting.picture for _, painting in painted(model, one[4:], resumed)]
    assert all(torch.equal(a, b.picture) for a, (_, b) in zip(again, wanted[0][4:], strict=True))
    assert capture.recordings == 1


def test_after_a_cut_the_first_frames_are_painted_without_a_graph(
    published_networks, car_clip, painted
):
    capture = Repeating()
    model = graphed(Model(published_networks(), device="cpu"), capture)
    *_, (state, _) = painted(model, car_clip())
    before = capture.replays
    list(painted(model, car_clip(3), model.reset(state)))
    assert capture.replays == before
    list(painted(model, car_clip(4), model.reset(state)))
    assert capture.replays == before + 1


def test_another_size_or_other_classes_have_another_graph(published_networks, car_clip):
    capture = Repeating()
    plain = Model(published_networks(), device="cpu")
    model = graphed(Model(published_networks(), device="cpu"), capture)
    sizes = [(32, 64), (64, 64), (32, 64)]
    for size in sizes:
        labels = car_clip(4, size)
        assert np.array_equal(model.translate(labels=labels), plain.translate(labels=labels))
    assert capture.recordings == 2
    labels = car_clip(4)
    labels[:, :3] = 23
    assert np.array_equal(model.translate(labels=labels), plain.translate(labels=labels))
    assert capture.recordings == 3


def test_few_graphs_are_kept(published_networks, car_clip):
    capture = Repeating()
    model = graphed(Model(published_networks(), device="cpu"), capture)
    for n in range(GRAPHS_KEPT + 1):
        model.translate(labels=car_clip(4, (32, 64 + 16 * n)))
    assert len(model.networks.generator._graphs) == GRAPHS_KEPT
    model.translate(labels=car_clip(4, (32, 64 + 16 * GRAPHS_KEPT)))  # the newest is there
    assert capture.recordings == GRAPHS_KEPT + 1
    model.translate(labels=car_clip(4, (32, 64)))  # the oldest is not
    assert capture.recordings == GRAPHS_KEPT + 2


@pytest.mark.parametrize(
    "capture",
    [
        Failing(),
        Repeating(lambda found, made: None),  # holds on to the frame that was recorded
        Repeating(lambda found, made: found.copy_(made + 0.01)),
        Repeating(lambda found, made: found.fill_(torch.nan)),
    ],
    ids=["fails", "stale", "off", "nan"],
)
def test_what_cannot_be_recorded_is_painted_without_and_said_once(
    published_networks, capture, caplog, car_clip
):
    labels = car_clip()
    wanted = Model(published_networks(), device="cpu").translate(labels=labels)
    model = graphed(Model(published_networks(), device="cpu"), capture)
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(model.translate(labels=labels), wanted)
        model.translate(labels=car_clip(4, (64, 64)))
    (said,) = caplog.messages
    assert said.startswith("Frames are painted without a CUDA graph")
    assert "\n" not in said
    assert capture.recordings <= 1


def test_rounding_is_no_difference(published_networks, caplog, car_clip):
    capture = Repeating(lambda found, made: found.copy_(made * (1 + 1e-6)))
    model = graphed(Model(published_networks(), device="cpu"), capture, tolerance=1e-3)
    model.translate(labels=car_clip())
    assert not caplog.messages
    assert capture.replays == 2 + 3


def test_an_error_of_the_generator_is_raised_as_it_is():
    class Broken:
        n_frames = 1

        def __call__(self, conditioning, history):
            raise ValueError("takes no such thing")

    with pytest.raises(ValueError, match="takes no such thing"):
        GraphedGenerator(Broken(), Repeating(), tolerance=0)(Conditioning(), None)


def test_an_eager_model_has_the_plain_generator(published_networks):
    networks = published_networks()
    model = graphed(Model(networks, device="cpu"), Repeating())
    assert model.eager().networks.generator is networks.generator
    assert model.networks.generator.n_frames == 3
    assert Model(networks, device="cpu").eager().networks.generator is networks.generator


def paint(function):
    """What ``function`` makes of a tensor on no device, watched."""
    given = torch.zeros(2, 3, device="meta")
    with OperationWatch("meta") as watch:
        function(given)
    return watch


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.masked_select(x, x > 0),
        lambda x: x + torch.ones(3).to(x.device),
        lambda x: x + torch.tensor(1.0).to(x.device),
        lambda x: torch.where(x > 0),
        lambda x: bool((x > 0).any()),
        lambda x: x.repeat_interleave(torch.ones_like(x[:, 0], dtype=torch.int64), 0),
        lambda x: x.index_put((x > 0,), x[0, :1]),
    ],
    ids=[
        *("mask", "nonzero", "select", "upload", "number"),
        *("where", "bool", "repeat", "put"),
    ],
)
@pytest.mark.parametrize("inference", [False, True])
def test_what_waits_for_the_device_is_refused(function, inference):
    """In inference PyTorch shows operations before they fall apart into others."""
    with (
        torch.inference_mode(inference),
        pytest.raises(NotCapturableError, match=r"waits for the device|host's memory"),
    ):
        paint(function)


def test_values_on_the_host_are_refused():
    with (
        pytest.raises(NotCapturableError, match="waits for the device"),
        OperationWatch("cpu"),
    ):
        torch.ones(3).sum().item()


def test_numbers_and_picked_values_are_not_refused():
    paint(lambda x: torch.where(x > 0, x, 0) + x[torch.zeros(2, dtype=torch.int64, device="meta")])


def test_what_is_read_from_outside_is_kept():
    weight, constant = torch.ones(3), torch.ones(3)
    address = constant.data_ptr()
    with OperationWatch("cpu") as watch:
        made = weight * 2
        made.add_(constant[1:].sum())
        made.mul_(made)
    del constant  # as a cache may drop it
    assert address in watch.read
    assert weight.data_ptr() in watch.read
    assert made.data_ptr() not in watch.read


CARDS = {
    "pix2pix": PIX2PIX,
    "resnet": Card(system="pix2pix", generator={"kind": "resnet", "channels": 4, "blocks": 1}),
    "pix2pixhd": Card(
        system="pix2pixhd",
        generator={
            "channels": 4,
            "downsamplings": 2,
            "blocks": 1,
            "local_enhancers": 1,
            "feature_nc": 2,
        },
    ),
    "vid2vid": Card(
        system="vid2vid",
        generator={
            "channels": 8,
            "downsamplings": 2,
            "blocks": 2,
            "scales": 2,
            "use_instance": True,
            "foreground": True,
        },
    ),
    "street": Card(
        system="vid2vid",
        architecture="street",
        generator={"channels": (4, 8, 8, 8), "blocks": (1, 1, 1, 1, 1), "feature_nc": 3},
    ),
}


def given(networks, device, size_hw=(64, 96), least_hw=(80, 128)):
    """A frame with padding and a full history, for a generator."""
    n = networks.generator.n_frames
    view = networks.viewport(size_hw, least_hw)
    h, w = view.size_hw
    torch.manual_seed(0)
    ids, features = torch.randint(0, 35, (1, n, h, w)), networks.feature_nc
    conditioning = Conditioning(
        ids=ids.to(torch.uint8).to(device) if networks.label_nc else None,
        boundary=(ids > 20).to(device) if networks.use_boundary else None,
        image=None if networks.label_nc else torch.rand(1, n, 3, h, w).to(device),
        features=torch.rand(1, features, h, w).to(device) if features else None,
        viewport=view,
    )
    if n == 1:
        return conditioning, None
    scales = reversed(range(networks.scales))
    history = [torch.rand(1, 3 * (n - 1), h >> s, w >> s).to(device) for s in scales]
    if networks.card.architecture == "street":
        history.append(torch.tensor([[0.0, 10.3, 7.5]]).to(device))
    return conditioning, tuple(history)


@pytest.fixture
def meta(monkeypatch):
    """A device without values, on which whoever asks for one fails. PyTorch has no autocast there.
    Makes a model of a card on it."""
    monkeypatch.setattr(torch, "autocast", lambda *a, **k: contextlib.nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *a: False)
    monkeypatch.setattr("vidtrans.sequence.model.choose_device", lambda name: torch.device("meta"))
    return lambda card: Model(empty(card, "meta"))


@pytest.mark.parametrize("name", CARDS)
def test_no_generator_waits_for_a_device(meta, name):
    networks = meta(CARDS[name]).networks
    frame, history = given(networks, "meta")
    with torch.inference_mode():
        networks.generator(frame, history)  # constants are made once
        with OperationWatch("meta"):
            painting = networks.generator(frame, history)
    assert isinstance(painting, Painting)
    assert tuple(painting.picture.shape[-2:]) == frame.viewport.size_hw


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("first_frames", ["none", "raw"])
def test_no_step_waits_for_a_device(meta, name, first_frames, car_clip, label_frames):
    styles = {"7": [[0.5] * 3], "26": [[0.1] * 3, [0.2] * 3]} if name == "street" else {}
    styles |= {"26": [[0.1] * 2]} if name == "pix2pixhd" else {}
    model = meta(CARDS[name].model_copy(update={"first_frames": first_frames, "styles": styles}))
    pictures = np.random.default_rng(0).integers(0, 256, (6, 30, 62, 3), np.uint8)
    shown = [
        model.upload(replace(frame, image=None if model.label_nc else picture))
        for frame, picture in zip(label_frames(car_clip(6, (30, 62))), pictures, strict=True)
    ]
    for watched in (contextlib.nullcontext(), OperationWatch("meta")):  # constants are made once
        state = model.start((30, 62))
        with watched:
            for frame in shown:
                state, painting = model.step(state, frame)
                for layer in set(LAYERS) - {"labels", "compare"}:
                    assert render_layer(painting, layer, None).shape == (30, 62, 3)


@pytest.mark.parametrize("name", CARDS)
def test_weights_cast_once_give_what_autocast_gives(name):
    networks = empty(CARDS[name], name)
    generator = networks.generator.eval().requires_grad_(False)
    frame, history = given(networks, "cpu")
    device = torch.device("cpu")
    with torch.inference_mode(), computing(device, "bf16"):
        wanted = generator(frame, history)
        cast_convolutions(generator, "bf16")
        found = generator(frame, history)
    assert any(parameter.dtype == torch.bfloat16 for parameter in generator.parameters())
    for one, other in zip(_unique(found), _unique(wanted), strict=True):
        assert torch.equal(one, other)


PUBLISHED = sorted(set(CARDS) - {"street"})


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_half_types_agree_with_full_precision(name, precision):
    """By the mean difference of pictures in [-1,1], measured with these random weights: at most
    0.035 in bf16 and 0.0047 in fp16, 0.031 and 0.0044 with norms in full precision."""
    torch.manual_seed(1)
    generator = empty(CARDS[name], name).generator.eval().requires_grad_(False)
    frame, history = given(empty(CARDS[name], name), "cpu")
    with torch.inference_mode():
        wanted = generator(frame, history)
        cast_convolutions(generator, precision)
        with computing(torch.device("cpu"), precision):
            found = generator(frame, history)
    for part in _unique(found):
        assert part.dtype == torch.float32
        assert part.isfinite().all()
    far = (found.picture - wanted.picture).abs().mean()
    assert far < {"bf16": 0.06, "fp16": 0.01}[precision]


@pytest.mark.parametrize("name", PUBLISHED)
def test_types_and_layouts_are_kept_between_layers(name):
    generator = empty(CARDS[name], name).generator.eval().requires_grad_(False)
    cast_convolutions(generator, "bf16")
    generator.to(memory_format=torch.channels_last)  # as `place` does on a GPU
    frame, history = given(empty(CARDS[name], name), "cpu")
    seen = []

    def check(layer, given, result):
        (x, *_) = given
        # Pictures come in full precision and in planes. Some norms read a part of the channels.
        if isinstance(layer, FrameNorm) or x.shape[1] > 6:
            kept = [result] if isinstance(layer, FrameNorm) else [x, result]
            for tensor in kept:
                assert tensor.dtype == torch.bfloat16
                assert tensor.is_contiguous(memory_format=torch.channels_last)
        seen.append(layer)

    kinds = (FrameNorm, nn.ReLU, nn.LeakyReLU, nn.Conv2d, nn.ConvTranspose2d, ReflectionPad2d)
    for module in generator.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(check)
    with torch.inference_mode(), computing(torch.device("cpu"), "bf16"):
        generator(frame, history)
    assert any(isinstance(layer, FrameNorm) for layer in seen)


@pytest.fixture
def cuda(monkeypatch):
    """A CUDA without a device, that notes what is asked of it."""
    notes, current = [], ["caller"]

    class Stream:
        def __init__(self, name="recorder"):
            self.name = name

        def wait_stream(self, other):
            notes.append(f"{self.name} waits for {other.name}")

        def wait_event(self, event):
            notes.append(f"{self.name} waits for an event")

    class Event:
        def record(self, stream):
            notes.append(f"event of {stream.name}")

        def synchronize(self):
            notes.append("host waits for the event")

    class Graph:
        def replay(self):
            notes.append(f"replayed on {current[0]}")

    @contextlib.contextmanager
    def on(stream):
        before, current[0] = current[0], stream.name
        try:
            yield
        finally:
            current[0] = before

    @contextlib.contextmanager
    def graph(made, *, pool, stream, capture_error_mode):
        assert isinstance(made, Graph)
        assert (pool, stream.name, capture_error_mode) == ("pool", "recorder", "thread_local")
        notes.append("recording")
        # As in PyTorch: where this fails, the stream stays the one that is recorded.
        before, current[0] = current[0], stream.name
        yield
        current[0] = before
        notes.append("recorded")

    fakes = {
        "Stream": lambda device: Stream(),
        "Event": Event,
        "CUDAGraph": Graph,
        "graph": graph,
        "stream": on,
        "device": lambda device: contextlib.nullcontext(),
        "current_stream": lambda device=None: Stream(current[0]),
        "graph_pool_handle": lambda: "pool",
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return SimpleNamespace(notes=notes, current=current)


def test_a_graph_is_recorded_beside_the_callers_stream(cuda):
    capture = CudaCapture(torch.device("cuda"))
    painting = Painting(None, ())

    def run():
        cuda.notes.append(f"run on {cuda.current[0]}")
        return painting

    with capture.in_turn():
        recorded = capture.record(run)
        recorded.replay()
    assert recorded.painting is painting
    assert cuda.notes == [
        "caller waits for an event",
        "recorder waits for caller",
        "run on recorder",
        "run on recorder",
        "recording",
        "run on recorder",
        "recorded",
        "caller waits for recorder",
        "replayed on caller",
        "event of caller",
    ]
    assert cuda.current == ["caller"]


def test_what_waits_is_never_recorded(cuda):
    capture = CudaCapture(torch.device("cuda"))
    with pytest.raises(NotCapturableError, match="waits for the device"):
        capture.record(lambda: torch.ones(()).item())
    assert "recording" not in cuda.notes
    assert cuda.current == ["caller"]
    # What the caller's stream does next may read constants that are still being copied.
    assert cuda.notes[-1] == "caller waits for recorder"


def test_only_what_the_graphs_did_is_waited_for(cuda):
    """To wait for the whole device would break a graph that another thread records."""
    capture = CudaCapture(torch.device("cuda"))
    with capture.in_turn():
        pass
    capture.settle()
    assert cuda.notes[-2:] == ["event of caller", "host waits for the event"]


@pytest.fixture
def collector():
    """Garbage is collected, whatever a test before has left (the editor collects its own)."""
    was_on = gc.isenabled()
    gc.enable()
    yield
    if not was_on:
        gc.disable()


@pytest.mark.usefixtures("collector")
def test_no_garbage_is_collected_while_a_graph_is_recorded(cuda):
    capture = CudaCapture(torch.device("cuda"))
    collects = []

    def run():
        collects.append(gc.isenabled())
        return Painting(None, ())

    capture.record(run)
    assert collects == [True, True, False]
    assert gc.isenabled()


def test_one_recording_at_a_time_and_the_next_after_one_that_failed(cuda):
    capture = CudaCapture(torch.device("cuda"))
    calls = []

    def run():
        calls.append(1)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("none left")
        return Painting(None, ())

    with pytest.raises(torch.OutOfMemoryError):
        capture.record(run)
    assert cuda.current == ["caller"]
    capture.record(run)
    assert not CudaCapture._one_at_a_time.locked()
