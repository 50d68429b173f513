"""Pointwise losses: pure functions of scores and grades `[B, D]` that give `[B]`, thin modules over them."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from clir_lightning.errors import ConfigError
from clir_lightning.losses.loss import ScoreLoss
from clir_lightning.settings.markers import Positive


def binary_cross_entropy(scores: Tensor, grades: Tensor, top: float = 1.0) -> Tensor:
    """Cross-entropy of σ(s) with min(1, grade / top), averaged over a query's documents (Nogueira and Cho, 2019).

    `top` 1 makes every grade above 0 relevant; the highest grade of the scale makes the labels graded.

    >>> import torch
    >>> binary_cross_entropy(torch.tensor([[2.0, 0.0]]), torch.tensor([[6, 0]]))  # (.1269 + .6931) / 2
    tensor([0.4100])
    """
    targets = (grades.to(scores.dtype) / top).clamp(0, 1)
    return binary_cross_entropy_with_logits(scores, targets, reduction="none").mean(dim=1)


class BinaryCrossEntropy(ScoreLoss):
    """Module over `binary_cross_entropy`; needs no pairs."""

    needs = ("scores", "grades")

    def __init__(self, top: Positive = 1.0, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        if top <= 0:
            raise ConfigError(f"loss.bce.top is {top}; allowed: a grade above 0")
        self.top = top

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and grades `[B, D]`."""
        return binary_cross_entropy(scores, labels, self.top)
