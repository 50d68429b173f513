"""`RankingMeasures`: the measures as one torchmetrics `Metric` over a whole run, exact under several processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torchmetrics import Metric

from clir_lightning.evaluation.evaluate import Evaluation, evaluation, values_of
from clir_lightning.evaluation.measures import deepest
from clir_lightning.evaluation.ranking import Pool, Ranked
from clir_lightning.types import Run


class RankingMeasures(Metric):
    """Collects scored pairs in any order and batching; `compute` evaluates the run that they form, once.

    The processes' scores are put together before anything is averaged. A pair that was scored twice, as a distributed
    sampler does to even out its shards, counts once, with the higher of its scores. A judged query without a scored
    pair counts 0, as in `trec_eval -c`.

    >>> pool = Pool.of({"q": ["a", "b", "c"]}, {"q": {"a": 3, "b": 1}})
    >>> metric = RankingMeasures(pool, ["mrr_10"])
    >>> metric.update(*metric.places(["q", "q", "q"], ["c", "b", "a"]), torch.tensor([2.0, 1.0, 1.0]))
    >>> metric.compute()
    {'mrr_10': tensor(0.5000, dtype=torch.float64)}
    """

    full_state_update = False
    higher_is_better = True
    scores: Tensor
    scored: Tensor

    def __init__(self, pool: Pool, measures: Sequence[str]) -> None:
        super().__init__()
        self.pool = pool
        self.measures = tuple(measures)
        self.depth = deepest(list(measures))
        self._row = {query: row for row, query in enumerate(pool.queries)}
        self._column = [{document: i for i, document in enumerate(documents)} for documents in pool.documents]
        size = pool.grades.numel()
        self.add_state("scores", default=torch.full((size,), -torch.inf), dist_reduce_fx="max")
        self.add_state("scored", default=torch.zeros(size, dtype=torch.uint8), dist_reduce_fx="max")

    def places(self, queries: Sequence[str], documents: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Row and column `[N]` in the pool of each pair of ids."""
        rows = [self._row[query] for query in queries]
        columns = [self._column[row][document] for row, document in zip(rows, documents, strict=True)]
        return torch.tensor(rows, dtype=torch.long), torch.tensor(columns, dtype=torch.long)

    def update(self, rows: Tensor, columns: Tensor, scores: Tensor) -> None:
        """Add pairs: their rows and columns in the pool and their scores, `[N]` each."""
        places = (rows * self.pool.grades.shape[1] + columns).to(self.scores.device)
        # A NaN stays, for `Pool.ranked` to name its pair.
        self.scores.scatter_reduce_(0, places, scores.detach().to(self.scores), "amax")
        self.scored[places] = 1

    def matrix(self) -> tuple[Tensor, Pool]:
        """The scores `[Q, D]` and the pool of what was scored; inside `sync_context()`, of all processes."""
        pool = self.pool.to(self.scores.device)
        scored = self.scored.view(pool.grades.shape).bool()
        return self.scores.view(pool.grades.shape), replace(pool, present=pool.present & scored)

    def _ranked(self) -> tuple[Pool, Ranked]:
        scores, pool = self.matrix()
        return pool, pool.ranked(scores, depth=self.depth)

    def compute(self) -> dict[str, Tensor]:
        """The mean of each measure over all judged queries."""
        values = values_of(self._ranked()[1], self.measures)
        return {name: row.mean() if len(row) else row.sum() for name, row in values.items()}

    def evaluation(self, name: str) -> Evaluation:
        """Means, each query's values and the coverage; inside `sync_context()`, those of all processes."""
        return evaluation(name, *self._ranked(), self.measures)

    def run(self, name: str) -> Run:
        """The scored pairs as a run; inside `sync_context()`, those of all processes."""
        shape = self.pool.grades.shape
        rows = zip(self.scores.view(shape).tolist(), self.scored.view(shape).tolist(), strict=True)
        lists = {
            query: {document: score for document, score, there in zip(documents, scores, scored, strict=False) if there}
            for query, documents, (scores, scored) in zip(self.pool.queries, self.pool.documents, rows, strict=True)
        }
        return Run({query: scores for query, scores in lists.items() if scores}, name=name)
