"""Distillation from a teacher's stored scores: pure functions of two score matrices `[B, D]`, modules over them.

A teacher is a TREC run file of the training queries, `teacher=FILE`, whose scores ride on the samples.
`clir evaluate model=TEACHER split=train` writes one as `runs/test.trec`.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import log_softmax

from clir_lightning.errors import ConfigError
from clir_lightning.losses.loss import Labelled, ScoreLoss
from clir_lightning.losses.needs import NEEDS
from clir_lightning.settings.markers import Positive


def margin_mse(scores: Tensor, teacher: Tensor) -> Tensor:
    """Margin-MSE (Hofstätter et al., 2020): the mean of ((s₁ − sⱼ) − (t₁ − tⱼ))² over j > 1, the positive first.

    >>> import torch
    >>> margin_mse(torch.tensor([[3.0, 1.0]]), torch.tensor([[9.0, 8.0]]))  # (2 − 1)²
    tensor([1.])
    """
    gap = (scores[:, :1] - scores[:, 1:]) - (teacher[:, :1] - teacher[:, 1:])
    return gap.square().mean(dim=1)


def kl_divergence(scores: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """T² · KL(softmax(t / T) ‖ softmax(s / T)) over a query's documents (Hinton et al., 2015).

    >>> import torch
    >>> kl_divergence(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))  # log 2 − .5822
    tensor([0.1109])
    """
    student = log_softmax(scores / temperature, dim=1)
    target = log_softmax(teacher / temperature, dim=1)
    return temperature**2 * (target.exp() * (target - student)).sum(dim=1)


class Distillation(ScoreLoss):
    """A loss whose labels are a teacher's scores, which ride on the samples (`data.Taught`).

    Args:
        scale: factor on the teacher's scores; a dual teacher's cosines want 1/temperature, 50 say.
        weight: factor on this loss where several are added.
    """

    needs = ("scores", "lists", "teacher")

    def __init__(self, scale: Positive = 1.0, weight: Positive = 1.0) -> None:
        super().__init__(weight)
        if scale <= 0:
            raise ConfigError(f"scale of a teacher's scores is {scale}; allowed: above 0")
        self.scale = scale

    def labels(self, batch: Labelled) -> Tensor:
        """The teacher's scores times `scale`, `[B, D]`; `ConfigError` for a batch without them."""
        if batch.teacher is None:
            what, cure = NEEDS["teacher"]
            raise ConfigError(f"loss {type(self).__name__} needs {what}, the batch has none; {cure}")
        return self.scale * batch.teacher


class MarginMSE(Distillation):
    """Module over `margin_mse`."""

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and the teacher's scores `[B, D]`."""
        return margin_mse(scores, labels)


class KLDivergence(Distillation):
    """Module over `kl_divergence`."""

    def __init__(self, temperature: Positive = 1.0, scale: Positive = 1.0, weight: Positive = 1.0) -> None:
        super().__init__(scale, weight)
        if temperature <= 0:
            raise ConfigError(f"loss.kl.temperature is {temperature}; allowed: above 0")
        self.temperature = temperature

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and the teacher's scores `[B, D]`."""
        return kl_divergence(scores, labels, self.temperature)
