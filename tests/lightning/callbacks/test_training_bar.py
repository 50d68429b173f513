"""The bar shows the loss of every tenth step, and keeps it in between without a look at the device."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from clir_lightning.lightning.callbacks.training_bar import TrainingBar

MODULE: Any = None


def trainer(step: int, loss: float | None) -> Any:
    logged = {} if loss is None else {"train/loss_step": torch.tensor(loss)}
    return SimpleNamespace(
        training=True, global_step=step, callback_metrics=logged, progress_bar_metrics={"val/ndcg_10": 0.5}, loggers=[]
    )


def test_the_loss_of_every_tenth_step_is_shown_until_the_next() -> None:
    bar = TrainingBar()
    assert bar.get_metrics(trainer(9, 0.9), MODULE) == {"val/ndcg_10": 0.5}
    assert bar.get_metrics(trainer(10, 0.8), MODULE) == {"val/ndcg_10": 0.5, "train/loss": torch.tensor(0.8).item()}
    assert bar.get_metrics(trainer(19, 0.7), MODULE)["train/loss"] == torch.tensor(0.8).item()
    assert bar.get_metrics(trainer(20, 0.6), MODULE)["train/loss"] == torch.tensor(0.6).item()


def test_there_is_no_loss_before_the_first_step() -> None:
    assert TrainingBar().get_metrics(trainer(0, None), MODULE) == {"val/ndcg_10": 0.5}


@pytest.mark.parametrize(("last", "shown"), [(15, "Epoch 1/15"), (-1, "Epoch 1   "), (None, "Epoch 1   ")])
def test_epochs_count_from_1_as_in_the_log(last: int | None, shown: str) -> None:
    bar = TrainingBar()
    bar._trainer = SimpleNamespace(max_epochs=last)  # type: ignore[assignment]
    assert bar._get_train_description(0) == shown


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_there_is_a_bar_where_one_is_wanted_and_can_be_drawn(
    wanted: bool, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: terminal))
    assert isinstance(TrainingBar.where(wanted), TrainingBar) == (wanted and terminal)


def test_a_line_stands_above_the_bar_as_it_is() -> None:
    bar = TrainingBar()
    bar.say("before there is a bar")
    written = io.StringIO()
    bar.progress = SimpleNamespace(console=Console(file=written, width=20))  # type: ignore[assignment]
    bar.say("epoch 1/2: a line that is longer than [20] columns")
    assert written.getvalue() == "epoch 1/2: a line that is longer than [20] columns\n"
