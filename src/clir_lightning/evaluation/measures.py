"""Ranking measures as pure functions on tensors, over all queries at once.

Every function takes `gains` `[Q, K]`, the grades of each query's documents in ranked order (0 where unjudged or where
the list has ended), and returns `[Q]` values. Definitions and defaults are trec_eval's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clir_lightning.errors import ConfigError

Measure = Callable[[Tensor, Tensor], Tensor]


def reciprocal_rank(gains: Tensor, k: int) -> Tensor:
    """One over the rank of the first relevant document within the first `k`, else 0 (Voorhees, 1999).

    >>> reciprocal_rank(torch.tensor([[0.0, 3.0, 6.0], [0.0, 0.0, 1.0]]), k=2)
    tensor([0.5000, 0.0000])
    """
    hits = (gains[:, :k] > 0).to(torch.float64)
    ranks = torch.arange(1, hits.shape[1] + 1, device=gains.device)
    return (hits / ranks).max(dim=1).values.to(gains.dtype) if hits.shape[1] else gains.new_zeros(len(gains))


def dcg(gains: Tensor, k: int) -> Tensor:
    """Discounted cumulative gain with linear gain: sum of gain / log2(rank + 1) (Järvelin and Kekäläinen, 2002).

    >>> dcg(torch.tensor([[3.0, 0.0, 2.0]]), k=3)
    tensor([4.])
    """
    cut = gains[:, :k]
    ranks = torch.arange(1, cut.shape[1] + 1, device=gains.device, dtype=gains.dtype)
    return (cut / torch.log2(ranks + 1)).sum(dim=1)


def ndcg(gains: Tensor, ideal: Tensor, k: int) -> Tensor:
    """DCG over the DCG of the ideal ranking; 0 for a query without relevant documents. trec_eval's `ndcg_cut`.

    `ideal` `[Q, R]` holds the grades of *all* relevant documents of the qrels, highest first, not only of those ranked.

    >>> ndcg(torch.tensor([[0.0, 3.0]]), torch.tensor([[3.0, 0.0]]), k=2)
    tensor([0.6309])
    """
    best = dcg(ideal, k)
    return torch.where(best > 0, dcg(gains, k) / best.clamp(min=torch.finfo(best.dtype).tiny), torch.zeros_like(best))


def measure(name: str) -> Measure:
    """The function of `(gains, ideal)` for a name such as `mrr_10` or `ndcg_5`.

    >>> measure("mrr_5")(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0]]))
    tensor([0.5000])
    """
    kind, _, depth = name.partition("_")
    if depth.isdigit() and int(depth) > 0:
        k = int(depth)
        if kind == "mrr":
            return lambda gains, ideal: reciprocal_rank(gains, k)
        if kind == "ndcg":
            return lambda gains, ideal: ndcg(gains, ideal, k)
    raise ConfigError(f"measure is {name!r}; allowed: mrr_K and ndcg_K with a rank K from 1, such as ndcg_10")


def label(name: str) -> str:
    """The printed form of a measure's name.

    >>> label("ndcg_10")
    'NDCG@10'
    """
    return name.upper().replace("_", "@")
