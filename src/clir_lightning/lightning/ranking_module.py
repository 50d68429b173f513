"""`RankingModule`: what training and scoring of pairs and of texts have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.batches.texts import TextBatch
from clir_lightning.data.tokens.transfer import sent
from clir_lightning.errors import at_least
from clir_lightning.lightning.optimisation import Optimisation
from clir_lightning.lightning.sharding import Sharded, hold_whole, shard, share_out
from clir_lightning.losses.loss import RankingLoss
from clir_lightning.scoring.engine import Engine
from clir_lightning.scoring.gathering import own_queries, summed
from clir_lightning.scoring.processes import world
from clir_lightning.scoring.tensor_cores import use_tensor_cores
from clir_lightning.settings.markers import Count

AnyBatch = TypeVar("AnyBatch", PairBatch, TextBatch)


class RankingModule(pl.LightningModule, Generic[AnyBatch]):
    """Optimises a model by a sum of losses, and scores with it; a sibling says how a batch becomes losses.

    Args:
        model: the architecture.
        losses: by name; their weighted sum is minimised.
        optimisation: learning rates and schedule.
        parts: a training step goes through the model in this many parts of similar length: less padding, more calls.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Mapping[str, RankingLoss],
        *,
        optimisation: Optimisation | None = None,
        parts: Count = 1,
    ) -> None:
        super().__init__()
        at_least(parts, 1, "module.parts")
        self.model: Any = model
        self.losses: Mapping[str, RankingLoss] = nn.ModuleDict(dict(losses))  # type: ignore[assignment]
        self.optimisation = optimisation or Optimisation()
        self.parts = parts
        self.engine = Engine(model)  # of validation and test
        self.step_scores: Tensor | None = None  # [B, D] of the last training step, for callbacks
        self.step_loss: Tensor | None = None  # of its queries in all processes, on the device, for callbacks

    @abstractmethod
    def weighted_losses(self, batch: AnyBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores `[B, D]` of this process's own B queries, and each loss times its weight by its name.

        A loss is of these queries, `[B]`, or of the whole step over all processes, a scalar.
        """

    def training_step(self, batch: AnyBatch, batch_idx: int) -> Tensor:
        """One step: the sum of the losses, each logged under its name; the batch's weights scale what is minimised."""
        scores, losses = self.weighted_losses(batch)
        self.step_scores = scores.detach()
        self._log_losses(losses, len(scores))
        return self._minimised(losses, batch)

    def _log_losses(self, losses: Mapping[str, Tensor], count: int) -> None:
        """Log losses, `[B]` or a scalar of the whole step, as means over the queries of all processes; B is `count`."""
        sums = [value.detach().float().expand(count).sum() for value in losses.values()]
        sums.append(sums[0].new_full((), count))
        totals = summed(torch.stack(sums))
        means = totals[:-1] / totals[-1]

        # Of several processes the number of queries stays on the device too, where Lightning multiplies by it. One loss
        # alone is the sum already. None is for Lightning's progress bar, which would read it at each step.
        size: Any = count if world()[1] == 1 else totals[-1]
        if len(means) > 1:
            self.log_dict({f"train/{name}": mean for name, mean in zip(losses, means, strict=True)}, batch_size=size)
        self.step_loss = means.sum()
        self.log("train/loss", self.step_loss, on_step=True, on_epoch=True, batch_size=size)

    @staticmethod
    def _minimised(losses: Mapping[str, Tensor], batch: AnyBatch) -> Tensor:
        """The sum of losses, `[B]` or a scalar, with each query's weight.

        The average over processes, which strategies take of the gradients, is that of all queries in one process. A
        process without a query gives 0, with gradients of 0 that the others wait for.
        """
        size = len(batch.samples)
        weights = batch.weights or (1.0,) * size
        shares = sent([weight / size for weight in weights[: own_queries(batch)]], batch.grades.device, torch.float)
        return torch.stack([(value * shares).sum() for value in losses.values()]).sum()

    def validation_step(self, batch: AnyBatch, batch_idx: int) -> Tensor:
        """Scores `[B, D]`, which `RankingMetrics` collects; `[0, 0]` of a batch of documents alone."""
        return self.engine.step(batch)

    def test_step(self, batch: AnyBatch, batch_idx: int) -> Tensor:
        """As in validation."""
        return self.engine.step(batch)

    def on_validation_epoch_start(self) -> None:
        """Forget the vectors of another state of the model."""
        self.engine.reset()

    def on_test_epoch_start(self) -> None:
        """As in validation."""
        self.engine.reset()

    def setup(self, stage: str) -> None:
        """On a GPU, what is computed in 32 bits is computed by its tensor cores."""
        use_tensor_cores(self.trainer.strategy.root_device)

    def configure_model(self) -> None:
        """Share the weights out over the processes where the strategy wants that (`trainer=fsdp`)."""
        strategy = self.trainer.strategy
        if isinstance(strategy, Sharded):
            dtype = torch.bfloat16 if self.trainer.precision == "bf16-mixed" else None
            shard(self.model, strategy.device_mesh["data_parallel"], dtype)

    def on_validation_start(self) -> None:
        """Scoring takes no part in a sharing out of the weights."""
        hold_whole(self.model)

    def on_validation_end(self) -> None:
        """Training does, and needs no vectors."""
        share_out(self.model)
        self.engine.reset()

    def on_test_start(self) -> None:
        """As in validation."""
        hold_whole(self.model)

    def on_test_end(self) -> None:
        """Keep no vectors; callbacks look at them before."""
        self.engine.reset()

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule over all the steps that the trainer will make."""
        optimizer, scheduler = self.optimisation.start(self.model, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
