"""Ranking measures as pure functions on tensors, over all queries at once.

Every function takes `gains` `[Q, K]`, the grades of each query's documents in ranked order (0 where unjudged or where
the list has ended), and returns `[Q]` values; `ideal` `[Q, R]` holds the grades of *all* relevant documents of the
qrels, highest first and padded with 0, not only of those ranked. Definitions and defaults are trec_eval's; a cut-off
`k` of `None` takes the whole list.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.ranking import Ranked

Measure = Callable[[Ranked], Tensor]


def _ranks(cut: Tensor) -> Tensor:
    return torch.arange(1, cut.shape[1] + 1, device=cut.device, dtype=torch.float64)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole`, 0 where `whole` is 0."""
    return torch.where(whole > 0, part / whole.clamp(min=torch.finfo(torch.float64).tiny), 0.0)


def reciprocal_rank(gains: Tensor, k: int | None = None) -> Tensor:
    """One over the rank of the first relevant document within the first `k`, else 0 (Voorhees, 1999).

    >>> reciprocal_rank(torch.tensor([[0, 3, 6], [0, 0, 1]]), k=2)
    tensor([0.5000, 0.0000], dtype=torch.float64)
    """
    cut = gains[:, :k] > 0
    return (cut / _ranks(cut)).amax(dim=1) if cut.shape[1] else torch.zeros(len(cut), dtype=torch.float64)


def precision(gains: Tensor, k: int) -> Tensor:
    """Relevant documents among the first `k`, over `k`, however short the list is.

    >>> precision(torch.tensor([[0, 3, 6]]), k=4)
    tensor([0.5000], dtype=torch.float64)
    """
    return (gains[:, :k] > 0).sum(dim=1).to(torch.float64) / k


def recall(gains: Tensor, ideal: Tensor, k: int | None = None) -> Tensor:
    """Relevant documents among the first `k`, over all relevant ones; 0 for a query without any.

    >>> recall(torch.tensor([[0, 3, 6]]), torch.tensor([[6, 3, 1, 1]]), k=2)
    tensor([0.2500], dtype=torch.float64)
    """
    return _share((gains[:, :k] > 0).sum(dim=1).to(torch.float64), (ideal > 0).sum(dim=1).to(torch.float64))


def average_precision(gains: Tensor, ideal: Tensor, k: int | None = None) -> Tensor:
    """The sum of the precisions at each relevant document, over all relevant ones (trec_eval's `map_cut`).

    >>> average_precision(torch.tensor([[1, 0, 1]]), torch.tensor([[1, 1, 1]]))  # (1/1 + 2/3) / 3
    tensor([0.5556], dtype=torch.float64)
    """
    cut = (gains[:, :k] > 0).to(torch.float64)
    at_hits = (cut.cumsum(dim=1) / _ranks(cut) * cut).sum(dim=1)
    return _share(at_hits, (ideal > 0).sum(dim=1).to(torch.float64))


def hits(gains: Tensor, k: int | None = None) -> Tensor:
    """1 if any of the first `k` documents is relevant, else 0 (trec_eval's `success`).

    >>> hits(torch.tensor([[0, 3, 6], [0, 0, 1]]), k=2)
    tensor([1., 0.], dtype=torch.float64)
    """
    return (gains[:, :k] > 0).any(dim=1).to(torch.float64)


def dcg(gains: Tensor, k: int | None = None) -> Tensor:
    """Discounted cumulative gain: the sum of gain / log2(rank + 1) (Järvelin and Kekäläinen, 2002).

    >>> dcg(torch.tensor([[3, 0, 2]]))
    tensor([4.], dtype=torch.float64)
    """
    cut = gains[:, :k].to(torch.float64)
    return cut @ (1 / torch.log2(_ranks(cut) + 1))


def ndcg(gains: Tensor, ideal: Tensor, k: int | None = None) -> Tensor:
    """DCG over the DCG of the ideal ranking; 0 for a query without relevant documents. trec_eval's `ndcg_cut`.

    >>> ndcg(torch.tensor([[0, 3]]), torch.tensor([[3, 0]]), k=2)
    tensor([0.6309], dtype=torch.float64)
    """
    return _share(dcg(gains, k), dcg(ideal, k))


