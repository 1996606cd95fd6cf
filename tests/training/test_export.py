"""From a run to models that `vidtrans` and `import_run` read, with the same pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from vidtrans_training import import_run
from vidtrans_training.datasets.opening import open_data
from vidtrans_training.export import export, open_run
from vidtrans_training.loop import generate_whole, train
from vidtrans_training.options import parse_options
from vidtrans_training.run_folder import settings_json
from vidtrans_training.street_export import RELATIVES, borrow_rows, thing_colours

from vidtrans.errors import ModelError, OutputError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model.street_classes import foreground_classes
from vidtrans.nets.street import StreetGenerator
from vidtrans.sequence.loading import load_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trained(tiny_settings, tmp_path):
    """A run of one step by the system's name."""

    def run(system, **changes):
        changes["run"] = {"steps": 1} | changes.get("run", {})
        train(tiny_settings(system, **changes), tmp_path / f"run_{system}")
        return tmp_path / f"run_{system}"

    return run


@pytest.mark.parametrize("system", ["pix2pix", "pix2pixhd", "vid2vid", "street"])
def test_a_bundle_of_every_system_translates(system, trained, tmp_path):
    card = export(trained(system), tmp_path / "model.safetensors", name="toy")
    assert card.name == "toy"
    assert "for 1 steps" in card.provenance
    model = load_model(tmp_path / "model.safetensors")
    if system == "pix2pix":
        found = model.translate(images=np.zeros((1, 3, 32, 32), np.float32))
    else:
        assert card.label_scheme == "cityscapes"
        assert card.training_hw == (32, 64)
        found = model.translate(labels=np.full((4, 32, 64), 7, np.uint8))
    assert np.isfinite(found).all()


def test_a_bundle_paints_what_the_network_paints(trained, tmp_path):
    run = trained("vid2vid", options={"no_first_img": True, "use_instance": False})
    export(run, tmp_path / "model.safetensors")
    samples = open_data(open_run(run).settings).training
    clip = samples.whole(samples.material.sequences[0], range(5)).fitted(4)
    again = open_run(run)
    for name, tensors in again.tensors.items():
        again.system.networks[name].load_state_dict(tensors)
        # In float32 a norm of nearly flat planes, which so small a network has, is rounding alone.
        again.system.networks[name].double()
    clip = replace(clip, real=clip.real.double())
    again.system.options = again.system.options.model_copy(update={"max_frames_per_gpu": 1})
    torch.set_default_dtype(torch.float64)
    try:
        with again.system.measuring(), torch.no_grad():
            wanted = torch.cat([g.pictures for g in generate_whole(again.system, clip)])
    finally:
        torch.set_default_dtype(torch.float32)
    found = load_model(tmp_path / "model.safetensors").translate(labels=clip.labels.numpy())
    assert np.abs(found[2:] - wanted.numpy()).max() < 1e-4


def test_a_published_folder_goes_back_into_training(trained, tmp_path):
    run = trained("pix2pixhd", run={"ema": 0})
    export(run, tmp_path / "folder")
    names = {path.name for path in (tmp_path / "folder").iterdir()}
    assert {"latest_net_G.pth", "latest_net_D.pth", "latest_net_E.pth", "opt.txt"} <= names
    assert "features_clustered_010.npy" in names
    trained_run = open_run(run)
    options = trained_run.settings.options.model_dump()
    again = import_run(tmp_path / "folder", system="pix2pixhd", options=options)
    for file, tensors in again.state_dicts().items():
        name = file.removeprefix("latest_net_").removesuffix(".pth")
        own = trained_run.system.networks[name].state_dict()
        assert all(torch.equal(tensors[n], own[n]) for n in own)
    with pytest.raises(OutputError, match="exist"):
        export(run, tmp_path / "folder")


def test_a_run_begins_with_a_bundle_or_a_folder(trained, tiny_settings, tmp_path):
    first = trained("pix2pixhd", run={"ema": 0})
    export(first, tmp_path / "model.safetensors", name="first")
    export(first, tmp_path / "folder")
    own = open_run(first).system.networks
    for number, source in enumerate((tmp_path / "model.safetensors", tmp_path / "folder")):
        run = {"steps": 1, "ema": 0, "begin_with": str(source)}
        settings = tiny_settings("pix2pixhd", run=run, options={"lr": 0.0, "num_D": 2})
        train(settings, tmp_path / f"second_{number}")
        second = open_run(tmp_path / f"second_{number}")
        for tensor, value in own["G"].state_dict().items():
            assert torch.equal(second.system.networks["G"].state_dict()[tensor], value)
        # The discriminator has a scale more; the folder holds the coarsest, the bundle none.
        name = "scale0_layer0.0.weight"
        same = torch.equal(second.system.D.state_dict()[name], own["D"].state_dict()[name])
        assert same is (number == 1)
    card = export(tmp_path / "second_0", tmp_path / "again.safetensors")
    assert "from the weights of first" in card.provenance


def test_weights_that_fit_nowhere_are_refused(trained, tiny_settings, tmp_path):
    export(trained("pix2pix"), tmp_path / "model.safetensors")
    settings = tiny_settings("vid2vid", run={"begin_with": str(tmp_path / "model.safetensors")})
    with pytest.raises(ModelError, match="cannot begin with these weights"):
        train(settings, tmp_path / "other")


def test_the_street_network_has_no_published_folder(trained, tmp_path):
    with pytest.raises(ModelError, match="published code"):
        export(trained("street"), tmp_path / "folder")


def test_unseen_classes_look_like_their_relatives(trained, tmp_path):
    card = export(trained("street"), tmp_path / "toy.safetensors")
    assert "road, building" in card.provenance
    model = load_model(tmp_path / "toy.safetensors")
    assert isinstance(model.networks.generator, StreetGenerator)
    bus, car = (model.translate(labels=np.full((2, 32, 64), label, np.uint8)) for label in (28, 26))
    # Textures of two kinds lie at different rows, so interpolation rounds differently.
    np.testing.assert_allclose(bus, car, atol=1e-3)


def test_styles_are_the_colours_of_things(trained, tmp_path):
    """The toy's post is a car, and red; a bus was never seen and looks like one."""
    export(trained("street"), tmp_path / "toy.safetensors")
    styles = load_model(tmp_path / "toy.safetensors").card.styles
    (red,) = styles["26"]
    assert red[0] > 0.5 > -0.5 > max(red[1:])
    assert styles["28"] == [red]


def test_a_thing_has_one_colour_over_the_whole_clip():
    instances = np.array([[[7, 7, 26001, 26001]], [[7, 26001, 26001, 26002]]], np.int32)
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
        np.full((1, 1, 2), 24003, np.int32), np.full((1, 1, 2, 3), 255, np.uint8)
    )
    assert np.allclose(whole[alone], 1)


def test_more_things_than_a_byte_counts():
    instances = 26000 + np.arange(600, dtype=np.int32).reshape(1, 20, 30)
    things, colours = thing_colours(instances, np.full((1, 20, 30, 3), 128, np.uint8))
    assert colours.shape == (601, 3)
    assert things.max() == 600


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
    with pytest.raises(ModelError, match="no folder of a training run"):
        export(tmp_path, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_settings_are_read_back_from_a_run(trained, tiny_settings):
    run = trained("street")
    assert settings_json(open_run(run).settings) == settings_json(
        tiny_settings("street", run={"steps": 1})
    )
    assert parse_options("street", open_run(run).settings.options.model_dump())
