"""Training samples, drawn anew each epoch from `(seed, epoch)` alone."""

from __future__ import annotations

import random
from dataclasses import dataclass

from clir_lightning.data.collection import Split
from clir_lightning.types import Grades, Sample


def is_trainable(grades: Grades) -> bool:
    """Whether a query has both a relevant and a grade-0 document."""
    return any(grade > 0 for grade in grades.values()) and any(grade == 0 for grade in grades.values())


@dataclass(frozen=True, slots=True)
class BestAgainstRandom:
    """The original experiment's samples: one best-graded document and `negatives` of grade 0, a query.

    Among equally best documents one is drawn. Queries without a relevant or a grade-0 document give no sample.

    >>> from clir_lightning.types import Qrels
    >>> split = Split({}, Qrels({"q": {"a": 6, "b": 3, "c": 0}, "nothing relevant": {"a": 0}}))
    >>> BestAgainstRandom()(split, seed=1, epoch=0)
    [Sample(query_id='q', document_ids=('a', 'c'), grades=(6, 0))]
    """

    negatives: int = 1

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample a trainable query, in a random order."""
        rng = random.Random(f"{seed}/{epoch}")
        samples = [self._sample(query, grades, rng) for query, grades in split.qrels.items() if is_trainable(grades)]
        rng.shuffle(samples)
        return samples

    def _sample(self, query_id: str, grades: Grades, rng: random.Random) -> Sample:
        best = max(grades.values())
        positive = rng.choice([document for document, grade in grades.items() if grade == best])
        zeros = [document for document, grade in grades.items() if grade == 0]
        # Too few zeros are drawn with repetition, so that every sample has the same number of documents.
        drawn = (
            rng.sample(zeros, self.negatives) if len(zeros) >= self.negatives else rng.choices(zeros, k=self.negatives)
        )
        return Sample(query_id, (positive, *drawn), (best, *[0] * self.negatives))
