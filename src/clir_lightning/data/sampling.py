"""Training samples from judgements, drawn anew each epoch from `(seed, epoch)` alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from clir_lightning.data.collection import Split
from clir_lightning.errors import at_least, one_of
from clir_lightning.types import Grades, Sample


class Sampling(Protocol):
    """Draws the training samples of one epoch; the same `(seed, epoch)` gives the same samples."""

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """The samples of an epoch, in training order, all of one number of documents."""
        ...


def is_trainable(grades: Grades) -> bool:
    """Whether a query has both a relevant and a grade-0 document."""
    return bool(grades) and max(grades.values()) > 0 >= min(grades.values())


def by_grade(grades: Grades) -> dict[int, list[str]]:
    """The documents of each grade, the best grade first.

    >>> by_grade({"a": 0, "b": 6, "c": 0})
    {6: ['b'], 0: ['a', 'c']}
    """
    groups: dict[int, list[str]] = {}
    for document, grade in grades.items():
        groups.setdefault(grade, []).append(document)
    return dict(sorted(groups.items(), reverse=True))


def draw(pool: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """`count` of the pool: different ones while they last, then with repetition, so that all samples have one size."""
    return rng.sample(pool, count) if len(pool) >= count else [*pool, *rng.choices(pool, k=count - len(pool))]


@dataclass(frozen=True, slots=True)
class BestAgainstRandom:
    """The original experiment's samples: one best-graded document and `negatives` of grade 0, a query.

    Among equally best documents one is drawn. Queries without a relevant or a grade-0 document give no sample.
    Grades below 0 count as 0.

    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 6, "b": 3, "c": 0}, "nothing relevant": {"a": 0}}))
    >>> BestAgainstRandom()(split, seed=1, epoch=0)
    [Sample(query_id='q', document_ids=('a', 'c'), grades=(6, 0), weight=1.0)]
    """

    negatives: int = 1

    def __post_init__(self) -> None:
        at_least(self.negatives, 1, "sampling.negatives")

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample a trainable query, in a random order."""
        rng = random.Random(f"{seed}/{epoch}")
        samples = [self._sample(query, grades, rng) for query, grades in split.qrels.items() if is_trainable(grades)]
        rng.shuffle(samples)
        return samples

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample:
        best = max(grades.values())
        positive = rng.choice([document for document, grade in grades.items() if grade == best])
        zeros = [document for document, grade in grades.items() if grade <= 0]
        drawn = draw(zeros, self.negatives, rng)
        return Sample(query_id, (positive, *drawn), (best, *[0] * self.negatives))


@dataclass(frozen=True, slots=True)
class Graded:
    """One relevant document of any grade and `negatives` of lower grades, the grade gap as weight.

    The positive is relevant and has a lower grade beside it, each negative's grade is drawn evenly from the lower ones.

    Args:
        negatives: of each positive.
        positives: drawn evenly from the `grades` that there are, or from the `documents`, so that a grade comes as
            often as it has documents.
        weighted: a sample's weight is the mean gap of grades, scaled to a mean of 1 over the epoch; otherwise 1.

    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 6, "b": 3}, "r": {"c": 1, "d": 0}}))
    >>> sorted((s.document_ids, s.grades, s.weight) for s in Graded()(split, seed=1, epoch=0))
    [(('a', 'b'), (6, 3), 1.5), (('c', 'd'), (1, 0), 0.5)]
    """

    negatives: int = 1
    positives: str = "grades"
    weighted: bool = True

    def __post_init__(self) -> None:
        at_least(self.negatives, 1, "sampling.negatives")
        one_of(self.positives, ("grades", "documents"), "sampling.positives")

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample a query with two grades, the upper one relevant, in a random order."""
        rng = random.Random(f"{seed}/{epoch}")
        drawn = [self._sample(query, grades, rng) for query, grades in split.qrels.items()]
        samples = [sample for sample in drawn if sample is not None]
        if self.weighted:
            mean = sum(sample.weight for sample in samples) / max(1, len(samples))
            samples = [replace(sample, weight=sample.weight / mean) for sample in samples]
        rng.shuffle(samples)
        return samples

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample | None:
        groups = by_grade(grades)
        upper = [grade for grade in list(groups)[:-1] if grade > 0]
        if not upper:
            return None
        if self.positives == "documents":
            upper = [grade for grade in upper for _ in groups[grade]]
        high = rng.choice(upper)
        lower = [grade for grade in groups if grade < high]
        lows = sorted((rng.choice(lower) for _ in range(self.negatives)), reverse=True)
        documents = [rng.choice(groups[high])]
        for low in dict.fromkeys(lows):
            documents += draw(groups[low], lows.count(low), rng)
        gap = sum(high - low for low in lows) / len(lows)
        return Sample(query_id, tuple(documents), (high, *lows), gap if self.weighted else 1.0)


@dataclass(frozen=True, slots=True)
class Listwise:
    """`documents` documents a query over all its grades, labels = grades, the best-graded first.

    One document of each grade, the best grades first if there are more grades than places; the other places go to
    random judged documents. Queries without a relevant or a grade-0 document give no sample.

    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 0, "b": 3, "c": 6}}))
    >>> Listwise(3)(split, seed=1, epoch=0)
    [Sample(query_id='q', document_ids=('c', 'b', 'a'), grades=(6, 3, 0), weight=1.0)]
    """

    documents: int = 8

    def __post_init__(self) -> None:
        at_least(self.documents, 2, "sampling.documents")

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample a trainable query, in a random order."""
        rng = random.Random(f"{seed}/{epoch}")
        samples = [self._sample(query, grades, rng) for query, grades in split.qrels.items() if is_trainable(grades)]
        rng.shuffle(samples)
        return samples

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample:
        chosen = [rng.choice(group) for group in by_grade(grades).values()][: self.documents]
        if missing := self.documents - len(chosen):
            taken = set(chosen)
            chosen += draw([d for d in grades if d not in taken] or list(grades), missing, rng)
        chosen.sort(key=lambda document: -grades[document])
        return Sample(query_id, tuple(chosen), tuple(grades[document] for document in chosen))
