"""The same code on a GPU: near the CPU's pictures, never waiting for the device inside ``step``."""

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from vidtrans.frame import FrameTime, LabelFrame, Nv12, StyleChoice
from vidtrans.model import Card
from vidtrans.nets import constants, perspective
from vidtrans.nets.blocks import FrameNorm
from vidtrans.nets.nv12 import to_nv12
from vidtrans.nets.viewport import Viewport
from vidtrans.nets.warp import warp
from vidtrans.pipeline import convert as convert_module
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings
from vidtrans.sequence.cuda_graph import TOLERANCES, CudaCapture, GraphedGenerator
from vidtrans.sequence.loading import load_model
from vidtrans.sequence.model import Model
from vidtrans.sequence.together import painting_together

pytestmark = pytest.mark.cuda


@pytest.fixture(autouse=True)
def gpu():
    if not torch.cuda.is_available():
        if os.environ.get("VIDTRANS_REQUIRE_CUDA") == "1":
            pytest.fail("VIDTRANS_REQUIRE_CUDA is 1, and torch finds no GPU")
        pytest.skip("no CUDA GPU")


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 5e-3), ("fp16", 0.1), ("bf16", 0.3)])
def test_the_gpu_paints_what_the_cpu_paints(published_networks, precision, tolerance, car_clip):
    labels = car_clip()
    settings = {"first_frames": "raw"}
    wanted = Model(published_networks(**settings), device="cpu").translate(labels=labels)
    found = Model(published_networks(**settings), device="cuda", precision=precision).translate(
        labels=labels
    )
    assert np.abs(found - wanted).mean() < tolerance / 5
    assert np.quantile(np.abs(found - wanted), 0.99) < tolerance


def test_the_embedded_model_paints_what_it_paints_on_the_cpu(car_clip):
    labels = car_clip()
    wanted = load_model("street", device="cpu", precision="fp32").translate(labels=labels)
    found = load_model("street", device="cuda", precision="fp32").translate(labels=labels)
    assert np.abs(found - wanted).mean() < 1e-3


def test_the_same_bits_every_time(published_networks, car_clip):
    model = Model(published_networks(), device="cuda")
    assert model.precision == "fp16"
    labels = car_clip()
    assert np.array_equal(model.translate(labels=labels), model.translate(labels=labels))


@pytest.mark.parametrize("embedded", [False, True])
def test_a_step_never_waits_for_the_device(published_networks, embedded, car_clip, label_frames):
    model = (
        load_model("street", device="cuda")
        if embedded
        else Model(published_networks(), device="cuda")
    )
    clip_frames = label_frames(car_clip())
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


def test_downloads_wait_for_their_picture(published_networks, car_clip, label_frames):
    model = Model(published_networks(), device="cuda")
    state = model.start((64, 96))
    for frame in label_frames(car_clip()):
        state, painting = model.step(state, frame)
        found = model.download(painting.picture).wait()
        wanted = model.download(painting.picture.cpu()).wait()
        assert np.array_equal(found, wanted)


def test_states_travel_between_devices(published_networks, car_clip, label_frames):
    labels = car_clip()
    on_gpu = Model(published_networks(), device="cuda", precision="fp32")
    on_cpu = Model(published_networks(), device="cpu")
    state = on_gpu.start((64, 96))
    for frame in label_frames(labels)[:4]:
        state, _ = on_gpu.step(state, frame)
    state = type(state).from_bytes(state.to_bytes())
    _, there = on_gpu.step(state, label_frames(labels)[4])
    _, here = on_cpu.step(state, label_frames(labels)[4])
    assert (there.picture.cpu() - here.picture).abs().mean() < 1e-3


def test_zero_flow_is_the_identity():
    picture = torch.rand(1, 3, 135, 240, device="cuda")
    assert torch.equal(warp(picture, torch.zeros(1, 2, 135, 240, device="cuda")), picture)


def test_styles_are_the_same_planes_and_nothing_waits(random_networks, car_clip):
    from vidtrans.sequence.style_planes import Styling
    from vidtrans.sequence.transfer import Transfer

    card = Card(
        system="pix2pixhd",
        generator={"channels": 4, "downsamplings": 1, "blocks": 1, "feature_nc": 2},
        styles={"26": [[float(i), -float(i)] for i in range(10)], "7": [[0.5, 0.25]]},
    )
    networks = random_networks(card)
    labels = car_clip(1)[0]
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


def test_types_and_layouts_are_kept_between_layers(published_networks, car_clip):
    model = Model(published_networks(), device="cuda").eager()
    seen = []

    def check(norm, given, result):
        assert result.dtype == torch.float16
        assert result.is_contiguous(memory_format=torch.channels_last)
        seen.append(norm)

    for module in model.networks.generator.modules():
        if isinstance(module, FrameNorm):
            module.register_forward_hook(check)
    model.translate(labels=car_clip(3))
    assert seen


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("affine", [True, False])
def test_statistics_of_half_types_are_those_of_full_precision(dtype, affine):
    torch.manual_seed(0)
    norm = FrameNorm(64, affine=affine, stored=False).eval().cuda()
    x = (40 + torch.randn(2, 64, 128, 256)).to(dtype).cuda().to(memory_format=torch.channels_last)
    exact = norm.double()(x.double())
    norm.float()
    unit = torch.finfo(dtype).eps
    torch.testing.assert_close(norm(x).double(), exact, rtol=0.51 * unit, atol=1e-3)
    equal = torch.full_like(x, 3.3)  # what is left of equal values is no picture
    assert norm(equal).abs().max() < 0.01


