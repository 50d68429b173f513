"""The lines of a training, by a clock and numbers made by hand."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from clir_lightning.lightning.callbacks.training_log import TrainingLog
from clir_lightning.progress import IN_BAR, SETTING
from clir_lightning.types import Sample

QUERY = Sample("q", ("a", "b", "c"), (1, 0, 0))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Training:
    """A training of made-up steps, as far as the callback sees one: 3 pairs a query, two queries a batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bar: Any = None, **settings: Any) -> None:
        monkeypatch.setenv(SETTING, "60")
        self.clock = Clock()
        self.metrics = SimpleNamespace(improved=True)
        self.best = SimpleNamespace(best=None, metrics=self.metrics, folder=Path("somewhere/model"))
        self.module = SimpleNamespace(step_loss=torch.tensor(0.0))
        self.done = SimpleNamespace(completed=0)
        batches = SimpleNamespace(current=self.done)
        made = {
            "max_epochs": 3,
            "num_training_batches": 10,
            "accumulate_grad_batches": 1,
            "val_check_batch": 10,
            "check_val_every_n_epoch": 1,
            "num_val_batches": [4],
            "num_test_batches": [6],
            "estimated_stepping_batches": 30,
            "current_epoch": 0,
            "global_step": 0,
            "is_global_zero": True,
            "precision": "32-true",
            "strategy": SimpleNamespace(root_device=torch.device("cpu")),
            "callback_metrics": {},
            "fit_loop": SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=batches)),
        }
        self.trainer: Any = SimpleNamespace(**{**made, **settings})
        self.log = TrainingLog(self.best, bar, clock=self.clock)  # type: ignore[arg-type]

    def start(self) -> None:
        self.log.on_train_start(self.trainer, self.module)  # type: ignore[arg-type]

    def epoch(self) -> None:
        self.log.on_train_epoch_start(self.trainer, self.module)  # type: ignore[arg-type]

    def step(self, number: int, loss: float, seconds: float) -> None:
        """The batch of this number of its epoch, from 0 on."""
        self.clock.now += seconds
        self.module.step_loss = torch.tensor(loss)
        self.done.completed = number + 1
        self.trainer.global_step += (number + 1) % self.trainer.accumulate_grad_batches == 0
        batch = SimpleNamespace(samples=(QUERY, QUERY), weights=())
        self.log.on_train_batch_end(self.trainer, self.module, None, batch, number)  # type: ignore[arg-type]

    def validate(self, seconds: float, *, improved: bool, best: float, epoch: int, **measures: float) -> None:
        self.log.on_validation_start(self.trainer, self.module)  # type: ignore[arg-type]
        for _ in range(4):
            self.clock.now += seconds / 4
            self.log.on_validation_batch_end(self.trainer, self.module)  # type: ignore[arg-type]
        self.trainer.callback_metrics |= {f"val/{name}": torch.tensor(value) for name, value in measures.items()}
        self.metrics.improved = improved
        self.best.best = {"value": best, "epoch": epoch}
        self.log.on_validation_end(self.trainer, self.module)  # type: ignore[arg-type]

    def end(self, loss: float) -> None:
        self.trainer.callback_metrics["train/loss_epoch"] = torch.tensor(loss)
        self.log.on_train_epoch_end(self.trainer, self.module)  # type: ignore[arg-type]
        self.trainer.current_epoch += 1


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_two_epochs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Training(monkeypatch, num_training_batches=10, max_epochs=3)
    run.start()
    run.clock.now += 500  # the loader begins
    run.epoch()
    for number in range(10):
        run.step(number, loss=1.0 - 0.1 * number, seconds=20)
    run.validate(40, improved=True, best=0.5, epoch=0, ndcg_10=0.5, mrr_10=0.625, mrr_5=0.1)
    run.end(0.55)

    # 10 steps of 20 s, 6 pairs each: 0.3 pairs/s. After 3 steps 27 are left, 540 s, and no validation is known yet;
    # after the epoch 20 steps and two validations of 40 s, 480 s.
    assert caplog.messages == [
        "training on cpu in 32-true: 3 epochs of 10 steps",
        "epoch 1/3, step 3/10: loss 0.900, 0.3 pairs/s, 0:09:00 left",
        "epoch 1/3, step 6/10: loss 0.600, 0.3 pairs/s, 0:08:00 left",
        "epoch 1/3, step 9/10: loss 0.300, 0.3 pairs/s, 0:07:00 left",
        "epoch 1/3: 10 steps in 0:03:20, loss 0.550, 0.3 pairs/s; val/ndcg_10 0.500, val/mrr_10 0.625 in 0:00:40, "
        "the best so far, kept in model/; 0:08:00 left",
    ]
    caplog.clear()

    # Twice as fast: the rate is of the time since the last line, the time left by the pace of all steps so far.
    run.epoch()
    for number in range(10):
        run.step(number, loss=0.002, seconds=10)
    run.validate(20, improved=False, best=0.5, epoch=0, ndcg_10=0.25, mrr_10=0.5)
    run.end(0.002)
    assert caplog.messages == [
        "epoch 2/3, step 6/10: loss 2.00e-03, 0.6 pairs/s, 0:05:08 left",  # 14 · 260 s / 16, and 2 · 40 s
        "epoch 2/3: 10 steps in 0:01:40, loss 2.00e-03, 0.6 pairs/s; val/ndcg_10 0.250, val/mrr_10 0.500 in 0:00:20, "
        "the best is 0.500 of epoch 1; 0:02:50 left",  # 10 · 300 s / 20, and 20 s
    ]
    caplog.clear()

    # Nothing is left of the last.
    run.epoch()
    run.step(0, loss=0.1, seconds=1)
    run.trainer.global_step = 30
    run.end(0.1)
    assert caplog.messages == ["epoch 3/3: 1 step in 0:00:01, loss 0.100, 6 pairs/s"]


