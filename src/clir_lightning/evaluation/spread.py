"""Whether scores tell documents apart at all: their spread within a query, and relevant against other documents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PAIRS = 2**22  # of documents, compared at a time


@dataclass(frozen=True, slots=True)
class Spread:
    """Of queries with two documents at least: `deviation`, the mean standard deviation of a query's scores.

    Of queries with documents of different grades: `ordered`, the mean share of pairs of them with the better-graded one
    higher (an equal score is half a pair), and `gap`, the mean score of the best-graded minus that of the others.
    """

    deviation: float
    ordered: float
    gap: float


def _mean(values: Tensor) -> float:
    return float(values.mean()) if len(values) else float("nan")


def spread(scores: Tensor, grades: Tensor, present: Tensor | None = None) -> Spread:
    """The spread of `scores` `[Q, D]` with their `grades` `[Q, D]`; `present` is false where there is no document.

    A value that no query has is NaN.

    >>> spread(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[6, 0, 3]]))
    Spread(deviation=0.816..., ordered=1.0, gap=1.5)
    """
    there = torch.ones_like(scores, dtype=torch.bool) if present is None else present
    scores = scores.double().masked_fill(~there, 0.0)
    grades = grades.double()

    # [Q]: the deviation of a query's scores from their mean.
    count = there.sum(dim=1)
    centred = (scores - scores.sum(dim=1, keepdim=True) / count[:, None].clamp(min=1)).masked_fill(~there, 0.0)
    deviation = (centred.square().sum(dim=1) / count.clamp(min=1)).sqrt()

    # [Q]: the best-graded documents' mean score minus that of the others; `told` where there are others.
    best = there & (grades == grades.masked_fill(~there, -torch.inf).amax(dim=1, keepdim=True))
    others = there & ~best
    told = others.any(dim=1)
    gap = (scores * best).sum(dim=1) / best.sum(dim=1).clamp(min=1)
    gap = gap - (scores * others).sum(dim=1) / others.sum(dim=1).clamp(min=1)

    # Pairs of documents are [Q, D, D]: some queries at a time.
    size = max(1, PAIRS // scores.shape[1] ** 2)
    parts = zip(*(torch.split(matrix[told], size) for matrix in (scores, grades, there)), strict=True)
    shares = [_ordered(*part) for part in parts] or [scores.new_zeros(0)]
    return Spread(_mean(deviation[count > 1]), _mean(torch.cat(shares)), _mean(gap[told]))


def _ordered(scores: Tensor, grades: Tensor, there: Tensor) -> Tensor:
    """The share `[Q]` of each query's pairs, out of `[Q, D, D]`."""
    better = (grades[:, :, None] > grades[:, None, :]) & there[:, :, None] & there[:, None, :]
    difference = scores[:, :, None] - scores[:, None, :]
    right = (difference.sign() + 1) / 2  # 1, 1/2 for equal ones, 0
    return (right * better).sum(dim=(1, 2)) / better.sum(dim=(1, 2))
