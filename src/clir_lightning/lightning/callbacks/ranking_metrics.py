"""`RankingMetrics`: the one callback that turns scored batches into a run, and the run into measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch import Tensor

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.data.files.trec import write_run
from clir_lightning.evaluation.evaluate import MEASURES, Evaluation
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.torchmetric import RankingMeasures
from clir_lightning.scoring.processes import once


class RankingMetrics(pl.Callback):
    """Collects scores over a whole validation or test, then evaluates once against the full qrels.

    Logs `val/mrr_5`, `val/ndcg_10`, … and keeps the best validation's run: `evaluations["val"]` and `runs/val.trec`
    belong to the epoch with the highest `monitor`, of equal ones the first. `improved` says whether the last validation
    is that one, in all processes alike: `BestModel`, which keeps its weights, asks here and compares nothing itself.

    Args:
        pools: the candidates and judgements of each stage, `val` and `test`.
        folder: where `runs/val.trec` and `runs/test.trec` go; `None` writes none.
        name: the system's name in run files and tables.
        measures: names such as `ndcg_10`.
        monitor: the measure that decides which validation is the best, the higher the better, in single precision.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        *,
        folder: Path | None = None,
        name: str = "cross",
        measures: Sequence[str] = MEASURES,
        monitor: str = "ndcg_10",
    ) -> None:
        self.folder = folder
        self.name = name
        self.monitor = monitor
        self.measures = tuple(dict.fromkeys((*measures, monitor)))
        self.metrics = {stage: RankingMeasures(pool, self.measures) for stage, pool in pools.items()}
        self.evaluations: dict[str, Evaluation] = {}
        self.improved = False
        self._best: dict[str, Tensor] = {}  # the best validation's scores, for a training that goes on

    def state_dict(self) -> dict[str, Tensor]:
        """The best validation's scores."""
        return self._best

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Evaluate them again: what was the best so far decides as if training had never stopped."""
        self._best = state_dict
        if state_dict:
            metric = self.metrics["val"]
            metric.scores = state_dict["scores"].clone()
            metric.scored = state_dict["scored"].clone()
            self.evaluations["val"] = metric.evaluation(self.name)
            metric.reset()

    def forget(self) -> None:
        """Let the next validation be the best so far: the model of the one before is gone."""
        self.evaluations.pop("val", None)
        self._best = {}

    def _start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget what an interrupted pass left."""
        metric = self.metrics[_stage(trainer)].to(pl_module.device)
        metric.reset()

    def _collect(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: PairBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in one batch of scores `[B, D]`."""
        metric = self.metrics[_stage(trainer)]
        queries = [sample.query_id for sample in batch.samples for _ in sample.document_ids]
        documents = list(chain.from_iterable(sample.document_ids for sample in batch.samples))
        metric.update(*metric.places(queries, documents), outputs.flatten())

    def _finish(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate the run of all processes, log its means, keep it if it is the best."""
        if trainer.sanity_checking:
            return
        stage = _stage(trainer)
        metric = self.metrics[stage]
        with metric.sync_context():
            result = metric.evaluation(self.name)
            run = metric.run(self.name)
            state = {"scores": metric.scores.cpu().clone(), "scored": metric.scored.cpu().clone()}

        # Every process holds the same values: there is nothing to reduce.
        for name, value in result.means.items():
            pl_module.log(f"{stage}/{name}", value, prog_bar=name == self.monitor, rank_zero_only=False)

        # Of validations the best so far is kept, of tests the last one.
        if stage == "val":
            self.improved = once(lambda: self._is_better(result))
            self._best = state if self.improved else self._best
        if stage == "test" or self.improved:
            self.evaluations[stage] = result
            if self.folder is not None and trainer.is_global_zero:
                write_run(run, self.folder / "runs" / f"{stage}.trec")

    def _is_better(self, result: Evaluation) -> bool:
        """Whether a validation is better than all before; sums of the same values in another order are equal."""
        best = self.evaluations.get("val")
        return best is None or bool(np.float32(result.means[self.monitor]) > np.float32(best.means[self.monitor]))

    def scores(self, stage: str) -> tuple[Tensor, Pool]:
        """All processes' scores `[Q, D]` of a stage's last pass, and the pool of the pairs that were scored."""
        metric = self.metrics[stage]
        with metric.sync_context():
            return metric.matrix()

    on_validation_epoch_start = on_test_epoch_start = _start
    on_validation_batch_end = on_test_batch_end = _collect
    on_validation_epoch_end = on_test_epoch_end = _finish


def _stage(trainer: pl.Trainer) -> str:
    return "test" if trainer.testing else "val"
