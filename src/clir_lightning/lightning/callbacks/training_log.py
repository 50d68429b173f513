"""`TrainingLog`: how a training goes, in lines of the log, at a stated interval and at the end of each epoch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from clir_lightning.lightning.callbacks.best_model import BestModel
from clir_lightning.lightning.callbacks.pace import Pace
from clir_lightning.lightning.callbacks.training_bar import TrainingBar, epoch_of
from clir_lightning.progress import IN_BAR, Progress, duration, interval, rate_of
from clir_lightning.scoring.gathering import own_queries
from clir_lightning.scoring.processes import world

log = logging.getLogger(__name__)

MEASURES = ("ndcg_10", "mrr_10")  # of a validation, in an epoch's line


class TrainingLog(pl.Callback):
    """Says what begins, how far it is every `interval()` seconds, and what came of each epoch and its validation.

        training on cpu in 32-true: 15 epochs of 1,020 steps
        epoch 2/15, step 340/1,020: loss 0.412, 61 pairs/s, 0:12:30 left
        epoch 2/15: 1,020 steps in 0:02:14, loss 0.398, 61 pairs/s; val/ndcg_10 0.512, val/mrr_10 0.630 in 0:00:20, the
        best so far, kept in model/; 0:28:10 left

    Losses are means, of the steps since the line before and of the epoch. The time left is the whole training's; it
    counts validations once one has been. Of several processes the first speaks, of all of them. A step's loss is added
    up on the device and read for a line alone.

    Args:
        best: what keeps the model, and stands before this one among the trainer's callbacks.
        bar: what shows the same in a terminal, where an epoch's line alone stands above it.
        clock: seconds.
    """

    def __init__(
        self, best: BestModel, bar: TrainingBar | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.best = best
        self.bar = bar
        self._clock = clock
        self._interval = interval()
        self._whole = Pace(clock)  # of this run
        self._epoch = Pace(clock)
        self._recent = Pace(clock)  # since the last line
        self._loss: Tensor | None = None  # sum since the last line, on the device
        self._total = math.inf  # steps of the training
        self._place = ""  # the epoch and the step, or the epoch alone at its end
        self._validation = ""  # what the epoch's last validation found
        self._began = 0.0  # the validation under way
        self._took = 0.0  # seconds of the last one
        self._scoring: Progress | None = None  # validation or test

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what begins, and where."""
        self._total = trainer.estimated_stepping_batches
        self._whole = Pace(self._clock)
        device = trainer.strategy.root_device
        place = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        several = f"{world()[1]} × " if world()[1] > 1 else ""
        epochs = "epochs without end" if trainer.max_epochs in (None, -1) else _counted(trainer.max_epochs, "epoch")
        done = f"; going on from step {trainer.global_step:,}" if trainer.global_step else ""
        steps = _counted(_steps(trainer, trainer.num_training_batches), "step")
        self._say(f"training on {several}{place} in {trainer.precision}: {epochs} of {steps}{done}")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting."""
        self._epoch = Pace(self._clock)
        self._validation = ""
        self._restart()
        self._whole.go()

    def _restart(self) -> None:
        self._recent = Pace(self._clock)
        self._loss = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count one batch, and speak when it is time."""
        pairs = world()[1] * sum(len(sample.document_ids) for sample in batch.samples[: own_queries(batch)])
        for pace in (self._whole, self._epoch, self._recent):
            pace.count(pairs)
        loss: Tensor = pl_module.step_loss  # type: ignore[assignment]  # a RankingModule's
        self._loss = loss if self._loss is None else self._loss + loss

        # Of the numbers that are read from the device here, none is read in between.
        step = _steps(trainer, batch_idx + 1)
        self._place = f"{_epoch(trainer)}, step {step:,}/{_steps(trainer, trainer.num_training_batches):,}"
        if self._recent.seconds >= self._interval and trainer.is_global_zero:
            mean = float(self._loss) / self._recent.batches
            rate = rate_of(self._recent.pairs, self._recent.seconds)
            self._say(f"{self._place}: loss {_number(mean)}, {rate} pairs/s{self._left(trainer)}")
        if self._recent.seconds >= self._interval:
            self._restart()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Its time is not in the pace."""
        for pace in (self._whole, self._epoch, self._recent):
            pace.stop()
        self._began = self._clock()
        self._score(f"{_epoch(trainer)}, validation", trainer.num_val_batches, last=False)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """Count one batch of scoring."""
        if self._scoring is not None:
            self._scoring.advance()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what it found for the epoch's line; one amid an epoch has a line of its own."""
        if self._scoring is not None:
            self._scoring.close()
        self._took = self._clock() - self._began
        found = {f"val/{name}": trainer.callback_metrics.get(f"val/{name}") for name in MEASURES}
        measures = ", ".join(f"{name} {float(value):.3f}" for name, value in found.items() if value is not None)
        self._validation = f"{measures} in {duration(self._took)}, {self._best()}"

        # After the epoch's last step the epoch's line says it.
        for pace in (self._whole, self._epoch, self._recent):
            pace.go()
        batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        if batches < trainer.num_training_batches:
            self._say(f"{self._place}: {self._validation}{self._left(trainer)}", above=True)

    def _best(self) -> str:
        """Whether the last validation is the best, and where the model of the best one is."""
        best = self.best.best
        if self.best.metrics.improved or best is None:
            return f"the best so far, kept in {self.best.folder.name}/"
        return f"the best is {best['value']:.3f} of epoch {best['epoch'] + 1}"

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what came of the epoch."""
        self._epoch.stop()
        self._whole.stop()
        loss = trainer.callback_metrics.get("train/loss_epoch")
        told = [
            f"{_counted(_steps(trainer, self._epoch.batches), 'step')} in {duration(self._epoch.seconds)}",
            *([] if loss is None else [f"loss {_number(float(loss))}"]),
            f"{rate_of(self._epoch.pairs, self._epoch.seconds)} pairs/s",
        ]
        found = f"; {self._validation}" if self._validation else ""
        self._say(f"{_epoch(trainer)}: {', '.join(told)}{found}{self._left(trainer, '; ')}", above=True)

    def _left(self, trainer: pl.Trainer, before: str = ", ") -> str:
        """The training's time left, where there is an end and something of it is left; empty where there is not."""
        steps = self._total - trainer.global_step
        if not 0 < steps < math.inf:
            return ""
        batches = steps * trainer.accumulate_grad_batches
        every = trainer.val_check_batch or math.inf
        validations = math.ceil(batches / every / (trainer.check_val_every_n_epoch or 1))
        return f"{before}{duration(self._whole.of(batches) + validations * self._took)} left"

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As in validation."""
        self._score("test", trainer.num_test_batches, last=True)

    def on_test_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """As in validation."""
        self.on_validation_batch_end(trainer, pl_module)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The end of a long one has a line."""
        if self._scoring is not None:
            self._scoring.end()

    def _score(self, name: str, batches: list[int | float], *, last: bool) -> None:
        """Begin to count the batches of a pass of scoring."""
        count = sum(batches)
        total = int(count) if math.isfinite(count) else None
        bars = {"bar": False, "in_bar": self.bar is not None}
        self._scoring = Progress(name, "batches", total, **bars, last=last, clock=self._clock)

    def _say(self, line: str, *, above: bool = False) -> None:
        """Write a line to the log of the first process; where there is a bar, a terminal has it `above` that or not."""
        if world()[0]:
            return
        log.info(line, extra={IN_BAR: self.bar is not None})
        if above and self.bar is not None:
            self.bar.say(line)


def _epoch(trainer: pl.Trainer) -> str:
    return epoch_of(trainer, trainer.current_epoch)


def _steps(trainer: pl.Trainer, batches: float) -> float:
    """How many steps so many batches make, the last of an epoch perhaps of fewer batches."""
    return math.ceil(batches / trainer.accumulate_grad_batches) if math.isfinite(batches) else batches


def _number(loss: float) -> str:
    """A loss with three digits behind the point, or a small one with three in all.

    >>> _number(0.5), _number(0.000123)
    ('0.500', '1.23e-04')
    """
    return f"{loss:.3f}" if abs(loss) >= 0.01 or not loss else f"{loss:.2e}"


def _counted(count: float | None, thing: str) -> str:
    """So many things.

    >>> _counted(1, "epoch"), _counted(1020, "step")
    ('1 epoch', '1,020 steps')
    """
    return f"{count:,} {thing}" + ("" if count == 1 else "s")
