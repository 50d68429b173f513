"""The bar shows the loss of every tenth step, and keeps it in between without a look at the device."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

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
