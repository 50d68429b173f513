"""What every page is made of: the document, tables, and figures under a heading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from clir_lightning.evaluation.report.style import STYLE

Figure = tuple[str, str]  # caption and picture, both HTML

# No script is ever run and nothing is fetched, whatever stands in a system's name or a document's text.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page."""
    top = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    )
    return f"<!doctype html>\n<html lang=en>{top}<style>{STYLE}</style><main>{''.join(parts)}</main></html>\n"


def table(
    head: Sequence[str], cells: Sequence[Sequence[str]], left: int, marked: Mapping[int, str] | None = None
) -> str:
    """A table of text; the first `left` columns are aligned left, rows in `marked` have that class."""

    def line(row: Sequence[str], tag: str, kind: str = "") -> str:
        parts = [f"<{tag}{' class=text' if place < left else ''}>{escape(cell)}" for place, cell in enumerate(row)]
        return f"<tr{f' class={kind}' if kind else ''}>{''.join(parts)}"

    body = "".join(line(row, "td", (marked or {}).get(place, "")) for place, row in enumerate(cells))
    return f'<div class="wide"><table><thead>{line(head, "th")}<tbody>{body}</table></div>'


def section(title: str, text: str, figures: Sequence[Figure]) -> str:
    """Figures side by side under a heading; nothing where there are none."""
    if not figures:
        return ""
    shown = "".join(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>" for caption, picture in figures)
    return f'<section><h2>{escape(title)}</h2><p>{escape(text)}</p><div class="figures">{shown}</div></section>'


def named(name: str) -> str:
    """A name in bold, whichever way it is written."""
    return f"<b><bdi>{escape(name)}</bdi></b>"


def key(colours: Mapping[str, str]) -> str:
    """Coloured squares with the names that they stand for."""
    return "".join(
        f'<span class="key"><i style="background:{colour}"></i><bdi>{escape(name)}</bdi></span>'
        for name, colour in colours.items()
    )
