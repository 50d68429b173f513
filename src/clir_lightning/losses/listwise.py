"""Listwise losses: pure functions of scores and grades `[B, D]` that give `[B]`, thin modules over them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from clir_lightning.errors import ConfigError
from clir_lightning.losses.loss import ScoreLoss, differences, ordered_pairs
from clir_lightning.settings.markers import Amount, Positive


def softmax_cross_entropy(scores: Tensor, grades: Tensor) -> Tensor:
    """Cross-entropy of softmax(s) with the grades' shares as target (Bruch et al., 2019).

    −Σᵢ tᵢ log softmax(s)ᵢ with tᵢ = gradeᵢ / Σ grades; grades below 0 count as 0. A query without a relevant document
    gives 0.

    >>> softmax_cross_entropy(torch.zeros(1, 4), torch.tensor([[6, 3, 0, 0]]))  # log 4 whatever the grades
    tensor([1.3863])
    """
    gains = grades.to(scores.dtype).clamp(min=0)
    targets = gains / gains.sum(dim=1, keepdim=True).clamp(min=1e-9)
    return -(targets * log_softmax(scores, dim=1)).sum(dim=1)


def listnet(scores: Tensor, grades: Tensor, temperature: float = 1.0) -> Tensor:
    """ListNet's top-one cross-entropy (Cao et al., 2007): −Σᵢ softmax(grade / T)ᵢ log softmax(s)ᵢ.

    >>> listnet(torch.tensor([[1.0, 0.0]]), torch.tensor([[1, 0]]))  # the entropy of (.7311, .2689)
    tensor([0.5822])
    """
    targets = torch.softmax(grades.to(scores.dtype) / temperature, dim=1)
    return -(targets * log_softmax(scores, dim=1)).sum(dim=1)


def _discount(ranks: Tensor) -> Tensor:
    return 1 / torch.log2(1 + ranks)  # of ranks from 1


def lambda_loss(scores: Tensor, grades: Tensor, mu: float = 0.0, sigma: float = 1.0) -> Tensor:
    """LambdaLoss for NDCG (Wang et al., 2018, NDCG-Loss2++), with linear gains as in the project's NDCG.

    Σ over gradeᵢ > gradeⱼ of wᵢⱼ · log₂(1 + exp(−σ(sᵢ − sⱼ))), wᵢⱼ = |Gᵢ − Gⱼ| · (ρᵢⱼ + μ·δᵢⱼ), where G is the gain
    over the ideal DCG of the list, ρᵢⱼ = |1/D(rᵢ) − 1/D(rⱼ)|, δᵢⱼ = |1/D(d) − 1/D(d + 1)| with d = |rᵢ − rⱼ| and
    1/D(r) = 1/log₂(1 + r) at the ranks r of the present scores. μ = 0 is LambdaRank; the paper's ++ has μ = 10.
    Equal scores are ranked against the loss: the worse document first.

    >>> lambda_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]]))  # 1 · |1/log₂3 − 1| · log₂2
    tensor([0.3691])
    """
    gains = grades.to(scores.dtype).clamp(min=0)
    with torch.no_grad():
        # Ranks `[B, D]` by two stable sorts: by grade upwards, then by score downwards.
        upwards = gains.argsort(dim=1, stable=True)
        order = upwards.gather(1, scores.gather(1, upwards).argsort(dim=1, descending=True, stable=True))
        ranks = order.argsort(dim=1).to(scores.dtype) + 1

        # Gains over the ideal DCG of each list, `[B, D]`.
        places = torch.arange(1, scores.shape[1] + 1, device=scores.device, dtype=scores.dtype)
        ideal = (gains.sort(dim=1, descending=True).values * _discount(places)).sum(dim=1, keepdim=True)
        share = gains / ideal.clamp(min=1e-9)

        # What NDCG changes by where i and j change places, `[B, D, D]`.
        apart = differences(ranks).abs().clamp(min=1)
        moved = differences(_discount(ranks)).abs() + mu * (_discount(apart) - _discount(apart + 1))
        weights = torch.where(ordered_pairs(grades), differences(share).abs() * moved, 0.0)

    # Only the scores' differences have gradients.
    log_2: Tensor = softplus(-sigma * differences(scores)) / math.log(2)
    return (weights * log_2).flatten(1).sum(dim=1)


def lce(scores: Tensor, grades: Tensor) -> Tensor:
    """Localised contrastive estimation (Gao et al., 2021): −log of the positive's share against its own negatives.

    −log exp(s⁺) / (exp(s⁺) + Σ exp(s⁻)), averaged over the best-graded documents; all lower grades are negatives.

    >>> lce(torch.zeros(1, 4), torch.tensor([[6, 0, 0, 0]]))  # log 4
    tensor([1.3863])
    """
    best = grades == grades.max(dim=1, keepdim=True).values
    negatives = torch.where(best, -torch.inf, scores).logsumexp(dim=1, keepdim=True)
    values = torch.where(best, softplus(negatives - scores), 0.0)
    return values.sum(dim=1) / best.sum(dim=1)


class SoftmaxCrossEntropy(ScoreLoss):
    """Module over `softmax_cross_entropy`."""

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return softmax_cross_entropy(scores, labels)


class ListNet(ScoreLoss):
    """Module over `listnet`."""

    def __init__(self, temperature: Positive = 1.0, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        if temperature <= 0:
            raise ConfigError(f"loss.listnet.temperature is {temperature}; allowed: above 0")
        self.temperature = temperature

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return listnet(scores, labels, self.temperature)


class LambdaLoss(ScoreLoss):
    """Module over `lambda_loss`."""

    def __init__(self, mu: Amount = 0.0, sigma: Positive = 1.0, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        self.mu = mu
        self.sigma = sigma

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return lambda_loss(scores, labels, self.mu, self.sigma)


class LCE(ScoreLoss):
    """Module over `lce`."""

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return lce(scores, labels)
