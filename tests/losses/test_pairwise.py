"""The pairwise losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from clir_lightning.losses.pairwise import SoftmaxHinge, softmax_hinge


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_margin_zero_is_one_minus_sigmoid_of_the_difference() -> None:
    scores = torch.tensor([[1.5, 0.2], [-0.3, 0.4], [3.0, -2.0]], dtype=torch.float64)
    expected = sum(1 - sigmoid(float(positive - negative)) for positive, negative in scores) / 3
    assert softmax_hinge(scores, margin=0.0).item() == pytest.approx(expected, abs=1e-12)


def test_a_margin_forgives_small_probabilities() -> None:
    """p⁻ is .1192 at a difference of 2 and .8808 at −2: with margin .2 the first costs 0, the second .6808."""
    scores = torch.tensor([[2.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    assert softmax_hinge(scores, margin=0.2).item() == pytest.approx((0 + sigmoid(2) - 0.2) / 2, abs=1e-12)


def test_a_margin_is_half_the_textbook_hinge_with_gap() -> None:
    scores = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    p = torch.softmax(scores, dim=1)
    textbook = torch.relu(0.6 - (p[:, 0] - p[:, 1])).mean() / 2
    assert softmax_hinge(scores, margin=0.2).item() == pytest.approx(textbook.item(), abs=1e-12)


def test_several_negatives_are_averaged() -> None:
    scores = torch.tensor([[1.0, 0.0, -1.0]], dtype=torch.float64)
    assert softmax_hinge(scores).item() == pytest.approx((sigmoid(-1) + sigmoid(-2)) / 2, abs=1e-12)


def test_the_gradient_parts_positive_from_negative() -> None:
    scores = torch.zeros(1, 2, requires_grad=True)
    SoftmaxHinge()(scores, torch.tensor([[6.0, 0.0]])).backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[-0.25, 0.25]]  # σ'(0) = 1/4
