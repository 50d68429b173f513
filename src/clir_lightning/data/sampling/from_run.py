"""Training samples from outside the judgements: hard negatives of a run, mixtures, and files of triples."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from clir_lightning.data.collection import Split
from clir_lightning.data.files.trec import read_run
from clir_lightning.data.sampling.sampling import NO_RELEVANT, draw
from clir_lightning.errors import ConfigError, DataError, at_least
from clir_lightning.settings.markers import Count, ExistingPath
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Grades, Run, Sample


@dataclass
class Hard:
    """For each query one best-graded document, and `negatives` that a run ranks from `first` to `last`.

    Documents that are judged relevant are not negatives; unjudged ones are, with grade 0. A query whose run has none
    within the ranks gives no sample.

    Args:
        run: a TREC run file; any system's.
        negatives: per query.
        first, last: ranks, from 1, both included.
    """

    run: ExistingPath | None
    negatives: Count = 1
    first: Count = 1
    last: Count = 100
    _run: Run | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        check_fields(self, "sampling")
        at_least(self.last, self.first, "sampling.last")

    def __call__(self, split: Split, *, seed: int, epoch: int) -> list[Sample]:
        """One sample per query that has a relevant document and negatives, in a random order."""
        rng = random.Random(f"{seed}/{epoch}")
        samples = []
        for query_id, grades in split.qrels.items():
            if self._lacks(split, query_id, grades) is None:
                best = max(grades.values())
                positive = rng.choice([document for document, grade in grades.items() if grade == best])
                drawn = draw(list(self._pools(split)[query_id]), self.negatives, rng)
                samples.append(Sample(query_id, (positive, *drawn), (best, *[0] * self.negatives)))
        rng.shuffle(samples)
        return samples

    def lacks(self, split: Split, query_id: str) -> str | None:
        """Why a query gives no sample."""
        return self._lacks(split, query_id, split.qrels[query_id])

    def _lacks(self, split: Split, query_id: str, grades: Grades) -> str | None:
        if max(grades.values(), default=0) <= 0:
            return NO_RELEVANT
        if self._pools(split).by_query.get(query_id):
            return None
        return f"without a negative at ranks {self.first} to {self.last} of {self.run}"

    def _pools(self, split: Split) -> Run:
        """The negatives of each query, read once."""
        if self._run is None:
            self._run = self._read(split)
        return self._run

    def _read(self, split: Split) -> Run:
        if self.run is None:
            raise ConfigError("sampling `hard` needs a run file of the training queries: set its run=FILE")
        run = read_run(self.run)
        pools = {}
        for query_id in split.qrels:
            if query_id in run:
                ranked = run.ranking(query_id)[self.first - 1 : self.last]
                relevant = split.qrels.relevant(query_id)
                pools[query_id] = {document: 0.0 for document in ranked if document not in relevant}
        if not any(pools.values()):
            cure = "give a run of the training queries, or wider ranks"
            raise DataError(f"no negatives at ranks {self.first} to {self.last}", path=self.run, cure=cure)
        return Run(pools, name=run.name)
