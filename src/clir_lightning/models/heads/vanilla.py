"""The vanilla head: a linear layer over [CLS]."""

from __future__ import annotations

from torch import Tensor, nn

from clir_lightning.models.heads.signals import Signals


class Vanilla(nn.Module):
    """score = w · [CLS] + b, the "Vanilla BERT" of MacAvaney et al. (2019).

    Args:
        width: of the [CLS] state, H.
        channels: similarity matrices; none are used.
    """

    uses_similarity = False

    def __init__(self, *, width: int, channels: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, signals: Signals) -> Tensor:
        """Scores `[P]`."""
        scores: Tensor = self.linear(signals.cls).squeeze(1)
        return scores
