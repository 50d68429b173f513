"""The checkpoint to go on from: written whole or not at all, checked before it is read, the one before it kept.

It holds the model's recipe too, so that a model can be built of it alone.
"""

from __future__ import annotations

import errno
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from clir_lightning.data.store.folders import partial_path, remove_abandoned
from clir_lightning.errors import DataError
from clir_lightning.models.saved import Recipe

log = logging.getLogger(__name__)

LAST = "last.ckpt"
BEFORE = "previous.ckpt"


class WholeFileIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there when it is complete and on the disk.

    Raises `DataError` when it cannot be written; what stood in its place stays.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        partial = partial_path(path)
        try:
            with open(partial, "wb") as stream:
                torch.save(checkpoint, stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError at its end
            partial.unlink(missing_ok=True)
            reason = error if isinstance(error, OSError) else error.__context__
            full = isinstance(reason, OSError) and reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            cure = "make room and go on with resume=auto" if full else "see to the folder and go on with resume=auto"
            problem = "no space left for the checkpoint" if full else f"the checkpoint cannot be written ({error})"
            raise DataError(problem, path=path, cure=f"the last good one stays; {cure}") from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Read a checkpoint: tensors and plain values only, whatever the caller asks for."""
        loaded: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return loaded


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt` and the one before it, `previous.ckpt`, at the end of each epoch and of every so many steps.

    Args:
        folder: where they lie.
        recipe: what a model is built from; a training that goes on from a checkpoint must have the same settings.
        every_steps: optimisation steps between two within an epoch; `None` for the ends of epochs alone.
    """

    def __init__(self, folder: Path, recipe: Recipe, every_steps: int | None = None) -> None:
        self.folder = folder
        self.recipe = recipe
        self.every_steps = every_steps
        self._saved = -1  # the step of the last one
        self._known = False  # whether the last one is this training's, so that it is whole

    def save(self, trainer: pl.Trainer) -> None:
        """Write one now; all processes take part. Call it at the end of a training step or epoch only."""
        for logger in trainer.loggers:  # what is logged so far must not be lost beside what is saved
            logger.save()

        # A damaged one that this training did not go on from takes no good one's place.
        last = self.folder / LAST
        if trainer.is_global_zero and (self._known or is_whole(last)):
            _name_too(last, self.folder / BEFORE)

        trainer.save_checkpoint(last, weights_only=False)
        self._known = True
        self._saved = trainer.global_step

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the recipe."""
        checkpoint.update(self.recipe.in_checkpoint())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when enough steps are made. Where validation or the epoch's end follows, that saves."""
        if not self.every_steps or not between(trainer, batch_idx):
            return
        if trainer.global_step >= max(self._saved, 0) + self.every_steps:
            self.save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, validation included."""
        self.save(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count from where training starts or goes on."""
        self._saved = trainer.global_step


def _name_too(file: Path, name: Path) -> None:
    """Give a file another name, which another file may have; it keeps its own for who reads it meanwhile.

    A file system without hard links gives it the other name alone.
    """
    partial = partial_path(name)
    try:
        os.link(file, partial)
    except OSError:
        file.replace(name)
        return
    partial.replace(name)
    partial.unlink(missing_ok=True)  # still there where both were names of one file already


def between(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether another step of the epoch comes next, neither a validation nor the epoch's end."""
    done = batch_idx + 1
    return bool(done % int(trainer.val_check_batch or 1)) and done < trainer.num_training_batches


def is_whole(checkpoint: Path) -> bool:
    """Whether each part of the file matches its checksum: a truncated or damaged one does not."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError):
        return False


def newest_whole(folder: Path) -> Path | None:
    """The checkpoint to go on from, or `None`; a damaged one is passed over with a warning.

    Raises `DataError` when there are checkpoints and none is whole.
    """
    found = [path for path in (folder / LAST, folder / BEFORE) if path.exists()]
    for path in found:
        if is_whole(path):
            return path
        log.warning("%s is truncated or damaged; looking for the one before it", path)
    if found:
        raise DataError("no whole checkpoint", path=folder, cure="start anew with resume=null")
    return None
