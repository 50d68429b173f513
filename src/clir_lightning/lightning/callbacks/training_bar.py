"""`TrainingBar`: Lightning's progress bar in a terminal, without a number that is read from the device at each step."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar

from clir_lightning.progress import bars


def epoch_of(trainer: pl.Trainer, epoch: int) -> str:
    """An epoch, whose number counts from 0, counted from 1, of how many if that is known."""
    last = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs}"
    return f"epoch {epoch + 1}{last}"


class TrainingBar(RichProgressBar):
    """Moves at each step, and shows a new `train/loss` at every tenth: what is logged for the bar is read at once.

    Like all bars it is drawn on the standard error, which leaves the standard output to the log and the results.

    Args:
        every: steps from one look at the loss to the next.
    """

    def __init__(self, every: int = 10) -> None:
        super().__init__(refresh_rate=1, console_kwargs={"stderr": True})
        self.every = every
        self._loss: dict[str, float] = {}

    @classmethod
    def where(cls, wanted: bool) -> TrainingBar | None:
        """A bar if it is wanted and there is a terminal to draw it in."""
        return cls() if wanted and bars() else None

    def _get_train_description(self, current_epoch: int) -> str:
        """The epoch, counted from 1 as in the log, as wide as the word below it."""
        return f"{epoch_of(self.trainer, current_epoch):{len(self.validation_description)}}".capitalize()

    def say(self, line: str) -> None:
        """Write a line above the bar."""
        if self.progress is not None:
            self.progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """What Lightning's bar shows, and the loss of the last step that was looked at."""
        step = trainer.global_step
        if trainer.training and step % self.every == 0:
            loss = trainer.callback_metrics.get("train/loss_step")
            self._loss = {} if loss is None else {"train/loss": float(loss)}
        return {**super().get_metrics(trainer, pl_module), **self._loss}
