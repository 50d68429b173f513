"""The navigation's `*`: every page that matches and stands nowhere else in it, in the order of names."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Writes the names in; runs after the hooks that add pages."""
    named = set(names(config.nav))
    pages = sorted(file.src_uri for file in files.documentation_pages() if file.src_uri not in named)
    config.nav = filled(config.nav, pages)
    return files


def names(nav: Any) -> Iterator[str]:
    """Every page and pattern of a navigation.

    >>> list(names(["a.md", {"More": [{"B": "b.md"}, "c/*.md"]}]))
    ['a.md', 'b.md', 'c/*.md']
    """
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from names(part)


def filled(nav: Any, pages: list[str]) -> Any:
    """A navigation with the pages that each pattern matches in its place.

    >>> filled(["a.md", {"More": ["c/*.md"]}], ["c/1.md", "c/2.md"])
    ['a.md', {'More': ['c/1.md', 'c/2.md']}]
    """
    if isinstance(nav, dict):
        return {title: filled(part, pages) for title, part in nav.items()}
    if isinstance(nav, str):
        return nav
    found: list[Any] = []
    for part in nav:
        matching = [page for page in pages if fnmatch(page, part)] if isinstance(part, str) and "*" in part else None
        found += [filled(part, pages)] if matching is None else matching
    return found