def ndcg_exp2(gains: Tensor, ideal: Tensor, k: int | None = None) -> Tensor:
    """NDCG with the gain 2^grade - 1, which weighs high grades far more (Burges et al., 2005).

    >>> ndcg_exp2(torch.tensor([[1, 2]]), torch.tensor([[2, 1]]))  # (1 + 3 / 1.585) / (3 + 1 / 1.585)
    tensor([0.7967], dtype=torch.float64)
    """
    return ndcg(torch.exp2(gains[:, :k].double()) - 1, torch.exp2(ideal[:, :k].double()) - 1)


def judged_share(judged: Tensor, length: Tensor, k: int | None = None) -> Tensor:
    """The share of judged documents among the first `k`, or among all where the list is shorter.

    >>> judged_share(torch.tensor([[True, False, False]]), torch.tensor([2]), k=5)
    tensor([0.5000], dtype=torch.float64)
    """
    count = length if k is None else length.clamp(max=k)
    return _share(judged[:, :k].sum(dim=1).to(torch.float64), count.to(torch.float64))


_KINDS: dict[str, Callable[[Ranked, int | None], Tensor]] = {
    "mrr": lambda ranked, k: reciprocal_rank(ranked.gains, k),
    "ndcg": lambda ranked, k: ndcg(ranked.gains, ranked.ideal, k),
    "ndcgexp2": lambda ranked, k: ndcg_exp2(ranked.gains, ranked.ideal, k),
    "recall": lambda ranked, k: recall(ranked.gains, ranked.ideal, k),
    "precision": lambda ranked, k: precision(ranked.gains, k or ranked.gains.shape[1]),
    "map": lambda ranked, k: average_precision(ranked.gains, ranked.ideal, k),
    "hits": lambda ranked, k: hits(ranked.gains, k),
    "judged": lambda ranked, k: judged_share(ranked.judged, ranked.length, k),
}
_LABELS = {"ndcgexp2": "NDCG-exp2", "recall": "Recall", "precision": "P", "hits": "Hits", "judged": "Judged"}
_WHOLE = ("mrr", "ndcg", "ndcgexp2", "map")  # those that are also used without a cut-off


def parse(name: str) -> tuple[str, int | None]:
    """Kind and cut-off of a measure's name; a `ConfigError` says which there are.

    >>> parse("ndcg_10"), parse("map")
    (('ndcg', 10), ('map', None))
    """
    kind, _, depth = name.partition("_")
    if kind in _KINDS and depth.isdigit() and int(depth) > 0:
        return kind, int(depth)
    if name in _WHOLE:
        return kind, None
    cut = ", ".join(f"{kind}_K" for kind in _KINDS)
    raise ConfigError(
        f"measure is {name!r}; allowed: {cut} with a rank K from 1, such as ndcg_10, and {', '.join(_WHOLE)}"
    )


def measure(name: str) -> Measure:
    """The function of a `Ranked` for a name such as `mrr_10`, `ndcgexp2_5` or `map`."""
    kind, k = parse(name)
    return lambda ranked: _KINDS[kind](ranked, k)


def deepest(names: list[str]) -> int | None:
    """The rank that suffices for all these measures, `None` if one needs the whole list.

    >>> deepest(["ndcg_10", "recall_100"]), deepest(["ndcg_10", "map"])
    (100, None)
    """
    depths = [parse(name)[1] for name in names]
    return None if None in depths else max((depth for depth in depths if depth is not None), default=1)


def label(name: str) -> str:
    """The printed form of a measure's name.

    >>> label("ndcg_10"), label("ndcgexp2_5"), label("map")
    ('NDCG@10', 'NDCG-exp2@5', 'MAP')
    """
    kind, k = parse(name)
    return _LABELS.get(kind, kind.upper()) + ("" if k is None else f"@{k}")
