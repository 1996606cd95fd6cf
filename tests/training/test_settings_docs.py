"""docs/training.md names every setting, and the settings that come with the project are valid."""

from pathlib import Path

import pytest
from vidtrans_training.datasets.geometry import KINDS as CROPS
from vidtrans_training.datasets.layouts import KINDS
from vidtrans_training.settings import DataSettings, RunSettings, WorldSettings, read_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/training.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("section", [DataSettings, RunSettings, WorldSettings])
def test_every_setting_is_in_the_docs(section):
    assert [name for name in section.model_fields if f"`{name}`" not in PAGE] == []


def test_every_layout_is_in_the_docs():
    assert [kind for kind in KINDS if f"| `{kind}` |" not in PAGE] == []


def test_the_kinds_of_cropping_are_in_the_docs():
    names = {kind for system in ("pix2pix", "pix2pixhd") for kind in CROPS[system]}
    assert [kind for kind in names if f"`{kind}`" not in PAGE] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "training").glob("**/*.toml")), ids=lambda p: p.stem
)
def test_the_settings_of_the_project_are_valid_and_in_the_docs(path):
    settings = read_settings(path)
    assert path.stem.endswith(settings.system)
    assert path.stem in PAGE
