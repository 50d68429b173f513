"""The nearest names of one that isn't there, as people mistype them."""

from __future__ import annotations

import pytest

from clir_lightning.settings.spelling import did_you_mean, nearest

KNOWN = (
    *("seed", "candidates.seed", "dropout", "encoder.dropout", "batches.size", "batches.score_size", "encoder.name"),
    *("optimizer.learning_rate", "optimizer.head_learning_rate", "optimizer.warmup", "trainer.max_epochs"),
    *("callbacks.collapse.stop", "callbacks.collapse.steps", "architecture", "architecture.features"),
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("datamodule.batchsize", ["batches.size"]),
        ("batch_size", ["batches.size"]),
        ("lr", ["optimizer.learning_rate"]),
        ("optimizer.lr", ["optimizer.learning_rate"]),
        ("optimizer.learnng_rate", ["optimizer.learning_rate", "optimizer.head_learning_rate"]),
        ("epochs", ["trainer.max_epochs"]),
        ("callbacks.colapse.stop", ["callbacks.collapse.stop"]),
        ("archi", ["architecture"]),
        ("dropuot", ["dropout", "encoder.dropout"]),
        ("SEED", ["seed", "candidates.seed"]),
        ("optimizer.momentum", []),  # a long first part makes no two of its settings alike
        ("qqqq", []),
        ("x", []),
    ],
)
def test_a_mistyped_name_is_answered_with_the_one_that_was_meant(typed: str, meant: list[str]) -> None:
    assert nearest(typed, KNOWN) == meant


def test_no_more_names_than_asked_for() -> None:
    assert nearest("seed1", ["seed1", *(f"seed{number}x" for number in range(9))], most=2) == ["seed1", "seed1x"]


def test_the_question_names_all_that_are_near() -> None:
    assert did_you_mean("seeds", KNOWN) == "; did you mean seed or candidates.seed?"
    assert did_you_mean("qqqq", KNOWN) == ""