def test_nv12_planes_are_those_of_the_cpu():
    planes = Nv12(0.2126, 0.0722)
    picture = torch.randint(0, 256, (65, 97, 3), dtype=torch.uint8)
    off = to_nv12(picture.cuda(), planes).cpu().int() - to_nv12(picture, planes).int()
    assert off.abs().max() <= 1


@pytest.mark.parametrize("codec", ["libx264", "auto"])
def test_a_film_of_planes_made_on_the_gpu(label_film, tiny_model, decoded, monkeypatch, codec):
    """``auto`` is NVENC, where the GPU has it."""
    films = []
    for planes in (True, False):
        if not planes:
            monkeypatch.setattr(convert_module, "_makes_nv12", lambda model: False)
        settings = ConvertSettings.read(
            input=str(label_film),
            output=str(label_film.with_name(f"{planes}.mp4")),
            model=str(tiny_model),
            labels="cityscapes",
            size_hw="256x128",
            device="cuda",
            codec=codec,
        )
        films.append(decoded(convert(settings).output).astype(int))
    assert films[0].shape == films[1].shape
    assert np.abs(films[0] - films[1]).mean() < 4  # two lossy encodings


# -- graphs ----------------------------------------------------------------------------------------

STREETS = Card(
    system="vid2vid",
    architecture="street",
    generator={"channels": (8, 8, 8, 16), "blocks": (1, 1, 1, 1, 1), "feature_nc": 3},
    first_frames="raw",
    styles={"26": [[float(i) / 10, -float(i) / 10, 0.5] for i in range(10)]},
)


@pytest.fixture(params=["published", "street", "styled", "pix2pixHD"])
def model(request, published_networks, random_networks):
    """Models of every kind, that record graphs."""
    card = Card(
        system="pix2pixhd",
        generator={"channels": 8, "downsamplings": 2, "blocks": 1, "local_enhancers": 1},
    )
    match request.param:
        case "published":
            return Model(published_networks(first_frames="raw"), device="cuda")
        case "street":
            return load_model("street", device="cuda")
        case "styled":
            return Model(random_networks(STREETS), device="cuda", seed=1)
        case _:
            return Model(random_networks(card), device="cuda")


def graphs(model):
    """The graphs that a model has; fails where it does without them."""
    generator = model.networks.generator
    assert isinstance(generator, GraphedGenerator)
    assert not generator._failed
    return generator._graphs


def near(found, wanted, precision="fp16"):
    """Whether two pictures are one picture, but for rounding."""
    tolerance = TOLERANCES[precision]
    assert found.isfinite().all()
    return torch.isclose(found, wanted, rtol=tolerance, atol=tolerance).float().mean() > 0.99


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("embedded", [False, True])
def test_a_graph_paints_what_is_painted_without(
    published_networks, embedded, precision, car_clip, label_frames
):
    model = (
        load_model("street", device="cuda", precision=precision)
        if embedded
        else Model(published_networks(), device="cuda", precision=precision)
    )
    eager = model.eager()
    assert eager.networks.generator is not model.networks.generator
    state = model.start((64, 96))
    for frame in label_frames(car_clip()):
        _, wanted = eager.step(state, frame)
        state, found = model.step(state, frame)
        assert near(found.picture, wanted.picture, precision)
        for scale, exact in zip(found.scales, wanted.scales, strict=True):
            assert near(scale, exact, precision)
    assert len(graphs(model)) == 1


def test_every_kind_of_model_has_one_graph_for_a_film(model, car_clip, label_frames):
    eager = model.eager()
    state = model.start((64, 96))
    for frame in label_frames(car_clip(8)):
        _, wanted = eager.step(state, frame)
        state, found = model.step(state, frame)
        assert near(found.picture, wanted.picture)
    assert len(graphs(model)) == 1


def test_paintings_and_states_are_never_overwritten(model, car_clip, label_frames):
    state = model.start((64, 96))
    kept = []
    for frame in label_frames(car_clip()):
        state, painting = model.step(state, frame)
        tensors = [painting.picture, *painting.scales, *(state.history or ())]
        kept.append((tensors, [tensor.cpu() for tensor in tensors]))
    for tensors, then in kept:
        for tensor, before in zip(tensors, then, strict=True):
            assert torch.equal(tensor.cpu(), before)


def test_sizes_in_turns(model, car_clip):
    found = [model.translate(labels=car_clip(5, size)) for size in ((64, 96), (96, 64), (64, 96))]
    assert np.array_equal(found[0], found[2])
    assert len(graphs(model)) == 2


