"""Training that stops on purpose: on a signal with a checkpoint, on a loss that is no number with the batch's ids."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from clir_lightning.errors import ClirError
from clir_lightning.lightning.checkpoints import LastCheckpoint

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # SLURM's at the end of the time, and what `--signal` has it send before


class Preempted(ClirError):  # noqa: N818  named after what happened, as KeyboardInterrupt is
    """Training stopped with its state saved."""


class Interruption(pl.Callback):
    """On SIGTERM or SIGUSR1 saves a checkpoint at the end of the step, has SLURM queue the job again, and stops.

    Lightning's own handler is not used: it writes a second checkpoint elsewhere.

    Raises `Preempted` once the checkpoint is written.
    """

    def __init__(self, checkpoints: LastCheckpoint) -> None:
        self.checkpoints = checkpoints
        self.received: int | None = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        log.warning("received %s: saving a checkpoint at the end of this step", signal.Signals(number).name)
        self.received = number

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals over; the trainer gives them back at its end."""
        for number in SIGNALS:
            signal.signal(number, self._note)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop if any process received a signal."""
        told = trainer.strategy.reduce_boolean_decision(self.received is not None, all=False)
        if not told:
            return
        self.checkpoints.save(trainer)
        if trainer.is_global_zero and (job := os.environ.get("SLURM_JOB_ID")):
            subprocess.run(["scontrol", "requeue", job], check=False)
        raise Preempted(
            f"stopped by a signal after step {trainer.global_step}, saved in {self.checkpoints.folder}; "
            "the same command with resume=auto goes on"
        )


class FiniteLoss(pl.Callback):
    """Stops before a loss that is NaN or infinite reaches the weights; the batch's ids go to `bad_batch.json`.

    Raises `ClirError`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._batch: Any = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the batch, which the hook before the gradients is not given."""
        self._batch = batch

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Look at the loss."""
        if torch.isfinite(loss):
            return
        path = self.folder / f"bad_batch{trainer.global_rank or ''}.json"
        samples = [{"query": s.query_id, "documents": list(s.document_ids)} for s in self._batch.samples]
        record = {"epoch": trainer.current_epoch, "step": trainer.global_step, "samples": samples}
        path.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
        raise ClirError(
            f"the loss is {float(loss)} at step {trainer.global_step}; the batch's ids are in {path}; "
            "a lower optimizer.learning_rate, trainer.precision=32-true or a look at these texts may help"
        )
