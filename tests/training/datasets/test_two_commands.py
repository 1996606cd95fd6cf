"""From every layout to a model that converts: init, train, export."""

import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner
from vidtrans_training.cli import app
from vidtrans_training.propose import as_toml_value

import vidtrans
from vidtrans.errors import InputError, VidtransError

_HD = {"ngf": 2, "ndf": 2, "n_blocks_global": 1, "num_D": 1, "no_vgg_loss": True}
_FILM = {"ndf": 2, "num_D": 1, "no_vgg": True, "n_scales_temporal": 1}
SMALL = {
    "pix2pix": {"ngf": 2, "ndf": 2},
    "pix2pixhd": _HD,
    "vid2vid": {"ngf": 4, "n_blocks": 1} | _FILM,
    "street": {"channels": [4, 4, 4, 4], "blocks": [1, 1, 1, 1, 1]} | _FILM,
}


def run(*arguments) -> str:
    """What a command says on stderr."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, VidtransError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stderr


def begun(tiny, system, root, **options):
    """Settings as ``init`` writes them, for a network small enough for a test."""
    path = tiny.root / f"{system}.toml"
    run("init", system, root, "--out", path, "--no-memory")
    content = tomllib.loads(path.read_text())
    content["options"] |= SMALL[system] | options
    content["data"] |= {"workers": 0}
    content["run"] |= {"device": "cpu", "threads": 1, "steps": 1}
    lines = [f"{name} = {as_toml_value(content[name])}" for name in ("version", "system")]
    for section in ("data", "options", "run"):
        lines.append(f"[{section}]")
        lines += [f"{name} = {as_toml_value(value)}" for name, value in content[section].items()]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("system", "kind", "options"),
    [
        ("pix2pix", "pix2pix", {}),
        ("pix2pix", "pix2pix-folders", {}),
        ("pix2pix", "cityscapes", {}),
        ("pix2pix", "world", {}),
        ("pix2pixhd", "pix2pixhd", {}),
        ("pix2pixhd", "pix2pixhd", {"instance_feat": True, "nef": 2}),
        ("pix2pixhd", "pix2pixhd", {"instance_feat": True, "load_features": True}),
        ("pix2pixhd", "folders-ab", {}),
        ("pix2pixhd", "folders", {}),
        ("pix2pixhd", "cityscapes", {}),
        ("vid2vid", "vid2vid", {}),
        ("vid2vid", "cityscapes", {}),
        ("vid2vid", "films", {}),
        ("vid2vid", "world", {}),
        ("street", "world", {}),
    ],
)
def test_a_data_set_becomes_a_model(tiny, system, kind, options):
    path = begun(tiny, system, tiny.make(kind), **options)
    model = trained(tiny, system, path)
    pictures = system == "pix2pix" or kind in tiny.PICTURES
    assert model.label_nc == (0 if pictures else 35)
    _converts(model, tiny, (64, 64) if system == "pix2pix" else tiny.SIZE_HW)


@pytest.mark.parametrize("system", ["pix2pixhd", "vid2vid", "street"])
def test_streets_rendered_on_the_fly_become_a_model(tiny, system):
    root = tiny.root / "streets"
    path = begun(tiny, system, tiny.make("world"))
    world = '[data.world]\nstreets = 2\nframes = 3\nsize = "128x64"\n'
    named = as_toml_value(str(tiny.root / "world"))
    path.write_text(path.read_text().replace(named, as_toml_value(str(root))) + "\n" + world)
    model = trained(tiny, system, path)
    assert (root / "clip_0" / "world.json").is_file()
    _converts(model, tiny, tiny.SIZE_HW)


def trained(tiny, system, path):
    """The model that the second command makes of the settings in a file."""
    out, bundle = tiny.root / "run", tiny.root / "model.safetensors"
    run(system, "--config", path, "--out", out)
    run("export", out, bundle)
    return vidtrans.load_model(bundle, device="cpu")


def _converts(model, tiny, size):
    """The model paints three frames of the tiny street."""
    shots = [tiny.shot(n) for n in range(3)]
    if model.label_nc:
        given = {"labels": [at.labels for at in shots], "instances": [at.instances for at in shots]}
    else:
        given = {"images": [np.moveaxis(at.picture, -1, 0) / 127.5 - 1 for at in shots]}
    pictures = model.translate(**{name: _cut(parts, size) for name, parts in given.items()})
    assert pictures.shape == (3, 3, *size)
    assert abs(pictures).max() <= 1


def _cut(parts, size_hw):
    height, width = size_hw
    cut = np.stack(parts)[..., :height, :width]
    return cut.astype(np.float32) if cut.dtype == np.float64 else cut


def test_damaged_files_are_named_and_end_a_strict_run(tiny):
    root = tiny.make("pix2pixhd")
    path = begun(tiny, "pix2pixhd", root)
    for name in ("0000", "0001", "0002"):
        (root / f"train_img/{name}.png").write_bytes(b"no picture")
    path.write_text(path.read_text().replace("steps = 1", "steps = 5"))
    warned = run("pix2pixhd", "--config", path, "--out", tiny.root / "a")
    assert "0000.png: is not an image that can be read. Another sample takes its place" in warned
    with pytest.raises(InputError, match="is not an image that can be read"):
        run("pix2pixhd", "--config", path, "--out", tiny.root / "b", "--strict")
