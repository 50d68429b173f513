"""`PairModule`: training and scoring of every architecture that scores a query and a document together."""

from __future__ import annotations

import math
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.tokens.texts import lengths_of
from clir_lightning.data.tokens.transfer import sent
from clir_lightning.lightning.ranking_module import RankingModule
from clir_lightning.lightning.sharding import equally_often
from clir_lightning.scoring.gathering import own_queries


class PairModule(RankingModule[PairBatch]):
    """A `RankingModule` around a `models.contracts.PairModel`, with the same arguments."""

    def forward(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]`; in training pairs of similar length together, `parts` of them one after the other."""
        if self.parts == 1 or not torch.is_grad_enabled():
            scores: Tensor = self.model(batch)
            return scores

        # Each part is padded to its own longest pair.
        rows = len(batch.input_ids)
        order = np.argsort(-np.array(lengths_of(batch)), kind="stable")
        parts = [batch.pairs(places) for places in equally_often(order, math.ceil(rows / self.parts))]
        trimmed = [next(part.parts(part.input_ids.numel())) for part in parts]

        # [B·D, 1] by length, without what was only repeated, and back into the batch's order. What the parts share, as
        # a graph's texts, a model computes once.
        with getattr(self.model, "over_parts", nullcontext)():
            by_length = torch.cat([self.model(part) for part in trimmed])[:rows]
        return by_length[sent(order.argsort(), by_length.device)].view(batch.grades.shape)

    def weighted_losses(self, batch: PairBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores `[B, D]` of this process's own queries, and the losses of each of them, `[B]`."""
        count = own_queries(batch)
        scores = self(batch)[:count]
        return scores, {name: loss.of_scores(scores, batch) for name, loss in self.losses.items()}
