"""HIKE: a graph's knowledge in both languages joined with the pair (Zhang et al., AAAI 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.errors import ConfigError
from clir_lightning.models.contracts import PairText
from clir_lightning.models.encoder import Encoder, full_precision
from clir_lightning.models.knowledge import KnowledgeRanker
from clir_lightning.models.pooling import POOLINGS
from clir_lightning.settings.markers import Count, Dropout, OneOf


def taken(vectors: Tensor, rows: Tensor) -> Tensor:
    """The vectors `[…, H]` in `rows` `[…]` of `[K, H]`, K ≥ 0; zeros for -1.

    >>> taken(torch.tensor([[1.0], [2.0]]), torch.tensor([[1, -1]])).tolist()
    [[[2.0], [0.0]]]
    """
    places = torch.where(rows < 0, len(vectors), rows)
    return pad(vectors, (0, 0, 0, 1))[places]


class Neighbourhood(nn.Module):
    """The knowledge level in one language: LayerNorm(x₀ + MultiHead(x₀; x₀ … xₙ)), x₀ the entity's text.

    Args:
        width: of a text's vector, H.
        heads: of the attention, a divisor of H.
        dropout: on what attention gives.
    """

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ConfigError(f"architecture.heads is {heads}; allowed: a divisor of the encoder's width, {width}")
        self.heads = heads
        self.asking = nn.Linear(width, width)
        self.asked = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, texts: Tensor, there: Tensor) -> Tensor:
        """`[M, H]` of members' texts `[M, N, H]`, of which `there` `[M, N]` says which exist; zeros where none does.

        The entity is the first member, and asks with zeros where it has no text.
        """
        entity = texts[:, 0]
        query = self.asking(entity).unflatten(1, (self.heads, 1, -1))  # [M, heads, 1, H / heads]
        keys, values = self.asked(texts).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)  # [M, heads, N, …]

        # Softmax over nothing is not a number: where no text is, the first place is looked at, and what comes dropped.
        any_text = there.any(dim=1, keepdim=True)  # [M, 1]
        first = torch.arange(there.shape[1], device=there.device) == 0
        mask = there | (first & ~any_text)
        found = scaled_dot_product_attention(query, keys, values, attn_mask=mask[:, None, None])  # [M, heads, 1, …]
        vector: Tensor = self.norm(entity + self.dropout(self.out(found.flatten(1))))
        return torch.where(any_text, vector, 0.0)


class HIKE(KnowledgeRanker):
    """The text score, and for a query linked to the graph a score of pair and knowledge on top of it.

        kˡ = LayerNorm(x₀ˡ + MultiHeadˡ(x₀ˡ; x₀ˡ … xₙˡ))          knowledge level, in each language l
        k = tanh(F [k¹; …; kᴸ])                                   language level
        score = text + linked · w · tanh(W [v; k; P v ⊙ k])       v the pair's vector

    where xᵢˡ is the vector of the i-th member's label and description in language l, the entity's first. A query that
    is not linked has the text score, to the bit. w starts at 0, and so training at the text's scores.

    Args:
        encoder, text, pooling: see `KnowledgeRanker`.
        languages: how many there are, L: that of the queries and that of the documents.
        heads: of the knowledge level's attention.
        hidden: width of the layer over pair and knowledge; `None` for the encoder's own.
        dropout: before each linear layer of the fusion, and on what attention gives.

    Raises `ConfigError` for a text architecture without `read`, and where `heads` do not divide the encoder's width.
    """

    def __init__(
        self,
        encoder: Encoder,
        text: Callable[[Encoder], PairText],
        *,
        pooling: Annotated[str, OneOf(POOLINGS)] = "mean",
        languages: Count = 2,
        heads: Count = 4,
        hidden: Count | None = None,
        dropout: Dropout = 0.1,
    ) -> None:
        super().__init__(encoder, text, pooling=pooling)
        width = encoder.width
        hidden = hidden or width
        pair = self.text.vector_width

        # The two levels of knowledge, and what weighs them beside the pair.
        self.knowledge = nn.ModuleList(Neighbourhood(width, heads=heads, dropout=dropout) for _ in range(languages))
        self.fusion = nn.Sequential(nn.Dropout(dropout), nn.Linear(languages * width, width), nn.Tanh())
        self.projection = nn.Linear(pair, width)
        self.joined = nn.Sequential(nn.Dropout(dropout), nn.Linear(pair + 2 * width, hidden), nn.Tanh())
        self.weight = nn.Parameter(torch.zeros(hidden))

    def forward(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]` of B queries with D documents each."""
        known = self.known(batch)
        if known.members.shape[2] != len(self.knowledge):
            got = f"the batch's knowledge is in {known.members.shape[2]} languages, the model's in"
            raise ConfigError(f"{got} {len(self.knowledge)}; set architecture.languages when training it")
        vectors, scores = self.text.read(batch)
        texts = self.texts.vectors(known)

        # What is computed of pairs that are not linked is dropped: every weight has a gradient in every process.
        with full_precision(scores):
            neighbourhoods = self.of_entities(texts, known.members)  # [M, H]
            more = self.of_pairs(vectors, taken(neighbourhoods, known.query))
            scores = scores + torch.where(known.query >= 0, more, 0.0)
        found: Tensor = scores.view(batch.grades.shape)
        return found

    def of_entities(self, texts: Tensor, members: Tensor) -> Tensor:
        """The knowledge vectors `[M, H]` of M entities; `members` `[M, N, L]` are rows of `texts` `[K, H]`."""
        members = pad(members, (0, 0, 0, 1), value=-1) if not members.shape[1] else members
        found = [
            level(taken(texts, rows), rows >= 0) for level, rows in zip(self.knowledge, members.unbind(2), strict=True)
        ]
        fused: Tensor = self.fusion(torch.cat(found, dim=1))
        return fused

    def of_pairs(self, vectors: Tensor, knowledge: Tensor) -> Tensor:
        """What knowledge `[N, H]` adds to the scores of pairs `[N, V]`, `[N]`."""
        product = self.projection(vectors) * knowledge
        more: Tensor = self.joined(torch.cat([vectors, knowledge, product], dim=1)) @ self.weight
        return more
