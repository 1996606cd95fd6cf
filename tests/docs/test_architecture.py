"""docs/architecture.md names what there is: the packages, and who may import whom."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]


def test_the_layers_are_those_that_import_linter_keeps():
    blocks = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    layers = [contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"]
    assert len(layers) == 2
    for contract in layers:
        assert "\n".join(contract) in blocks


def test_the_table_has_a_row_for_every_module():
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    named = {name.rstrip("/") for row in rows for name in re.findall(r"`([\w./]+)`", row)}
    there = {
        path.name
        for path in (ROOT / "vidtrans").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert there - {"__init__.py", "__main__.py"} == named


def test_files_that_the_page_names_are_there():
    named = set(re.findall(r"`([\w/]+/[\w]+\.(?:py|toml))`", PAGE))
    tops = ("", "vidtrans", "training", "gui", "ffmpeg_filters")
    assert named
    assert {n for n in named if not any((ROOT / top / n).is_file() for top in tops)} == set()
