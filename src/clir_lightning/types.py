"""The records that pass between the rooms: texts with their language, judgements, runs and training samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Grades = Mapping[str, int]
Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Query:
    """A query in its own language (an ISO 639 code)."""

    id: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document in its own language (an ISO 639 code)."""

    id: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Qrels(Mapping[str, Grades]):
    """Graded judgements: query id → document id → grade; 0 is judged and not relevant.

    >>> qrels = Qrels({"q": {"a": 6, "b": 0}})
    >>> qrels["q"]["a"], qrels.relevant("q")
    (6, {'a': 6})
    """

    by_query: Mapping[str, Grades]

    def __repr__(self) -> str:
        return f"Qrels({len(self):,} queries, {sum(map(len, self.by_query.values())):,} judgements)"

    def __getitem__(self, query_id: str) -> Grades:
        return self.by_query[query_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_query)

    def __len__(self) -> int:
        return len(self.by_query)

    def relevant(self, query_id: str) -> dict[str, int]:
        """The documents of a query with a grade above 0."""
        return {document: grade for document, grade in self.by_query[query_id].items() if grade > 0}


@dataclass(frozen=True, slots=True)
class Run(Mapping[str, Scores]):
    """Scored documents for each query: candidates on their way in, results on their way out.

    The order of a query's documents carries no meaning; only the scores do, and equal scores are ordered by document
    id, the higher id first, as trec_eval does.
    """

    by_query: Mapping[str, Scores]
    name: str = field(default="run")

    def __repr__(self) -> str:
        return f"Run({self.name!r}: {len(self):,} queries, {sum(map(len, self.by_query.values())):,} documents)"

    def __getitem__(self, query_id: str) -> Scores:
        return self.by_query[query_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_query)

    def __len__(self) -> int:
        return len(self.by_query)

    def ranking(self, query_id: str) -> list[str]:
        """The document ids of a query, best first.

        >>> Run({"q": {"a": 1.0, "b": 2.0, "c": 1.0}}).ranking("q")
        ['b', 'c', 'a']
        """
        scores = self.by_query[query_id]
        return sorted(scores, key=lambda document: (scores[document], document), reverse=True)


@dataclass(frozen=True, slots=True)
class Sample:
    """One training example: a query with documents and their grades, the best-graded first.

    `weight` is its share in the loss; a sampling gives them a mean of 1 over an epoch. `teacher` holds a better
    system's scores of the documents, or nothing.
    """

    query_id: str
    document_ids: tuple[str, ...]
    grades: tuple[int, ...]
    weight: float = 1.0
    teacher: tuple[float, ...] = ()
