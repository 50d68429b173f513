"""`CrossModule`: training and scoring of every architecture that scores a query and a document together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from transformers import get_scheduler

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.errors import at_least
from clir_lightning.lightning.parameters import parameter_groups
from clir_lightning.lightning.sharding import Sharded, equally_often, gather, release, shard
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.gathering import own_queries, summed


class CrossModule(pl.LightningModule):
    """Wraps a model that maps a `PairBatch` to scores `[B, D]`.

    Args:
        model: the architecture.
        losses: by name; their weighted sum is minimised.
        learning_rate: AdamW's peak learning rate.
        head_learning_rate: the same for all that is not the encoder; `None` for the same value.
        layer_decay: factor on the learning rate of each layer below the top one.
        weight_decay: AdamW's, not applied to biases and normalisation weights.
        schedule: a schedule's name in transformers, `linear` or `constant_with_warmup` among them.
        warmup: share of all steps over which the learning rate rises from 0.
        parts: a training step goes through the model in so many parts of like length: less padding, more calls.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Mapping[str, RankingLoss],
        *,
        learning_rate: float = 1e-5,
        head_learning_rate: float | None = None,
        layer_decay: float = 1.0,
        weight_decay: float = 0.01,
        schedule: str = "linear",
        warmup: float = 0.1,
        parts: int = 1,
    ) -> None:
        super().__init__()
        at_least(parts, 1, "module.parts")
        self.model, self.parts = model, parts
        self.losses: Mapping[str, RankingLoss] = nn.ModuleDict(dict(losses))  # type: ignore[assignment]
        self.rates: dict[str, Any] = {
            "learning_rate": learning_rate,
            "head_learning_rate": head_learning_rate,
            "layer_decay": layer_decay,
            "weight_decay": weight_decay,
        }
        self.schedule, self.warmup = schedule, warmup
        self.engine = Engine(model)
        self.step_scores: Tensor | None = None  # [B, D] of the last training step, for callbacks

    def configure_model(self) -> None:
        """Share out the weights over the processes where the strategy wants that (`trainer=fsdp`)."""
        strategy = self.trainer.strategy
        if isinstance(strategy, Sharded):
            shard(self.model, strategy.device_mesh["data_parallel"])

    def forward(self, batch: PairBatch) -> Tensor:
        """Scores `[B, D]`."""
        if self.parts == 1 or not torch.is_grad_enabled():
            scores: Tensor = self.model(batch)
            return scores
        rows = len(batch.input_ids)
        order = batch.attention_mask.sum(dim=1).argsort(descending=True, stable=True)
        parts = [batch.pairs(places) for places in equally_often(order, math.ceil(rows / self.parts))]
        trimmed = [next(part.parts(part.input_ids.numel())) for part in parts]
        return torch.cat([self.model(part) for part in trimmed])[:rows][order.argsort()].view(batch.grades.shape)

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        """One step: the weighted sum of the losses, each logged under its name; the batch's weights scale what is
        minimised.
        """
        count = own_queries(batch)
        scores = self(batch)[:count]
        self.step_scores = scores.detach()
        values = {name: loss.of_scores(scores, batch) for name, loss in self.losses.items()}
        self._log_losses(values, count)
        return self._minimised(values, batch)

    def _log_losses(self, values: Mapping[str, Tensor], count: int) -> None:
        """Log losses, `[B]` or a scalar of the whole step, as means over the queries of all processes; B is `count`."""
        sums = [value.detach().float().expand(count).sum() for value in values.values()]
        *totals, queries = summed(torch.stack([*sums, sums[0].new_tensor(count)]))
        size, means = int(queries), [total / queries for total in totals]
        if len(means) > 1:
            self.log_dict({f"train/{name}": mean for name, mean in zip(values, means, strict=True)}, batch_size=size)
        loss = torch.stack(means).sum()
        self.log("train/loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=size)

    @staticmethod
    def _minimised(values: Mapping[str, Tensor], batch: PairBatch | TextBatch) -> Tensor:
        """The sum of losses, `[B]` or a scalar, with each query's weight.

        The average over processes, which strategies take of the gradients, is that of all queries in one process. A
        process without a query gives 0, with gradients of 0 that the others wait for.
        """
        size = len(batch.samples)
        weights = torch.tensor(batch.weights or (1.0,) * size, device=batch.grades.device)
        shares = weights[: own_queries(batch)] / size
        return torch.stack([(value * shares).sum() for value in values.values()]).sum()

    def validation_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        """Scores `[B, 1]`, which `RankingMetrics` collects."""
        return self.engine.step(batch)

    def test_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        """Scores `[B, 1]`, which `RankingMetrics` collects."""
        return self.engine.step(batch)

    def on_validation_start(self) -> None:
        """Scoring takes no part in a sharing out of the weights."""
        gather(self.model)

    def on_validation_end(self) -> None:
        """Training does."""
        release(self.model)

    def on_test_start(self) -> None:
        """As in validation."""
        gather(self.model)

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and decay over all the steps that the trainer will make."""
        optimizer = torch.optim.AdamW(parameter_groups(self.model, **self.rates), lr=self.rates["learning_rate"])
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = get_scheduler(
            self.schedule, optimizer, num_warmup_steps=round(self.warmup * steps), num_training_steps=steps
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
