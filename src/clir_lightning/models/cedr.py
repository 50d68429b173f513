"""CEDR: contextual states and their similarity matrices for document ranking (MacAvaney et al., 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.tokens.pairs import PairTemplate
from clir_lightning.errors import ConfigError
from clir_lightning.models.chunks import Chunks, cut_into_chunks
from clir_lightning.models.encoder import Encoder, full_precision
from clir_lightning.models.features import Widths, joined, width_of
from clir_lightning.models.heads.signals import Signals
from clir_lightning.models.recomputing import recomputed
from clir_lightning.settings.markers import Count, Dropout


def token_similarity(states: Tensor, chunks: Chunks) -> Tensor:
    """Xᵢⱼ, the cosine of query token i and document token j, `[P, Q, D]` of states `[N, T, H]`; 0 at padding.

    Each row's tokens meet the query where they lie: no state of a document is copied or normalised.
    """
    with full_precision(states):
        states = states.float()
        lengths = torch.linalg.vector_norm(states, dim=2).clamp(min=1e-12)  # [N, T]

        # [P, Q, H]: the query's unit vectors, 0 at its padding.
        places = chunks.query_at.flatten()
        sizes = lengths.flatten().index_select(0, places)[:, None]
        query = states.flatten(0, 1).index_select(0, places) / sizes
        query = query.view(*chunks.query_at.shape, -1) * chunks.query_mask[:, :, None]

        # [N, T, Q]: the cosines of each row's tokens with its pair's query, and of them [P, D, Q] the document's.
        cosines = states @ query.index_select(0, chunks.pair).transpose(1, 2) / lengths[:, :, None]
        found = cosines.flatten(0, 1).index_select(0, chunks.document_at.flatten())
        found = found.view(*chunks.document_at.shape, -1) * chunks.document_mask[:, :, None]
        similarity: Tensor = found.transpose(1, 2)
        return similarity


class CEDR(nn.Module):
    """The pair in chunks through the encoder; a head over the averaged [CLS] and each level's similarity matrix.

    Args:
        encoder: gives the states.
        head: makes the head from `width` (H) and `channels` (L levels): vanilla, KNRM, PACRR or DRMM.
        query_length: query tokens in the matrices, Q; the data room cuts queries to the same.
        chunk_length: tokens of a chunk with the query and special tokens; `None` for as many as the encoder takes.
        levels: states that matrices are made of: 0 the embeddings, 1 the first layer, …; `None` for all.
        dropout: on what the head reads of [CLS].
        features: numbers of a pair that the head reads beside [CLS], name in `batches.features` to how many.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: Callable[..., nn.Module],
        *,
        query_length: Count = 20,
        chunk_length: Count | None = None,
        levels: Sequence[int] | None = None,
        dropout: Dropout = 0.1,
        features: Widths | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.query_length = query_length
        self.chunk_length = chunk_length or encoder.longest
        self.levels = list(range(encoder.depth + 1)) if levels is None else sorted(levels)
        if not self.levels or not set(self.levels) <= set(range(encoder.depth + 1)):
            raise ConfigError(f"architecture.levels are {self.levels}; allowed: some of 0 to {encoder.depth}")
        self.features = features
        self.vector_width = encoder.width + width_of(features)
        self.dropout = nn.Dropout(dropout)
        self.head = head(width=self.vector_width, channels=len(self.levels))

    @staticmethod
    def outputs(**settings: Any) -> frozenset[str]:
        """What losses can be computed from, with these `settings` of the architecture."""
        return frozenset({"scores"})

    def check_lengths(self, max_length: int, query_length: Count | None) -> None:
        """Reject queries longer than the matrices, and chunks without room for a document."""
        if query_length is None or query_length > self.query_length:
            raise ConfigError(
                f"batches.query_length is {query_length}; this architecture reads {self.query_length} query "
                f"tokens at most: set batches.query_length={self.query_length}"
            )
        self.encoder.check_length(self.chunk_length, "architecture.chunk_length")
        least = query_length + PairTemplate.of(self.encoder.tokenizer).specials + 1
        if self.chunk_length < least:
            raise ConfigError(
                f"architecture.chunk_length is {self.chunk_length}; a query of {query_length} tokens with special "
                f"tokens and a document needs {least} or more"
            )

    def look(self, batch: PairBatch) -> tuple[Tensor, Signals]:
        """The averaged [CLS] of each of N pairs with its features, `[N, V]`, and what the head reads of them."""
        chunks = cut_into_chunks(
            batch, length=self.chunk_length, query_length=self.query_length, pad_id=self.encoder.pad_id
        )
        matrices: list[Tensor] = []

        def see(level: int, states: Tensor) -> None:
            if level in self.levels:
                matrices.append(recomputed(token_similarity, states, chunks))

        uses = getattr(self.head, "uses_similarity", True)
        states = self.encoder.visit(chunks, see) if uses else self.encoder(chunks)
        average = joined(chunks.average(states[:, 0]), batch, self.features)
        cls = self.dropout(average)
        nothing = cls.new_zeros(len(cls), 0, *chunks.query_mask.shape[1:], *chunks.document_mask.shape[1:])
        similarity = torch.stack(matrices, dim=1) if matrices else nothing  # [P, L, Q, D]
        return average, Signals(cls, similarity, chunks.query_mask, chunks.document_mask)

    def read(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """The averaged [CLS] of each of N pairs with its features, `[N, V]`, and their scores `[N]`."""
        average, signals = self.look(batch)
        with full_precision(average):
            scores: Tensor = self.head(signals)
        return average, scores

    def forward(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]` of B queries with D documents each."""
        return self.read(batch)[1].view(batch.grades.shape)
