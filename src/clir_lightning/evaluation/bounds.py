"""What every table of measures stands between: *random order* as floor, *ideal* as ceiling, over the same documents."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from clir_lightning.evaluation.evaluate import Evaluation, evaluation
from clir_lightning.evaluation.measures import deepest
from clir_lightning.evaluation.ranking import Pool


def random_order(pool: Pool, measures: Sequence[str], *, shuffles: int = 10, seed: int = 0) -> Evaluation:
    """The mean of `shuffles` seeded random orders of each query's documents.

    >>> pool = Pool.of({"q": ["a", "b"]}, {"q": {"a": 1}})
    >>> random_order(pool, ["mrr_5"], shuffles=1000).means["mrr_5"]  # the mean of 1 and 1/2
    0.7...
    """
    generator = torch.Generator().manual_seed(seed)
    runs = [
        evaluation("random order", pool, pool.ranked(scores, depth=deepest(list(measures))), measures)
        for scores in (torch.rand(pool.grades.shape, generator=generator) for _ in range(shuffles))
    ]
    per_query = {
        query: {name: sum(run.per_query[query][name] for run in runs) / shuffles for name in runs[0].means}
        for query in pool.queries
    }
    means = {name: sum(run.means[name] for run in runs) / shuffles for name in runs[0].means}
    return Evaluation("random order", means, per_query, runs[0].coverage)


def ideal(pool: Pool, measures: Sequence[str]) -> Evaluation:
    """The documents ranked by their grades: what no ranking of the same documents can exceed.

    Relevant documents outside the pool keep NDCG and recall below 1.

    >>> ideal(Pool.of({"q": ["a", "b"]}, {"q": {"a": 1, "c": 1}}), ["recall_5"]).means
    {'recall_5': 0.5}
    """
    ranked = pool.ranked(pool.grades.to(torch.float32), depth=deepest(list(measures)))
    return evaluation("ideal", pool, ranked, measures)
