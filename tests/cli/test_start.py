"""``vidtrans bench start``."""

import json
import sys

import pytest
from typer.testing import CliRunner

from vidtrans.cli import bench
from vidtrans.cli.measure_start import measure_starts
from vidtrans.errors import InputError


def test_convert_is_started_until_its_first_picture():
    found = CliRunner().invoke(bench.app, ["start", "--rounds", "1", "--device", "cpu"])
    assert found.exit_code == 0, found.output
    figures = json.loads(found.stdout)
    assert figures["device"] == "cpu"
    convert = figures["convert"]
    assert convert["wall_s"] == convert["least_wall_s"] > 0
    assert convert["cpu_s"] > 0
    assert convert["spread_wall_s"] == 0


def test_the_process_is_ended_at_its_first_picture():
    endless = "import time; print('first', flush=True); time.sleep(600)"
    figures = measure_starts(
        [sys.executable, "-c", endless], lambda line: line == "first\n", rounds=2
    )
    assert figures["rounds"] == 2
    assert 0 < figures["least_wall_s"] <= figures["wall_s"] < 600


def test_the_process_keeps_bytecode_as_an_installed_one_has_it(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    tells = "import sys; print('keeps' if not sys.dont_write_bytecode else 'compiles again')"
    assert measure_starts([sys.executable, "-c", tells], "keeps\n".__eq__, rounds=1)


def test_a_process_that_fails_is_no_figure():
    fails = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    with pytest.raises(InputError, match="no such model"):
        measure_starts(fails, lambda line: True, rounds=1)
