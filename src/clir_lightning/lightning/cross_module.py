"""`CrossModule`: training and scoring of every architecture that scores a query and a document together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from transformers import get_scheduler

from clir_lightning.data.batching import Batch
from clir_lightning.lightning.scoring import HalvingScorer


class CrossModule(pl.LightningModule):
    """Wraps a model that maps a `Batch` to scores `[B, D]`.

    Args:
        model: the architecture.
        losses: by name, each called with scores and grades `[B, D]`; their sum is minimised.
        learning_rate: AdamW's peak learning rate.
        weight_decay: AdamW's, not applied to biases and normalisation weights.
        schedule: a schedule's name in transformers, `linear` or `constant_with_warmup` among them.
        warmup: share of all steps over which the learning rate rises from 0.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Mapping[str, nn.Module],
        *,
        learning_rate: float = 1e-5,
        weight_decay: float = 0.01,
        schedule: str = "linear",
        warmup: float = 0.1,
    ) -> None:
        super().__init__()
        self.model = model
        self.losses = nn.ModuleDict(dict(losses))
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.schedule, self.warmup = schedule, warmup
        self._score = HalvingScorer()

    def forward(self, batch: Batch) -> Tensor:
        """Scores `[B, D]`."""
        scores: Tensor = self.model(batch)
        return scores

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step: the sum of the losses, each logged under its name; the batch's weights scale what is minimised."""
        scores = self(batch)
        values = {name: loss(scores, batch.grades) for name, loss in self.losses.items()}
        total: Tensor = torch.stack(list(values.values())).sum()
        size = len(batch.samples)
        if len(values) > 1:
            self.log_dict({f"train/{name}": value for name, value in values.items()}, batch_size=size)
        self.log("train/loss", total, prog_bar=True, on_step=True, on_epoch=True, batch_size=size)
        return self._weighted(total, scores, batch)

    def _weighted(self, total: Tensor, scores: Tensor, batch: Batch) -> Tensor:
        """The mean over queries of their loss times their weight; `total` is that mean with weights of 1."""
        if len(set(batch.weights)) <= 1:
            return total * batch.weights[0] if batch.weights else total
        rows = [
            torch.stack([loss(scores[i : i + 1], batch.grades[i : i + 1]) for loss in self.losses.values()]).sum()
            for i in range(len(scores))
        ]
        return (torch.stack(rows) * torch.tensor(batch.weights, device=scores.device)).mean()

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores `[B, 1]`, which `RankingMetrics` collects."""
        return self._score(self, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores `[B, 1]`, which `RankingMetrics` collects."""
        return self._score(self, batch)

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and decay over all the steps that the trainer will make."""
        trainable = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = get_scheduler(
            self.schedule, optimizer, num_warmup_steps=round(self.warmup * steps), num_training_steps=steps
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
