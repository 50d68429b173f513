"""MaxSim: each query token's best document token (Khattab and Zaharia, 2020), over CEDR's matrices."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clir_lightning.errors import ConfigError
from clir_lightning.models.heads.signals import Signals
from clir_lightning.settings.markers import Positive


def mean_maximum(similarity: Tensor, query_mask: Tensor, document_mask: Tensor) -> Tensor:
    """Mean over the query tokens of the greatest similarity with a document token, `[P, L]` of `[P, L, Q, D]`.

    0 for pairs without a query or a document token.

    >>> x = torch.tensor([[[[0.2, 0.6, 0.9], [0.4, 0.3, 0.9]]]])  # the last document token is padding
    >>> mean_maximum(x, torch.tensor([[True, True]]), torch.tensor([[True, True, False]]))
    tensor([[0.5000]])
    """
    best = similarity.masked_fill(~document_mask[:, None, None], -1.0).amax(dim=-1)  # [P, L, Q]
    real = (query_mask & document_mask.any(dim=1, keepdim=True))[:, None].to(similarity.dtype)
    return (best * real).sum(dim=-1) / real.sum(dim=-1).clamp(min=1)


class MaxSim(nn.Module):
    """Weighted mean over levels of the mean greatest cosine, divided by a temperature, plus a linear layer over [CLS].

    Level weights start equal and [CLS]'s at 0, so that training starts from the order which the encoder's own
    similarities give. Not one of MacAvaney et al.'s heads.

    Args:
        width: of the [CLS] state, H.
        channels: similarity matrices, L.
        temperature: what cosines, which lie close together, are divided by.
    """

    uses_similarity = True

    def __init__(self, *, width: int, channels: int, temperature: Positive = 0.05) -> None:
        super().__init__()
        if temperature <= 0:
            raise ConfigError(f"architecture.head.temperature is {temperature}; allowed: numbers above 0")
        self.temperature = temperature
        self.levels = nn.Parameter(torch.full((channels,), 1 / channels))
        self.linear = nn.Linear(width, 1)
        nn.init.zeros_(self.linear.weight)

    def forward(self, signals: Signals) -> Tensor:
        """Scores `[P]`."""
        best = mean_maximum(signals.similarity, signals.query_mask, signals.document_mask)
        scores: Tensor = best @ self.levels / self.temperature + self.linear(signals.cls).squeeze(1)
        return scores
