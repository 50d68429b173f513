"""Late interaction: one vector per token, and each query token takes its best document token (ColBERT)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import normalize

from clir_lightning.data.tokens.texts import Side, Texts
from clir_lightning.models.dual import Temperature
from clir_lightning.models.encoder import Encoder, full_precision
from clir_lightning.settings.markers import Count, Positive

CELLS = 1 << 21  # products of query and document tokens that are there at a time


def max_sim(queries: Tensor, documents: Tensor) -> Tensor:
    """Σ over query tokens of the greatest dot product with a document token, `[B, N]` (Khattab and Zaharia, 2020).

    `queries` `[B, Tq, P]` and `documents` `[N, Td, P]` hold zero vectors behind a text's end; those never count.
    A text without tokens has 0 with all. Of equal products the gradient is the first one's, as in ColBERT's own code.

    >>> max_sim(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([[[0.6, 0.8], [0.0, 0.0]]]))
    tensor([[1.4000]])
    """
    scores: Tensor = _MaxSim.apply(queries, documents)  # type: ignore[no-untyped-call]
    return scores


def _few(queries: Tensor, documents: Tensor) -> int:
    """How many documents' products with all queries are `CELLS` at most; one document's may be more."""
    return max(1, CELLS // max(1, queries.shape[0] * queries.shape[1] * documents.shape[1]))


class _MaxSim(torch.autograd.Function):
    """MaxSim a few documents at a time; gradients keep nothing but which token was the best, `[B, Tq, N]`."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, documents: Tensor) -> Tensor:
        tokens = queries.flatten(0, 1)
        none = tokens.new_zeros(*queries.shape[:2], 0)
        best = [none]
        place = [none.int()]
        for few in torch.split(documents, _few(queries, documents)):
            # [1, C·Td]: nothing for a token, −∞ for a place behind the end; and so the products [B·Tq, C·Td].
            found = (few != 0).any(dim=-1)
            behind = torch.zeros_like(found, dtype=tokens.dtype).masked_fill_(~found, -torch.inf)
            products = torch.addmm(behind.view(1, -1), tokens, few.flatten(0, 1).T)

            # [B, Tq, C]: a document without tokens has no best one. A query's zero vectors add 0 as they are.
            greatest, where = products.view(*queries.shape[:2], *few.shape[:2]).max(dim=-1)
            best.append(greatest.masked_fill_(~found.any(dim=-1), 0.0))
            place.append(where.int())
        ctx.save_for_backward(queries, documents, torch.cat(place, dim=2))
        return torch.cat(best, dim=2).sum(dim=1)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        queries, documents, place = ctx.saved_tensors
        tokens = queries.flatten(0, 1)
        of_queries = torch.zeros_like(tokens)
        of_documents = torch.empty_like(documents)
        gradient = gradient * (documents != 0).flatten(1).any(dim=1)

        # The gradient of each product: that of the pair's score at the best token, 0 at the others.
        step = _few(queries, documents)
        for start in range(0, len(documents), step):
            few = documents[start : start + step]
            chosen = place[:, :, start : start + step, None].long()
            score = gradient[:, None, start : start + step, None].expand_as(chosen)
            products = tokens.new_zeros(*chosen.shape[:3], few.shape[1]).scatter_(3, chosen, score)

            # [B·Tq, C·Td] of products of two factors.
            products = products.flatten(2).flatten(0, 1)
            of_queries.addmm_(products, few.flatten(0, 1))
            of_documents[start : start + step] = (products.T @ tokens).view_as(few)
        return of_queries.view_as(queries), of_documents


class LateInteraction(nn.Module):
    """Encoder → projection of each token to a unit vector, for queries and documents alike.

    Args:
        encoder: gives the states.
        dimension: size of a token's vector.
        temperature: what the similarities, sums of as many cosines as the query has tokens, are divided by in training.
        learn_temperature: train it from there on.
    """

    def __init__(
        self, encoder: Encoder, *, dimension: Count = 128, temperature: Positive = 1.0, learn_temperature: bool = False
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
