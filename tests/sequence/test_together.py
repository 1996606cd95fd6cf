"""Sequences that are painted in threads of their own and meet at the generator."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from vidtrans.model import Card
from vidtrans.sequence.loading import load_model
from vidtrans.sequence.model import Model
from vidtrans.sequence.together import GatheringGenerator, painting_together

SEQUENCES, FRAMES = 3, 5


class Counted:
    """A generator that notes how many pictures it painted at once and how far they are from those
    that it paints alone, and fails where asked."""

    def __init__(self, generator, fails=lambda conditioning: False):
        self.generator, self.fails, self.counts, self.worst = generator, fails, [], 0.0

    def __getattr__(self, name):
        return getattr(self.generator, name)

    def __call__(self, conditioning, history):
        shown = conditioning.ids if conditioning.image is None else conditioning.image
        self.counts.append(len(shown))
        if self.fails(conditioning):
            raise MemoryError
        painting = self.generator(conditioning, history)
        for n in range(len(shown) if len(shown) > 1 else 0):
            alone = self.generator(
                replace(
                    conditioning,
                    **{
                        name: value[n : n + 1]
                        for name, value in vars(conditioning).items()
                        if isinstance(value, torch.Tensor)
                    },
                ),
                None if history is None else tuple(each[n : n + 1] for each in history),
            )
            far = (alone.picture - painting.picture[n : n + 1]).abs().max()
            self.worst = max(self.worst, float(far))
        return painting


def counted(model, **more):
    """``model``, painting together, and its generator, counted."""
    together = painting_together(model)
    found = Counted(model.networks.generator, **more)
    object.__setattr__(together.networks, "generator", GatheringGenerator(found))
    return together, found


def at_once(function, given):
    """``function`` of each of ``given``, in threads that begin at the same time."""
    ready = threading.Barrier(len(given))

    def begin(each):
        ready.wait()
        return function(each)

    with ThreadPoolExecutor(len(given)) as pool:
        return list(pool.map(begin, given))


CARDS = {
    "pix2pix": {
        "system": "pix2pix",
        "generator": {"channels": 4, "downsamplings": 5, "kind": "unet", "statistics": "frame"},
    },
    "pix2pixHD": {
        "system": "pix2pixhd",
        "generator": {"label_nc": 35, "channels": 4, "downsamplings": 2, "blocks": 1,
                      "use_instance": True},
    },
    "vid2vid": {
        "system": "vid2vid",
        "first_frames": "raw",
        "generator": {"channels": 8, "downsamplings": 2, "blocks": 2, "scales": 2,
                      "foreground": True, "foreground_labels": (26,)},
    },
}  # fmt: skip


@pytest.fixture(params=["street", *CARDS])
def model(request, tiny_model, random_networks):
    if request.param == "street":
        return load_model(str(tiny_model), device="cpu")
    return Model(random_networks(Card(**CARDS[request.param])), device="cpu")


@pytest.fixture
def sequences(model, scene):
    """What each sequence shows: labels, or pictures where the model takes pictures."""
    if model.label_nc:
        labels = np.stack([[scene(7 * s + t) for t in range(FRAMES)] for s in range(SEQUENCES)])
        return [{"labels": each} for each in labels]
    draw = np.random.default_rng(1)
    size = (SEQUENCES, FRAMES, model.networks.image_nc, 32, 64)
    return [{"images": each} for each in draw.uniform(-1, 1, size).astype(np.float32)]


def test_pictures_are_those_of_single_runs(model, sequences):
    alone = np.stack([model.translate(**each) for each in sequences])
    together, found = counted(model)
    joined = np.stack(at_once(lambda each: together.translate(**each), sequences))
    assert max(found.counts) == SEQUENCES
    assert found.worst < 1e-3
    # vid2vid of random weights makes any rounding ten times larger with each frame.
    same = 2 if model.card.system == "vid2vid" and model.card.architecture != "street" else FRAMES
    assert np.abs(joined - alone)[:, :same].max() < 1e-3


def test_sequences_of_other_sizes_and_lengths(tiny_model, scene):
    model = load_model(str(tiny_model), device="cpu")
    together, found = counted(model)
    small = [np.stack([scene(t + s) for t in range(3 + s)]) for s in range(2)]
    large = np.stack([scene(t, 48, 96) for t in range(4)])
    joined = at_once(lambda each: together.translate(labels=each), [*small, large])
    assert max(found.counts) <= 2
    for pictures, labels in zip(joined, [*small, large], strict=True):
        assert np.abs(pictures - model.translate(labels=labels)).max() < 1e-3


def test_a_batch_that_fails_is_painted_one_by_one(tiny_model, scene):
    """Whoever fails alone fails, and no other."""
    model = load_model(str(tiny_model), device="cpu")

    def fails(conditioning):
        return len(conditioning.ids) > 1 or bool((conditioning.ids == 33).any())

    together, _ = counted(model, fails=fails)
    labels = [np.stack([scene(t + s) for t in range(3)]) for s in range(2)]
    bad = np.full_like(labels[0], 33)

    def paint(each):
        try:
            return together.translate(labels=each)
        except MemoryError:
            return None

    *good, failed = at_once(paint, [*labels, bad])
    assert failed is None
    for pictures, each in zip(good, labels, strict=True):
        assert np.abs(pictures - model.translate(labels=each)).max() < 1e-3


def test_one_sequence_alone_is_bit_by_bit_the_same(tiny_model, scene):
    model = load_model(str(tiny_model), device="cpu")
    labels = np.stack([scene(t) for t in range(4)])
    assert torch.equal(
        torch.from_numpy(painting_together(model).translate(labels=labels)),
        torch.from_numpy(model.translate(labels=labels)),
    )
