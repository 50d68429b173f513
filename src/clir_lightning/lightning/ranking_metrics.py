"""`RankingMetrics`: the one callback that turns scored batches into a run, and the run into measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed
from torch import Tensor

from clir_lightning.data.batching import Batch
from clir_lightning.data.trec import write_run
from clir_lightning.evaluation.evaluate import MEASURES, Evaluation, evaluate
from clir_lightning.types import Grades, Run

Triple = tuple[str, str, float]


def gather(triples: list[Triple]) -> list[Triple]:
    """The triples of all processes, in every process; those of this one where there is no other."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return triples
    parts: list[list[Triple]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(parts, triples)
    return [triple for part in parts for triple in part]


def as_run(triples: Sequence[Triple], name: str) -> Run:
    """A run of (query, document, score) triples; a pair that two processes scored counts once."""
    lists: dict[str, dict[str, float]] = {}
    for query, document, score in triples:
        lists.setdefault(query, {}).setdefault(document, score)
    return Run(lists, name=name)


class RankingMetrics(pl.Callback):
    """Collects (query, document, score) over a whole validation or test, then evaluates once against the full qrels.

    Logs `val/mrr_5`, `val/ndcg_10`, … and keeps the best validation's run: `evaluations["val"]` and `runs/val.trec`
    belong to the epoch with the highest `monitor`, the one that `ModelCheckpoint` keeps too.

    Args:
        qrels: the judgements of each stage, `val` and `test`.
        folder: where `runs/val.trec` and `runs/test.trec` go; `None` writes none.
        name: the system's name in run files and tables.
        measures: names such as `ndcg_10`.
        monitor: the measure that decides which validation is the best, the higher the better.
    """

    def __init__(
        self,
        qrels: Mapping[str, Mapping[str, Grades]],
        *,
        folder: Path | None = None,
        name: str = "cross",
        measures: Sequence[str] = MEASURES,
        monitor: str = "ndcg_10",
    ) -> None:
        self.qrels, self.folder, self.name = qrels, folder, name
        self.measures, self.monitor = tuple(dict.fromkeys((*measures, monitor))), monitor
        self.evaluations: dict[str, Evaluation] = {}
        self._triples: list[Triple] = []

    def _start(self) -> None:
        self._triples = []

    def _collect(self, scores: Tensor, batch: Batch) -> None:
        for sample, row in zip(batch.samples, scores.detach().float().cpu().tolist(), strict=True):
            self._triples += [
                (sample.query_id, document, score) for document, score in zip(sample.document_ids, row, strict=True)
            ]

    def _finish(self, stage: str, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        run = as_run(gather(self._triples), self.name)
        self._triples = []
        if trainer.sanity_checking:
            return
        result = evaluate(run, self.qrels[stage], self.measures)
        for name, value in result.means.items():
            # Every process holds the same value: there is nothing to reduce.
            module.log(f"{stage}/{name}", value, prog_bar=name == self.monitor, rank_zero_only=False)
        best = self.evaluations.get(stage)
        if stage == "test" or best is None or result.means[self.monitor] > best.means[self.monitor]:
            self.evaluations[stage] = result
            if self.folder is not None and trainer.is_global_zero:
                write_run(run, self.folder / "runs" / f"{stage}.trec")

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget what an interrupted validation left."""
        self._start()

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget what an interrupted test left."""
        self._start()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Collect one batch of scores."""
        self._collect(outputs, batch)

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Collect one batch of scores."""
        self._collect(outputs, batch)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate the whole run."""
        self._finish("val", trainer, pl_module)

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate the whole run."""
        self._finish("test", trainer, pl_module)
