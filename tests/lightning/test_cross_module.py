"""`CrossModule`'s optimiser, and the loggers."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from clir_lightning.lightning.cross_module import CrossModule
from clir_lightning.lightning.loggers import has_wandb_key, wandb


class Steps:
    """Stands for a trainer that will make a hundred steps."""

    estimated_stepping_batches = 100


def optimiser(
    monkeypatch: pytest.MonkeyPatch, **settings: float | str
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    module = CrossModule(nn.Linear(2, 2), {}, **settings)  # type: ignore[arg-type]
    monkeypatch.setattr(pl.LightningModule, "trainer", Steps())
    made = module.configure_optimizers()
    return made["optimizer"], made["lr_scheduler"]["scheduler"]


def rates(monkeypatch: pytest.MonkeyPatch, **settings: float | str) -> list[float]:
    """The learning rate of each of the hundred steps."""
    optimizer, scheduler = optimiser(monkeypatch, **settings)
    seen = []
    for _ in range(100):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_the_rate_rises_and_falls_linearly(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = rates(monkeypatch, learning_rate=1.0, warmup=0.2)
    assert seen[0] == 0.0
    assert seen[10] == pytest.approx(0.5)
    assert seen[20] == pytest.approx(1.0)
    assert seen[60] == pytest.approx(0.5)


def test_constant_schedule_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rates(monkeypatch, learning_rate=1.0, warmup=0.0, schedule="constant")[99] == 1.0


def test_biases_are_not_decayed(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = optimiser(monkeypatch, weight_decay=0.3)[0].param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.3), (1, 0.0)]


def test_wandb_is_offline_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert not has_wandb_key()
    logger = wandb(tmp_path)
    assert logger._offline  # type: ignore[attr-defined]
    assert "no W&B key found: logging offline" in caplog.text
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert has_wandb_key()
