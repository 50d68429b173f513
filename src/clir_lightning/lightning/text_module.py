"""`TextModule`: training and scoring of every architecture that encodes queries and documents apart."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.tokens.texts import Side, Texts, lengths_of
from clir_lightning.data.tokens.transfer import sent
from clir_lightning.lightning.optimisation import Optimisation
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.lightning.sharding import equally_often
from clir_lightning.losses.contrast import Contrast, own_columns
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.scoring.gathering import gather_rows, own_queries
from clir_lightning.settings.markers import Count


def stacked(parts: list[Tensor]) -> Tensor:
    """Encoded parts `[N, P]` or `[N, T, P]` below each other, the latter with zeros to the longest T."""
    if parts[0].ndim == 2:
        return torch.cat(parts)
    longest = max(part.shape[1] for part in parts)
    return torch.cat([pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts])


class TextModule(RankingModule[TextBatch]):
    """A `RankingModule` around a `models.contracts.TextModel`.

    Args:
        model: the architecture.
        losses: by name; contrastive ones see the whole step, others scores and grades `[B, D]` of own documents.
        optimisation, parts: as of `RankingModule`.
        chunk: encode this many texts at a time and keep no activations but those of the chunk that gradients are being
            computed of: GradCache (Gao et al., 2021), equal gradients in the memory of a chunk for a second forward
            pass. `None` keeps all.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Mapping[str, RankingLoss],
        *,
        optimisation: Optimisation | None = None,
        parts: Count = 1,
        chunk: Count | None = None,
    ) -> None:
        super().__init__(model, losses, optimisation=optimisation, parts=parts)
        self.chunk = chunk

    def encode(self, texts: Texts, side: Side) -> Tensor:
        """Vectors `[N, P]` or `[N, T, P]`; in training texts of similar length together, a chunk at a time."""
        if not torch.is_grad_enabled() or (self.chunk is None and self.parts == 1):
            return self._encode_part(texts, side)

        # Each part is padded to its own longest text.
        order = np.argsort(-np.array(lengths_of(texts)), kind="stable")
        size = self.chunk or math.ceil(len(texts) / self.parts)
        parts = [texts.rows(places) for places in equally_often(order, size)]
        trimmed = [next(part.parts(len(part))) for part in parts]

        # [N, …] by length, without what was only repeated, and back into the batch's order.
        by_length = stacked([self._encode_part(part, side) for part in trimmed])[: len(texts)]
        return by_length[sent(order.argsort(), by_length.device)]

    def _encode_part(self, texts: Texts, side: Side) -> Tensor:
        """Vectors of texts that go through the encoder together; with `chunk`, computed again for their gradients."""
        if self.chunk is None or not torch.is_grad_enabled():
            vectors: Tensor = self.model.encode(texts, side)
            return vectors
        cached: Tensor = checkpoint(self.model.encode, texts, side, use_reentrant=False)
        return cached

    def contrasts(self, batch: TextBatch) -> list[Contrast]:
        """This process's queries against the documents of all processes, once for each size of vectors."""
        # B own queries with D documents each; one that only stands in for none is left out.
        count = own_queries(batch)
        width = batch.grades.shape[1]
        texts = count * width

        # Vectors of all processes, one's below the other's: [Q, …] and [N = Q·D, …].
        queries, mine = gather_rows(self.encode(batch.queries, "query")[:count])
        documents, _ = gather_rows(self.encode(batch.documents, "document")[:texts])

        # What is judged of them: which document a column is, which are relevant to a query, [Q, R], and grades [Q, D].
        rows, _ = gather_rows(batch.rows[:texts])
        relevant, _ = gather_rows(batch.relevant[:count], fill=-1)
        grades, _ = gather_rows(batch.grades[:count])

        def contrast(query: Tensor, document: Tensor) -> Contrast:
            """Similarities `[B, N]` of vectors of one size, and those of all processes' own pairs, `[Q, D]`."""
            similarities = self.model.similarity(query[mine], document)
            paired, _ = gather_rows(similarities.gather(1, own_columns(grades, mine)))
            return Contrast(
                similarity=self.model.similarity,
                similarities=similarities,
                paired=paired,
                mine=mine,
                rows=rows,
                relevant=relevant,
                grades=grades,
                scale=self.model.scale(),
                queries=query,
                documents=document,
            )

        return list(map(contrast, self.model.views(queries), self.model.views(documents)))

    def weighted_losses(self, batch: TextBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores `[B, D]` of this process's own queries, and the losses as means over the sizes of vectors."""
        contrasts = self.contrasts(batch)
        losses = {
            name: torch.stack([loss.of_vectors(contrast, batch) for contrast in contrasts]).mean(dim=0)
            for name, loss in self.losses.items()
        }
        self.log("train/temperature", 1 / self.model.scale().detach(), batch_size=len(contrasts[0].queries))
        return contrasts[0].own_similarities, losses
