"""The page's HTML: lists, tokens, matrices and entities; whatever comes from a user's files is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from clir_lightning.browse.entity import Edge, Entity, Names
from clir_lightning.browse.lists import Listing, Row
from clir_lightning.browse.matches import Matches, Matrices, widest
from clir_lightning.data.collection import Collection
from clir_lightning.evaluation.measures import label
from clir_lightning.knowledge.graph import Terms
from clir_lightning.types import Document, Grades, Query

FOLD = 220  # characters of a text that stand before the fold
LONGEST = 4000  # characters that are sent to the browser
STEPS = 4  # of the grades' colours
NAMES = 3  # of an entity in a language: its label and the first aliases


def text(words: str, language: str) -> str:
    """A text in its script, a long one folded, a very long one cut with its length.

    >>> text("<b> & $x$", "kk")
    '<span lang="kk" dir="auto">&lt;b&gt; &amp; $x$</span>'
    """
    marked = f'lang="{escape(language)}" dir="auto"'
    if len(words) <= FOLD:
        return f"<span {marked}>{escape(words)}</span>"
    rest = words[FOLD:LONGEST]
    more = f" … <small>{LONGEST:,} of {len(words):,} characters</small>" if len(words) > LONGEST else ""
    summary = f"<summary {marked}>{escape(words[:FOLD])}<i> …</i></summary>"
    return f"<details>{summary}<div {marked}>{escape(rest)}{more}</div></details>"


def badge(grade: int | None, highest: int) -> str:
    """A grade as a number on a colour, `highest` being the query's best one.

    >>> badge(None, 6), badge(3, 6)[:21]
    ('<b class="clir-grade clir-none" title="not judged">–</b>', '<b class="clir-grade ')
    """
    if grade is None:
        return '<b class="clir-grade clir-none" title="not judged">–</b>'
    step = -(-STEPS * max(0, grade) // max(1, highest))
    told = f"grade {grade}" + ("" if grade > 0 else ", not relevant")
    return f'<b class="clir-grade clir-g{min(step, STEPS)}" title="{told}">{grade}</b>'


def change(row: Row, baseline: str) -> str:
    """How a document stands beside the first system's list.

    >>> change(Row(1, "a", 1.0, None, 2), "BM25")
    '<span class="clir-up" title="2 places higher than in BM25">▲2</span>'
    >>> change(Row(1, "a", 1.0, None, None), "BM25")
    '<span class="clir-new" title="not in the list of BM25">new</span>'
    """
    if row.change is None:
        return f'<span class="clir-new" title="not in the list of {escape(baseline)}">new</span>'
    if not row.change:
        return f'<span class="clir-same" title="as in {escape(baseline)}">=</span>'
    mark, kind, way = ("▲", "up", "higher") if row.change > 0 else ("▼", "down", "lower")
    places = f"{abs(row.change)} place{'s' * (abs(row.change) > 1)}"
    return f'<span class="clir-{kind}" title="{places} {way} than in {escape(baseline)}">{mark}{abs(row.change)}</span>'


def heading(query: Query, grades: Grades | None) -> str:
    """The query, and what is known to answer it."""
    relevant = sum(grade > 0 for grade in (grades or {}).values())
    told = f"{relevant} relevant of {len(grades)} judged documents" if grades else "no judgements"
    shown = f'<span lang="{escape(query.language)}" dir="auto">{escape(query.text[:LONGEST])}</span>'
    return f'<h2 class="clir-query">{shown}</h2><p class="clir-about"><code>{escape(query.id)}</code> {told}</p>'


def columns(found: Sequence[Listing], documents: Mapping[str, Document], grades: Grades | None) -> str:
    """The lists side by side, or one under another where there is no room."""
    highest = max((grades or {}).values(), default=1)
    baseline = next((listing.system for listing in found if listing.first), "")
    return side_by_side([column(each, documents, highest, baseline) for each in found])


def side_by_side(sections: Iterable[str]) -> str:
    """Parts in columns on a wide screen."""
    return f'<div class="clir-columns">{"".join(sections)}</div>'


def column(listing: Listing, documents: Mapping[str, Document], highest: int, baseline: str) -> str:
    """One system's list."""
    values = " · ".join(f"{label(name)} {100 * value:.1f}" for name, value in listing.measures.items())
    head = f'<h3 dir="auto">{escape(listing.system)}</h3>'
    if listing.problem:
        return f'<section>{head}<p class="clir-problem">{escape(listing.problem)}</p></section>'

    # Each row: place, change, grade and score in one line, then id and text.
    rows = []
    for row in listing.rows:
        moved = "" if listing.first else change(row, baseline)
        score = f'<span class="clir-score" title="score">{row.score:.4f}</span>'
        name = f"<code>{escape(row.document)}</code>"
        line = f'<div class="clir-line"><b>{row.rank}</b>{badge(row.grade, highest)}{moved}{name}{score}</div>'
        rows.append(f"<li>{line}{body(row.document, documents)}</li>")
    size = f"{len(listing.rows)} of {listing.length} documents"
    about = f'<p class="clir-about">{" · ".join(filter(None, [values, size]))}</p>'
    return f'<section>{head}{about}<ol class="clir-list">{"".join(rows)}</ol></section>'


