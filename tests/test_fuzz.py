"""The guard of the parsers: its seeds are read, and some mutated cases end well."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "fuzz.py"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return pytest.importorskip("fuzz")


@pytest.mark.linux
def test_every_seed_is_read(fuzz, tmp_path):
    for data, suffix, target in fuzz.targets(tmp_path).values():
        path = tmp_path / f"case{suffix}"
        path.write_bytes(data)
        target(path)


@pytest.mark.linux
def test_mutated_files_are_read_or_refused():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--cases", "200", "--seed", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "seed 5: " in done.stdout
