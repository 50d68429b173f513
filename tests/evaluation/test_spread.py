"""The spread of scores against scikit-learn's AUC and against hand-worked rows."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score

from clir_lightning.evaluation.spread import spread


def test_two_grades_are_ordered_as_the_area_under_the_curve_says() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(20, 30, generator=generator).round(decimals=1)  # with ties
    grades = (torch.rand(20, 30, generator=generator) < 0.3).int() * 6
    expected = sum(roc_auc_score(g > 0, s) for s, g in zip(scores, grades, strict=True)) / 20
    assert spread(scores, grades).ordered == pytest.approx(expected, abs=1e-12)


def test_rows_by_hand_with_a_shorter_list_and_one_that_tells_nothing() -> None:
    scores = torch.tensor([[1.0, 3.0, 2.0], [5.0, 4.0, 99.0], [7.0, 7.0, 7.0]])
    grades = torch.tensor([[1, 2, 0], [0, 3, 9], [4, 4, 4]])
    present = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
    found = spread(scores, grades, present)
    assert found.deviation == pytest.approx(((2 / 3) ** 0.5 + 0.5 + 0.0) / 3)
    assert found.ordered == pytest.approx((2 / 3 + 0.0) / 2)  # of the first only the 1 against the 0 is wrong
    assert found.gap == pytest.approx((1.5 - 1.0) / 2)


def test_what_nothing_is_known_of_is_nan() -> None:
    found = spread(torch.tensor([[1.0]]), torch.tensor([[3]]))
    assert math.isnan(found.deviation)
    assert math.isnan(found.ordered)
    assert math.isnan(found.gap)
    assert spread(torch.full((2, 3), 0.5), torch.tensor([[1, 0, 0], [0, 1, 0]])).ordered == 0.5
