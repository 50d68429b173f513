"""`Throughput`: tokens, queries and padding of an epoch by a hand-wound clock, validation's time left out."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from clir_lightning.data.batches.pairs import PairBatch
from clir_lightning.lightning.callbacks.throughput import Throughput
from clir_lightning.types import Sample


class Module:
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.logged: dict[str, float] = {}

    def log(self, name: str, value: float) -> None:
        self.logged[name] = value


def batch(queries: int, tokens: int) -> PairBatch:
    """Two rows of five cells per query."""
    ids = torch.zeros(2 * queries, 5, dtype=torch.long)
    samples = (Sample("q", ("a", "b"), (1, 0)),) * queries
    return PairBatch(
        ids, ids, None, torch.zeros(queries, 2), samples, (), (tokens - 2 * queries + 1, *(1,) * (2 * queries - 1))
    )


def test_figures_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 100.0, 102.0, 110.0, 112.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    throughput, module = Throughput(), Module()
    trainer: Any = None
    of: Any = module
    throughput.on_train_epoch_start(trainer, of)  # at 100
    throughput.on_train_batch_end(trainer, of, None, batch(3, 24), 0)  # two seconds
    throughput.on_validation_end(trainer, of)  # at 110
    throughput.on_train_batch_end(trainer, of, None, batch(1, 6), 1)  # two seconds more
    throughput.on_train_epoch_end(trainer, of)
    assert module.logged == {
        "train/padding": pytest.approx(1 - 30 / 40),
        "train/tokens_per_second": pytest.approx(30 / 4),
        "train/queries_per_second": pytest.approx(4 / 4),
    }


def test_an_epoch_without_steps_logs_nothing() -> None:
    throughput, module = Throughput(), Module()
    trainer: Any = None
    of: Any = module
    throughput.on_train_epoch_start(trainer, of)
    throughput.on_train_epoch_end(trainer, of)
    assert module.logged == {}
