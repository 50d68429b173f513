"""Late interaction: one vector per token, and each query token takes its best document token (ColBERT)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from clir_lightning.data.tokens.texts import Side, Texts
from clir_lightning.models.dual import Temperature
from clir_lightning.models.encoder import Encoder, full_precision


def max_sim(queries: Tensor, documents: Tensor) -> Tensor:
    """Σ over query tokens of the greatest dot product with a document token, `[B, N]` (Khattab and Zaharia, 2020).

    `queries` `[B, Tq, P]` and `documents` `[N, Td, P]` hold zero vectors behind a text's end; those never count.
    A text without tokens has 0 with all.

    >>> max_sim(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([[[0.6, 0.8], [0.0, 0.0]]]))
    tensor([[1.4000]])
    """
    found = (documents != 0).any(dim=-1)  # [N, Td]
    products = torch.einsum("bqp,ndp->bnqd", queries, documents)
    best = products.masked_fill(~found[None, :, None, :], -torch.inf).amax(dim=-1)  # [B, N, Tq]
    empty = ~found.any(dim=-1)
    return best.masked_fill(empty[None, :, None], 0.0).sum(dim=-1)  # a zero vector of a query adds 0 as it is


class LateInteraction(nn.Module):
    """Encoder → projection of each token to a unit vector, for queries and documents alike.

    Args:
        encoder: gives the states.
        dimension: size of a token's vector.
        temperature: what the similarities, sums of as many cosines as the query has tokens, are divided by in training.
        learn_temperature: train it from there on.
    """

    def __init__(
        self, encoder: Encoder, *, dimension: int = 128, temperature: float = 1.0, learn_temperature: bool = False
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection = nn.Linear(encoder.width, dimension, bias=False)
        self.temperature = Temperature(temperature, learnt=learn_temperature)
        self.width = dimension

    @staticmethod
    def outputs(**settings: Any) -> frozenset[str]:
        """What losses can be computed from, with these `settings` of the architecture."""
        return frozenset({"scores", "similarities"})

    def check_lengths(self, max_length: int, query_length: int | None) -> None:
        """Reject texts longer than the encoder has positions for."""
        self.encoder.check_length(max_length)
        self.encoder.check_length(query_length or 0, "batches.query_length")

    def encode(self, texts: Texts, side: Side) -> Tensor:
        """Unit vectors of the tokens, `[N, T, P]`, zero where there is padding."""
        states = self.encoder(texts)
        with full_precision(states):
            vectors = normalize(self.projection(states), dim=-1)
        return vectors * texts.attention_mask.unsqueeze(-1)

    def similarity(self, queries: Tensor, documents: Tensor) -> Tensor:
        """MaxSim `[B, N]`."""
        with full_precision(queries):
            return max_sim(queries, documents)

    def views(self, encoded: Tensor) -> list[Tensor]:
        """The vectors as they are."""
        return [encoded]

    def scale(self) -> Tensor:
        """1 / temperature."""
        scale: Tensor = self.temperature()
        return scale
