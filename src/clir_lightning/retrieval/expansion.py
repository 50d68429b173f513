"""RM3: a query grows by the terms of the documents that it finds first (Abdul-Jaleel et al., TREC 2004)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.analysis import choose
from clir_lightning.retrieval.retriever import Retriever, Rows, WeightedQuery, term_weights
from clir_lightning.types import Document, Query, Run


@dataclass(frozen=True)
class RM3:
    """A term-matching retriever, run twice.

    P(t|q) = λ · P_query(t) + (1 - λ) · Σ_d P(t|d) · P(d|q), P(d|q) proportional to the score of the first pass.

    Args:
        retriever: searches both times; its analyser must be one of ours, since terms go in as they come out.
        documents: feedback documents a query.
        terms: expansion terms a query.
        original: λ, the share of the query's own terms.
    """

    retriever: Retriever
    documents: int = 10
    terms: int = 10
    original: float = 0.5

    def __post_init__(self) -> None:
        if self.documents < 1 or self.terms < 1 or not 0 <= self.original <= 1:
            raise ConfigError("rm3 takes documents and terms from 1, and original between 0 and 1")

    @property
    def name(self) -> str:
        """The retriever's name, and that queries are expanded."""
        return f"{self.retriever.name} + RM3"

    def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
        """Search, expand, search again."""
        analyser = choose(getattr(self.retriever, "analyser", "auto"), Rows.of(documents).language(), lucene=True)
        if analyser.tokens is None:
            raise ConfigError("rm3 needs to see the terms: set retriever.analyser=cjk, words or another of ours")
        first = self.retriever(documents, queries, depth=self.documents)
        expanded: dict[str, Query] = {}
        for i, query in queries.items():
            own = term_weights(query, analyser)
            model = relevance_model({documents[d].text: score for d, score in first[i].items()}, analyser.tokens)
            kept = dict(sorted(model.items(), key=lambda pair: (-pair[1], pair[0]))[: self.terms])
            parts = interpolate(own, kept, self.original)
            expanded[i] = WeightedQuery(i, " ".join(parts), query.language, tuple(parts.items()))
        return Run(self.retriever(documents, expanded, depth=depth).by_query, name=self.name)


def relevance_model(scored: Mapping[str, float], tokens: Callable[[str], list[str]]) -> dict[str, float]:
    """Σ_d P(t|d) · P(d|q) over texts with their scores.

    >>> relevance_model({"a b": 3.0, "b": 1.0}, str.split)
    {'a': 0.375, 'b': 0.625}
    """
    total = sum(scored.values())
    model: dict[str, float] = {}
    for text, score in scored.items():
        counts = Counter(tokens(text))
        for term, count in counts.items():
            model[term] = model.get(term, 0.0) + count / counts.total() * score / total
    return model


def interpolate(own: Mapping[str, float], model: Mapping[str, float], original: float) -> dict[str, float]:
    """λ · own + (1 - λ) · model, each made to sum to 1; without a model the query stays as it is.

    >>> interpolate({"a": 1.0}, {"a": 1.0, "b": 3.0}, 0.5)
    {'a': 0.625, 'b': 0.375}
    """
    if not model or not own:
        return dict(own)
    parts = {term: original * weight / sum(own.values()) for term, weight in own.items()}
    for term, weight in model.items():
        parts[term] = parts.get(term, 0.0) + (1 - original) * weight / sum(model.values())
    return parts
