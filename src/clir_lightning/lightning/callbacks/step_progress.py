"""`StepProgress`: how far a short training is, one without validations."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from clir_lightning.progress import Progress


class StepProgress(pl.Callback):
    """A `Progress` over all steps of a training.

    Args:
        name: of what is learned.
        bar: whether a terminal gets a bar.
    """

    def __init__(self, name: str, *, bar: bool = True) -> None:
        self.name = name
        self.bar = bar
        self._progress: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin."""
        total = trainer.estimated_stepping_batches
        known = int(total) if total < float("inf") else None
        self._progress = Progress(self.name, "steps", known, done=trainer.global_step, bar=self.bar)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """Count a step, or several batches that make one."""
        if self._progress is not None:
            self._progress.advance(trainer.global_step - self._progress.done)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A long training has a line."""
        if self._progress is not None:
            self._progress.end()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave no bar behind."""
        if self._progress is not None:
            self._progress.close()
