"""`CollapseAlarm`: says so when a model gives all documents of a query the same score."""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from clir_lightning.evaluation.spread import Spread, spread
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.scoring.gathering import gather_rows
from clir_lightning.settings.markers import Amount, Count

log = logging.getLogger(__name__)

QUERIES = 32  # of a training step are looked at, in each process
CAUSES = (
    "a learning rate that is too high ({rate:g} now: optimizer.learning_rate)",
    "a warm-up that is too short (optimizer.warmup)",
    "a temperature or a margin that does not suit the scores",
    "texts that are cut to the same beginning (batches.max_length)",
    "weights or inputs that are not finite in low precision (trainer.precision)",
)


class CollapseAlarm(pl.Callback):
    """Logs how far scores tell a query's documents apart and warns once when they no longer do.

    `train/…` every `every` steps on the step's own documents, `val/…` on the candidates of a whole validation:
    `score_deviation`, `ordered` and `gap` as in `evaluation.spread`. Scores have collapsed where their deviation within
    queries is at most `tolerance` times their root mean square. Dropout makes scores of a training step differ even
    then, so a single validation raises the alarm as well as `steps` training steps do.

    Args:
        steps: training steps for which the spread must be gone.
        tolerance: the spread, as a share of the scores' size, that counts as gone.
        every: training steps from one look to the next.
        stop: end the training, after a last validation.
    """

    def __init__(self, *, steps: Count = 100, tolerance: Amount = 1e-3, every: Count = 10, stop: bool = False) -> None:
        self.steps = steps
        self.tolerance = float(tolerance)
        self.every = every
        self.stop = stop
        self.gone_since: int | None = None
        self.raised = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the scores that the modules of all processes keep of the step, `[B, D]` each."""
        step = trainer.global_step
        scores = getattr(pl_module, "step_scores", None)
        if scores is None or step % self.every or scores.shape[1] < 2:
            return
        scores = scores[:QUERIES]
        grades, _ = gather_rows(batch.grades[: len(scores)])
        scores, _ = gather_rows(scores)
        now = spread(scores, grades)
        self._log(pl_module, "train", now)
        if not self._gone(now, scores):
            self.gone_since = None
        elif self.gone_since is None:
            self.gone_since = step
        lasted = 0 if self.gone_since is None else step - self.gone_since
        self._raise(trainer, now, lasted >= self.steps, f"for {lasted} steps")

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the whole validation's scores, those of all processes."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set by its connector
        collected = next((callback for callback in callbacks if isinstance(callback, RankingMetrics)), None)
        if trainer.sanity_checking or collected is None:
            return
        scores, pool = collected.scores("val")
        now = spread(scores, pool.grades, pool.present)
        self._log(pl_module, "val", now)
        gone = bool(pool.present.any()) and self._gone(now, scores[pool.present])
        self._raise(trainer, now, gone, "in the validation")

    def _gone(self, now: Spread, scores: Tensor) -> bool:
        return now.deviation <= self.tolerance * float(scores.double().square().mean().sqrt())

    def _log(self, pl_module: pl.LightningModule, stage: str, now: Spread) -> None:
        values = {"score_deviation": now.deviation, "ordered": now.ordered, "gap": now.gap}
        for name, value in values.items():
            if value == value:  # nothing to log where no query has two documents of different grades
                pl_module.log(f"{stage}/{name}", value, rank_zero_only=False)

    def _raise(self, trainer: pl.Trainer, now: Spread, gone: bool, when: str) -> None:
        if self.stop and trainer.strategy.reduce_boolean_decision(gone, all=False):
            trainer.should_stop = True
        if gone and not self.raised and trainer.is_global_zero:
            self.raised = True
            rate = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else 0.0
            log.warning(
                "step %d: the scores have collapsed: %s all documents of a query got almost the same score (standard "
                "deviation %.1e), so their order is chance. Likely causes: %s. %s",
                trainer.global_step,
                when,
                now.deviation,
                "; ".join(CAUSES).format(rate=rate),
                "The training ends."
                if self.stop
                else "The training goes on; callbacks.collapse.stop=true would end it.",
            )
