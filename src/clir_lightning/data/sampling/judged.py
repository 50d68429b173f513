"""Training samples from judgements, drawn anew each epoch from `(seed, epoch)` alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from clir_lightning.data.candidates import unjudged
from clir_lightning.data.collection import Split
from clir_lightning.data.sampling.sampling import NO_LOWER, NO_RELEVANT, NO_UNJUDGED, NO_ZERO, draw
from clir_lightning.data.store.tables import RecordTable
from clir_lightning.settings.markers import Natural, OneOf, Range
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Grades, Sample

NEGATIVES_FROM = ("judged", "unjudged")
POSITIVES = ("grades", "documents")


def by_grade(grades: Grades) -> dict[int, list[str]]:
    """The documents of each grade, the best grade first.

    >>> by_grade({"a": 0, "b": 6, "c": 0})
    {6: ['b'], 0: ['a', 'c']}
    """
    groups: dict[int, list[str]] = {}
    for document, grade in grades.items():
        groups.setdefault(grade, []).append(document)
    return dict(sorted(groups.items(), reverse=True))


def document_ids(split: Split) -> Sequence[str]:
    """The ids of all documents, in the collection's order; those of a prepared collection stay on disk."""
    return split.documents.ids if isinstance(split.documents, RecordTable) else list(split.documents)


@dataclass(frozen=True)
class FromJudgements:
    """One sample per query that its judgements suffice for.

    Args:
        negatives_from: `judged`, the documents of grade 0, or `unjudged`: random documents that the query has no
            judgement of stand in their place, others in each epoch. For judgements of relevant documents alone.
    """

    negatives_from: Annotated[str, OneOf(NEGATIVES_FROM)] = field(default="judged", kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self, "sampling")

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample per query that lacks nothing, in a random order."""
        rng = random.Random(f"{seed}/{epoch}")
        ids = document_ids(split) if self.negatives_from == "unjudged" else ()
        samples = []
        for query_id, grades in split.qrels.items():
            if self._lacks(grades, len(split.documents)) is None:
                samples.append(self._sample(query_id, self._with_negatives(grades, ids, rng), rng))
        rng.shuffle(samples)
        return samples

    def lacks(self, split: Split, query_id: str) -> str | None:
        """Why a query gives no sample."""
        return self._lacks(split.qrels[query_id], len(split.documents))

    def _lacks(self, grades: Grades, documents: int) -> str | None:
        """Why a query of these grades, in a collection of this many documents, gives no sample."""
        if max(grades.values(), default=0) <= 0:
            return NO_RELEVANT
        if self._negatives() == 0:
            return None
        if self.negatives_from == "unjudged":
            return None if len(grades) < documents else NO_UNJUDGED
        return self._lacks_lower(grades)

    def _lacks_lower(self, grades: Grades) -> str | None:
        """The same of a query that has a relevant document, where negatives are judged."""
        return None if min(grades.values()) <= 0 else NO_ZERO

    def _with_negatives(self, grades: Grades, ids: Sequence[str], rng: random.Random) -> Grades:
        """The grades to draw from: those judged, or those of relevant documents and of unjudged ones as 0."""
        if self.negatives_from == "judged":
            return grades
        relevant = {document: grade for document, grade in grades.items() if grade > 0}
        return relevant | dict.fromkeys(unjudged(ids, grades, self._negatives(), rng), 0)

    def _negatives(self) -> int:
        """The most negatives that a sample may hold."""
        raise NotImplementedError

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample:
        """A query's sample of documents with these grades."""
        raise NotImplementedError


