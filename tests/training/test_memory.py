"""The estimate of memory."""

import math

import pytest
import torch
from vidtrans_training import memory
from vidtrans_training.memory import available_memory, estimate_memory
from vidtrans_training.settings import parse_settings

SMALL = {
    "pix2pix": {"netG": "unet_64", "ngf": 4, "ndf": 4},
    "pix2pixhd": {"ngf": 4, "ndf": 4, "n_downsample_global": 2, "n_blocks_global": 1},
    "vid2vid": {"label_nc": 5, "ngf": 4, "ndf": 4, "n_downsample_G": 1, "n_blocks": 2},
}


def settings(system, run=None, **options):
    return parse_settings(
        {
            "system": system,
            "data": {"root": "x"} | ({"fine_size": 64, "load_size": 64} if options else {}),
            "options": SMALL[system] | options,
            "run": run or {},
        }
    )


@pytest.fixture(autouse=True)
def small_vgg(monkeypatch):
    """VGG19 is large; its weights' part is known."""

    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.only = torch.nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False)

        def forward(self, pictures):
            return (self.only(pictures),)

    monkeypatch.setattr(memory, "VGG19", Small)


def kept_by_a_real_step(system, size_hw):
    """Bytes that the forward passes of a step at this size keep, counted there."""
    found = (
        settings(system, no_vgg_loss=True)
        if system == "pix2pixhd"
        else settings(system, **({"no_vgg": True} if system == "vid2vid" else {"n_epochs": 1}))
    )
    built = memory.build_system(found.options, torch.device("cpu"))
    return memory._kept(
        lambda: memory._step(built, found, size_hw), list(built.networks.values())
    ), estimate_memory(found, size_hw).activations


@pytest.mark.parametrize("system", list(SMALL))
def test_what_a_larger_step_keeps_is_extrapolated(system):
    real, estimate = kept_by_a_real_step(system, (192, 256))
    assert estimate == pytest.approx(real, rel=0.15)


def test_weights_are_counted_with_gradients_and_moments():
    found = settings("pix2pixhd", run={"ema": 0}, no_vgg_loss=True)
    system = memory.build_system(found.options, torch.device("cpu"))
    numbers = sum(p.numel() for n in system.networks.values() for p in n.parameters())
    assert estimate_memory(found, (64, 64)).weights == 16 * numbers


def test_longer_chunks_and_vgg_take_more_and_half_precision_less():
    base = estimate_memory(settings("vid2vid", no_vgg=True), (64, 128)).activations
    chunk = settings("vid2vid", no_vgg=True, max_frames_per_gpu=2)
    assert estimate_memory(chunk, (64, 128)).activations > 1.5 * base
    assert estimate_memory(settings("vid2vid", no_vgg=False), (64, 128)).activations > base
    half = settings("vid2vid", run={"precision": "bf16"}, no_vgg=True)
    assert estimate_memory(half, (64, 128)).activations == pytest.approx(0.6 * base, rel=1e-3)


def test_checkpointing_takes_less():
    base = estimate_memory(settings("vid2vid", no_vgg=True, max_frames_per_gpu=3), (64, 128))
    less = estimate_memory(
        settings("vid2vid", run={"checkpointing": True}, no_vgg=True, max_frames_per_gpu=3),
        (64, 128),
    )
    assert less.activations < 0.8 * base.activations
    assert less.weights == base.weights


def test_it_is_told_as_a_sentence():
    text = str(estimate_memory(settings("pix2pix"), (64, 64)))
    assert "GB at 64x64" in text
    assert math.isfinite(float(text.split()[1]))


def test_the_memory_of_this_machine_is_known():
    total, whose = available_memory()
    assert total > 1 << 28
    assert "this machine" in whose
