"""What every ranking loss is: a weight, what it needs, and how it is taken of scores or of vectors.

There are two kinds. A `ScoreLoss` compares a query's scores with labels of its documents; every architecture gives
scores. A `VectorLoss` sees the vectors of a whole step, which only architectures that encode texts apart have.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from clir_lightning.errors import ConfigError
from clir_lightning.losses.contrast import Contrast
from clir_lightning.settings.markers import Positive


class Labelled(Protocol):
    """What a batch of B queries with D documents each tells the losses."""

    @property
    def grades(self) -> Tensor: ...  # noqa: D102  [B, D]

    @property
    def teacher(self) -> Tensor | None: ...  # noqa: D102  [B, D], a better system's scores


class RankingLoss(nn.Module):
    """Base of both kinds; `needs` and `reads_temperature` are checked before training (`losses.needs`).

    Args:
        weight: factor on this loss where several are added.
    """

    needs: tuple[str, ...] = ()  # of architecture, samples and settings: keys of `needs.NEEDS`
    reads_temperature = True  # whether a learnt temperature gets a gradient from it

    def __init__(self, weight: Positive = 1.0) -> None:
        super().__init__()
        if weight <= 0:
            raise ConfigError(f"a loss has weight {weight}; allowed: above 0; leave the loss out instead")
        self.weight = weight

    def of_scores(self, scores: Tensor, batch: Labelled) -> Tensor:
        """The weighted loss of each query, `[B]`, from the scores `[B, D]` of the batch's first B queries."""
        raise NotImplementedError

    def of_vectors(self, contrast: Contrast, batch: Labelled) -> Tensor:
        """The weighted loss of each query, `[B]`, or of the whole step, a scalar, from encoded texts."""
        raise NotImplementedError


class ScoreLoss(RankingLoss):
    """A loss of a query's own scores and labels alone: `loss(scores, labels)`, `[B, D]` each, gives `[B]`."""

    needs: tuple[str, ...] = ("scores", "lists", "pairs")

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The loss of each query, `[B]`, from scores and labels `[B, D]`."""
        raise NotImplementedError

    def labels(self, batch: Labelled) -> Tensor:
        """What the scores are compared with, `[B, D]`: the grades."""
        return batch.grades

    def of_scores(self, scores: Tensor, batch: Labelled) -> Tensor:
        """The weighted loss of each query, `[B]`."""
        value: Tensor = self(scores, self.labels(batch)[: len(scores)])
        return self.weight * value

    def of_vectors(self, contrast: Contrast, batch: Labelled) -> Tensor:
        """The same of similarities over the temperature, which are the scores."""
        return self.of_scores(contrast.own_similarities * contrast.scale, batch)


class VectorLoss(RankingLoss):
    """A loss of the vectors of a step: `loss(contrast)` gives `[B]`, or a scalar.

    `[B]` is of this process's queries; a scalar is of all queries of the step, the same in every process.
    """

    needs: tuple[str, ...] = ("similarities",)

    def forward(self, contrast: Contrast) -> Tensor:
        """The loss of each query, `[B]`, or a scalar."""
        raise NotImplementedError

    def of_scores(self, scores: Tensor, batch: Labelled) -> Tensor:
        """`ConfigError`: pairs have no vectors of their own."""
        raise ConfigError(f"loss {type(self).__name__} needs vectors; use architecture=dual or architecture=late")

    def of_vectors(self, contrast: Contrast, batch: Labelled) -> Tensor:
        """The weighted loss of each query, `[B]`, or of the whole step, a scalar."""
        value: Tensor = self(contrast)
        return self.weight * value


def ordered_pairs(grades: Tensor) -> Tensor:
    """Which pairs (i, j) have gradeᵢ > gradeⱼ, `[B, D, D]`.

    >>> ordered_pairs(torch.tensor([[6.0, 0.0]])).int().tolist()
    [[[0, 1], [0, 0]]]
    """
    return grades[:, :, None] > grades[:, None, :]


def differences(values: Tensor) -> Tensor:
    """valueᵢ − valueⱼ, `[B, D, D]`."""
    return values[:, :, None] - values[:, None, :]


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of each query's values under the mask, `[B]`; 0 where nothing is."""
    kept = torch.where(mask, values, 0.0).flatten(1).sum(dim=1)
    return kept / mask.flatten(1).sum(dim=1).clamp(min=1)