def test_a_training_that_goes_on_counts_from_where_it_begins(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Training(monkeypatch, current_epoch=1, global_step=14)
    run.start()
    run.epoch()
    for number in (4, 5):  # the epoch's fifth and sixth
        run.step(number, loss=0.5, seconds=30)
    assert caplog.messages == [
        "training on cpu in 32-true: 3 epochs of 10 steps; going on from step 14",
        "epoch 2/3, step 6/10: loss 0.500, 0.2 pairs/s, 0:07:00 left",  # 14 of 30 s
    ]


def test_steps_of_several_batches(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Training(
        monkeypatch, accumulate_grad_batches=4, num_training_batches=10, max_epochs=2, estimated_stepping_batches=6
    )
    run.start()
    run.epoch()
    for number in range(6):
        run.step(number, loss=0.5, seconds=10)
    assert caplog.messages == [
        "training on cpu in 32-true: 2 epochs of 3 steps",
        "epoch 1/2, step 2/3: loss 0.500, 0.6 pairs/s, 0:03:20 left",  # 5 steps of 4 batches of 10 s
    ]


def test_a_validation_amid_an_epoch_has_a_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Training(monkeypatch, val_check_batch=5, max_epochs=1, estimated_stepping_batches=10)
    run.start()
    run.epoch()
    for number in range(5):
        run.step(number, loss=0.5, seconds=2)
    run.validate(8, improved=True, best=0.5, epoch=0, ndcg_10=0.5)
    for number in range(5, 10):
        run.step(number, loss=0.5, seconds=2)
    run.end(0.5)
    assert caplog.messages[1:] == [
        "epoch 1/1, step 5/10: val/ndcg_10 0.500 in 0:00:08, the best so far, kept in model/, 0:00:18 left",
        "epoch 1/1: 10 steps in 0:00:20, loss 0.500, 3 pairs/s; val/ndcg_10 0.500 in 0:00:08, "
        "the best so far, kept in model/",
    ]


def test_an_epoch_without_a_validation_repeats_no_other(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Training(monkeypatch, check_val_every_n_epoch=2, max_epochs=4, estimated_stepping_batches=40)
    run.start()
    for epoch in range(3):
        run.epoch()
        for number in range(10):
            run.step(number, loss=0.5, seconds=1)
        if epoch == 1:
            run.validate(4, improved=True, best=0.5, epoch=1, ndcg_10=0.5)
        run.end(0.5)
    assert [line.partition("; ")[2] for line in caplog.messages[1:]] == [
        "0:00:30 left",
        "val/ndcg_10 0.500 in 0:00:04, the best so far, kept in model/; 0:00:24 left",
        "0:00:14 left",
    ]


def test_a_training_without_end_has_no_time_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Training(monkeypatch, max_epochs=-1, estimated_stepping_batches=math.inf)
    run.start()
    run.epoch()
    run.step(0, loss=0.5, seconds=60)
    assert caplog.messages == [
        "training on cpu in 32-true: epochs without end of 10 steps",
        "epoch 1, step 1/10: loss 0.500, 0.1 pairs/s",
    ]


def test_a_long_validation_and_a_long_test_have_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Training(monkeypatch)
    run.start()
    run.epoch()
    run.step(0, loss=0.5, seconds=1)
    run.validate(240, improved=True, best=0.5, epoch=0, ndcg_10=0.5)
    assert caplog.messages[1:4] == [
        f"epoch 1/3, validation: {done} of 4 batches, 0.017 batches/s, 0:0{4 - done}:00 left" for done in (1, 2, 3)
    ]
    caplog.clear()

    # A test ends with a line of its own.
    run.log.on_test_start(run.trainer, run.module)  # type: ignore[arg-type]
    for _ in range(6):
        run.clock.now += 25
        run.log.on_test_batch_end(run.trainer, run.module)  # type: ignore[arg-type]
    run.log.on_test_end(run.trainer, run.module)  # type: ignore[arg-type]
    assert caplog.messages == [
        "test: 3 of 6 batches, 0.04 batches/s, 0:01:15 left",
        "test: 6 batches in 0:02:30",
    ]


def test_where_there_is_a_bar_a_terminal_has_the_epochs_line_alone(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    run = Training(monkeypatch, bar=SimpleNamespace(say=said.append))
    run.start()
    run.epoch()
    run.step(0, loss=0.5, seconds=60)
    run.end(0.5)
    assert [getattr(record, IN_BAR) for record in caplog.records] == [True, True, True]
    assert said == ["epoch 1/3: 1 step in 0:01:00, loss 0.500, 0.1 pairs/s; 0:29:00 left"]


def test_of_several_processes_the_first_speaks_for_all(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {}
    for rank in (0, 1):
        monkeypatch.setattr("clir_lightning.lightning.callbacks.training_log.world", lambda rank=rank: (rank, 2))
        run = Training(monkeypatch, is_global_zero=rank == 0)
        run.start()
        run.epoch()
        run.step(0, loss=0.5, seconds=60)
        run.end(0.5)
        said[rank] = list(caplog.messages)
        caplog.clear()
    assert said[1] == []
    assert said[0] == [
        "training on 2 × cpu in 32-true: 3 epochs of 10 steps",
        "epoch 1/3, step 1/10: loss 0.500, 0.2 pairs/s, 0:29:00 left",
        "epoch 1/3: 1 step in 0:01:00, loss 0.500, 0.2 pairs/s; 0:29:00 left",
    ]
