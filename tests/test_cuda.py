"""The same code on a GPU: near the CPU's pictures, never waiting for the device inside ``step``."""

import os

import numpy as np
import pytest
import torch

from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.nets.viewport import Viewport
from vidtrans.nets.warp import warp
from vidtrans.sequence.loading import load_model
from vidtrans.sequence.model import Model

pytestmark = pytest.mark.cuda


@pytest.fixture(autouse=True)
def gpu():
    if not torch.cuda.is_available():
        if os.environ.get("VIDTRANS_REQUIRE_CUDA") == "1":
            pytest.fail("VIDTRANS_REQUIRE_CUDA is 1, and torch finds no GPU")
        pytest.skip("no CUDA GPU")


def clip(frames=6, size=(64, 96)):
    labels = np.full((frames, *size), 7, np.uint8)
    labels[:, : size[0] // 2] = 11
    for t in range(frames):
        labels[t, size[0] // 3 : 2 * size[0] // 3, 3 + 2 * t : 22 + 2 * t] = 26
    return labels


def frames(labels):
    return [
        LabelFrame(t, ids, FrameTime(t, 1), instances=ids.astype(np.int32))
        for t, ids in enumerate(labels)
    ]


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 5e-3), ("fp16", 0.1), ("bf16", 0.3)])
def test_the_gpu_paints_what_the_cpu_paints(published_networks, precision, tolerance):
    labels = clip()
    settings = {"first_frames": "raw"}
    wanted = Model(published_networks(**settings), device="cpu").translate(labels=labels)
    found = Model(published_networks(**settings), device="cuda", precision=precision).translate(
        labels=labels
    )
    assert np.abs(found - wanted).mean() < tolerance / 5
    assert np.quantile(np.abs(found - wanted), 0.99) < tolerance


def test_the_embedded_model_paints_what_it_paints_on_the_cpu():
    labels = clip()
    wanted = load_model("street", device="cpu", precision="fp32").translate(labels=labels)
    found = load_model("street", device="cuda", precision="fp32").translate(labels=labels)
    assert np.abs(found - wanted).mean() < 1e-3


def test_the_same_bits_every_time(published_networks):
    model = Model(published_networks(), device="cuda")
    assert model.precision == "fp16"
    labels = clip()
    assert np.array_equal(model.translate(labels=labels), model.translate(labels=labels))


@pytest.mark.parametrize("embedded", [False, True])
def test_a_step_never_waits_for_the_device(published_networks, embedded):
    model = (
        load_model("street", device="cuda")
        if embedded
        else Model(published_networks(), device="cuda")
    )
    clip_frames = frames(clip())
    state = model.start((64, 96))
    for frame in clip_frames[:4]:  # what is built once (kernels, constants) may wait
        state, _ = model.step(state, frame)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        pending = []
        for frame in clip_frames[4:]:
            state, painting = model.step(state, model.upload(frame))
            pending.append(model.download(painting.picture))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(picture.wait().shape == (64, 96, 3) for picture in pending)


def test_downloads_wait_for_their_picture(published_networks):
    model = Model(published_networks(), device="cuda")
    state = model.start((64, 96))
    for frame in frames(clip()):
        state, painting = model.step(state, frame)
        found = model.download(painting.picture).wait()
        wanted = model.download(painting.picture.cpu()).wait()
        assert np.array_equal(found, wanted)


def test_states_travel_between_devices(published_networks):
    labels = clip()
    on_gpu = Model(published_networks(), device="cuda", precision="fp32")
    on_cpu = Model(published_networks(), device="cpu")
    state = on_gpu.start((64, 96))
    for frame in frames(labels)[:4]:
        state, _ = on_gpu.step(state, frame)
    state = type(state).from_bytes(state.to_bytes())
    _, there = on_gpu.step(state, frames(labels)[4])
    _, here = on_cpu.step(state, frames(labels)[4])
    assert (there.picture.cpu() - here.picture).abs().mean() < 1e-3


def test_zero_flow_is_the_identity():
    picture = torch.rand(1, 3, 135, 240, device="cuda")
    assert torch.equal(warp(picture, torch.zeros(1, 2, 135, 240, device="cuda")), picture)


def test_styles_are_the_same_planes_and_nothing_waits(random_networks):
    from vidtrans.frame import StyleChoice
    from vidtrans.model import Card
    from vidtrans.sequence.style_planes import Styling
    from vidtrans.sequence.transfer import Transfer

    card = Card(
        system="pix2pixhd",
        generator={"channels": 4, "downsamplings": 1, "blocks": 1, "feature_nc": 2},
        styles={"26": [[float(i), -float(i)] for i in range(10)], "7": [[0.5, 0.25]]},
    )
    networks = random_networks(card)
    labels = clip(1)[0]
    instances = np.where(labels == 26, 26000 + np.arange(96) // 8, labels).astype(np.int32)
    choice = StyleChoice(((7, 0),), ((26002, 5),))
    frame = LabelFrame(0, labels, FrameTime(0, 1), instances=instances, styles=choice)
    planes = {}
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        transfer = Transfer(device)
        uploaded = transfer.arrive(
            transfer.upload(frame, Viewport.whole(labels.shape), label_nc=35, with_image=False)
        )
        styling = Styling(networks, device)
        styling.planes(uploaded, seed=3)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            planes[name] = styling.planes(uploaded, seed=3)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(planes["cpu"], planes["cuda"].cpu())
