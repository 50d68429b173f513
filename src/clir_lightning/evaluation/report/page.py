"""The page: tables, cautions, figures and examples in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from clir_lightning.evaluation import tables
from clir_lightning.evaluation.comparison import Comparison, System
from clir_lightning.evaluation.measures import label
from clir_lightning.evaluation.report import charts
from clir_lightning.evaluation.report.examples import KnownTexts, example, most_different
from clir_lightning.evaluation.report.style import STYLE
from clir_lightning.types import Grades


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page."""
    top = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f"<!doctype html>\n<html lang=en>{top}<style>{STYLE}</style><main>{''.join(parts)}</main></html>\n"


def table(head: Sequence[str], cells: Sequence[Sequence[str]], left: int, marked: Mapping[int, str]) -> str:
    """A table of text; the first `left` columns are aligned left, rows in `marked` have that class."""

    def line(row: Sequence[str], tag: str, kind: str = "") -> str:
        parts = [
            f"<{tag}{' class=text' if place < left else ''}>{escape(cell)}</{tag}>" for place, cell in enumerate(row)
        ]
        return f"<tr{f' class={kind}' if kind else ''}>{''.join(parts)}</tr>"

    body = "".join(line(row, "td", marked.get(place, "")) for place, row in enumerate(cells))
    return f'<div class="wide"><table><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table></div>'


def section(title: str, text: str, figures: Sequence[charts.Figure]) -> str:
    """Figures side by side under a heading; nothing where there are none."""
    if not figures:
        return ""
    shown = "".join(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>" for caption, picture in figures)
    return f'<section><h2>{escape(title)}</h2><p>{escape(text)}</p><div class="figures">{shown}</div></section>'


def _tests(comparison: Comparison) -> str:
    if not comparison.tests:
        return ""
    tests = table(tables.PAIRED_HEAD, [tables.paired_cells(test) for test in comparison.tests], 2, {})
    what = (
        "Difference: system minus baseline, in points. Holm: the p-value before it, adjusted over the systems. "
        "Wins, ties and losses count queries."
    )
    return f"<section><h2>Against {escape(comparison.baseline)}</h2><p>{what}</p>{tests}</section>"


def _examples(name: str, shown: Sequence[str]) -> str:
    if not shown:
        return ""
    what = f"By {name} against the baseline; the number before a document is its grade."
    return f"<section><h2>Queries that differ most</h2><p>{escape(what)}</p>{''.join(shown)}</section>"


def _sources(systems: Sequence[System], commits: Mapping[Path, str | None]) -> str:
    rows = [
        [
            system.name,
            "" if member.seed is None else str(member.seed),
            str(member.folder or member.run.name),
            (commits.get(member.folder) or "") if member.folder else "",
        ]
        for system in systems
        for member in system.members
    ]
    sources = table(["system", "seed", "folder or run", "commit"], rows, 4, {})
    return f"<section><h2>What was compared</h2>{sources}</section>"


def _overview(comparison: Comparison, alpha: float) -> str:
    """The table of measures with its explanation; the baseline and the bounds stand out."""
    cells = tables.measure_cells(comparison, alpha)
    base = next(i for i, row in enumerate(comparison.all_rows) if row.name == comparison.baseline)
    marked = {0: "bound", len(cells) - 1: "bound", base: "base"}
    measured = table(tables.measure_head(comparison), cells, 1, marked)
    return f"<section>{measured}<p>{escape(tables.explanation(comparison, alpha))}</p></section>"


def _figures(comparison: Comparison, systems: Sequence[System], qrels: Mapping[str, Grades], measure: str) -> list[str]:
    """The sections of figures."""
    name = label(measure)

    # From single queries to whole systems to how they came about.
    return [
        section(
            f"{name} of each query",
            f"Each query's {name}, mean over the seeds, minus the baseline's; queries in order of the difference.",
            charts.query_differences(comparison, measure),
        ),
        section(
            "Recall over depth",
            "The share of a query's relevant documents found by each rank, mean over queries and seeds.",
            charts.recall_over_depth(comparison, systems, qrels),
        ),
        section(
            "Scores of relevant and other documents",
            "Apart, where a system tells them apart whatever the query; unjudged documents are among the others.",
            charts.score_distributions(systems, qrels),
        ),
        section("Over training", "One line per seed.", charts.over_training(comparison, systems, measure)),
    ]


def page(
    comparison: Comparison,
    systems: Sequence[System],
    *,
    title: str,
    alpha: float,
    notes: Sequence[str],
    commits: Mapping[Path, str | None],
    texts: KnownTexts,
    measure: str,
    examples: int = 10,
    depth: int = 5,
) -> str:
    """The report of a comparison; `measure` is the one that figures and examples are of."""
    qrels = {query: systems[0].members[0].qrels[query] for query in comparison.rows[0].per_query}
    warned = "".join(f"<li>{escape(note)}</li>" for note in notes)
    shown = [
        example(comparison, systems, query, qrels[query], texts, measure=measure, depth=depth)
        for query in most_different(comparison, measure, examples)
    ]

    # What to know first, then the numbers, then what is behind them.
    parts = [
        f"<header><h1>{escape(title)}</h1></header>",
        f"<aside><h2>To bear in mind</h2><ul>{warned}</ul></aside>" if notes else "",
        _overview(comparison, alpha),
        _tests(comparison),
        *_figures(comparison, systems, qrels, measure),
        _examples(label(measure), shown),
        _sources(systems, commits),
    ]
    return document(title, parts)
