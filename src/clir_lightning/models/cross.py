"""The cross architecture: query and document through the encoder as one pair."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import one_of
from clir_lightning.models.encoder import Encoder, full_precision
from clir_lightning.models.features import Widths, joined, width_of
from clir_lightning.models.pooling import mean
from clir_lightning.settings.markers import Count, Dropout, OneOf

POOLINGS = {"cls": 1, "mean": 1, "parts": 4}  # how many vectors of the encoder's width the head reads


def parts(states: Tensor, batch: PairBatch) -> tuple[Tensor, Tensor]:
    """The mean states of each row's query and of its document, `[N, H]` both."""
    assert batch.query_spans is not None
    assert batch.document_spans is not None
    place = torch.arange(states.shape[1], device=states.device)
    inside = [(place >= spans[:, :1]) & (place < spans[:, 1:]) for spans in (batch.query_spans, batch.document_spans)]
    return mean(states, inside[0]), mean(states, inside[1])


class CrossEncoder(nn.Module):
    """The pair's states pooled → feed-forward → one score, as monoBERT (Nogueira and Cho, 2019).

    Args:
        encoder: gives the states.
        pooling: `cls`, the first state; `mean`, of all the pair's tokens; `parts`, the means u of the query's tokens
            and v of the document's as (u, v, |u − v|, u ⊙ v), for encoders that were trained to match mean vectors.
        hidden: width of the feed-forward layer; `None` for the encoder's own.
        dropout: before each linear layer.
        features: numbers of a pair that the head reads beside the vector, name in `batches.features` to how many.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        pooling: Annotated[str, OneOf(POOLINGS)] = "cls",
        hidden: Count | None = None,
        dropout: Dropout = 0.1,
        features: Widths | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = one_of(pooling, POOLINGS, "architecture.pooling")
        self.features = features
        width = encoder.width * POOLINGS[pooling] + width_of(features)
        self.vector_width = width
        hidden = hidden or encoder.width
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width, hidden), nn.Tanh(), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )

    @staticmethod
    def outputs(**settings: Any) -> frozenset[str]:
        """What losses can be computed from, with these `settings` of the architecture."""
        return frozenset({"scores"})

    def check_lengths(self, max_length: int, query_length: int | None) -> None:
        """Reject pairs longer than the encoder has positions for."""
        self.encoder.check_length(max_length)

    def _pooled(self, batch: PairBatch) -> Tensor:
        """What the head reads of each pair's states, `[N, V]`."""
        if self.pooling == "cls":
            return self.encoder.first(batch)
        states: Tensor = self.encoder(batch)
        with full_precision(states):
            if self.pooling == "mean":
                return mean(states, batch.attention_mask)
            query, document = parts(states, batch)
            return torch.cat([query, document, (query - document).abs(), query * document], dim=1)

    def read(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """What the head reads of each of N pairs, `[N, V]`, and their scores `[N]`."""
        pooled = joined(self._pooled(batch), batch, self.features)
        with full_precision(pooled):
            scores: Tensor = self.head(pooled)
        return pooled, scores.squeeze(1)

    def forward(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]` of B queries with D documents each."""
        return self.read(batch)[1].view(batch.grades.shape)
