"""A hook of mkdocs: pages that lie outside docs/ take part in the site, and links lead to them.

The pages of the repository are written to be read where they lie: ``README.md`` links to
``docs/labels.md``, ``docs/world.md`` to ``../training/README.md``. On the site ``docs/`` is the
root. So every link that leads to a file of the repository is rewritten to the place that this file
has on the site, and files that only a link asks for (a recipe, the licence) are copied beside.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "ffmpeg_filters/README.md",
    "training/README.md",
)
"""Pages outside docs/, by their path in the repository, which is their path on the site too."""

_LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"(^ *```.*?^ *```[^\n]*$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds ``PAGES``, and the files that any page links to."""
    from mkdocs.structure.files import File

    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for page in list(files.documentation_pages()):
        for match in _LINK.finditer(page.content_string):
            target = _in_repository(_source(page.src_uri), match["target"])
            if target is None or files.get_file_from_path(_on_site(target)) is not None:
                continue
            if not target.startswith("docs/") and not target.endswith(".md"):
                copied = File.generated(config, target, abs_src_path=str(ROOT / target))
                files.append(copied)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of one page, rewritten outside code."""
    here = page.file.src_uri

    def rewritten(match: re.Match[str]) -> str:
        target = _in_repository(_source(here), match["target"])
        if target is None:
            return match[0]
        place = posixpath.relpath(_on_site(target), posixpath.dirname(here) or ".")
        return f"{match['before']}{place}{match['anchor'] or ''}"

    parts = _FENCE.split(markdown)
    return "".join(part if n % 2 else _LINK.sub(rewritten, part) for n, part in enumerate(parts))


def _source(src_uri: str) -> str:
    """The path in the repository of a page of the site."""
    return src_uri if src_uri in PAGES else f"docs/{src_uri}"


def _on_site(path: str) -> str:
    """The path on the site of a file of the repository."""
    return path.removeprefix("docs/")


def _in_repository(source: str, target: str) -> str | None:
    """The file of the repository that a link of the page ``source`` leads to; None where it leads
    elsewhere or nowhere, which mkdocs reports."""
    if "://" in target or target.startswith("mailto:"):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    return path if not path.startswith("../") and (ROOT / path).is_file() else None
