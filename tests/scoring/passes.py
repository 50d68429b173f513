"""Scoring passes over batches that a test has made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.batches.loader import StepLoader
from clir_lightning.data.batches.scoring import ScoringSteps
from clir_lightning.types import Run


class Given(ScoringSteps):
    """The steps of these batches; those without samples come first."""

    def __init__(self, batches: Sequence[Any], rank: int = 0, world_size: int = 1) -> None:
        self.first = [batch for batch in batches if not batch.samples]
        self.scored = [batch for batch in batches if batch.samples]
        lists: dict[str, dict[str, float]] = {}
        for batch in self.scored:
            for sample in batch.samples:
                lists.setdefault(sample.query_id, {}).update(dict.fromkeys(sample.document_ids, 0.0))
        super().__init__(Run(lists), rank, world_size)

    @property
    def count(self) -> int:
        return len(self.scored)

    def pairs(self, number: int) -> NDArray[np.int64]:
        numbers = []
        for sample in self.scored[number].samples:
            places = dict(zip(self.lists.documents(sample.query_id), self.lists.numbers(sample.query_id), strict=True))
            numbers += [places[document] for document in sample.document_ids]
        return np.array(numbers, np.int64)

    def step(self, number: int) -> Any:
        return self.scored[number]

    def before(self) -> Iterator[Any]:
        return iter(self.first)


class Itself:
    """The dataset that makes each step's batch: the step itself."""

    def __getitem__(self, step: Any) -> Any:
        return step


def given(batches: Sequence[Any]) -> StepLoader:
    """A loader of these batches."""
    return loader(Itself(), Given(batches))


def loader(dataset: Any, steps: ScoringSteps) -> StepLoader:
    """A loader of a dataset's batches, as `CandidateSet` gives it."""
    return StepLoader(dataset, sampler=steps, batch_size=None)
