"""`BestModel`: the model folder of a training, which holds the weights of its best validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

from clir_lightning.data.store.replacing import restore
from clir_lightning.errors import ClirError
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.lightning.sharding import Sharded
from clir_lightning.models.model_folder import read_settings, read_weights, write_model_folder
from clir_lightning.models.saved import MODULE, Recipe
from clir_lightning.scoring.processes import once


class BestModel(pl.Callback):
    """Writes the model folder whenever `RankingMetrics` found a validation the best so far; a test is of that model.

    The first process writes; all take part, since sharded weights are gathered. What was the best so far is in the
    checkpoints, and holds for a training that goes on if the folder has that model; else both callbacks forget it.

    Args:
        folder: the model folder.
        recipe: what the model is built from.
        metrics: what decides; it stands before this one among the trainer's callbacks.
        about: what else `clir.json` is to hold, plain values.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, metrics: RankingMetrics, about: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.metrics = metrics
        self.about = dict(about or {})
        self.best: dict[str, Any] | None = None  # the epoch, step and value of the model in the folder

    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it over."""
        self.best = state_dict["best"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget a best validation whose model is not in the folder: of another folder's, or removed."""
        if not once(self._is_there):
            self.best = None
            self.metrics.forget()

    def _is_there(self) -> bool:
        """Whether the folder's model is of the best validation; one that a crash left hidden is put back if it is."""
        if self.best is None:
            return False
        restore(self.folder, self._is_best)
        return self._is_best(self.folder)

    def _is_best(self, folder: Path) -> bool:
        try:
            return bool(read_settings(folder).get("best") == self.best)
        except ClirError:
            return False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the model if this validation is the best."""
        if trainer.sanity_checking or not self.metrics.improved:
            return
        monitor = self.metrics.monitor
        value = self.metrics.evaluations["val"].means[monitor]
        step = trainer.global_step
        found = {"monitor": f"val/{monitor}", "value": value, "epoch": trainer.current_epoch, "step": step}

        # The weights that a checkpoint would hold: gathered, and those of `ema` and its like if there is one.
        checkpoint: dict[str, Any] = {
            "epoch": trainer.current_epoch,
            "global_step": trainer.global_step,
            "state_dict": trainer.strategy.lightning_module_state_dict(),
        }
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning sets them without declaring them
            callback.on_save_checkpoint(trainer, pl_module, checkpoint)
        state = checkpoint["state_dict"]
        weights = {name.removeprefix(MODULE): state[name] for name in state if name.startswith(MODULE)}

        # The others wait for the first at their next exchange.
        if trainer.is_global_zero:
            write_model_folder(self.folder, self.recipe, weights, {**self.about, "best": found})
        self.best = found

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Load the best model. Raises `ClirError` if no validation has been, or if its model is no longer there."""
        if self.best is None:
            cure = "train for an epoch at least, or until a validation"
            raise ClirError(f"there was no validation, so that {self.folder} holds no model to test; {cure}")
        if not once(self._is_there):
            problem = f"{self.folder} no longer holds the model of step {self.best['step']}, this training's best"
            raise ClirError(f"{problem}; give each job a folder of its own, and train again")

        weights: dict[str, Any] = dict(read_weights(self.folder))
        model: Any = pl_module.model
        if isinstance(trainer.strategy, Sharded):
            set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True))
        else:
            model.load_state_dict(weights)
