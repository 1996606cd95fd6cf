"""The trainer on a toy street: it learns, and a resumed run is the uninterrupted one."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from vidtrans_training.config import TrainingConfig
from vidtrans_training.data import ClipPool, load_clip, thing_colours, whole_sequence
from vidtrans_training.export import export
from vidtrans_training.rollout import roll_out
from vidtrans_training.vid2vid import new_trainee, train

from vidtrans.errors import InputError, ModelError, UsageError
from vidtrans.model.bundle import read_bundle

spec = importlib.util.spec_from_file_location("toy_clips", Path(__file__).with_name("toy_clips.py"))
toy_clips = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy_clips)
write_clip = toy_clips.write_clip
HEIGHT, WIDTH, FRAMES, SHIFT = toy_clips.HEIGHT, toy_clips.WIDTH, toy_clips.FRAMES, toy_clips.SHIFT


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for seed in range(2):
        write_clip(tmp_path / "clips" / f"clip_{seed}", seed)
    return tmp_path / "clips"


def settings(clips: Path, *stages: dict, **more) -> TrainingConfig:
    model = {"channels": [4, 8, 8, 8], "blocks": [1, 1, 1, 1, 1]}
    small = {"channels": 4, "temporal_channels": 4, "layers": 2}
    stage = {"crop": [32, 32], "batch": 2, "frames": 3, "lr": 2e-3}
    return TrainingConfig.model_validate(
        {
            "threads": 1,
            "ema": 0.9,
            "model": model,
            "discriminator": small,
            "data": {"clips": str(clips)},
            "stages": [stage | one for one in stages],
        }
        | more
    )


def test_learns_the_toy(clips, tmp_path):
    config = settings(clips, {"steps": 60, "adversarial": False})
    clip = load_clip(clips / "clip_0")
    untrained = roll_out(new_trainee(config, torch.device("cpu")).average, clip, FRAMES)
    train(config, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[2]["pixels"] < 0.7 * lines[0]["pixels"]
    assert lines[-1]["error"] < 0.65 * untrained.error
    assert list((tmp_path / "run" / "sheets").glob("*.png"))


def test_a_resumed_run_is_the_uninterrupted_one(clips, tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    stages = [{"steps": 2, "adversarial": False}, {"steps": 3, "rollout": 1, "lr_end": 1e-4}]
    assert train(settings(clips, *stages), whole) == 5
    assert train(settings(clips, stages[0], {**stages[1], "steps": 1}), part) == 3
    config = settings(clips, *stages)
    # The learning rate falls with the share of the stage that is done: 1 of 3 from here on, as in
    # the whole run.
    assert train(config, part, resume=True) == 5
    first, second = (torch.load(run / "checkpoint.pt", weights_only=True) for run in (whole, part))
    assert first["step"] == second["step"] == 5
    for name, tensors in first["parts"].items():
        flat = [t for t in torch.utils._pytree.tree_leaves(tensors) if isinstance(t, torch.Tensor)]
        again = [
            t
            for t in torch.utils._pytree.tree_leaves(second["parts"][name])
            if isinstance(t, torch.Tensor)
        ]
        assert all(torch.equal(a, b) for a, b in zip(flat, again, strict=True)), name


def test_a_run_is_not_begun_over_another(clips, tmp_path):
    train(settings(clips, {"steps": 1, "adversarial": False}), tmp_path / "run")
    with pytest.raises(UsageError, match="--resume"):
        train(settings(clips, {"steps": 1}), tmp_path / "run")


def test_a_broken_checkpoint_is_refused(clips, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match=r"checkpoint\.pt"):
        train(settings(clips, {"steps": 1}), tmp_path / "run", resume=True)


def test_clips_are_read_as_they_lie(clips):
    clip = load_clip(clips / "clip_0")
    assert (clip.frames, clip.size_hw) == (FRAMES, (HEIGHT, WIDTH))
    batch = whole_sequence(clip)
    assert batch.real.shape == (1, FRAMES, 3, HEIGHT, WIDTH)
    assert batch.real.abs().max() <= 1
    # Points that were outside the previous picture cannot be carried over.
    assert not batch.trusted[0, 1, 0, :, -SHIFT:].any()
    assert batch.trusted[0, 1, 0, :, :-SHIFT].all()
    moved = batch.real[0, 0, :, :, SHIFT:]
    assert torch.equal(batch.real[0, 1, :, :, :-SHIFT], moved)


def test_a_mirrored_crop_has_mirrored_flow_and_place(clips):
    pool = ClipPool(clips, 9)
    pool.refresh()
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        batch = pool.sample(rng, 1, 2, (HEIGHT, WIDTH), flip=True, no_instances=0)
        x = float(batch.flow[0, 1, 0].mean())
        seen.add(x)
        shift = int(x)
        old, new = batch.real[0, 0], batch.real[0, 1]
        assert torch.equal(new, old) or torch.equal(
            new[..., max(0, -shift) : WIDTH - max(0, shift)],
            old[..., max(0, shift) : WIDTH - max(0, -shift)],
        )
    assert seen == {SHIFT, -SHIFT}


def test_missing_and_odd_files_are_named(clips):
    (clips / "clip_0" / "flow" / "000002.npz").unlink()
    with pytest.raises(InputError, match=r"000002\.npz"):
        load_clip(clips / "clip_0")
    (clips / "clip_1" / "labels" / "000001.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"000001\.png"):
        load_clip(clips / "clip_1")


def test_a_thing_has_one_colour_over_the_whole_clip():
    instances = np.array([[[7, 7, 26001, 26001]], [[7, 26001, 26001, 26002]]], np.uint16)
    rgb = np.zeros((2, 1, 4, 3), np.uint8)
    rgb[0, 0, 2:] = rgb[1, 0, 1:3] = (200, 10, 0)
    rgb[0, 0, 2] = (100, 10, 0)
    rgb[1, 0, 3] = 255
    things, colours = thing_colours(instances, rgb)
    shown = (colours[things] + 1) * 127.5
    assert np.allclose(shown[instances == 26001], (175, 10, 0), atol=1e-3)
    assert np.allclose(shown[1, 0, 3], 255)
    assert (colours[things][instances == 7] == 0).all()
    alone, whole = thing_colours(
        np.full((1, 1, 2), 24003, np.uint16), np.full((1, 1, 2, 3), 255, np.uint8)
    )
    assert np.allclose(whole[alone], 1)


def test_a_crop_shows_the_styles_of_its_things(clips):
    pool = ClipPool(clips, 9)
    pool.refresh()
    batch = pool.sample(np.random.default_rng(3), 4, 2, (32, 32), flip=True, no_instances=0)
    assert batch.styles.shape == batch.real.shape
    # The toy's wall, road and post are things of one colour each, striped: the style is near what
    # is shown.
    assert (batch.styles - batch.real).abs().max() < 0.5
    assert (batch.styles - batch.real).abs().mean() < 0.1


def test_samples_in_which_nothing_moves(clips):
    pool = ClipPool(clips, 9)
    pool.refresh()
    rng = np.random.default_rng(3)
    batch = pool.sample(rng, 2, 9, (32, 32), flip=True, still=1)  # longer than the clips are
    for part in (batch.real, batch.ids, batch.edges, batch.extents, batch.scene, batch.styles):
        assert (part == part[:, :1]).all()
    assert not batch.flow.any()
    assert batch.trusted.all()
    moving = pool.sample(rng, 20, 2, (32, 32), still=0.5).flow.abs().amax(dim=(1, 2, 3, 4)) > 0
    assert 0 < moving.sum() < 20


def test_a_run_begins_with_the_weights_of_a_bundle(clips, tmp_path):
    train(settings(clips, {"steps": 2, "adversarial": False}), tmp_path / "first")
    export(tmp_path / "first", tmp_path / "first.safetensors", name="first")
    before = read_bundle(tmp_path / "first.safetensors").tensors
    stage = {"steps": 1, "adversarial": False, "lr": 1e-9}
    more = {"begin_with": str(tmp_path / "first.safetensors")}
    model = {"channels": [4, 8, 8, 8], "blocks": [1, 1, 1, 1, 1], "feature_nc": 3}
    train(settings(clips, stage, **more, model=model), tmp_path / "second")
    after = torch.load(tmp_path / "second" / "checkpoint.pt", weights_only=True)["parts"]["average"]
    for name, tensor in before.items():
        torch.testing.assert_close(
            after[name.removeprefix("G.")], tensor.float(), atol=1e-6, rtol=0
        )
    card = export(tmp_path / "second", tmp_path / "second.safetensors")
    assert "from the weights of first (Trained from nothing" in card.provenance
    other = settings(
        clips, stage, **more, model={"channels": [4, 4, 8, 8], "blocks": [1, 1, 1, 1, 1]}
    )
    with pytest.raises(
        ModelError,
        match=r"cannot begin with these weights: its .* has the shape \[8.*\], and the network's",
    ):
        train(other, tmp_path / "third")


def test_held_out_clips_are_never_trained_on(clips):
    pool = ClipPool(clips, 9, hold_out=("clip_1",))
    assert pool.refresh() == 1
    assert [clip.name for clip in pool.held_out()] == ["clip_1"]
    write_clip(clips / "clip_2", 2)
    assert pool.refresh() == 2
