"""The queries that systems differ on most, with their texts and each system's first documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from clir_lightning.evaluation.comparison import SAME, Comparison, Member, System
from clir_lightning.evaluation.measures import label
from clir_lightning.types import Document, Grades, Query

LONGEST = 240  # characters of a document that are shown


@dataclass(frozen=True)
class KnownTexts:
    """The texts behind the ids, as far as they are known."""

    queries: Mapping[str, Query]
    documents: Mapping[str, Document]


def most_different(comparison: Comparison, measure: str, count: int) -> list[str]:
    """The queries with the greatest differences between a system and the baseline, the greatest first.

    Those without a difference are left out.
    """
    column = comparison.measures.index(measure)
    base = next(row for row in comparison.rows if row.name == comparison.baseline).values()[:, column]
    apart = np.max([np.abs(row.values()[:, column] - base) for row in comparison.rows], axis=0)
    order = np.argsort(-apart, kind="stable")[:count]
    queries = list(comparison.rows[0].per_query)
    return [queries[place] for place in order if apart[place] >= SAME]


def _text(record: Query | Document | None) -> str:
    if record is None:
        return ""
    short = record.text if len(record.text) <= LONGEST else record.text[:LONGEST].rstrip() + " …"
    return f'<span lang="{escape(record.language)}" dir="auto">{escape(short)}</span>'


def _badge(grade: int | None) -> str:
    if grade is None:
        return '<b class="grade unjudged" title="not judged">–</b>'
    return f'<b class="grade {"relevant" if grade > 0 else "other"}" title="grade {grade}">{grade}</b>'


def _list(member: Member, query: str, grades: Grades, documents: Mapping[str, Document], depth: int) -> str:
    ranking = member.run.ranking(query)[:depth] if query in member.run else []
    rows = [
        f"<li>{_badge(grades.get(document))}<code>{escape(document)}</code> {_text(documents.get(document))}</li>"
        for document in ranking
    ]
    return f"<ol>{''.join(rows)}</ol>" if rows else "<p>no documents</p>"


def _relevant(grades: Grades, documents: Mapping[str, Document], depth: int) -> str:
    """What there is to find, the best grades first."""
    relevant = sorted((d for d in grades if grades[d] > 0), key=lambda d: (-grades[d], d))
    shown = "".join(
        f"<li>{_badge(grades[d])}<code>{escape(d)}</code> {_text(documents.get(d))}</li>" for d in relevant[:depth]
    )
    more = f"<p>and {len(relevant) - depth} more</p>" if len(relevant) > depth else ""
    return f"<div><h4>judged relevant</h4><ul>{shown}</ul>{more}</div>"


def example(
    comparison: Comparison,
    systems: Sequence[System],
    query: str,
    grades: Grades,
    texts: KnownTexts,
    *,
    measure: str,
    depth: int,
) -> str:
    """One query as HTML: its text, what there is to find, and the first `depth` documents of each system.

    Of a system with several seeds the first one's are shown.
    """
    columns = [_relevant(grades, texts.documents, depth)]
    for system, row in zip(systems, comparison.rows, strict=True):
        value = 100 * row.per_query[query][measure]
        seed = system.members[0].seed
        shown = f", seed {seed} shown" if seed is not None and len(system.members) > 1 else ""
        head = f"{escape(system.name)}<small>{label(measure)} {value:.1f}{shown}</small>"
        listed = _list(system.members[0], query, grades, texts.documents, depth)
        columns.append(f"<div><h4>{head}</h4>{listed}</div>")
    title = f"<h3><code>{escape(query)}</code> {_text(texts.queries.get(query))}</h3>"
    return f'<article>{title}<div class="lists">{"".join(columns)}</div></article>'
