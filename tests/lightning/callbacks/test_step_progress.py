"""A short training counts its steps, those of several batches too, and says so at its end."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from clir_lightning import progress
from clir_lightning.lightning.callbacks.step_progress import StepProgress

MODULE: Any = None


def test_steps_are_counted_from_where_the_training_begins(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "LONG", 0.0)
    trainer: Any = SimpleNamespace(estimated_stepping_batches=5, global_step=2)
    callback = StepProgress("learning topics", bar=False)
    callback.on_train_start(trainer, MODULE)
    for step in (2, 3, 3, 4):  # every other batch ends a step
        trainer.global_step = step
        callback.on_train_batch_end(trainer, MODULE)
    assert callback._progress is not None
    assert (callback._progress.done, callback._progress.total) == (4, 5)
    callback.on_train_end(trainer, MODULE)
    assert caplog.messages == ["learning topics: 2 steps in 0:00:00, 2 were done before"]


def test_a_training_without_end_has_no_total_and_one_that_fails_no_last_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "LONG", 0.0)
    trainer: Any = SimpleNamespace(estimated_stepping_batches=float("inf"), global_step=0)
    callback = StepProgress("learning topics", bar=False)
    callback.on_train_start(trainer, MODULE)
    trainer.global_step = 1
    callback.on_train_batch_end(trainer, MODULE)
    assert callback._progress is not None
    assert callback._progress.total is None
    callback.on_exception(trainer, MODULE, KeyError())
    callback.on_train_end(trainer, MODULE)
    assert caplog.messages == []
