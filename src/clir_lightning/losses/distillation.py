"""Distillation from a teacher's stored scores: pure functions of two score matrices `[B, D]`, modules over them.

A teacher is a TREC run file of the training queries. `clir evaluate checkpoint=TEACHER split=train` writes one as
`runs/test.trec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.files.trec import read_run
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.types import Run, Sample


def margin_mse(scores: Tensor, teacher: Tensor) -> Tensor:
    """Margin-MSE (Hofstätter et al., 2020): the mean of ((s₁ − sⱼ) − (t₁ − tⱼ))² over j > 1, the positive first.

    >>> margin_mse(torch.tensor([[3.0, 1.0]]), torch.tensor([[9.0, 8.0]]))  # (2 − 1)²
    tensor([1.])
    """
    gap = (scores[:, :1] - scores[:, 1:]) - (teacher[:, :1] - teacher[:, 1:])
    return gap.square().mean(dim=1)


def kl_divergence(scores: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """T² · KL(softmax(t / T) ‖ softmax(s / T)) over a query's documents (Hinton et al., 2015).

    >>> kl_divergence(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))  # log 2 − .5822
    tensor([0.1109])
    """
    student = log_softmax(scores / temperature, dim=1)
    target = log_softmax(teacher / temperature, dim=1)
    return temperature**2 * (target.exp() * (target - student)).sum(dim=1)


class Distillation(RankingLoss):
    """A loss whose labels are a teacher's scores.

    Args:
        teacher: a TREC run file that has every (query, document) pair of the training samples.
        scale: factor on the teacher's scores; a dual teacher's cosines want 1/temperature, 50 say.
        weight: factor on this loss where several are added.
    """

    def __init__(self, teacher: str, scale: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight)
        if scale <= 0:
            raise ConfigError(f"scale of teacher {teacher} is {scale}; allowed: above 0")
        self.teacher, self.scale = teacher, scale

    @cached_property
    def _run(self) -> Run:
        return read_run(self.teacher)

    def _scores(self, sample: Sample) -> list[float]:
        run = self._run.by_query.get(sample.query_id, {})
        try:
            return [self.scale * run[document] for document in sample.document_ids]
        except KeyError as error:
            raise DataError(
                f"no score of document {error.args[0]!r} for training query {sample.query_id!r}",
                path=self.teacher,
                cure="score every judged document of the training split with the teacher: "
                "clir evaluate checkpoint=TEACHER split=train",
            ) from None

    def labels(self, batch: PairBatch) -> Tensor:
        """The teacher's scores `[B, D]`."""
        return torch.tensor([self._scores(sample) for sample in batch.samples], device=batch.grades.device)

    def check(self, samples: Sequence[Sample], name: str) -> None:
        """Refuse single documents, and pairs without a teacher's score."""
        super().check(samples, name)
        for sample in samples:
            self._scores(sample)


class MarginMSE(Distillation):
    """Module over `margin_mse`."""

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and the teacher's scores `[B, D]`."""
        return margin_mse(scores, labels)


class KLDivergence(Distillation):
    """Module over `kl_divergence`."""

    def __init__(self, teacher: str, temperature: float = 1.0, scale: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(teacher, scale, weight)
        if temperature <= 0:
            raise ConfigError(f"loss.kl.temperature is {temperature}; allowed: above 0")
        self.temperature = temperature

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """`[B]` from scores and the teacher's scores `[B, D]`."""
        return kl_divergence(scores, labels, self.temperature)
