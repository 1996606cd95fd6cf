"""Comparing two runs of ``vidtrans bench``."""

import json

import pytest

from vidtrans.cli import bench
from vidtrans.cli.measure import compare
from vidtrans.errors import InputError


def figures(generator: float, spread: float, **more) -> dict:
    return {
        "model": "street",
        "size": "512x256",
        "device": "cpu",
        "precision": "fp32",
        "ms_per_frame": {"decode": 1.0, "generator": generator},
        "spread_ms": {"decode": 0.1, "generator": spread},
    } | more


def test_ratios_and_what_got_slower():
    assert compare(figures(50, 2), figures(60, 2)) == {
        "ratio": {"decode": 1.0, "generator": 1.2},
        "slower": ["generator"],
    }


@pytest.mark.parametrize("now", [53.9, 50.0, 30.0])
def test_noise_and_gains_are_not_slower(now):
    assert compare(figures(50, 2), figures(now, 2))["slower"] == []


@pytest.mark.parametrize(
    ("old", "said"),
    [
        (figures(50, 2, size="64x32"), "size"),
        (figures(50, 2, ms_per_frame={"decode": 1.0}), "ms_per_frame.generator"),
        (figures(50, 2, spread_ms=None), "spread_ms.decode"),
        (figures(50, 2, ms_per_frame={"decode": "fast", "generator": 1}), "ms_per_frame.decode"),
    ],
)
def test_runs_that_cannot_be_compared(old, said):
    with pytest.raises(ValueError, match=said):
        compare(old, figures(50, 2))


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", "[" * 100_000], ids=["empty", "list", "cut", "deep"]
)
def test_files_that_hold_no_figures(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(InputError):
        bench._earlier(path)
    with pytest.raises(InputError):
        bench._earlier(tmp_path / "none.json")


def test_it_says_which_stage(tmp_path, capsys):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(figures(50, 2)))
    compared = bench._compared(bench._earlier(path), figures(60, 2), path)
    assert compared["slower"] == ["generator"]
    assert "generator (1.2 times)" in capsys.readouterr().err
