"""The benchmarks that are kept in docs/benchmarks, and their tables."""

import importlib.util
import json
from pathlib import Path

import pytest

from vidtrans.cli.compare import compare_bench, compare_suites, earlier_figures

ROOT = Path(__file__).parents[2]
KEPT = sorted((ROOT / "docs" / "benchmarks").glob("*.json"))


@pytest.fixture(scope="module")
def benchmarks():
    spec = importlib.util.spec_from_file_location("benchmarks", ROOT / "scripts" / "benchmarks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_benchmarks():
    assert KEPT


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_benchmarks_can_be_compared_with(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert {"bench", "suite"} <= found.keys()
    bench = earlier_figures(path, "bench")
    compared = compare_bench(bench, bench)
    assert set(compared["ratio"].values()) == {1.0}
    assert compared["slower"] == []
    suite = earlier_figures(path, "suite")
    compared = compare_suites(suite, suite)
    assert len(compared["rows"]) == sum("error" not in row for row in suite["rows"])
    assert not any(row["slower"] for row in compared["rows"])


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_benchmarks_say_when_and_where(path):
    for figures in json.loads(path.read_text(encoding="utf-8")).values():
        assert figures["machine"]["date"][:2] == "20"
        assert figures["machine"]["cpu"]


def test_the_page_shows_them(benchmarks):
    page = benchmarks.PAGE.read_text(encoding="utf-8")
    assert page == benchmarks.page_with_tables(page, KEPT), (
        "docs/performance.md differs from docs/benchmarks; run scripts/benchmarks.py"
    )


def test_the_newest_comes_first(benchmarks, tmp_path):
    machine = {"cpu": "x", "cores": 2, "memory_gib": 8, "load_1min": 0.1, "python": "3.11.7"}
    for name, date in (("a", "2026-01-01"), ("b", "2026-03-01"), ("c", "2026-02-01")):
        figures = {
            "convert": {"wall_s": 1.25, "cpu_s": 1.5},
            "machine": machine | {"date": date, "versions": {"torch": "2"}},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps({"start": figures}))
    empty = f"before\n{benchmarks.BEGIN}{benchmarks.END}\nafter\n"
    page = benchmarks.page_with_tables(empty, sorted(tmp_path.glob("*.json")))
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert page.index("### b") < page.index("### c") < page.index("### a")
    assert "| convert | 1.25 | 1.5 |" in page
    with pytest.raises(ValueError, match="no place"):
        benchmarks.page_with_tables("before", [])
