"""The pairwise losses against numbers worked out by hand and torch's own functions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import logsigmoid, margin_ranking_loss

from clir_lightning.errors import ConfigError
from clir_lightning.losses.needs import check_samples
from clir_lightning.losses.pairwise import (
    MarginHinge,
    OneMinusSigmoid,
    RankNet,
    SoftmaxHinge,
    margin_hinge,
    one_minus_sigmoid,
    ranknet,
    softmax_hinge,
)
from clir_lightning.types import Sample


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def pair(*rows: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores with the positive first, and grades to them."""
    scores = torch.tensor(rows, dtype=torch.float64)
    grades = torch.zeros_like(scores)
    grades[:, 0] = 6
    return scores, grades


def test_margin_zero_is_one_minus_sigmoid_of_the_difference() -> None:
    scores, grades = pair([1.5, 0.2], [-0.3, 0.4], [3.0, -2.0])
    expected = [1 - sigmoid(float(positive - negative)) for positive, negative in scores]
    assert softmax_hinge(scores, grades).tolist() == pytest.approx(expected, abs=1e-12)
    assert one_minus_sigmoid(scores, grades).tolist() == pytest.approx(expected, abs=1e-12)


def test_a_margin_forgives_small_probabilities() -> None:
    """p⁻ is .1192 at a difference of 2 and .8808 at −2: with margin .2 the first costs 0, the second .6808."""
    scores, grades = pair([2.0, 0.0], [0.0, 2.0])
    assert softmax_hinge(scores, grades, margin=0.2).tolist() == pytest.approx([0, sigmoid(2) - 0.2], abs=1e-12)


def test_a_margin_is_half_the_textbook_hinge_with_gap() -> None:
    scores = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    p = torch.softmax(scores, dim=1)
    textbook = torch.relu(0.6 - (p[:, 0] - p[:, 1])) / 2
    values = softmax_hinge(scores, torch.tensor([[6.0, 0.0]]).expand(20, 2), margin=0.2)
    assert torch.allclose(values, textbook, atol=1e-12)


def test_several_negatives_are_averaged() -> None:
    scores, grades = pair([1.0, 0.0, -1.0])
    assert softmax_hinge(scores, grades).item() == pytest.approx((sigmoid(-1) + sigmoid(-2)) / 2, abs=1e-12)


def test_graded_lists_use_all_ordered_pairs_whatever_their_order() -> None:
    """Grades 0, 3, 6, 3: five ordered pairs (6>3 twice, 6>0, 3>0 twice), hinges .5, 2, 0, .5, 2."""
    scores, grades = torch.tensor([[0.0, 1.0, 0.5, -1.0]]), torch.tensor([[0, 3, 6, 3]])
    expected = [1 - 0.5 + 1, max(0, 1 - 1.5), 1 - 0.5, max(0, 1 - 1.0), 1 + 1.0]
    assert margin_hinge(scores, grades).item() == pytest.approx(sum(expected) / 5)


def test_against_torch() -> None:
    scores = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    grades = torch.tensor([[1.0, 0.0]]).expand(50, 2)
    gap = scores[:, 0] - scores[:, 1]
    assert torch.allclose(ranknet(scores, grades), -logsigmoid(gap))
    torch_hinge = margin_ranking_loss(scores[:, 0], scores[:, 1], torch.ones(50), margin=0.3, reduction="none")
    assert torch.allclose(margin_hinge(scores, grades, 0.3), torch_hinge)


def test_like_grades_teach_nothing() -> None:
    scores = torch.zeros(1, 3, requires_grad=True)
    total = torch.stack([f(scores, torch.tensor([[3, 3, 3]])) for f in (softmax_hinge, ranknet, margin_hinge)])
    total.sum().backward()  # type: ignore[no-untyped-call]
    assert total.tolist() == [[0.0], [0.0], [0.0]]
    assert scores.grad is not None
    assert scores.grad.tolist() == [[0.0, 0.0, 0.0]]


def test_the_gradient_parts_positive_from_negative() -> None:
    scores = torch.zeros(1, 2, requires_grad=True)
    SoftmaxHinge()(scores, torch.tensor([[6.0, 0.0]])).sum().backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[-0.25, 0.25]]  # σ'(0) = 1/4


def test_modules_pass_their_settings_on() -> None:
    scores, grades = pair([0.5, 0.0])
    assert MarginHinge(margin=2.0)(scores, grades).item() == pytest.approx(1.5)
    assert SoftmaxHinge(margin=0.1)(scores, grades).item() == pytest.approx(sigmoid(-0.5) - 0.1)
    assert RankNet()(scores, grades).item() == pytest.approx(-math.log(sigmoid(0.5)))
    assert OneMinusSigmoid()(scores, grades).item() == pytest.approx(sigmoid(-0.5))


def test_samples_that_teach_nothing_are_rejected() -> None:
    losses = {"ranknet": RankNet()}
    check_samples(losses, [Sample("q", ("a", "b"), (6, 0))])
    with pytest.raises(ConfigError, match=r"loss ranknet needs 2 or more documents per query, got 1; use sampling="):
        check_samples(losses, [Sample("q", ("a",), (6,))])
    with pytest.raises(ConfigError, match=r"documents of different grades in a sample, .*; use sampling=original"):
        check_samples(losses, [Sample("q", ("a", "b"), (3, 3))])
    with pytest.raises(ConfigError, match="a loss has weight 0; allowed: above 0"):
        RankNet(weight=0)
