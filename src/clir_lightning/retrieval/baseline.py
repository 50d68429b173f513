"""The BM25 rows of a result table: the same candidates, ranked by term matching over translated queries."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from clir_lightning.data.collection import Collection
from clir_lightning.errors import ClirError
from clir_lightning.retrieval.analysis import LANGUAGES, primary
from clir_lightning.retrieval.bm25 import LightBM25, rerank
from clir_lightning.retrieval.lexicon import names_lexicon
from clir_lightning.retrieval.lucene import LuceneBM25
from clir_lightning.retrieval.retriever import Rows, WeightedQuery
from clir_lightning.types import Document, Query, Run

log = logging.getLogger(__name__)

DEEPEST = 10_000  # hits a query; candidates beyond stay behind in the order they had


def bm25_rows(
    collection: Collection, candidates: Run, *, train: str, split: str, cache: str | None = None
) -> list[Run]:
    """BM25 on the candidates with two lexicons: the training queries' names alone, and the queries' own names too.

    The second knows what the split's queries are called in the documents' language: an upper bound, not a competitor.
    """
    part = collection.split(split)
    held_out = names_lexicon(collection.split(train), collection.documents)
    asked = {i: part.queries[i] for i in candidates}
    runs = []
    for lexicon, what in ((held_out, ""), (held_out | names_lexicon(part, collection.documents), ", own names")):
        translated: dict[str, Query] = {}
        for i, query in asked.items():
            parts = lexicon.parts(query.text)
            translated[i] = WeightedQuery(i, " ".join(text for text, _ in parts), query.language, parts)
        found = _retrieve(collection.documents, translated, cache)
        runs.append(Run(rerank(candidates, found).by_query, name=found.name.replace(")", f"{what})")))
    return runs


def _retrieve(documents: Mapping[str, Document], queries: Mapping[str, Query], cache: str | None) -> Run:
    """Lucene's BM25; where it cannot be had the light one, which the run's name and a warning say."""
    language, depth = Rows.of(documents).language(), min(len(documents), DEEPEST)
    analyser = "auto" if primary(language) in LANGUAGES else "words"
    try:
        return LuceneBM25(analyser=analyser, cache=cache)(documents, queries, depth=depth)
    except ClirError as error:
        log.warning("the BM25 rows are by bm25s instead of Lucene: %s", error)
        return LightBM25(analyser=analyser)(documents, queries, depth=depth)
