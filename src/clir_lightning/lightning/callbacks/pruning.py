"""`Pruning`: ends a training that Optuna's study finds hopeless."""

from __future__ import annotations

import logging

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class Pruning(pl.Callback):
    """Reports `monitor` to a trial of a study after each validation, and ends the training where the study prunes it.

    Pruned is what lies below the median of the earlier trials' values at the same epoch. The best model up to then
    is scored as always, so that the folder is whole. `hydra/sweeper=optuna hydra.sweeper.pruning=true` adds this.

    Args:
        storage: URL of the study.
        trial: the trial's number.
        study: its name.
        monitor: the measure.
        startup: trials that are never pruned.
    """

    def __init__(
        self, *, storage: str, trial: int, study: str = "clir", monitor: str = "val/ndcg_10", startup: int = 5
    ) -> None:
        self.storage = storage
        self.number = trial
        self.study = study
        self.monitor = monitor
        self.startup = startup

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, and ask."""
        import optuna

        if trainer.sanity_checking or self.monitor not in trainer.callback_metrics:
            return
        stop = False
        if trainer.is_global_zero:
            pruner = optuna.pruners.MedianPruner(n_startup_trials=self.startup)
            study = optuna.load_study(study_name=self.study, storage=self.storage, pruner=pruner)
            frozen = study.trials[self.number]
            if trainer.current_epoch not in frozen.intermediate_values:  # a resumed run reports an epoch once
                study._storage.set_trial_intermediate_value(
                    frozen._trial_id, trainer.current_epoch, float(trainer.callback_metrics[self.monitor])
                )
            stop = pruner.prune(study, study.trials[self.number])
            if stop:
                study._storage.set_trial_user_attr(frozen._trial_id, "pruned", True)
                log.info("epoch %d: below the median of earlier trials; the training ends", trainer.current_epoch + 1)
        if trainer.strategy.reduce_boolean_decision(stop, all=False):
            trainer.should_stop = True
