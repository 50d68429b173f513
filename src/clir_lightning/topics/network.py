"""The two halves of a topic model: from a text's vector to its topics, and from topics to words."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InferenceNetwork(nn.Module):
    """A text's vector → mean and log variance of the normal distribution whose softmax are its topics.

    Two layers with softplus and dropout, then a linear layer and batch normalisation each (Srivastava and Sutton, 2017;
    Bianchi et al., 2021). Without the last, all topics would soon be the same.

    Args:
        width: of a vector, H.
        topics: K.
        hidden: width of both layers.
        dropout: in training, behind them.
    """

    def __init__(self, width: int, topics: int, *, hidden: int = 100, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.Softplus(), nn.Linear(hidden, hidden), nn.Softplus(), nn.Dropout(dropout)
        )
        self.mean = nn.Sequential(nn.Linear(hidden, topics), nn.BatchNorm1d(topics, affine=False))
        self.log_variance = nn.Sequential(nn.Linear(hidden, topics), nn.BatchNorm1d(topics, affine=False))

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² `[N, K]` of vectors `[N, H]`."""
        states = self.layers(vectors)
        return self.mean(states), self.log_variance(states)


class WordDecoder(nn.Module):
    """Topics → logits of a language's words: normalised θ · β (ProdLDA), with β `[K, V]` free of any constraint."""

    def __init__(self, topics: int, words: int) -> None:
        super().__init__()
        self.words = nn.Parameter(nn.init.xavier_uniform_(torch.empty(topics, words)))
        self.norm = nn.BatchNorm1d(words, affine=False)

    def forward(self, theta: Tensor) -> Tensor:
        """Logits `[N, V]` of topics `[N, K]`."""
        logits: Tensor = self.norm(theta @ self.words)
        return logits
