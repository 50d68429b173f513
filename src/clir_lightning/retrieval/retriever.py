"""What every first stage is: documents in, queries in, a run out; and what the term-matching ones share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from clir_lightning.data.store.folders import fingerprint
from clir_lightning.data.store.tables import RecordTable
from clir_lightning.errors import DataError
from clir_lightning.progress import Progress
from clir_lightning.retrieval.analysis import Analyser
from clir_lightning.types import Document, Query, Run

STEPS = 100  # the largest term weight of a query in whole steps, where weights are not whole numbers


class Retriever(Protocol):
    """A first stage, sparse or dense."""

    @property
    def name(self) -> str:
        """What tables and run files call it."""
        ...

    def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
        """Up to `depth` documents for each query; a query that matches nothing has an empty list.

        Equal scores are ordered by document id, the higher first, also where the list is cut.
        """
        ...


@dataclass(frozen=True, slots=True)
class WeightedQuery(Query):
    """A query made of parts with weights, as a translation with alternatives gives it; `text` holds all of them."""

    parts: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TermQuery(Query):
    """A query made of index terms with weights, as its analyser gave them: they are not analysed again."""

    terms: tuple[tuple[str, float], ...] = ()


class TermRetriever(Retriever, Protocol):
    """A first stage that matches terms."""

    def analyser_of(self, language: str) -> Analyser:
        """What turns texts of that language into terms."""
        ...

    def hits(
        self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """The run that `__call__` returns, one query at a time, so that not all of it need be kept."""
        ...


def parts_of(query: Query) -> tuple[tuple[str, float], ...]:
    """The weighted parts of a query; a plain one is a single part of weight 1."""
    return query.parts if isinstance(query, WeightedQuery) else ((query.text, 1.0),)


def whole_weights(weights: Mapping[str, float]) -> tuple[dict[str, int], float]:
    """Weights as whole numbers, and what to divide scores by; those below half a step are left out.

    Lucene's command takes a weight as a number of repetitions. Whole numbers stay as they are; others become
    hundredths of the largest, for every retriever alike, so that scores agree.

    >>> whole_weights({"a": 2.0, "b": 1.0}), whole_weights({"a": 0.5, "b": 0.25})
    (({'a': 2, 'b': 1}, 1.0), ({'a': 100, 'b': 50}, 200.0))
    """
    positive = {term: weight for term, weight in weights.items() if weight > 0}
    if all(weight.is_integer() for weight in map(float, positive.values())):
        return {term: int(weight) for term, weight in positive.items()}, 1.0
    scale = STEPS / max(positive.values())
    return {term: step for term, weight in positive.items() if (step := round(weight * scale))}, scale


def term_weights(query: Query, analyser: Analyser) -> dict[str, float]:
    """The weight of each term: over the parts, its count in the part times the part's weight."""
    if isinstance(query, TermQuery):
        return dict(query.terms)
    assert analyser.tokens is not None
    weights: dict[str, float] = {}
    for text, weight in parts_of(query):
        for term, count in Counter(analyser.tokens(text)).items():
            weights[term] = weights.get(term, 0.0) + weight * count
    return weights


@dataclass(frozen=True)
class DocumentRows:
    """The documents as numbered rows, the highest id first: ties by row are ties as trec_eval breaks them."""

    documents: Mapping[str, Document]
    ids: tuple[str, ...]

    @classmethod
    def of(cls, documents: Mapping[str, Document]) -> DocumentRows:
        """The rows of a collection's documents; `DataError` if there are none."""
        if not documents:
            raise DataError("there are no documents to retrieve from", cure="check the collection")
        return cls(documents, tuple(sorted(documents, reverse=True)))

    def texts(self) -> Iterator[tuple[int, str]]:
        """(row, text) of every document, in the collection's own order, which is quick on disk; with progress."""
        row = {document_id: number for number, document_id in enumerate(self.ids)}
        if isinstance(self.documents, RecordTable):
            texts: Iterable[tuple[str, str]] = zip(self.documents.ids, self.documents.texts, strict=True)
        else:
            texts = ((i, document.text) for i, document in self.documents.items())
        for document_id, text in Progress("analysing", "documents", len(row)).over(texts):
            yield row[document_id], text

    def named(self, scores: Mapping[int, float]) -> dict[str, float]:
        """Scores by row as scores by document id."""
        return {self.ids[row]: score for row, score in scores.items()}

    def language(self) -> str:
        """The documents' language."""
        if isinstance(self.documents, RecordTable):
            return str(self.documents.language)
        return next(iter(self.documents.values())).language

    def fingerprint(self) -> str:
        """What stands for ids and texts together."""
        if isinstance(self.documents, RecordTable):
            return fingerprint([self.documents.fingerprint, fingerprint(self.documents.ids)])
        return fingerprint(part for i, document in self.documents.items() for part in (i, document.text))
