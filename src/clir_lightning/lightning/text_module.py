"""`DualModule`: training and scoring of every architecture that encodes queries and documents apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.tokens.texts import Side, Texts
from clir_lightning.lightning.pair_module import CrossModule
from clir_lightning.lightning.sharding import equally_often
from clir_lightning.losses.contrast import Contrast
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.scoring.gathering import gather_rows, own_queries


def join(parts: list[Tensor]) -> Tensor:
    """Encoded parts `[N, P]` or `[N, T, P]` below each other, the latter with zeros to the longest T."""
    if parts[0].ndim == 2:
        return torch.cat(parts)
    return pad_sequence([row for part in parts for row in part], batch_first=True)


class DualModule(CrossModule):
    """Wraps a model that encodes texts (`models.dual.Representation`); optimised as `CrossModule` is.

    Args:
        model: the architecture.
        losses: by name; contrastive ones see the whole step, others scores and grades `[B, D]` of own documents.
        chunk: encode so many texts at a time and keep no activations but those of the chunk that gradients are being
            computed of: GradCache (Gao et al., 2021), equal gradients in the memory of a chunk for a second forward
            pass. `None` keeps all.
        optimisation: as of `CrossModule`.
    """

    model: Any

    def __init__(
        self,
        model: nn.Module,
        losses: Mapping[str, RankingLoss],
        *,
        chunk: int | None = None,
        **optimisation: Any,
    ) -> None:
        super().__init__(model, losses, **optimisation)
        self.chunk = chunk

    def encode(self, texts: Texts, side: Side) -> Tensor:
        """Vectors `[N, P]` or `[N, T, P]`; in training texts of like length together, a chunk at a time."""

        def encoded(part: Texts) -> Tensor:
            if self.chunk is None or not torch.is_grad_enabled():
                vectors: Tensor = self.model.encode(part, side)
                return vectors
            cached: Tensor = checkpoint(self.model.encode, part, side, use_reentrant=False)
            return cached

        if not torch.is_grad_enabled() or (self.chunk is None and self.parts == 1):
            return encoded(texts)
        order = texts.attention_mask.sum(dim=1).argsort(descending=True, stable=True)
        size = self.chunk or math.ceil(len(texts) / self.parts)
        parts = [texts.rows(places) for places in equally_often(order, size)]
        trimmed = [next(part.parts(len(part))) for part in parts]
        return join([encoded(part) for part in trimmed])[: len(texts)][order.argsort()]

    def contrasts(self, batch: TextBatch) -> list[Contrast]:
        """The batch's queries against the documents of all processes, once for each size of vectors."""
        count, width = own_queries(batch), batch.grades.shape[1]
        texts = count * width

        # Vectors and judgements of all processes, a process's below the other's: documents D by D as their queries are.
        queries, mine = gather_rows(self.encode(batch.queries, "query")[:count])
        documents, _ = gather_rows(self.encode(batch.documents, "document")[:texts])
        rows, _ = gather_rows(batch.rows[:texts])
        relevant, _ = gather_rows(batch.relevant[:count], fill=-1)
        grades, _ = gather_rows(batch.grades[:count])
        own = torch.arange(len(rows), device=rows.device).view(-1, width)[mine]

        made = []
        for query, document in zip(self.model.views(queries), self.model.views(documents), strict=True):
            similarities = self.model.similarity(query[mine], document)
            paired, _ = gather_rows(similarities.gather(1, own))
            made.append(
                Contrast(
                    similarity=self.model.similarity,
                    similarities=similarities,
                    paired=paired,
                    own=own,
                    mine=mine,
                    rows=rows,
                    relevant=relevant,
                    grades=grades,
                    scale=self.model.scale(),
                    queries=query,
                    documents=document,
                )
            )
        return made

    def training_step(self, batch: TextBatch, batch_idx: int) -> Tensor:  # type: ignore[override]
        """One step: the sum of the losses, each a mean over the sizes of vectors and logged under its name."""
        contrasts = self.contrasts(batch)
        self.step_scores = contrasts[0].own_similarities.detach()
        values = {
            name: torch.stack([loss.of_vectors(contrast, batch) for contrast in contrasts]).mean(dim=0)
            for name, loss in self.losses.items()
        }
        self._log_losses(values, len(self.step_scores))
        self.log("train/temperature", 1 / self.model.scale().detach(), batch_size=len(contrasts[0].queries))
        return self._minimised(values, batch)

    def on_validation_epoch_start(self) -> None:
        """Forget the vectors of another state of the model."""
        self.engine.reset()

    def on_test_epoch_start(self) -> None:
        """Forget the vectors of another state of the model."""
        self.engine.reset()
