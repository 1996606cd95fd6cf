"""From a run to a bundle that `vidtrans.model` reads, with the same pictures."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from vidtrans_training.config import TrainingConfig
from vidtrans_training.export import RELATIVES, borrow_rows, colour_styles, export
from vidtrans_training.vid2vid import train

from vidtrans.errors import ModelError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model.bundle import read_bundle
from vidtrans.model.networks import build
from vidtrans.model.street_classes import foreground_classes, street_classes
from vidtrans.nets.painting import Conditioning
from vidtrans.nets.street import StreetConfig, StreetGenerator
from vidtrans.sequence.loading import load_model

spec = importlib.util.spec_from_file_location("toy_clips", Path(__file__).with_name("toy_clips.py"))
toy_clips = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy_clips)


def train_a_step(folder, **model):
    """A run of one step in ``folder``, on a toy clip; ``model``: more of its settings."""
    toy_clips.write_clip(folder / "clips" / "clip_0", 0)
    model = {"channels": [4, 8, 8, 8], "blocks": [1, 1, 1, 1, 1]} | model
    stage = {"steps": 1, "batch": 1, "crop": [32, 32], "adversarial": False}
    settings = {
        "model": model,
        "data": {"clips": str(folder / "clips")},
        "threads": 1,
        "stages": [stage],
    }
    train(TrainingConfig.model_validate(settings), folder / "run")


def test_an_exported_bundle_paints_the_same_pictures(tmp_path):
    train_a_step(tmp_path, n_frames=2)
    card = export(tmp_path / "run", tmp_path / "toy.safetensors", name="toy")
    assert "road, building" in card.provenance
    assert card.training_hw == (32, 64)

    bundle = read_bundle(tmp_path / "toy.safetensors")
    found = build(bundle.card, bundle.tensors, where="toy").generator
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    trained = StreetGenerator(
        StreetConfig(fg_labels=foreground_classes(), channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1, 1)),
        street_classes(),
    )
    trained.load_state_dict(state["parts"]["average"])
    ids = torch.tensor([7, 11, 26])[torch.randint(0, 3, (1, 2, 32, 64))]
    past = torch.rand(1, 3, 32, 64) * 2 - 1
    with torch.inference_mode():
        # The file holds float16.
        torch.testing.assert_close(
            found(Conditioning(ids), (past,)).picture,
            trained(Conditioning(ids), (past,)).picture,
            atol=4e-3,
            rtol=0,
        )
        bus, car = torch.full_like(ids, 28), torch.full_like(ids, 26)
        # Textures of two kinds lie at different rows, so interpolation rounds differently.
        torch.testing.assert_close(
            found(Conditioning(bus), None).picture,
            found(Conditioning(car), None).picture,
            atol=1e-4,
            rtol=0,
        )


def test_styles_are_the_colours_of_things(tmp_path):
    """The toy's post is a car, and red; a bus was never seen and looks like one."""
    train_a_step(tmp_path, feature_nc=3)
    export(tmp_path / "run", tmp_path / "toy.safetensors")
    model = load_model(tmp_path / "toy.safetensors")
    (red,) = model.card.styles["26"]
    assert red[0] > 0.5 > -0.5 > max(red[1:])
    assert model.card.styles["28"] == [red]
    labels = np.full((3, 32, 64), 26, np.uint8)
    assert model.translate(labels=labels).shape == (3, 3, 32, 64)


def test_styles_of_a_crowd(tmp_path):
    """More things than a byte counts: 300 grey cars, and then a green bus."""
    ids = 26000 + np.arange(600, dtype=np.uint16).repeat(4).reshape(30, 80) // 2
    labels = np.full((60, 80), 26, np.uint8)
    labels[30:] = 28
    instances = np.concatenate([ids, np.full((30, 80), 28001, np.uint16)])
    rgb = np.full((60, 80, 3), 128, np.uint8)
    rgb[30:] = (0, 255, 0)
    for kind, picture in (("labels", labels), ("instances", instances), ("rgb", rgb)):
        (tmp_path / kind).mkdir()
        cv2.imwrite(str(tmp_path / kind / "000000.png"), picture)
    styles = colour_styles([tmp_path])
    assert styles[28] == [[-1, 1, -1]]
    assert np.abs(styles[26]).max() < 0.01


def test_unseen_classes_borrow_from_relatives():
    rows = torch.arange(35.0).view(1, 35, 1)
    borrowed = borrow_rows({"look.labels": rows, "other": rows}, seen={7, 11, 26})
    assert torch.equal(borrowed["other"], rows)
    found = borrowed["look.labels"].flatten()
    scheme = load_scheme("cityscapes")
    for name, wanted in {
        "train": 26,
        "ego vehicle": 7,
        "fence": 11,
        "unlabeled": 11,
        "road": 7,
    }.items():
        assert found[scheme.find(name).id] == wanted, name
    assert found[34] == 11


def test_relatives_are_classes_and_keep_the_foreground():
    scheme = load_scheme("cityscapes")
    foreground = set(foreground_classes())
    for name, relative in RELATIVES.items():
        assert (scheme.find(name).id in foreground) == (scheme.find(relative).id in foreground), (
            name
        )


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(ModelError, match=r"checkpoint\.pt"):
        export(tmp_path, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
