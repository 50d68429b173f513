"""Pairwise losses: pure functions of scores and grades `[B, D]` that give `[B]`, thin modules over them.

Each averages over a query's pairs (i, j) with gradeᵢ > gradeⱼ; samples of one positive and its negatives are the
usual case, graded lists use all of their ordered pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from clir_lightning.losses.loss import ScoreLoss, differences, mean_where, ordered_pairs
from clir_lightning.settings.markers import Positive


def softmax_hinge(scores: Tensor, grades: Tensor, margin: float = 0.0) -> Tensor:
    """The original experiment's loss: a hinge on the softmax probabilities of the better and the worse document.

    For each pair (p⁺, p⁻) = softmax(s⁺, s⁻), and the loss is max(0, p⁻ − margin): a negative may keep the probability
    `margin` at no cost. Since p⁺ + p⁻ = 1 that is half the textbook hinge max(0, g − (p⁺ − p⁻)) with the gap
    g = 1 − 2·margin. With margin 0 it equals 1 − σ(s⁺ − s⁻).

    >>> softmax_hinge(torch.tensor([[0.0, 0.0]]), torch.tensor([[6, 0]]))
    tensor([0.5000])
    >>> softmax_hinge(torch.tensor([[2.0, 0.0]]), torch.tensor([[6, 0]]), margin=0.1)  # p⁻ = .1192
    tensor([0.0192])
    """
    worse = torch.sigmoid(-differences(scores))
    return mean_where(torch.relu(worse - margin), ordered_pairs(grades))


def one_minus_sigmoid(scores: Tensor, grades: Tensor) -> Tensor:
    """1 − σ(s⁺ − s⁻): a smooth count of wrongly ordered pairs.

    >>> one_minus_sigmoid(torch.tensor([[2.0, 0.0]]), torch.tensor([[6, 0]]))
    tensor([0.1192])
    """
    return mean_where(torch.sigmoid(-differences(scores)), ordered_pairs(grades))


def ranknet(scores: Tensor, grades: Tensor) -> Tensor:
    """−log σ(s⁺ − s⁻) (Burges et al., 2005).

    >>> ranknet(torch.tensor([[0.0, 0.0]]), torch.tensor([[6, 0]]))
    tensor([0.6931])
    """
    return mean_where(softplus(-differences(scores)), ordered_pairs(grades))


def margin_hinge(scores: Tensor, grades: Tensor, margin: float = 1.0) -> Tensor:
    """max(0, margin − (s⁺ − s⁻)) (Herbrich et al., 2000; torch's `margin_ranking_loss`).

    >>> margin_hinge(torch.tensor([[0.3, 0.0]]), torch.tensor([[6, 0]]))
    tensor([0.7000])
    """
    return mean_where(torch.relu(margin - differences(scores)), ordered_pairs(grades))


class SoftmaxHinge(ScoreLoss):
    """Module over `softmax_hinge`."""

    def __init__(self, margin: float = 0.0, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        self.margin = margin

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return softmax_hinge(scores, labels, self.margin)


class OneMinusSigmoid(ScoreLoss):
    """Module over `one_minus_sigmoid`."""

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return one_minus_sigmoid(scores, labels)


class RankNet(ScoreLoss):
    """Module over `ranknet`."""

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return ranknet(scores, labels)


class MarginHinge(ScoreLoss):
    """Module over `margin_hinge`."""

    def __init__(self, margin: float = 1.0, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        self.margin = margin

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return margin_hinge(scores, labels, self.margin)
