"""Training that stops on purpose, and the generators' states that let it go on."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clir_lightning.errors import ClirError
from clir_lightning.lightning.interruption import FiniteLoss
from clir_lightning.lightning.resumption import Resumption
from clir_lightning.types import Sample

TRAINER: Any = SimpleNamespace(global_rank=0, global_step=7, current_epoch=2)
MODULE: Any = None


def test_a_loss_that_is_no_number_stops_and_names_the_batch(tmp_path: Path) -> None:
    guard = FiniteLoss(tmp_path)
    batch = SimpleNamespace(samples=(Sample("q", ("a", "b"), (1, 0)),))
    guard.on_train_batch_start(TRAINER, MODULE, batch, 0)
    guard.on_before_backward(TRAINER, MODULE, torch.tensor(0.5))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ClirError, match="the loss is nan at step 7"):
        guard.on_before_backward(TRAINER, MODULE, torch.tensor(torch.nan))
    kept = json.loads((tmp_path / "bad_batch.json").read_text())
    assert kept == {"epoch": 2, "step": 7, "samples": [{"query": "q", "documents": ["a", "b"]}]}


def draws() -> tuple[float, float, float]:
    return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002


def test_generators_go_on_where_they_were_saved(tmp_path: Path) -> None:
    torch.save(Resumption().state_dict(), tmp_path / "state")  # as plain as a checkpoint must be
    expected = draws()
    draws()
    again = Resumption()
    again.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    draws()
    again.on_train_batch_start(TRAINER, MODULE, None, 0)
    assert draws() == expected
    again.on_train_batch_start(TRAINER, MODULE, None, 1)
    assert draws() != expected
