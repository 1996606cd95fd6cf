"""Which devices are to be had, told by a machine that has none of them."""

import re
from types import SimpleNamespace

import pytest
import torch

from vidtrans.errors import UsageError
from vidtrans.sequence import device as devices
from vidtrans.sequence.device import accelerators, choose_device, choose_precision
from vidtrans.sequence.transfer import Pending


@pytest.fixture
def machine(monkeypatch):
    """``machine(cuda=2)``: this machine has two GPUs of NVIDIA, or so torch says, and no other."""

    def make(*, cuda=0, mps=0, xpu=0, built=()):
        for kind, count in (("cuda", cuda), ("xpu", xpu)):
            module = getattr(torch, kind)
            monkeypatch.setattr(module, "is_available", lambda count=count: count > 0)
            monkeypatch.setattr(module, "device_count", lambda count=count: count)
            monkeypatch.setattr(module, "get_device_name", lambda n, kind=kind: f"{kind} card {n}")
            version = "1.0" if count or kind in built else None
            monkeypatch.setattr(torch.version, kind, version, raising=False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps > 0)
        monkeypatch.setattr(torch.backends.mps, "is_built", lambda: mps > 0 or "mps" in built)

    return make


def test_auto_is_the_first_gpu_of_nvidia_else_the_cpu(machine):
    machine(cuda=1, xpu=1)
    assert choose_device("auto").type == "cuda"
    machine(mps=1, xpu=1)  # untested ones must be named
    assert choose_device("auto").type == "cpu"


@pytest.mark.parametrize(
    ("name", "type_"),
    [("cpu", "cpu"), ("cuda", "cuda"), ("cuda:1", "cuda"), ("mps", "mps"), ("xpu:1", "xpu")],
)
def test_devices_that_are_there(machine, name, type_):
    machine(cuda=2, mps=1, xpu=2)
    assert choose_device(name) == torch.device(name)
    assert choose_device(name).type == type_


@pytest.mark.parametrize(
    ("name", "built", "reason"),
    [
        ("cuda", (), "CUDA was asked for, but this torch is a CPU build"),
        ("cuda:1", ("cuda",), "CUDA was asked for, but torch finds no NVIDIA GPU or driver"),
        ("mps", (), "MPS was asked for, but this torch is built without it"),
        ("mps", ("mps",), "MPS was asked for, but torch finds no Apple GPU, or macOS is too old"),
        ("xpu", (), "XPU was asked for, but this torch is built without it"),
        ("xpu:0", ("xpu",), "XPU was asked for, but torch finds no Intel GPU or driver"),
    ],
)
def test_devices_that_are_not_there_are_told_why(machine, name, built, reason):
    machine(built=built)
    with pytest.raises(UsageError, match=re.escape(reason)) as caught:
        choose_device(name)
    assert caught.value.exit_code == 2
    assert "Use the device auto or cpu." in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cuda:2", "cuda:2 was asked for, and there are 2 CUDA devices."),
        ("mps:1", "mps:1 was asked for, and there is 1 MPS device."),
        ("xpu:1", "xpu:1 was asked for, and there is 1 XPU device."),
    ],
)
def test_numbers_beyond_the_last_device(machine, name, told):
    machine(cuda=2, mps=1, xpu=1)
    with pytest.raises(UsageError, match=re.escape(told)):
        choose_device(name)


@pytest.mark.parametrize("name", ["tpu", "hpu", "meta", "cpu:x", ""])
def test_other_names(machine, name):
    machine()
    with pytest.raises(UsageError, match="Use auto, cpu, cuda, cuda:N, mps, xpu or xpu:N"):
        choose_device(name)


def test_accelerators_by_name_and_title(machine):
    machine()
    assert accelerators() == ()
    machine(cuda=2, mps=1, xpu=1)
    assert accelerators() == (
        ("cuda:0", "GPU cuda card 0"),
        ("cuda:1", "GPU cuda card 1"),
        ("mps", "Apple GPU"),
        ("xpu:0", "GPU xpu card 0"),
    )
    assert all(choose_device(name) for name, _ in accelerators())


def test_half_precision_is_the_default_on_cuda_alone():
    kinds = ("cpu", "cuda", "mps", "xpu")
    found = {kind: choose_precision("auto", torch.device(kind)) for kind in kinds}
    assert found == {"cpu": "fp32", "cuda": "fp16", "mps": "fp32", "xpu": "fp32"}
    assert choose_precision("bf16", torch.device("mps")) == "bf16"


def test_timings_wait_for_the_device_that_is_timed(monkeypatch):
    waited = []
    for kind in ("cuda", "xpu"):
        module = getattr(torch, kind)
        monkeypatch.setattr(module, "synchronize", lambda at, kind=kind: waited.append(str(at)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    for name in ("cpu", "cuda:1", "mps", "xpu:0"):
        devices.settle(torch.device(name))
    assert waited == ["cuda:1", "mps", "xpu:0"]


def test_a_picture_without_an_event_is_copied_where_it_is_waited_for():
    pixels = torch.zeros(2, 3, 3, dtype=torch.uint8)
    copied = []
    picture = SimpleNamespace(cpu=lambda: copied.append(1) or pixels)
    pending = Pending(picture)
    assert not copied
    assert pending.wait().shape == (2, 3, 3)
    assert copied
