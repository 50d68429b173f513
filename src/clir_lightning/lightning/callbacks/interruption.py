"""Training that stops on purpose: on a signal with a checkpoint, on a loss that is not finite with the batch's ids."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from clir_lightning.errors import ClirError
from clir_lightning.lightning.checkpoints import LastCheckpoint, between
from clir_lightning.lightning.late import Late
from clir_lightning.scoring.gathering import summed
from clir_lightning.scoring.processes import world

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # SLURM's at the end of the time, and what `--signal` has it send before


class Preempted(ClirError):  # noqa: N818  named after what happened, as KeyboardInterrupt is
    """Training stopped with its state saved."""


class Interruption(pl.Callback):
    """On SIGTERM or SIGUSR1 saves a checkpoint at the end of the step, has SLURM queue the job again, and stops.

    Lightning's own handler is not used: it writes a second checkpoint elsewhere, and of several processes lets the one
    that was told wait for the others. In the test, where nothing is left to save, it stops at once.

    A process that waits for another within a step cannot act on a signal. One that has been told and whose steps,
    those of validation among them, have not moved on for `grace` seconds is ended by a thread, without a checkpoint.
    Of several processes all stop a step after the one in which any was told, or before a validation: none waits for
    its device to hear of it.

    Raises `Preempted` once the checkpoint is written.
    """

    def __init__(self, checkpoints: LastCheckpoint, grace: float = 300) -> None:
        self.checkpoints = checkpoints
        self.grace = grace
        self.received: int | None = None
        self._late = Late()  # of several processes, how many were told
        self._moved = time.monotonic()  # when the last step ended
        self._bell: Bell | None = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        log.warning("received %s: saving a checkpoint at the end of this step", signal.Signals(number).name)
        self.received = number

    def _listen(self, handler: Callable[[int, FrameType | None], None]) -> None:
        self._release()
        for number in SIGNALS:
            signal.signal(number, handler)
        self._moved = time.monotonic()
        self._bell = Bell(self._wait)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals over; the trainer gives them back at its end."""
        self._listen(self._note)

        # What Lightning's own handler noted, all processes would otherwise tell each other before each step.
        epoch_loop: Any = trainer.fit_loop.epoch_loop
        epoch_loop._broadcast_sigterm_tensor = lambda: None

    def _wait(self, number: int) -> None:
        """End this process if no step ends for `grace` seconds; in a thread of its own."""
        told = time.monotonic()
        bell = self._bell
        while bell is not None and not bell.closed.wait(min(1.0, self.grace)):
            still = time.monotonic() - max(told, self._moved)
            if still > self.grace:
                name = signal.Signals(number).name
                print(
                    f"clir: received {name}, and no step has ended for {still:.0f} seconds: ending without a "
                    f"checkpoint; resume=auto goes on from the last one in {self.checkpoints.folder}",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(128 + number)

    def _release(self) -> None:
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop if any process received a signal."""
        self._moved = time.monotonic()
        if not self._told(trainer, batch_idx):
            return
        self._release()  # a large checkpoint may take its time
        self.checkpoints.save(trainer)
        _requeue(trainer)
        raise Preempted(
            f"stopped by a signal after step {trainer.global_step}, saved in {self.checkpoints.folder}; "
            "the same command with resume=auto goes on"
        )

    def _told(self, trainer: pl.Trainer, batch_idx: int) -> bool:
        """Whether any process had received a signal, by the step before this one or, at the last of several, by now."""
        told = self.received is not None
        if world()[1] == 1:
            return told
        count = summed(torch.full((), float(told), device=trainer.strategy.root_device))
        before = self._late.swap(count)
        last = None if between(trainer, batch_idx) else self._late.last()
        return any(found is not None and found[0] > 0 for found in (before, last))

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """Validation goes on."""
        self._moved = time.monotonic()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let the signals stop the test."""

        def stop(number: int, frame: FrameType | None) -> None:
            _requeue(trainer)
            name = signal.Signals(number).name
            raise Preempted(f"stopped by {name} in the test; the same command with resume=auto does it again")

        self._listen(stop)

    def on_test_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """The test goes on."""
        self._moved = time.monotonic()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Listen no longer."""
        self._release()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Listen no longer."""
        self._release()


def _requeue(trainer: pl.Trainer) -> None:
    """Have SLURM queue this job again, if it is one of SLURM's."""
    if trainer.is_global_zero and (job := os.environ.get("SLURM_JOB_ID")):
        subprocess.run(["scontrol", "requeue", job], check=False)


class Bell:
    """Calls `ring(number)` in a thread when a signal with a handler arrives, even while the main thread waits in C."""

    def __init__(self, ring: Callable[[int], None]) -> None:
        self.closed = threading.Event()
        self._ear, self._mouth = socket.socketpair()
        self._mouth.setblocking(False)
        self._before = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, args=(ring,), daemon=True).start()

    def _listen(self, ring: Callable[[int], None]) -> None:
        while heard := self._ear.recv(1):
            if heard[0] in SIGNALS:
                ring(heard[0])
        self._ear.close()

    def close(self) -> None:
        """Listen no longer."""
        signal.set_wakeup_fd(self._before)
        self.closed.set()
        self._mouth.close()


class FiniteLoss(pl.Callback):
    """Stops at a loss that is NaN or infinite, before anything that it did to the weights is validated or saved.

    A step's loss is read in the step after it, or before a validation, a checkpoint or the end of an epoch: reading it
    at once would have a GPU wait. The batch's ids go to `bad_batch.json`.

    Raises `ClirError`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._batch: Any = None
        self._late = Late()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the batch, which the hook before the gradients is not given."""
        self._batch = batch

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Look at the loss of the step before."""
        place = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        self._check(trainer, self._late.swap(loss, (place, self._batch.samples)))

    def _check(self, trainer: pl.Trainer, found: tuple[float, Any] | None) -> None:
        if found is None or math.isfinite(found[0]):
            return
        loss, (place, batch) = found
        path = self.folder / f"bad_batch{trainer.global_rank or ''}.json"
        samples = [{"query": sample.query_id, "documents": list(sample.document_ids)} for sample in batch]
        record = {**place, "samples": samples}
        path.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
        raise ClirError(
            f"the loss is {loss} at step {place['step']}; the batch's ids are in {path}; "
            "a lower optimizer.learning_rate, trainer.precision=32-true or a look at these texts may help"
        )

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the last loss now."""
        self._check(trainer, self._late.last())

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """As before a validation."""
        self._check(trainer, self._late.last())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As before a validation."""
        self._check(trainer, self._late.last())
