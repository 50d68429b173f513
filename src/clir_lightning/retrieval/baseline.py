"""The BM25 rows of a result table: the same candidates, ranked by term matching over translated queries."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection
from clir_lightning.data.store.folders import build_once, fingerprint, read_manifest
from clir_lightning.data.store.telling import of_texts
from clir_lightning.errors import ClirError
from clir_lightning.languages import primary
from clir_lightning.retrieval.analysis import LANGUAGES
from clir_lightning.retrieval.bm25 import LightBM25, order_candidates
from clir_lightning.retrieval.java import Java
from clir_lightning.retrieval.lexicon import Lexicon, names_lexicon, translated
from clir_lightning.retrieval.lucene import FORMAT, LuceneBM25
from clir_lightning.retrieval.retriever import DocumentRows, TermRetriever
from clir_lightning.types import Document, Query, Run

log = logging.getLogger(__name__)

DEEPEST = 10_000  # hits per query, of the whole collection; candidates beyond stay behind in the order they had


@dataclass(frozen=True)
class Baseline:
    """A BM25 row, and how many candidates lie below the hits that were looked at."""

    run: Run
    below: int = 0

    def notes(self) -> list[str]:
        """What a table says below itself about the row."""
        if not self.below:
            return []
        total = sum(len(self.run[query]) for query in self.run)
        return [
            f"{self.run.name}: {self.below:,} of {total:,} candidates are not among the first {DEEPEST:,} documents "
            "for their query; they stand behind the others, in the order they had"
        ]


def bm25_row(
    collection: Collection,
    candidates: Run,
    *,
    train: str,
    split: str,
    own_names: bool = False,
    cache: str | None = None,
) -> Baseline:
    """BM25 on the candidates, each query translated by a lexicon of the training queries' names.

    With `own_names` the lexicon has the names of the split's queries too. It knows then what they are called in the
    documents' language: an upper bound, not a competitor.
    """
    # Where training queries are asked, none may be translated by the name of its own document.
    part = collection.split(split)
    asked = {query: part.queries[query] for query in candidates}
    lexicon = names_lexicon(collection.split(train), collection.documents)
    if own_names:
        lexicon |= names_lexicon(part, collection.documents)
    own = Lexicon({}) if train == split and not own_names else None
    queries = translated(lexicon, asked, collection.document_language, own=own)

    # Lucene if it is there: its scores are the published ones, and bm25s' those of the same formula.
    language = collection.document_language
    analyser = "auto" if primary(language) in LANGUAGES else "words"
    try:
        ranked = rank_once(LuceneBM25(analyser=analyser, cache=cache), collection.documents, queries, candidates)
    except ClirError as error:
        log.warning("the BM25 rows are by bm25s instead of Lucene: %s", error)
        ranked = rank(LightBM25(analyser=analyser), collection.documents, queries, candidates)
    name = ranked.run.name.replace(")", ", own names)") if own_names else ranked.run.name
    return Baseline(Run(ranked.run.by_query, name=name), ranked.below)


def rank_once(
    retriever: LuceneBM25, documents: Mapping[str, Document], queries: Mapping[str, Query], candidates: Run
) -> Baseline:
    """What `rank` gives, kept in the retriever's cache: the jobs of a sweep differ in all but these rows."""
    if retriever.cache is None:
        return rank(retriever, documents, queries, candidates)

    # All that the scores depend on. The candidates' order is not of it: they are ordered anew.
    plain = repr(replace(retriever, cache=None, threads=None, memory=None, java=None))
    asked = [f"{query!r} {sorted(candidates[name])}" for name, query in queries.items()]
    jar = Path(Java.find(retriever.java).jar).name
    key = fingerprint([FORMAT, jar, plain, str(DEEPEST), DocumentRows.of(documents).fingerprint(), *asked])

    def build(folder: Path) -> dict[str, Any]:
        picked, below = _picked(retriever, documents, queries, candidates)
        (folder / "scores.json").write_text(json.dumps(picked), encoding="utf-8")
        return {"kind": "baseline", "of": f"{len(queries):,} queries, {of_texts(documents)}", "below": below}

    folder = build_once(Path(retriever.cache).expanduser() / "baselines" / key, build)
    below = read_manifest(folder)["below"]
    picked = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return Baseline(order_candidates(candidates, Run(picked, name=retriever.name)), below)


def rank(
    retriever: TermRetriever, documents: Mapping[str, Document], queries: Mapping[str, Query], candidates: Run
) -> Baseline:
    """The candidates in the retriever's order."""
    picked, below = _picked(retriever, documents, queries, candidates)
    return Baseline(order_candidates(candidates, Run(picked, name=retriever.name)), below)


def _picked(
    retriever: TermRetriever, documents: Mapping[str, Document], queries: Mapping[str, Query], candidates: Run
) -> tuple[dict[str, dict[str, float]], int]:
    """The candidates' scores, and how many may have one that was not looked at.

    A query's hits are dropped when its candidates are picked from them.
    """
    depth = min(len(documents), DEEPEST)
    picked: dict[str, dict[str, float]] = {}
    below = 0
    for query, hits in retriever.hits(documents, queries, depth=depth):
        picked[query] = {document: hits[document] for document in candidates[query] if document in hits}
        if len(hits) == depth < len(documents):
            below += len(candidates[query]) - len(picked[query])
    return picked, below
