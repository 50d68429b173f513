"""What the page shows of a query: each system's first documents, how they differ, and what none of them found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.types import Grades, Run, Scores

MEASURES = ("ndcg_10", "mrr_10")
ASKED = "query"  # the id under which one query's list is measured


@dataclass(frozen=True, slots=True)
class Answer:
    """A system's whole list for a query; `problem` says why there is none."""

    system: str
    scores: Scores
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A document at its place in a list.

    `grade` is `None` where it is not judged. `change` is how many places it stands higher than in the first system's
    list, `None` where that lacks it and in the first list itself.
    """

    rank: int
    document: str
    score: float
    grade: int | None
    change: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The beginning of a system's list, of `length` documents, with the query's measures where it is judged."""

    system: str
    rows: tuple[Row, ...]
    length: int
    measures: Mapping[str, float]
    first: bool
    problem: str = ""


def listings(answers: Sequence[Answer], grades: Grades | None, *, depth: int) -> list[Listing]:
    """The systems' lists side by side, in their order.

    Args:
        answers: the whole lists; the first one's ranks are what the others' are compared with.
        grades: the query's judgements; `None` for a query without any.
        depth: documents shown of each; changes and measures are of the whole lists.

    >>> first = Answer("bm25", {"a": 3.0, "b": 2.0, "c": 1.0})
    >>> second = Answer("cross", {"c": 0.9, "a": 0.5, "d": 0.1})
    >>> [(row.document, row.grade, row.change) for row in listings([first, second], {"c": 2}, depth=3)[1].rows]
    [('c', 2, 2), ('a', None, -1), ('d', None, None)]
    """
    rankings = [ranking(answer.scores) for answer in answers]
    of_first = {document: rank for rank, document in enumerate(next(iter(rankings), ()), start=1)}
    found = []
    for place, (answer, order) in enumerate(zip(answers, rankings, strict=True)):
        rows = tuple(
            Row(
                rank,
                document,
                answer.scores[document],
                (grades or {}).get(document),
                of_first[document] - rank if place and document in of_first else None,
            )
            for rank, document in enumerate(order[:depth], start=1)
        )

        # A list that could not be had has no measures: 0 would blame the system.
        measures = {} if answer.problem or not grades else measured(answer.scores, grades)
        found.append(Listing(answer.system, rows, len(order), measures, place == 0, answer.problem))
    return found


def ranking(scores: Scores) -> list[str]:
    """Documents, best first; equal scores as in a run.

    >>> ranking({"a": 1.0, "b": 2.0, "c": 1.0})
    ['b', 'c', 'a']
    """
    return Run({ASKED: scores}).ranking(ASKED)


def measured(scores: Scores, grades: Grades) -> dict[str, float]:
    """A list's measures, as every other verb has them.

    >>> measured({"a": 2.0, "b": 1.0}, {"b": 1})["mrr_10"]
    0.5
    """
    return evaluate(Run({ASKED: scores}), {ASKED: grades}, MEASURES).per_query[ASKED]


def not_found(answers: Sequence[Answer], grades: Grades | None) -> list[tuple[str, int]]:
    """The relevant documents that stand in no list at any rank, with their grades, the best first.

    >>> not_found([Answer("bm25", {"a": 1.0})], {"a": 2, "b": 1, "c": 0, "d": 3})
    [('d', 3), ('b', 1)]
    """
    listed = {document for answer in answers for document in answer.scores}
    missing = [(document, grade) for document, grade in (grades or {}).items() if grade > 0 and document not in listed]
    return sorted(missing, key=lambda pair: (-pair[1], pair[0]))


def shown_documents(found: Sequence[Listing]) -> list[str]:
    """The documents of all lists, each once, by the best rank that it has anywhere.

    >>> shown_documents(listings([Answer("x", {"a": 2.0, "b": 1.0}), Answer("y", {"c": 1.0})], None, depth=2))
    ['a', 'c', 'b']
    """
    ranks: dict[str, int] = {}
    for listing in found:
        for row in listing.rows:
            ranks[row.document] = min(row.rank, ranks.get(row.document, row.rank))
    return sorted(ranks, key=lambda document: ranks[document])
