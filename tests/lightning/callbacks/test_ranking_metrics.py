"""`RankingMetrics`: one run out of several processes' shares, each pair once; the best validation is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed
from torch.multiprocessing.spawn import start_processes

import program  # noqa: F401  its server starts processes within a second
from clir_lightning.data.files.trec import read_run
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from clir_lightning.types import Sample

QRELS = {"q": {"a": 3, "b": 0}, "p": {"c": 1}}
POOL = Pool.of({"q": ["a", "b"], "p": ["c", "d"]}, QRELS)


class Module:
    """What the callback asks of a LightningModule."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.logged: dict[str, float] = {}

    def log(self, name: str, value: float, **_: Any) -> None:
        self.logged[name] = value


def validate(metrics: RankingMetrics, scores: Mapping[str, Mapping[str, float]], **state: Any) -> dict[str, float]:
    """Drive the hooks as a trainer does, one query per batch; the logged values."""
    trainer: Any = SimpleNamespace(testing=False, sanity_checking=False, is_global_zero=True, **state)
    module: Any = Module()
    metrics.on_validation_epoch_start(trainer, module)
    for query, row in scores.items():
        batch: Any = SimpleNamespace(samples=(Sample(query, tuple(row), (0,) * len(row)),))
        metrics.on_validation_batch_end(trainer, module, torch.tensor([list(row.values())]), batch, 0)
    metrics.on_validation_epoch_end(trainer, module)
    logged: dict[str, float] = module.logged
    return logged


def share(rank: int, folder: str) -> None:
    """Process 0 scored q, process 1 p and q again; both must see one run of four pairs."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    metrics = RankingMetrics({"val": POOL}, folder=Path(folder) / str(rank))
    q = {"q": {"a": 1.0, "b": 2.0}}
    logged = validate(metrics, q if rank == 0 else {"p": {"d": -1.0, "c": 3.0}, **q})
    assert logged["val/mrr_5"] == pytest.approx((1 / 2 + 1) / 2)
    run = read_run(Path(folder) / str(rank) / "runs" / "val.trec")
    assert dict(run.by_query) == {"q": {"a": 1.0, "b": 2.0}, "p": {"c": 3.0, "d": -1.0}}

    # The first process decides for both, whatever the other one knows.
    assert metrics.improved
    if rank == 1:
        metrics.forget()
    validate(metrics, q)
    assert not metrics.improved
    torch.distributed.destroy_process_group()


def test_two_processes_see_the_same_run(tmp_path: Path) -> None:
    start_processes(share, (str(tmp_path),), nprocs=2, start_method="forkserver")  # type: ignore[no-untyped-call]


def test_the_best_validation_is_kept_and_an_interrupted_one_forgotten(tmp_path: Path) -> None:
    metrics = RankingMetrics({"val": POOL}, folder=tmp_path)
    right, wrong = {"q": {"a": 2.0, "b": 1.0}}, {"q": {"a": 1.0, "b": 2.0}, "p": {"c": 1.0}}
    assert not metrics.improved
    assert validate(metrics, right)["val/mrr_5"] == pytest.approx(1 / 2)  # p was never scored and counts 0
    assert metrics.improved
    assert metrics.evaluations["val"].coverage.missing_queries == 1
    assert validate(metrics, wrong)["val/ndcg_10"] == pytest.approx((0.6309 + 1) / 2, abs=1e-4)
    assert metrics.improved
    assert validate(metrics, right)["val/ndcg_10"] == pytest.approx(1 / 2)
    assert not metrics.improved
    assert metrics.evaluations["val"].per_query["p"]["mrr_5"] == 1.0
    assert set(read_run(tmp_path / "runs" / "val.trec")) == {"q", "p"}

    # Forgotten, it is the best no longer, and in no checkpoint.
    metrics.forget()
    assert (metrics.evaluations, metrics.state_dict()) == ({}, {})
    validate(metrics, right)
    assert metrics.improved
    assert set(read_run(tmp_path / "runs" / "val.trec")) == {"q"}