def body(document: str, documents: Mapping[str, Document]) -> str:
    """A document's text; one that the collection lacks says so."""
    if document not in documents:
        return '<i class="clir-problem">not in the collection</i>'
    record = documents[document]
    return text(record.text, record.language)


def missing(pairs: Sequence[tuple[str, int]], relevant: int, documents: Mapping[str, Document], depth: int) -> str:
    """The relevant documents that no system found; nothing where none is judged relevant."""
    if not relevant:
        return ""
    if not pairs:
        return f'<p class="clir-about">Each of the {relevant} relevant documents stands in some list.</p>'
    highest = max(grade for _, grade in pairs)
    rows = []
    for name, grade in pairs[:depth]:
        line = f'<div class="clir-line">{badge(grade, highest)}<code>{escape(name)}</code></div>'
        rows.append(f"<li>{line}{body(name, documents)}</li>")
    more = f'<p class="clir-about">and {len(pairs) - depth} more</p>' if len(pairs) > depth else ""
    summary = f"<summary>Found by no system: {len(pairs)} of {relevant} relevant documents</summary>"
    return f'<details class="clir-missing">{summary}<ol class="clir-list">{"".join(rows)}</ol>{more}</details>'


def matches(found: Matches) -> str:
    """A table of query tokens with their document tokens, the cosine as number and bar."""
    rows = "".join(
        f'<tr><td dir="auto">{escape(pair.query)}</td><td dir="auto">{escape(pair.document)}</td>'
        f"<td>{pair.place + 1}</td><td>{_bar(pair.cosine)}</td></tr>"
        for pair in found.pairs
    )
    head = "<tr><th>query token</th><th>best document token</th><th>place</th><th>cosine</th></tr>"
    total = f'<p class="clir-about">The sum of these cosines is the score: {found.score:.4f}.</p>'
    return f'<div class="clir-wide"><table>{head}{rows}</table></div>{total}'


def _bar(cosine: float) -> str:
    width = 100 * max(0.0, min(1.0, cosine))
    return f'<span class="clir-bar"><i style="width:{width:.0f}%"></i></span> {cosine:.3f}'


def matrix(found: Matrices, level: int) -> str:
    """A level's cosines as a heat map with their numbers: query tokens down, document tokens across."""
    places, cosines = widest(found, level)
    across = "".join(
        f'<th dir="auto" title="token {place + 1}">{escape(found.document[place])}</th>' for place in places
    )
    rows = []
    for token, values in zip(found.query, cosines.tolist(), strict=True):
        cells = "".join(f'<td style="--heat:{100 * max(0.0, v):.0f}%">{v:.2f}</td>' for v in values)
        rows.append(f'<tr><th dir="auto">{escape(token)}</th>{cells}</tr>')
    told = f"{len(places)} of {len(found.document)} document tokens, those with the greatest cosines"
    about = f'<p class="clir-about">{told}.</p>' if len(places) < len(found.document) else ""
    return f'<div class="clir-wide clir-heat"><table><tr><th></th>{across}</tr>{"".join(rows)}</table></div>{about}'


