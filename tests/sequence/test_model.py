"""A model at work: windows, first frames, padding, and a state that is nothing but a value."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import vidtrans
from vidtrans.errors import InputError, UsageError
from vidtrans.frame import FrameTime, LabelFrame
from vidtrans.model import Card, write_bundle
from vidtrans.nets.conditioning import boundary, pyramid
from vidtrans.nets.painting import Conditioning, push
from vidtrans.sequence.model import Model
from vidtrans.sequence.state import State

SINGLE = {"use_instance": False, "channels": 4, "downsamplings": 1, "blocks": 1, "stored": True}


def clip(frames=6, size=(32, 48), seed=0):
    """Labels [T,H,W] of three bands with a car that moves, and instances to them."""
    labels = np.full((frames, *size), 7, np.uint8)
    labels[:, : size[0] // 2] = 11
    for t in range(frames):
        labels[t, size[0] // 3 : 2 * size[0] // 3, 3 + 2 * t : 12 + 2 * t] = 26
    return labels, labels.astype(np.int32) * 1000 * (labels == 26) + labels


def frame(labels, instances, t):
    return LabelFrame(index=t, ids=labels[t], time=FrameTime(t, 1), instances=instances[t])


def paint(model, labels, instances, state, frames):
    pictures = []
    for t in frames:
        state, painting = model.step(state, frame(labels, instances, t))
        pictures.append(painting.picture)
    return state, torch.cat(pictures) if pictures else None


@pytest.fixture(scope="module")
def model(published_model):
    return published_model()


def test_translate_is_the_steps(model):
    labels, instances = clip()
    _, pictures = paint(model, labels, instances, model.start((32, 48)), range(6))
    found = model.translate(labels=labels, instances=instances)
    assert found.shape == (6, 3, 32, 48)
    assert found.dtype == np.float32
    assert np.array_equal(found, pictures.numpy())


def test_a_step_is_a_pure_function(model):
    labels, instances = clip()
    middle, _ = paint(model, labels, instances, model.start((32, 48)), range(4))
    before = middle.to_bytes()
    once = model.step(middle, frame(labels, instances, 4))[1].picture
    model.translate(labels=labels[::-1], instances=instances[::-1])
    again = model.step(middle, frame(labels, instances, 4))[1].picture
    assert torch.equal(once, again)
    assert middle.to_bytes() == before


def test_a_saved_state_continues_to_the_bit(model, tmp_path):
    labels, instances = clip()
    state, _ = paint(model, labels, instances, model.start((32, 48)), range(4))
    state.save(tmp_path / "state")
    _, wanted = paint(model, labels, instances, state, range(4, 6))
    _, found = paint(model, labels, instances, State.load(tmp_path / "state"), range(4, 6))
    assert torch.equal(found, wanted)
    assert State.from_bytes(state.to_bytes()).to_bytes() == state.to_bytes()


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_every_state_can_be_saved(published_networks, after):
    """Also those in the middle of the first frames, by whatever they are painted."""
    labels, instances = clip(5)
    given = np.random.default_rng(0).uniform(-1, 1, (2, 3, 32, 48)).astype(np.float32)
    for settings, first in (
        ({}, None),
        ({}, given),
        ({"first_frames": "single", "first": SINGLE}, None),
    ):
        model = Model(published_networks(**settings), device="cpu")
        state, _ = paint(
            model, labels, instances, model.start((32, 48), first_frames=first), range(after)
        )
        _, wanted = paint(model, labels, instances, state, range(after, 5))
        _, found = paint(
            model, labels, instances, State.from_bytes(state.to_bytes()), range(after, 5)
        )
        assert torch.equal(found, wanted)


def test_damaged_states_are_refused(model, tmp_path):
    labels, instances = clip()
    state, _ = paint(model, labels, instances, model.start((32, 48)), range(3))
    whole = state.to_bytes()
    for damaged in (
        b"",
        whole[:4],
        whole[:100],
        whole[:-1],
        b"\x08" + whole[1:],
        whole.replace(b"vidtrans-state", b"something-else"),
    ):
        with pytest.raises(InputError, match="state"):
            State.from_bytes(damaged)
    with pytest.raises(InputError, match="cannot be read"):
        State.load(tmp_path / "none")
    with pytest.raises(vidtrans.OutputError, match="cannot be written"):
        state.save(tmp_path / "no" / "state")


def test_a_reset_begins_anew(model):
    labels, instances = clip()
    state, _ = paint(model, labels, instances, model.start((32, 48)), range(3))
    _, wanted = paint(model, labels, instances, model.start((32, 48)), range(3, 6))
    after, found = paint(model, labels, instances, model.reset(state), range(3, 6))
    assert torch.equal(found, wanted)
    assert after.index == 6
    assert after.frames == 3


def by_hand(network, labels, instances, window, history):
    ids = torch.from_numpy(labels[window])[None]
    edges = boundary(torch.from_numpy(instances[window]))[None]
    with torch.inference_mode():
        return network(Conditioning(ids=ids, boundary=edges), history)


def test_without_first_pictures_the_history_begins_as_the_published_one(model):
    """Frames before n_frames - 1 are raw from padded labels and stay out of the history."""
    labels, instances = clip()
    network = model.networks.generator
    found = list(model.paintings(labels, instances))
    for t, window in enumerate(([0, 0, 0], [0, 0, 1])):
        wanted = by_hand(network, labels, instances, window, None).picture
        torch.testing.assert_close(found[t].picture, wanted, atol=1e-3, rtol=0)
    third = by_hand(network, labels, instances, [0, 1, 2], None)
    torch.testing.assert_close(found[2].picture, third.picture, atol=1e-3, rtol=0)
    past = push(tuple(torch.zeros(1, 6, *scale.shape[-2:]) for scale in third.scales), third)
    fourth = by_hand(network, labels, instances, [1, 2, 3], past)
    torch.testing.assert_close(found[3].picture, fourth.picture, atol=1e-3, rtol=0)


def test_a_single_image_generator_paints_the_first_frames(published_networks):
    labels, instances = clip()
    networks = published_networks(first_frames="single", first=SINGLE)
    found = list(Model(networks, device="cpu").paintings(labels, instances))
    with torch.inference_mode():
        firsts = [
            networks.first(Conditioning(ids=torch.from_numpy(labels[t])[None, None])).picture
            for t in range(2)
        ]
    past = tuple(
        torch.cat(pair, dim=1)
        for pair in zip(*(pyramid(picture, 2) for picture in firsts), strict=True)
    )
    third = by_hand(networks.generator, labels, instances, [0, 1, 2], past)
    for t, wanted in enumerate((*firsts, third.picture)):
        torch.testing.assert_close(found[t].picture, wanted, atol=1e-3, rtol=0)


def test_given_first_pictures_are_shown_and_remembered(model):
    labels, instances = clip()
    given = np.random.default_rng(1).uniform(-1, 1, (2, 3, 32, 48)).astype(np.float32)
    found = list(model.paintings(labels, instances, first_frames=given))
    assert np.array_equal(torch.cat([p.picture for p in found[:2]]).numpy(), given)
    pictures = [pyramid(torch.from_numpy(picture)[None], 2) for picture in given]
    past = tuple(torch.cat(pair, dim=1) for pair in zip(*pictures, strict=True))
    third = by_hand(model.networks.generator, labels, instances, [0, 1, 2], past)
    torch.testing.assert_close(found[2].picture, third.picture, atol=1e-3, rtol=0)
    assert not torch.equal(third.picture, third.raw)


def test_one_first_picture_is_enough(model):
    """uint8 RGB as a person has it; it is repeated before the first frame."""
    labels, instances = clip()
    picture = np.random.default_rng(1).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    found = list(model.paintings(labels, instances, first_frames=picture))
    assert np.array_equal(model.download(found[0].picture).wait(), picture)
    first = found[0].picture
    past = tuple(scale.repeat(1, 2, 1, 1) for scale in pyramid(first, 2))
    second = by_hand(model.networks.generator, labels, instances, [0, 0, 1], past)
    torch.testing.assert_close(found[1].picture, second.picture, atol=1e-3, rtol=0)


def test_raw_first_frames_start_the_history(published_model):
    labels, instances = clip()
    model = published_model(first_frames="raw")
    found = list(model.paintings(labels, instances))
    assert found[0].warped is not None
    assert torch.equal(found[0].picture, found[0].raw)
    past = tuple(scale.repeat(1, 2, 1, 1) for scale in found[0].scales)
    second = by_hand(model.networks.generator, labels, instances, [0, 0, 1], past)
    torch.testing.assert_close(found[1].picture, second.picture, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(32, 48), (33, 49), (30, 45), (5, 7), (1, 1)])
def test_any_size_is_padded_and_cropped(model, size):
    labels, instances = clip(4, (64, 64))
    labels, instances = labels[:, : size[0], : size[1]], instances[:, : size[0], : size[1]]
    paintings = list(model.paintings(labels, instances))
    for part in ("picture", "raw", "flow", "weight", "warped", "foreground", "foreground_mask"):
        assert tuple(getattr(paintings[-1], part).shape[-2:]) == size, part
    assert all(side % model.size_multiple == 0 for side in model.padded(size))


def test_padding_is_a_reflection(model):
    labels, instances = clip(4, (30, 44))
    assert model.padded((30, 44)) == (32, 44)
    pad = ((0, 0), (0, 2), (0, 0))
    wanted = model.translate(
        labels=np.pad(labels, pad, "reflect"), instances=np.pad(instances, pad, "reflect")
    )
    assert np.array_equal(model.translate(labels=labels, instances=instances), wanted[:, :, :30])


def test_the_networks_may_see_more_than_the_picture(model):
    """With a least size the rest is padding, which goes with the state and comes off again."""
    labels, instances = clip(5, (30, 44))
    pad = ((0, 0), (0, 34), (0, 4))
    wanted = model.translate(
        labels=np.pad(labels, pad, "reflect"), instances=np.pad(instances, pad, "reflect")
    )
    state, first = paint(model, labels, instances, model.start((30, 44), least_hw=(64, 48)), [0, 1])
    restored = State.from_bytes(state.to_bytes())
    assert restored.least_hw == (64, 48)
    _, rest = paint(model, labels, instances, restored, [2, 3, 4])
    assert np.array_equal(torch.cat([first, rest]).numpy(), wanted[..., :30, :44])
    assert model.reset(state).least_hw == (64, 48)
    with pytest.raises(ValueError, match="uploaded for"):
        model.step(state, model.upload(frame(labels, instances, 2)))


def test_without_instances_classes_serve_as_instances(model):
    labels, _ = clip()
    found = model.translate(labels=labels)
    assert np.array_equal(found, model.translate(labels=labels, instances=labels.astype(np.int32)))


def test_inputs_that_the_network_does_not_use_are_ignored(published_model):
    labels, instances = clip()
    model = published_model(use_instance=False)
    images = np.zeros((6, 3, 32, 48), np.float32)
    assert np.array_equal(
        model.translate(labels=labels),
        model.translate(labels=labels, instances=instances, images=images),
    )


def test_models_that_paint_from_pictures(published_model):
    model = published_model(label_nc=0, input_nc=3, use_instance=False, foreground=False)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 3, 32, 48)).astype(np.float32)
    assert model.label_nc == 0
    found = model.translate(images=images)
    assert found.shape == (4, 3, 32, 48)
    rgb = np.round((images[0] + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)
    ids = np.zeros((32, 48), np.uint8)
    _, painting = model.step(model.start((32, 48)), LabelFrame(0, ids, FrameTime(0, 1), image=rgb))
    assert np.abs(painting.picture.numpy() - found[:1]).max() < 0.3
    with pytest.raises(InputError, match="paints from pictures"):
        model.step(model.start((32, 48)), LabelFrame(3, ids, FrameTime(0, 1)))
    with pytest.raises(UsageError, match="no images"):
        model.translate(labels=ids[None])


def test_pictures_with_instances(published_model):
    model = published_model(label_nc=0, use_instance=True, foreground=False)
    _, instances = clip(4)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 3, 32, 48)).astype(np.float32)
    with_edges = model.translate(images=images, instances=instances)
    assert not np.array_equal(
        with_edges, model.translate(images=images, instances=np.zeros_like(instances))
    )
    with pytest.raises(InputError, match="frame 0: the model looks at instances"):
        model.translate(images=images)


def test_uploading_ahead_gives_the_same_bits(model):
    labels, instances = clip()
    state = uploaded_state = model.start((32, 48))
    ahead = [model.upload(frame(labels, instances, t)) for t in range(4)]
    for t in range(4):
        state, wanted = model.step(state, frame(labels, instances, t))
        uploaded_state, found = model.step(uploaded_state, ahead[t])
        assert torch.equal(found.picture, wanted.picture)


def test_unfit_frames_are_named(model):
    labels, instances = clip()
    odd = labels.copy()
    odd[3, 5, 5] = 35
    with pytest.raises(
        InputError, match="frame 3: the labels hold class 35, and the model knows classes 0 to 34"
    ):
        model.translate(labels=odd)
    state, _ = model.step(model.start((32, 48)), frame(labels, instances, 0))
    larger, larger_instances = clip(6, (48, 48))
    with pytest.raises(
        InputError, match="frame 1: the frame has the size 48x48, and the sequence began with 48x32"
    ):
        model.step(state, frame(larger, larger_instances, 1))
    with pytest.raises(
        InputError, match="frame 2: the instance map has the size 48x48, and the labels 48x32"
    ):
        model.step(state, replace(frame(labels, instances, 2), instances=larger_instances[2]))


def test_inputs_that_do_not_fit_one_another(model):
    labels, instances = clip()
    with pytest.raises(
        UsageError,
        match="do not fit one another: labels 6 frames of 48x32, instances 5 frames of 48x32",
    ):
        model.translate(labels=labels, instances=instances[:5])
    with pytest.raises(UsageError, match="none were given"):
        model.translate(instances=instances)
    with pytest.raises(UsageError, match="3 dimensions"):
        model.translate(labels=labels[0])
    with pytest.raises(UsageError, match="no frames"):
        model.translate(labels=labels[:0])
    with pytest.raises(UsageError, match="first frames have the size 10x10"):
        model.translate(labels=labels, first_frames=np.zeros((2, 3, 10, 10), np.float32))
    with pytest.raises(UsageError, match=r"\[K,3,H,W\] is needed"):
        model.translate(labels=labels, first_frames=np.zeros((2, 1, 32, 48), np.float32))


def test_an_image_system_has_no_history(random_networks):
    networks = random_networks(
        Card(system="pix2pixhd", generator={"channels": 4, "downsamplings": 1, "blocks": 1})
    )
    model = Model(networks, device="cpu")
    labels, instances = clip()
    pictures = model.translate(labels=labels, instances=instances)
    alone = model.translate(labels=labels[3:4], instances=instances[3:4])
    assert np.array_equal(pictures[3:4], alone)
    state, _ = model.step(model.start((32, 48)), frame(labels, instances, 0))
    assert state.history is None
    assert state.ids is None


def test_devices_and_precisions(published_networks, monkeypatch):
    networks = published_networks()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Model(networks).device.type == "cpu"
    assert Model(networks).precision == "fp32"
    for name in ("cuda", "cuda:1"):
        with pytest.raises(UsageError, match="CUDA was asked for") as caught:
            Model(networks, device=name)
        assert caught.value.exit_code == 2
    for name in ("tpu", "hpu", "meta", "cpu:x"):
        with pytest.raises(UsageError, match="Use auto, cpu"):
            Model(networks, device=name)
    with pytest.raises(UsageError, match="no precision called 'fp8'"):
        Model(networks, precision="fp8")


def test_half_precision_stays_near(published_networks):
    labels, instances = clip()
    exact = Model(published_networks(), device="cpu").translate(labels=labels, instances=instances)
    near = Model(published_networks(), device="cpu", precision="bf16").translate(
        labels=labels, instances=instances
    )
    assert near.dtype == np.float32
    assert 0 < np.abs(near - exact).mean() < 0.1


def test_load_model_by_path_and_info(published_networks, tmp_path):
    networks = published_networks()
    write_bundle(tmp_path / "mine.safetensors", networks.card, networks.tensors())
    model = vidtrans.load_model(tmp_path / "mine.safetensors", device="cpu")
    labels, instances = clip(3)
    wanted = Model(networks, device="cpu").translate(labels=labels, instances=instances)
    assert np.array_equal(model.translate(labels=labels, instances=instances), wanted)
    facts = model.info((32, 48))
    assert facts["n_frames"] == model.n_frames == 3
    assert facts["label_nc"] == model.label_nc == 35
    assert facts["label_scheme"] == model.label_scheme == "cityscapes"
    assert facts["flop_per_frame"] > 0
    assert facts["device"] == "cpu"


def test_downloads_are_bytes(model):
    picture = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 2, 4)
    found = model.download(picture).wait()
    assert found.dtype == np.uint8
    assert found.shape == (2, 4, 3)
    assert found[1, 2].tolist() == [0, 128, 255]
    assert np.array_equal(model.download(torch.from_numpy(found)).wait(), found)


def test_pictures_of_another_number_of_channels(published_model):
    grey = published_model(label_nc=0, input_nc=1, use_instance=False, foreground=False)
    ids = np.zeros((32, 48), np.uint8)
    rgb = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    _, painting = grey.step(grey.start((32, 48)), LabelFrame(0, ids, FrameTime(0, 1), image=rgb))
    assert painting.picture.shape == (1, 3, 32, 48)
    with pytest.raises(InputError, match="4 channels, and the model reads 1"):
        grey.translate(images=np.zeros((1, 4, 32, 48), np.float32))
