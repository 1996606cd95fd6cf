"""The examples of pages and docstrings run as they stand there."""

import doctest
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "vidtrans",
    "gui/vidtrans_gui",
    "ffmpeg_filters/vidtrans_ffmpeg",
    "training/vidtrans_training",
    "training/vidtrans_world",
)
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("[!.]*/README.md"))
    if "```python" in page.read_text(encoding="utf-8")
)
MODULES = sorted(
    module
    for package in PACKAGES
    for module in (ROOT / package).rglob("*.py")
    if ">>> " in module.read_text(encoding="utf-8")
)


def name(path):
    return path.relative_to(ROOT).as_posix()


def run(sybil, path, names):
    """Runs the examples of one file, one after the other. The first that fails says its line."""
    document = sybil.parse(path)
    document.namespace.update(names)
    examples = list(document.examples())
    for example in examples:
        example.evaluate()
    assert examples, f"no example was found in {path}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_on_a_page(page, page_names):
    run(Sybil(parsers=[PythonCodeBlockParser()]), page, page_names)


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_docstrings(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = DocTestParser(doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    sybil = Sybil(parsers=[parser], document_types={".py": PythonDocStringDocument})
    run(sybil, module, {})


def test_an_example_that_fails_is_reported(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\na = 1\n```\n\n```python\nassert a == 2\n```\n")
    with pytest.raises(AssertionError):
        run(Sybil(parsers=[PythonCodeBlockParser()]), page, {})