def entity(title: str, found: Entity | None, languages: Sequence[str]) -> str:
    """The entity that a text names: its names in each of the languages, in their order, and its neighbours."""
    head = f"<h3>{escape(title)}</h3>"
    if found is None:
        return f'<section>{head}<p class="clir-about">names no entity of the graph</p></section>'
    by = f"by {found.rule}" if found.rule != "longest" else f"by the longest name in it, {found.score:.2f}"
    about = f'<p class="clir-about"><code>{escape(found.id)}</code> {escape(by)}</p>'
    terms = "".join(f"<li>{one}</li>" for one in _terms(found.names, languages))
    around = "".join(f"<li>{edge(each, languages)}</li>" for each in found.around)
    listed = (
        f'<h4>Next to it</h4><ul class="clir-edges">{around}</ul>'
        if around
        else remark("The graph has nothing next to it.")
    )
    return f'<section>{head}{about}<ul class="clir-names">{terms}</ul>{listed}</section>'


def _terms(names: Names, languages: Sequence[str]) -> Iterable[str]:
    """An entity's names and description, a line for each language."""
    for language in languages:
        terms = names.get(language, Terms())
        words = [*filter(None, [terms.label]), *terms.aliases][:NAMES]
        first = f'<b lang="{escape(language)}" dir="auto">{escape(" / ".join(words) or "–")}</b>'
        told = f' — <span lang="{escape(language)}" dir="auto">{escape(terms.description)}</span>'
        yield f"<small>{escape(language)}</small> {first}{told if terms.description else ''}"


def edge(each: Edge, languages: Sequence[str]) -> str:
    """A statement: its property, its direction, and the other entity in all languages."""
    labels = [
        f'<span lang="{escape(language)}" dir="auto">{escape(each.names[language].label)}</span>'
        for language in languages
        if language in each.names and each.names[language].label
    ]
    shown = " · ".join(labels) or f"<code>{escape(each.entity)}</code>"
    arrow = "→" if each.outgoing else "←"
    return f'<span class="clir-edge">{arrow} <i dir="auto">{escape(each.label)}</i> {arrow}</span> {shown}'


def way(start: Entity, steps: Sequence[Edge] | None, languages: Sequence[str], longest: int) -> str:
    """The way from the query's entity to the document's."""
    head = "<h3>The way between them</h3>"
    if steps is None:
        return f"<section>{head}{remark(f'There is none of {longest} steps or fewer.')}</section>"
    if not steps:
        return f"<section>{head}{remark('Both name the same entity.')}</section>"
    labels = (start.names.get(language, Terms()).label for language in languages)
    begin = " · ".join(filter(None, labels)) or start.id
    items = [f'<b dir="auto">{escape(begin)}</b>', *(edge(step, languages) for step in steps)]
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<section>{head}<ol class="clir-edges">{listed}</ol></section>'


def about(collection: Collection, split: str, notes: Sequence[str]) -> str:
    """What is looked at, and what one should know of it."""
    queries = len(collection.splits[split].queries)
    told = f"{len(collection.documents):,} documents in {collection.document_language}, {queries:,} queries of {split}"
    noted = "".join(remark(f"note: {note}") for note in notes)
    return f'<h1 class="clir-collection">{escape(collection.name)} <small>{escape(told)}</small></h1>{noted}'


def title(words: str) -> str:
    """A heading between parts of the page."""
    return f'<h3 class="clir-title">{escape(words)}</h3>'


def remark(words: str) -> str:
    """A sentence of the page's own."""
    return f'<p class="clir-about">{escape(words)}</p>'


def problem(words: str) -> str:
    """What went wrong."""
    return f'<p class="clir-problem">{escape(words)}</p>'
