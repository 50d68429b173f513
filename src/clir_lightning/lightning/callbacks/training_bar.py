"""`TrainingBar`: Lightning's progress bar, without a number that is read from the device at each step."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar


class TrainingBar(RichProgressBar):
    """Moves at each step, and shows a new `train/loss` at every tenth: what is logged for the bar is read at once.

    Args:
        every: steps from one look at the loss to the next.
    """

    def __init__(self, every: int = 10) -> None:
        super().__init__(refresh_rate=1)
        self.every = every
        self._loss: dict[str, float] = {}

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """What Lightning's bar shows, and the loss of the last step that was looked at."""
        step = trainer.global_step
        if trainer.training and step % self.every == 0:
            loss = trainer.callback_metrics.get("train/loss_step")
            self._loss = {} if loss is None else {"train/loss": float(loss)}
        return {**super().get_metrics(trainer, pl_module), **self._loss}
