"""`RankingMeasures`: the measures as one torchmetrics `Metric` over a whole run, exact under several processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from clir_lightning.evaluation.evaluate import values_of
from clir_lightning.evaluation.measures import deepest
from clir_lightning.evaluation.ranking import Pool


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
        self.pool, self.measures, self.depth = pool, tuple(measures), deepest(list(measures))
        self._row = {query: row for row, query in enumerate(pool.queries)}
        self._column = [{document: i for i, document in enumerate(documents)} for documents in pool.documents]
        size = pool.grades.numel()
        self.add_state("scores", default=torch.full((size,), -torch.inf), dist_reduce_fx="max")
        self.add_state("scored", default=torch.zeros(size, dtype=torch.uint8), dist_reduce_fx="max")

    def places(self, queries: Sequence[str], documents: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Row and column `[N]` in the pool of each pair of ids."""
        rows = [self._row[query] for query in queries]
        columns = [self._column[row][document] for row, document in zip(rows, documents, strict=True)]
        return torch.tensor(rows), torch.tensor(columns)

    def update(self, rows: Tensor, columns: Tensor, scores: Tensor) -> None:
        """Add pairs: their rows and columns in the pool and their scores, `[N]` each."""
        places = rows * self.pool.grades.shape[1] + columns
        # A NaN stays, for `Pool.ranked` to name its pair.
        self.scores.scatter_reduce_(0, places, scores.detach().to(self.scores), "amax")
        self.scored[places] = 1

    def compute(self) -> dict[str, Tensor]:
        """The mean of each measure over all judged queries."""
        pool, shape = self.pool.to(self.scores.device), self.pool.grades.shape
        ranked = pool.ranked(self.scores.view(shape), scored=self.scored.view(shape).bool(), depth=self.depth)
        return {
            name: values.mean() if len(values) else values.sum()
            for name, values in values_of(ranked, self.measures).items()
        }
