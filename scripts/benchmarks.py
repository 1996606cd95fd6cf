"""Measure this machine into docs/benchmarks, and write the tables of docs/performance.md.

``python scripts/benchmarks.py NAME`` runs every benchmark, one after the other, and writes what
they print into ``docs/benchmarks/NAME.json`` under their names; ``--only bench,start`` runs some of
them and keeps the others of that file; ``--models`` and ``--sizes`` are those of ``vidtrans bench
suite``, which takes half an hour on two cores. Then, or without NAME, the tables of all files are
written into the page. ``vidtrans bench --compare docs/benchmarks/NAME.json`` compares with such a
file.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vidtrans.atomic_write import whole_file
from vidtrans.cli.measure_suite import table as suite_table

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "benchmarks"
PAGE = DOCS / "performance.md"
BEGIN, END = "<!-- benchmarks: scripts/benchmarks.py -->", "<!-- end of the benchmarks -->"

COMMANDS = {
    "bench": ["-m", "vidtrans", "bench"],
    "suite": ["-m", "vidtrans", "bench", "suite"],
    "published": [
        *("-m", "vidtrans", "bench", "suite", "--plain", "--sizes", "512x256,1024x512"),
        *("--models", "label2city_512,label2city_1024_g1"),
    ],
    "start": ["-m", "vidtrans", "bench", "start"],
    "editor": ["-m", "vidtrans_gui.bench"],
    "filter": ["-m", "vidtrans_ffmpeg.bench"],
}
"""What is measured, by its name in the files."""


def measure(path: Path, names: Sequence[str], suite: Sequence[str] = ()) -> None:
    """Run benchmarks into a file, which is written after each of them.

    Args:
        path: The file; what it holds of other benchmarks stays.
        names: Of ``COMMANDS``.
        suite: Options of ``vidtrans bench suite``.

    Raises:
        CalledProcessError: A benchmark fails. The figures of those before it are in the file.
    """
    figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    for name in names:
        print(f"measuring {name}", file=sys.stderr)
        command = [sys.executable, *COMMANDS[name], *(suite if name == "suite" else ())]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        figures[name] = json.loads(done.stdout)
        with whole_file(path, what="the benchmarks") as partial:
            text = json.dumps(
                {each: figures[each] for each in COMMANDS if each in figures}, indent=1
            )
            partial.write_text(text + "\n", encoding="utf-8")


def page_with_tables(page: str, files: Sequence[Path]) -> str:
    """The page with the tables of ``files`` at their place, the newest first.

    Raises:
        ValueError: The page has no such place.
    """
    sections = [_section(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in files]
    newest_first = sorted(sections, reverse=True)
    tables = "\n\n".join((BEGIN, *(text for _, text in newest_first), END))
    written, count = re.subn(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: tables, page, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{PAGE} has no place for the benchmarks")
    return written


def _section(name: str, figures: dict[str, Any]) -> tuple[str, str]:
    """The date of a file and its section of the page."""
    machine = next(found["machine"] for found in figures.values())
    what = ", ".join(
        [f"{machine['cores']} cores of {machine['cpu']}"]
        + ([machine["gpu"]] if "gpu" in machine else [])
        + [f"{machine['memory_gib']} GiB", f"Python {machine['python']}"]
        + [f"torch {machine['versions']['torch']}"]
    )
    loads = ", ".join(f"{each} {found['machine']['load_1min']}" for each, found in figures.items())
    parts = [
        f"### {name}",
        f"{machine['date'][:10]}: {what}.",
        textwrap.fill(f"Load at the end of each: {loads}.", 100),
    ]
    for each, found in figures.items():
        parts.append("\n".join(_TABLES[each](found)).rstrip())
    return machine["date"], "\n\n".join(parts)


def _bench(found: dict[str, Any]) -> Iterator[str]:
    yield f"| {found['model']} {found['size']} {found['precision']} | ms a frame | processor ms |"
    yield "|---|---|---|"
    for stage, ms in found["ms_per_frame"].items():
        yield f"| {stage.replace('_', ' ')} | {ms} | {found['cpu_ms_per_frame'][stage]} |"
    yield ""
    yield (
        f"{found['fps']} frames a second, end to end / slowest stage"
        f" {found['ratio_end_to_end_to_slowest_stage']}."
    )
    yield (
        f"First frame {found['first_frame_ms']} ms, latency {found['latency_ms']} ms, memory"
        f" {found['peak_memory_mib']} MiB."
    )
    yield f"The generator has {found['share_of_matrix_product']} of a matrix product's rate."


def _suite(found: dict[str, Any]) -> Iterator[str]:
    yield suite_table(found["rows"])


def _start(found: dict[str, Any]) -> Iterator[str]:
    yield "| start to the first picture | s | processor s |"
    yield "|---|---|---|"
    for what in ("convert", "editor"):
        if what in found:
            yield f"| {what} | {found[what]['wall_s']} | {found[what]['cpu_s']} |"


def _filter(found: dict[str, Any]) -> Iterator[str]:
    pipes = ("cat", "cat_large_pipes", "filter")
    yield (
        f"| filter {found['size']} | rate to `cat` | to `cat` with large pipes | processor ms a"
        " frame: `cat` | large pipes | filter | faster `cat` to filter |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, figures in found["formats"].items():
        cpu = {pipe: figures[pipe]["cpu_ms"] for pipe in pipes}
        to_faster = min(cpu["cat"], cpu["cat_large_pipes"]) / cpu["filter"]
        rates = f"{figures['ratio']} | {figures['ratio_large_pipes']}"
        yield f"| {name} | {rates} | {' | '.join(map(str, cpu.values()))} | {to_faster:.2f} |"


_TABLES = {
    "bench": _bench,
    "suite": _suite,
    "published": _suite,
    "start": _start,
    "editor": _start,
    "filter": _filter,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help="for example 2026-11-26-h100")
    parser.add_argument("--only", default=",".join(COMMANDS), help="some of %(default)s")
    parser.add_argument("--models", metavar="NAME,...", help="of the suite")
    parser.add_argument("--sizes", metavar="WxH,...", help="of the suite")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - set(COMMANDS):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(COMMANDS)}")
    if given.name is not None:
        asked = {"--models": given.models, "--sizes": given.sizes}
        suite = [word for option, value in asked.items() if value for word in (option, value)]
        measure(FOLDER / f"{given.name}.json", names, suite)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page_with_tables(page, sorted(FOLDER.glob("*.json"))), encoding="utf-8")


if __name__ == "__main__":
    main()