@dataclass(frozen=True)
class BestAgainstRandom(FromJudgements):
    """The original experiment's samples: for each query one best-graded document and `negatives` of grade 0.

    Among equally best documents one is drawn. Queries without a relevant or a grade-0 document give no sample.
    Grades below 0 count as 0. Without negatives (0), a sample is the positive alone, for losses that take the other
    queries' documents.

    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 6, "b": 3, "c": 0}, "nothing relevant": {"a": 0}}))
    >>> BestAgainstRandom()(split, seed=1, epoch=0)
    [Sample(query_id='q', document_ids=('a', 'c'), grades=(6, 0), weight=1.0, teacher=())]
    """

    negatives: Natural = 1

    def _negatives(self) -> int:
        return self.negatives

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample:
        best = max(grades.values())
        positive = rng.choice([document for document, grade in grades.items() if grade == best])
        zeros = [document for document, grade in grades.items() if grade <= 0]
        drawn = draw(zeros, self.negatives, rng)
        return Sample(query_id, (positive, *drawn), (best, *[0] * self.negatives))


@dataclass(frozen=True)
class Graded(FromJudgements):
    """One relevant document of any grade and `negatives` of lower grades, the grade gap as weight.

    The positive is relevant and has a lower grade beside it, each negative's grade is drawn evenly from the lower ones.

    Args:
        negatives: of each positive; 0 for the positive alone, with weight 1.
        positives: drawn evenly from the `grades` that there are, or from the `documents`, so that a grade comes as
            often as it has documents.
        weighted: a sample's weight is the mean gap of grades, scaled to a mean of 1 over the epoch; otherwise 1.

    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 6, "b": 3}, "r": {"c": 1, "d": 0}}))
    >>> sorted((s.document_ids, s.grades, s.weight) for s in Graded()(split, seed=1, epoch=0))
    [(('a', 'b'), (6, 3), 1.5), (('c', 'd'), (1, 0), 0.5)]
    """

    negatives: Natural = 1
    positives: Annotated[str, OneOf(POSITIVES)] = "grades"
    weighted: bool = True

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample per query with two grades, the upper one relevant, in a random order."""
        samples = super().__call__(split, seed=seed, epoch=epoch)
        if self.weighted:
            mean = sum(sample.weight for sample in samples) / max(1, len(samples))
            samples = [replace(sample, weight=sample.weight / mean) for sample in samples]
        return samples

    def _negatives(self) -> int:
        return self.negatives

    def _lacks_lower(self, grades: Grades) -> str | None:
        return None if len(set(grades.values())) > 1 else NO_LOWER

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample:
        groups = by_grade(grades)
        lowest = min(groups) if self.negatives else 0
        upper = [grade for grade in groups if grade > max(lowest, 0)]
        if self.positives == "documents":
            upper = [grade for grade in upper for _ in groups[grade]]
        high = rng.choice(upper)
        lower = [grade for grade in groups if grade < high]
        lows = sorted((rng.choice(lower) for _ in range(self.negatives)), reverse=True)
        documents = [rng.choice(groups[high])]
        for low in dict.fromkeys(lows):
            documents += draw(groups[low], lows.count(low), rng)
        gap = sum(high - low for low in lows) / len(lows) if lows else 1.0
        return Sample(query_id, tuple(documents), (high, *lows), gap if self.weighted else 1.0)


@dataclass(frozen=True)
class Listwise(FromJudgements):
    """`documents` documents per query over all its grades, labels = grades, the best-graded first.

    One document of each grade, the best grades first if there are more grades than places; the other places go to
    random judged documents. Queries without a relevant or a grade-0 document give no sample.

    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 0, "b": 3, "c": 6}}))
    >>> Listwise(3)(split, seed=1, epoch=0)
    [Sample(query_id='q', document_ids=('c', 'b', 'a'), grades=(6, 3, 0), weight=1.0, teacher=())]
    """

    documents: Annotated[int, Range(least=2)] = 8

    def _negatives(self) -> int:
        return self.documents - 1

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample:
        chosen = [rng.choice(group) for group in by_grade(grades).values()][: self.documents]
        if missing := self.documents - len(chosen):
            taken = set(chosen)
            chosen += draw([d for d in grades if d not in taken] or list(grades), missing, rng)
        chosen.sort(key=lambda document: -grades[document])
        return Sample(query_id, tuple(chosen), tuple(grades[document] for document in chosen))
