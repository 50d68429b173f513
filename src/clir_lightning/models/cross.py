"""The cross architecture: query and document through the encoder as one pair."""

from __future__ import annotations

from torch import Tensor, nn

from clir_lightning.data.batching import Batch
from clir_lightning.models.encoder import Encoder


class CrossEncoder(nn.Module):
    """[CLS] state of the pair → feed-forward → one score, as monoBERT (Nogueira and Cho, 2019).

    Args:
        encoder: gives the states.
        hidden: width of the feed-forward layer; `None` for the encoder's own.
        dropout: before each linear layer.
    """

    def __init__(self, encoder: Encoder, *, hidden: int | None = None, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        hidden = hidden or encoder.width
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(encoder.width, hidden), nn.Tanh(), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )

    def forward(self, batch: Batch) -> Tensor:
        """Scores `[B, D]` of B queries with D documents each."""
        states = self.encoder(batch)[:, 0]  # [B·D, H]
        scores: Tensor = self.head(states).view(batch.grades.shape)
        return scores
