"""The alarm by hand-made scores, and in a training that really collapses."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from clir_lightning.evaluation.ranking import Pool
from clir_lightning.lightning.callbacks.collapse_alarm import CollapseAlarm
from clir_lightning.lightning.callbacks.ranking_metrics import RankingMetrics
from program import clir

POOL = Pool.of({"q": ["a", "b"], "p": ["c", "d"]}, {"q": {"a": 3, "b": 0}, "p": {"c": 1}})
APART, ALIKE = [[2.0, 1.0], [0.0, 4.0]], [[5.0, 5.0], [3.0, 3.001]]


class Module:
    """What the callback asks of a LightningModule."""

    def __init__(self) -> None:
        self.logged: dict[str, float] = {}
        self.step_scores: torch.Tensor | None = None

    def log(self, name: str, value: float, **_: Any) -> None:
        self.logged[name] = value


class Trainer(SimpleNamespace):
    """What it asks of a trainer of one process."""

    def __init__(self, *callbacks: Any) -> None:
        rate = SimpleNamespace(param_groups=[{"lr": 0.25}])
        decide = SimpleNamespace(reduce_boolean_decision=lambda decision, **_: decision)
        super().__init__(callbacks=callbacks, optimizers=[rate], strategy=decide, global_step=0)
        self.should_stop, self.sanity_checking, self.is_global_zero = False, False, True


def steps(alarm: CollapseAlarm, trainer: Any, scores: list[list[float]], count: int) -> dict[str, float]:
    """So many training steps that give these scores; what was logged."""
    module: Any = Module()
    module.step_scores = torch.tensor(scores)
    for _ in range(count):
        trainer.global_step += 1
        alarm.on_train_batch_end(trainer, module, None, SimpleNamespace(grades=torch.tensor([[1, 0], [1, 0]])), 0)
    logged: dict[str, float] = module.logged
    return logged


def test_spread_is_logged_and_scores_apart_raise_nothing(caplog: pytest.LogCaptureFixture) -> None:
    logged = steps(CollapseAlarm(steps=10), Trainer(), APART, 50)
    assert logged == {"train/score_deviation": (0.5 + 2.0) / 2, "train/ordered": 0.5, "train/gap": (1.0 - 4.0) / 2}
    assert caplog.text == ""


def test_it_is_raised_once_after_so_many_steps_without_a_break(caplog: pytest.LogCaptureFixture) -> None:
    alarm, trainer = CollapseAlarm(steps=30), Trainer()
    steps(alarm, trainer, ALIKE, 30)
    steps(alarm, trainer, APART, 10)
    steps(alarm, trainer, ALIKE, 30)
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        steps(alarm, trainer, ALIKE, 30)
    (said,) = caplog.messages
    assert said.startswith("step 80: the scores have collapsed: for 30 steps all documents of a query got almost")
    assert "a learning rate that is too high (0.25 now: optimizer.learning_rate)" in said
    assert trainer.should_stop is False


def test_a_validation_raises_it_at_once_and_stops_if_asked(caplog: pytest.LogCaptureFixture) -> None:
    metrics = RankingMetrics({"val": POOL})
    alarm, trainer, module = CollapseAlarm(stop=True), Trainer(metrics), Module()
    places = metrics.metrics["val"].places(["q", "q", "p"], ["a", "b", "c"])
    metrics.metrics["val"].update(*places, torch.tensor([1.0, 3.0, 7.0]))
    given: Any = module
    alarm.on_validation_epoch_end(trainer, given)  # type: ignore[arg-type]
    assert module.logged == {"val/score_deviation": 1.0, "val/ordered": 0.0, "val/gap": -2.0}  # d was not scored
    assert trainer.should_stop is False
    metrics.metrics["val"].reset()
    metrics.metrics["val"].update(*places, torch.tensor([7.0, 7.0, 7.0]))
    alarm.on_validation_epoch_end(trainer, given)  # type: ignore[arg-type]
    assert trainer.should_stop is True
    assert "in the validation" in caplog.text
    assert "The training ends." in caplog.text


def test_scores_of_nought_are_a_collapse_and_single_documents_tell_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert steps(CollapseAlarm(), Trainer(), [[1.0], [2.0]], 20) == {}
    alarm, trainer = CollapseAlarm(steps=0), Trainer()
    steps(alarm, trainer, [[0.0, 0.0], [0.0, 0.0]], 10)
    assert "collapsed" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["cross", "dual"])
def test_a_training_that_collapses_says_so_and_stops(architecture: str, tmp_path: Path) -> None:
    short = ("trainer.max_epochs=5", "+trainer.limit_train_batches=60", "candidates.val_queries=3")
    settings = (f"architecture={architecture}", "optimizer.learning_rate=0.3", "candidates.test_queries=3")
    alarm = ("callbacks.collapse.steps=20", "callbacks.collapse.stop=true", "hydra.run.dir=out")
    clir("train", *short, *settings, *alarm, cwd=tmp_path)
    text = (tmp_path / "out" / "train.log").read_text()
    assert text.count("the scores have collapsed") == 1
    rows = (tmp_path / "out" / "metrics.csv").read_text().splitlines()
    assert all(name in rows[0] for name in ("train/score_deviation", "train/gap", "val/ordered"))
    assert max(int(float(row.split(",")[rows[0].split(",").index("epoch")])) for row in rows[1:]) <= 1