def test_after_a_cut_a_sequence_is_a_new_one(model, car_clip, label_frames):
    labels = label_frames(car_clip())
    wanted = model.translate(labels=car_clip())
    state = model.start((64, 96))
    for frame in labels:
        state, _ = model.step(state, frame)
    state = model.reset(state)
    for frame, exact in zip(labels, wanted, strict=True):
        state, painting = model.step(state, frame)
        assert np.array_equal(painting.picture[0].float().cpu().numpy(), exact)


def test_a_resumed_sequence_has_the_same_bits(model, car_clip, label_frames):
    labels = label_frames(car_clip(8))
    state = model.start((64, 96))
    wanted = []
    for number, frame in enumerate(labels):
        state, painting = model.step(state, frame)
        wanted.append(painting.picture.cpu())
        if number == 4:
            saved = state.to_bytes()
    state = type(state).from_bytes(saved)
    for frame, exact in zip(labels[5:], wanted[5:], strict=True):
        state, painting = model.step(state, frame)
        assert torch.equal(painting.picture.cpu(), exact)


def test_sequences_in_turns_do_not_meet(model, car_clip, label_frames):
    films = [car_clip(), car_clip()[:, :, ::-1].copy()]
    wanted = [model.translate(labels=film) for film in films]
    states = [model.start((64, 96)) for _ in films]
    for number, pair in enumerate(zip(*(label_frames(film) for film in films), strict=True)):
        for which, frame in enumerate(pair):
            states[which], painting = model.step(states[which], frame)
            found = painting.picture[0].float().cpu().numpy()
            assert np.array_equal(found, wanted[which][number])


def test_styles_may_change_from_frame_to_frame(random_networks, car_clip, label_frames):
    model = Model(random_networks(STREETS), device="cuda")
    eager = model.eager()
    state = model.start((64, 96))
    for number, frame in enumerate(label_frames(car_clip(8))):
        styled = replace(frame, styles=StyleChoice(((26, number % 3),), ()))
        _, wanted = eager.step(state, styled)
        state, found = model.step(state, styled)
        assert near(found.picture, wanted.picture)
    assert len(graphs(model)) == 1


def test_what_a_graph_reads_outlives_the_caches(model, car_clip, label_frames):
    labels = label_frames(car_clip(8))
    state = model.start((64, 96))
    for frame in labels[:5]:
        state, _ = model.step(state, frame)
    _, wanted = model.step(state, labels[5])
    wanted = wanted.picture.clone()
    for cached in (constants.constant, constants.membership, perspective._kept_planes):
        cached.cache_clear()
    torch.cuda.synchronize()
    dirt = [torch.full((1 << n,), torch.nan, device="cuda") for n in range(6, 24)]
    _, found = model.step(state, labels[5])
    assert torch.equal(found.picture, wanted)
    del dirt


def test_other_threads_copy_frames_while_a_graph_is_recorded(
    published_networks, car_clip, label_frames
):
    wanted = Model(published_networks(), device="cuda").translate(labels=car_clip())
    model = Model(published_networks(), device="cuda")
    ended = threading.Event()

    def copy():
        count = 0
        while not ended.is_set():
            picture = torch.zeros(count % 50 + 20, 33, 3, dtype=torch.uint8, device="cuda")
            assert model.download(picture).wait().shape == picture.shape
            model.upload(label_frames(car_clip(1, (64, 96 + count % 50)))[0])
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        copying = [pool.submit(copy) for _ in range(2)]
        try:
            found = model.translate(labels=car_clip())
        finally:
            ended.set()
        assert all(each.result() for each in copying)
    assert np.array_equal(found, wanted)
    assert len(graphs(model)) == 1


def test_sequences_painted_together_have_graphs_too(published_networks, car_clip):
    films = [car_clip(), car_clip()[:, :, ::-1].copy()]
    alone = [Model(published_networks(), device="cuda").translate(labels=film) for film in films]
    model = painting_together(Model(published_networks(), device="cuda"))
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda film: model.translate(labels=film), films))
    for found, wanted in zip(both, alone, strict=True):
        assert np.abs(found - wanted).mean() < TOLERANCES["fp16"]


def test_a_generator_that_waits_is_painted_without_a_graph(published_networks, caplog, car_clip):
    model = Model(published_networks(), device="cuda")
    plain = model.networks.generator.plain

    class Waits:
        n_frames = plain.n_frames
        size_multiple = plain.size_multiple

        def __getattr__(self, name):
            return getattr(plain, name)

        def __call__(self, conditioning, history):
            painting = plain(conditioning, history)
            assert painting.picture.max().item() <= 1
            return painting

    wanted = model.eager().translate(labels=car_clip())
    graphed = GraphedGenerator(Waits(), CudaCapture(model.device), tolerance=0.1)
    model.networks = replace(model.networks, generator=graphed)
    with caplog.at_level(logging.WARNING):
        found = model.translate(labels=car_clip())
    assert np.array_equal(found, wanted)
    (said,) = caplog.messages
    assert "waits for the device" in said
    # What went wrong leaves nothing behind: another model of the same process has graphs.
    other = Model(published_networks(), device="cuda")
    other.translate(labels=car_clip())
    assert len(graphs(other)) == 1
