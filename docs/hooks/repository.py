"""What the site takes from the repository: README and CHANGELOG as pages, and links that lead out of `docs/`.

Links in the pages are those of the repository, so that they work where the files are read there. Here a link to a file
that the site shows goes to its page, and one to any other file goes to the repository's address.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
SOURCES = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}  # pages that lie elsewhere

# Code is matched first, so that what looks like a link within it stays.
CODE = r"(?P<code>^```.*?^```|^ {4}.*?$|`[^`\n]+`)"
LINK = re.compile(CODE + r"|\]\((?P<target>[^)\s]+)\)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that lie outside `docs/`."""
    for page, source in SOURCES.items():
        if files.get_file_from_path(page) is None:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads each relative link to the page of its file, or to the repository."""
    address = str(config.repo_url).rstrip("/")
    if page.file.src_uri in SOURCES:
        page.meta["hide"] = ["navigation"]  # it would name this page alone

    def changed(found: re.Match[str]) -> str:
        return found["code"] or f"]({led(found['target'], page.file.src_uri, files, address)})"

    return LINK.sub(changed, markdown)


def led(target: str, page: str, files: Files, address: str) -> str:
    """Where a link of a page leads on the site; unchanged where it is no path or leads nowhere.

    Args:
        target: the link as written, relative to the file that it stands in.
        page: that file's page, `architectures/dual.md`.
        files: all of the site.
        address: the repository's.
    """
    path, mark, anchor = target.partition("#")
    if not path or ":" in path:
        return target
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source_of(page)), path))
    found = page_of(place, files)
    if found is not None:
        return posixpath.relpath(found, posixpath.dirname(page) or ".") + mark + anchor
    if place.startswith("docs/") or not (ROOT / place).exists():
        return target
    return f"{address}/{'tree' if (ROOT / place).is_dir() else 'blob'}/main/{place}{mark}{anchor}"


def source_of(page: str) -> str:
    """The file in the repository that a page is made of.

    >>> source_of("index.md"), source_of("architectures/dual.md"), source_of("notebooks/1_card.md")
    ('README.md', 'docs/architectures/dual.md', 'notebooks/1_card.ipynb')
    """
    if page.startswith("notebooks/"):
        return page.removesuffix(".md") + ".ipynb"
    return SOURCES.get(page, f"docs/{page}")


def page_of(place: str, files: Files) -> str | None:
    """The page that a file or a folder of the repository has on the site: a folder's is its first."""
    shown = {source_of(file.src_uri): file.src_uri for file in files}
    if place in shown:
        return shown[place]
    inside = sorted(source for source in shown if source.startswith(f"{place}/") and source.endswith((".md", ".ipynb")))
    return shown[inside[0]] if inside else None
