"""`Throughput`: how fast training goes, and how much of it is padding."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
import torch

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.scoring.gathering import own_queries, summed
from clir_lightning.scoring.processes import world


class Throughput(pl.Callback):
    """Logs `train/padding` (a share), `train/tokens_per_second` and `train/queries_per_second` over each epoch.

    Tokens without padding; padding of the step as it was assembled: `module.parts` computes less. Validation is not
    in the time. Numbers are of all processes; one without a query of its own in a step adds nothing.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.tokens = 0
        self.cells = 0
        self.queries = 0
        self.seconds = 0.0
        self._since = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting."""
        self._reset()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: PairBatch, batch_idx: int
    ) -> None:
        """Count one step."""
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now
        if queries := own_queries(batch):
            self.tokens += batch.tokens
            self.cells += batch.cells
            self.queries += queries

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the validation's time out."""
        self._since = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch's numbers."""
        counts = torch.tensor([self.tokens, self.cells, self.queries, self.seconds], device=pl_module.device)
        tokens, cells, queries, seconds = summed(counts).tolist()
        seconds /= world()[1]  # processes work side by side
        if cells and seconds:
            pl_module.log("train/padding", 1 - tokens / cells)
            pl_module.log("train/tokens_per_second", tokens / seconds)
            pl_module.log("train/queries_per_second", queries / seconds)
