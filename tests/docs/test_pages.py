"""The pages as files: what the reference names is there, every page is in the navigation, prose
keeps its width."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("[!.]*/README.md")})
SHOWN = sorted(
    (page.name, name)
    for page in (ROOT / "docs" / "api").glob("*.md")
    for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
)
WIDTH = 100


def resolve(name):
    """The object of a dotted name: as much of it as is a module is imported."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize(("page", "name"), SHOWN)
def test_the_reference_shows_what_is_there(page, name):
    assert resolve(name).__doc__, f"{name} of {page} has no docstring"


def test_the_reference_shows_the_public_names():
    import vidtrans

    text = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs" / "api").glob("*.md"))
    errors = {name for name in dir(vidtrans.errors) if name in vidtrans.__all__}
    names = {*vidtrans.__all__} - errors - {"__version__"}
    assert {name for name in names if f"::: vidtrans.{name}\n" not in text} == set()
    assert "::: vidtrans.errors\n" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_prose_keeps_its_width(page):
    """Tables, code blocks and lines of one word, such as a link to a picture, may be wider."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    wide = [
        line
        for line in text.splitlines()
        if len(line) > WIDTH and not line.lstrip().startswith(("|", "![", "::: ", "    "))
    ]
    assert wide == []


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT).as_posix().removeprefix("docs/") for page in PAGES]
    named = set(re.findall(r"[\w./]+\.md", navigation.partition("\nnav:\n")[2]))
    assert {*pages} == named
