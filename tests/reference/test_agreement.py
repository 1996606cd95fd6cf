"""The published systems' own numbers: every case of the shared reference folder, through the
public surface."""

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import vidtrans
from vidtrans.nets import vid2vid, winograd

WITH_LAYERS = (
    "vid2vid_image_input_no_flow",
    "vid2vid_no_first_frames",
    "vid2vid_one_scale",
    "vid2vid_three_scales",
    "vid2vid_two_scales_no_foreground",
)
CASES = (
    "pix2pix_unet_frame",
    "pix2pix_unet_running",
    "pix2pixhd_enhancer_features",
    "pix2pixhd_global",
    *WITH_LAYERS,
)


@dataclass
class Run:
    facts: dict
    inputs: dict
    expected: dict
    model: vidtrans.Model
    paintings: list

    @property
    def compared(self):
        """How many of the last pictures are the published ones."""
        return len(self.expected["frames"])


@pytest.fixture(scope="module")
def run(shared, tmp_path_factory):
    """Runs a case by its name, once."""
    runs = {}

    def get(name):
        if name not in runs:
            folder = shared / "reference" / name
            out = tmp_path_factory.mktemp(name)
            subprocess.run(
                [sys.executable, shared / "reference" / "make_checkpoint.py", folder, out],
                check=True,
            )
            facts = json.loads((folder / "case.json").read_text())
            more = {
                key: facts[key]
                for key in ("netG", "single", "statistics", "first_frames")
                if key in facts
            }
            system = facts["system"].lower()
            model = vidtrans.import_checkpoint(
                out, system=system, options=facts["options"] | more, device="cpu"
            )
            inputs = dict(np.load(folder / "inputs.npz"))
            runs[name] = Run(
                facts,
                inputs,
                dict(np.load(folder / "expected.npz")),
                model,
                list(model.paintings(**inputs)),
            )
        return runs[name]

    return get


@pytest.mark.parametrize("name", CASES)
def test_the_pictures_are_the_published_ones(run, name):
    case = run(name)
    pictures = torch.cat([painting.picture for painting in case.paintings]).numpy()
    assert len(pictures) == len(next(iter(case.inputs.values())))
    assert (
        np.abs(pictures[-case.compared :] - case.expected["frames"]).max()
        <= case.facts["tolerance"]
    )
    if "first_frames" in case.expected:
        assert (
            np.abs(pictures[: -case.compared] - case.expected["first_frames"]).max()
            <= case.facts["tolerance"]
        )


@pytest.mark.parametrize("name", ["pix2pixhd_global", "vid2vid_one_scale", "vid2vid_three_scales"])
def test_the_pictures_are_the_published_ones_by_tiles(run, name, monkeypatch):
    """The convolutions of large networks (`vidtrans.nets.winograd`), in the small ones that there
    are numbers of."""
    case = run(name)
    for least in ("LEAST_CHANNELS", "LEAST_TILES"):
        monkeypatch.setattr(winograd, least, 1)
    calls = []
    convolve = winograd.convolve
    monkeypatch.setattr(
        winograd, "convolve", lambda *given: calls.append(given) or convolve(*given)
    )
    pictures = case.model.translate(**case.inputs)
    assert len(calls) >= 8 * case.compared
    assert (
        np.abs(pictures[-case.compared :] - case.expected["frames"]).max()
        <= case.facts["tolerance"]
    )


@pytest.mark.parametrize("name", WITH_LAYERS)
def test_the_layers_are_the_published_ones(run, name):
    case = run(name)
    for which, painting in (
        ("first", case.paintings[-case.compared]),
        ("last", case.paintings[-1]),
    ):
        for layer in ("raw", "flow", "weight"):
            key = f"{which}_{layer}"
            if key not in case.expected:
                assert getattr(painting, layer) is None
                continue
            assert (
                np.abs(getattr(painting, layer)[0].numpy() - case.expected[key]).max()
                <= case.facts["tolerance"]
            ), key


def test_the_encoders_features_are_the_published_ones(run):
    case = run("pix2pixhd_enhancer_features")
    images = torch.from_numpy(case.inputs["images"])
    instances = torch.from_numpy(case.inputs["instances"].astype(np.int32))
    with torch.inference_mode():
        found = case.model.networks.encoder(images, instances, int(instances.max()))
    assert np.abs(found.numpy() - case.expected["features"]).max() <= case.facts["tolerance"]


def test_swapped_flow_axes_would_be_noticed(run, monkeypatch):
    """The tolerance means something: a mistake in the warp's geometry is far outside of it."""
    case = run("vid2vid_one_scale")
    true_warp = vid2vid.warp
    monkeypatch.setattr(vid2vid, "warp", lambda picture, flow: true_warp(picture, flow.flip(1)))
    pictures = case.model.translate(**{name: value[:3] for name, value in case.inputs.items()})
    assert np.abs(pictures[2] - case.expected["frames"][0]).max() > 10 * case.facts["tolerance"]
