"""The page of a comparison: tables, cautions, figures and examples in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from clir_lightning.evaluation import tables
from clir_lightning.evaluation.comparison import Comparison, System
from clir_lightning.evaluation.measures import label
from clir_lightning.evaluation.report import charts
from clir_lightning.evaluation.report.examples import KnownTexts, example, most_different
from clir_lightning.evaluation.report.markup import document, section, table
from clir_lightning.types import Grades


def _tests(comparison: Comparison) -> str:
    if not comparison.tests:
        return ""
    tests = table(tables.PAIRED_HEAD, [tables.paired_cells(test) for test in comparison.tests], 2)
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
    sources = table(["system", "seed", "folder or run", "commit"], rows, 4)
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
