"""docs/training.md names every setting."""

from pathlib import Path

import pytest
from vidtrans_training.datasets.geometry import KINDS as CROPS
from vidtrans_training.datasets.layouts import KINDS
from vidtrans_training.settings import DataSettings, RunSettings, WorldSettings

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("section", [DataSettings, RunSettings, WorldSettings])
def test_every_setting_is_in_the_docs(section):
    assert [name for name in section.model_fields if f"`{name}`" not in PAGE] == []


def test_every_layout_is_in_the_docs():
    assert [kind for kind in KINDS if f"| `{kind}` |" not in PAGE] == []


def test_the_kinds_of_cropping_are_in_the_docs():
    names = {kind for system in ("pix2pix", "pix2pixhd") for kind in CROPS[system]}
    assert [kind for kind in names if f"`{kind}`" not in PAGE] == []
