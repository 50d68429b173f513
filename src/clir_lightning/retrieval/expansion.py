"""RM3: a query grows by the terms of the documents that it finds first (Abdul-Jaleel et al., TREC 2004)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.retriever import DocumentRows, TermQuery, TermRetriever, term_weights
from clir_lightning.settings.markers import Count, Share
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Document, Query, Run


@dataclass(frozen=True)
class RM3:
    """A term-matching retriever, run twice.

    P(t|q) = λ · P_query(t) + (1 - λ) · Σ_d P(t|d) · P(d|q), P(d|q) proportional to the score of the first pass: the
    relevance model of Lavrenko and Croft (SIGIR 2001), cut to its heaviest terms.

    Args:
        retriever: searches both times; its analyser must be one of ours, since its terms are what the query grows by.
        documents: feedback documents per query.
        terms: expansion terms per query.
        original: λ, the share of the query's own terms; 1 is the query as it was.
    """

    retriever: TermRetriever
    documents: Count = 10
    terms: Count = 10
    original: Share = 0.5

    def __post_init__(self) -> None:
        check_fields(self, "rm3")
        if not hasattr(self.retriever, "analyser_of"):
            got = f"retriever {self.retriever.name!r}"
            raise ConfigError(f"rm3 expands queries by terms, {got} has none; set retriever=bm25 or bm25s")

    @property
    def name(self) -> str:
        """The retriever's name, and that queries are expanded."""
        return f"{self.retriever.name} + RM3"

    def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
        """Search, expand, search again."""
        analyser = self.retriever.analyser_of(DocumentRows.of(documents).language())
        tokens = analyser.tokens
        if tokens is None:
            cure = "set retriever.analyser=cjk, words or another of ours, or take retriever=bm25s"
            raise ConfigError(f"rm3 needs to see the terms, which {analyser.name!r} hides; {cure}")

        expanded: dict[str, Query] = {}
        for name, hits in self.retriever(documents, queries, depth=self.documents).items():
            query = queries[name]
            model = relevance_model([(documents[found].text, score) for found, score in hits.items()], tokens)
            heaviest = dict(sorted(model.items(), key=lambda pair: (-pair[1], pair[0]))[: self.terms])
            terms = interpolate(term_weights(query, analyser), heaviest, self.original)
            expanded[name] = TermQuery(query.id, " ".join(terms), query.language, tuple(terms.items()))
        return Run(self.retriever(documents, expanded, depth=depth).by_query, name=self.name)


def relevance_model(scored: Iterable[tuple[str, float]], tokens: Callable[[str], list[str]]) -> dict[str, float]:
    """Σ_d P(t|d) · P(d|q) over texts with their scores.

    >>> relevance_model([("a b", 3.0), ("b", 1.0)], str.split)
    {'a': 0.375, 'b': 0.625}
    """
    positive = [(text, score) for text, score in scored if score > 0]
    total = sum(score for _, score in positive)
    model: dict[str, float] = {}
    for text, score in positive:
        counts = Counter(tokens(text))
        for term, count in counts.items():
            model[term] = model.get(term, 0.0) + count / counts.total() * score / total
    return model


def interpolate(own: Mapping[str, float], model: Mapping[str, float], original: float) -> dict[str, float]:
    """λ · own + (1 - λ) · model, the model scaled to the sum of the own weights; without a model the query stays.

    Scaled so, λ = 1 gives the very weights that the query had, and scores that compare with its own.

    >>> interpolate({"a": 2.0}, {"a": 1.0, "b": 3.0}, 0.5)
    {'a': 1.25, 'b': 0.75}
    """
    if not model or not own:
        return dict(own)
    scale = sum(own.values()) / sum(model.values())
    parts = {term: original * weight for term, weight in own.items()}
    for term, weight in model.items():
        parts[term] = parts.get(term, 0.0) + (1 - original) * scale * weight
    return parts
