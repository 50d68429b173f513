"""What every ranking loss module is: a weight, the labels that it compares scores with, the samples that it refuses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import ConfigError
from clir_lightning.types import Sample

LISTS = "use sampling=listwise, or more sampling.negatives"


class RankingLoss(nn.Module):
    """Base of the loss modules: `loss(scores, loss.labels(batch))` gives one value a query, `[B]`.

    Args:
        weight: factor on this loss where several are added.
    """

    documents = 2  # the fewest documents a sample that the loss can be computed from
    needs: tuple[str, ...] = ("scores",)  # of an architecture, see `losses.needs`
    reads_temperature = True  # whether a learnt temperature gets a gradient from it

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if weight <= 0:
            raise ConfigError(f"a loss has weight {weight}; allowed: above 0; leave the loss out instead")
        self.weight = weight

    def labels(self, batch: PairBatch) -> Tensor:
        """What the scores are compared with, `[B, D]`: the grades."""
        return batch.grades

    def check(self, samples: Sequence[Sample], name: str) -> None:
        """Refuse samples that teach this loss nothing; `name` is the loss's in the configuration."""
        fewest = min((len(sample.document_ids) for sample in samples), default=self.documents)
        if fewest < self.documents:
            raise ConfigError(f"loss {name} needs {self.documents} or more documents a query, got {fewest}; {LISTS}")
        if self.documents > 1 and not any(len(set(sample.grades)) > 1 for sample in samples):
            raise ConfigError(f"loss {name} needs documents of different grades in a sample; use sampling=original")


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
