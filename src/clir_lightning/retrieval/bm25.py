"""BM25 without Java, by the bm25s package (Lù, 2024): the same terms, weights and options as Lucene's, in memory."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.errors import DataError
from clir_lightning.progress import Progress, stage
from clir_lightning.retrieval.analysis import ANALYSERS, Analyser, choose
from clir_lightning.retrieval.retriever import DocumentRows, term_weights, whole_weights
from clir_lightning.settings.markers import Amount, OneOf, Share
from clir_lightning.types import Document, Query, Run

log = logging.getLogger(__name__)


@cache
def _bm25s() -> Any:
    """The package without JAX, which it would start for a search that is not used here.

    Where JAX sees a GPU it takes three quarters of that one's memory at once, from the training around this.
    """
    hidden = "jax" not in sys.modules
    if hidden:
        sys.modules["jax"] = None  # type: ignore[assignment]  # Python's own way to make an import fail
    try:
        import bm25s
    finally:
        if hidden:
            del sys.modules["jax"]
    return bm25s


@dataclass(frozen=True)
class LightBM25:
    """BM25 in this process, for small collections and where Java is not to be had; arguments as `LuceneBM25`'s."""

    k1: Amount = 0.9
    b: Share = 0.4
    analyser: Annotated[str, OneOf(("auto", *ANALYSERS))] = "auto"
    name: str = "BM25 (bm25s)"

    def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
        """Index the documents and search; nothing is kept."""
        return self.open(documents)(queries, depth=depth)

    def analyser_of(self, language: str) -> Analyser:
        """What turns texts of that language into terms."""
        return choose(self.analyser, language, lucene=False)

    def hits(
        self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """Each query with its hits, document → score."""
        yield from self.open(documents).hits(queries, depth=depth)

    def open(self, documents: Mapping[str, Document]) -> LightSearch:
        """The documents indexed in memory, to be searched more than once."""
        rows = DocumentRows.of(documents)
        analyser = self.analyser_of(rows.language())
        log.info("%s, documents in %s", self.name, analyser)
        return LightSearch(analyser, rows.ids, *self._index(rows, analyser), self.name)

    def _index(
        self, rows: DocumentRows, analyser: Analyser
    ) -> tuple[dict[str, Any], dict[str, int], NDArray[np.int64]]:
        """Scores by term (columns of a sparse matrix), the terms' columns, and the row of each document with a term."""
        tokens_of = analyser.tokens
        assert tokens_of is not None

        # Numbers for terms in the order in which they come; the texts come as they lie on the disk.
        vocabulary: dict[str, int] = {}
        texts: list[tuple[int, NDArray[np.int32]]] = []
        for row, text in rows.texts():
            tokens = [vocabulary.setdefault(token, len(vocabulary)) for token in tokens_of(text)]
            if tokens:
                texts.append((row, np.array(tokens, np.int32)))
        if not texts:
            raise DataError("no document has a single term", cure="choose another retriever.analyser")

        # In order of their rows, so that `best` breaks ties by document id.
        texts.sort(key=lambda pair: pair[0])
        library = _bm25s()
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
        index = library.BM25(method="lucene", k1=self.k1, b=self.b)
        with stage(f"indexing {len(texts):,} documents"):
            lists = [tokens for _, tokens in texts]
            index.index((lists, dict(vocabulary)), create_empty_token=False, show_progress=False)
        return index.scores, vocabulary, np.array([row for row, _ in texts], np.int64)


@dataclass(frozen=True)
class LightSearch:
    """Indexed documents.

    Args:
        analyser: of their texts and of queries.
        ids: the documents', by row.
        index: of bm25s, a sparse matrix of scores with a column per term.
        vocabulary: the terms' columns.
        kept: `[N]` the row of each document that has a term.
        name: the retriever's.
    """

    analyser: Analyser
    ids: Sequence[str]
    index: Mapping[str, Any]
    vocabulary: Mapping[str, int]
    kept: NDArray[np.int64]
    name: str

    def __call__(self, queries: Mapping[str, Query], *, depth: int) -> Run:
        """Up to `depth` documents for each query."""
        return Run(dict(self.hits(queries, depth=depth)), name=self.name)

    def hits(self, queries: Mapping[str, Query], *, depth: int) -> Iterator[tuple[str, dict[str, float]]]:
        """Each query with its hits, document → score."""
        # A term's postings lie between two bounds of one sparse matrix; a query's scores `[N]` are their weighted sum.
        data, columns, bounds = (self.index[part] for part in ("data", "indices", "indptr"))
        for query_id, query in Progress("searching", "queries", len(queries)).over(queries.items()):
            weighted = term_weights(query, self.analyser)
            known = {term: weight for term, weight in weighted.items() if term in self.vocabulary}
            weights, scale = whole_weights(known)
            scores = np.zeros(len(self.kept))
            for term, weight in weights.items():
                postings = slice(bounds[self.vocabulary[term]], bounds[self.vocabulary[term] + 1])
                scores[columns[postings]] += weight * data[postings]
            yield query_id, {self.ids[self.kept[i]]: float(scores[i] / scale) for i in best(scores, depth)}


def best(scores: NDArray[np.float64], depth: int) -> list[int]:
    """The columns of the highest scores above 0, highest first; of equal ones the lower column.

    >>> best(np.array([0.0, 1.0, 2.0, 1.0]), 2)
    [2, 1]
    """
    columns = np.flatnonzero(scores > 0)
    if depth < len(columns):
        border = np.partition(scores[columns], -depth)[-depth]
        columns = columns[scores[columns] >= border]
    order: list[int] = columns[np.argsort(-scores[columns], kind="stable")][:depth].tolist()
    return order


def order_candidates(candidates: Run, ranked: Run) -> Run:
    """The candidates in the order of another run; those that it lacks stay behind, in the order they had.

    >>> order_candidates(Run({"q": {"a": 3.0, "b": 2.0, "c": 1.0}}), Run({"q": {"c": 9.0, "x": 8.0}})).ranking("q")
    ['c', 'a', 'b']
    """
    lists: dict[str, dict[str, float]] = {}
    for query, scores in candidates.items():
        hits = ranked.by_query.get(query, {})
        order = sorted(scores, key=lambda document: (hits.get(document, 0.0), scores[document]))
        lists[query] = {document: float(place) for place, document in enumerate(order)}
    return Run(lists, name=ranked.name)
