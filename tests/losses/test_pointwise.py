"""Binary cross-entropy against scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import log_loss

from clir_lightning.errors import ConfigError
from clir_lightning.losses.needs import check_samples
from clir_lightning.losses.pointwise import BinaryCrossEntropy, binary_cross_entropy
from clir_lightning.types import Sample


def test_against_scikit_learn() -> None:
    scores = torch.tensor([[1.2, -0.4, 0.3], [0.1, 2.0, -3.0]], dtype=torch.float64)
    grades = torch.tensor([[6, 3, 0], [1, 0, 0]])
    expected = [
        log_loss([g > 0 for g in row], torch.sigmoid(s).tolist(), labels=[False, True])
        for row, s in zip(grades.tolist(), scores, strict=True)
    ]
    assert binary_cross_entropy(scores, grades).tolist() == pytest.approx(expected, rel=1e-9)


def test_a_top_grade_makes_labels_graded() -> None:
    """At σ = ¾, grade 3 of 6 wants ½: −½·log ¾ − ½·log ¼; grades above the top count as 1: −log ¾."""
    value = BinaryCrossEntropy(top=6)(torch.full((1, 2), math.log(3)), torch.tensor([[3, 9]])).item()
    assert value == pytest.approx((math.log(4 / 3) / 2 + math.log(4) / 2 + math.log(4 / 3)) / 2)


def test_grades_below_0_count_as_0() -> None:
    scores = torch.tensor([[0.5, -1.0]])
    below = binary_cross_entropy(scores, torch.tensor([[3, -2]]))
    assert below.tolist() == binary_cross_entropy(scores, torch.tensor([[3, 0]])).tolist()


def test_single_documents_do() -> None:
    losses = {"bce": BinaryCrossEntropy()}
    check_samples(losses, [Sample("q", ("a",), (6,)), Sample("r", ("a",), (0,))])
    told = r"^loss bce needs documents of different grades, got grade 6 alone; set sampling\.negatives to 1 or more$"
    with pytest.raises(ConfigError, match=told):
        check_samples(losses, [Sample("q", ("a",), (6,)), Sample("r", ("a",), (6,))])
    with pytest.raises(ConfigError, match=r"loss.bce.top is 0; allowed: a grade above 0"):
        BinaryCrossEntropy(top=0)
