"""The listwise losses against numbers worked out by hand, naive loops and the project's own NDCG."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, ndcg_score
from torch.nn.functional import cross_entropy

from clir_lightning.errors import ConfigError
from clir_lightning.losses.listwise import (
    LCE,
    LambdaLoss,
    ListNet,
    SoftmaxCrossEntropy,
    lambda_loss,
    lce,
    listnet,
    softmax_cross_entropy,
)
from clir_lightning.losses.needs import check_samples
from clir_lightning.types import Sample

RANDOM = torch.Generator().manual_seed(3)


def test_softmax_cross_entropy_by_hand() -> None:
    """softmax(log 4, log 2, log 1, log 1) = ½, ¼, ⅛, ⅛; grades 6, 3, 0, 0 want ⅔, ⅓: ⅔·log 2 + ⅓·log 4."""
    scores = torch.tensor([[4.0, 2.0, 1.0, 1.0]]).log()
    value = softmax_cross_entropy(scores, torch.tensor([[6, 3, 0, 0]])).item()
    assert value == pytest.approx(2 / 3 * math.log(2) + 1 / 3 * math.log(4))


def test_one_relevant_document_makes_it_torchs_cross_entropy() -> None:
    scores = torch.randn(9, 5, generator=RANDOM)
    grades = torch.zeros(9, 5)
    grades[:, 2] = 3
    expected = cross_entropy(scores, torch.full((9,), 2), reduction="none")
    assert torch.allclose(softmax_cross_entropy(scores, grades), expected)
    assert torch.allclose(lce(scores, grades), expected)


def test_only_the_shares_of_the_grades_count() -> None:
    scores, grades = torch.randn(1, 3, generator=RANDOM), torch.tensor([[2.0, 1.0, 0.0]])
    assert torch.allclose(softmax_cross_entropy(scores, grades / 100), softmax_cross_entropy(scores, grades))


def test_no_relevant_document_costs_nothing() -> None:
    assert softmax_cross_entropy(torch.randn(1, 3), torch.tensor([[0, 0, -1]])).item() == 0


def test_listnet_by_hand() -> None:
    """Targets softmax(log 3, 0) = ¾, ¼ against softmax(0, 0): log 2; at T = ½ they are 9/10, 1/10."""
    grades = torch.tensor([[math.log(3), 0.0]])
    assert listnet(torch.zeros(1, 2), grades).item() == pytest.approx(math.log(2))
    scores = torch.tensor([[math.log(3), 0.0]])
    sharp = listnet(scores, grades, temperature=0.5).item()
    assert sharp == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


def test_listnet_against_scikit_learn() -> None:
    """scikit-learn's log loss of a hard label, weighted by the target, sums to the soft cross-entropy."""
    scores, grades = torch.randn(1, 4, generator=RANDOM), torch.tensor([[6.0, 3.0, 1.0, 0.0]])
    target, given = torch.softmax(grades, 1)[0].numpy(), torch.softmax(scores.double(), 1)[0].numpy()
    expected = sum(weight * log_loss([i], [given], labels=range(4)) for i, weight in enumerate(target))
    assert listnet(scores, grades).item() == pytest.approx(expected, abs=1e-5)


def naive_lambda(scores: list[float], grades: list[float], mu: float) -> float:
    """The formula, pair by pair."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    rank = {document: place for place, document in enumerate(order, 1)}
    ideal = sum(g / math.log2(1 + r) for r, g in enumerate(sorted(grades, reverse=True), 1))
    total = 0.0
    for i, high in enumerate(grades):
        for j, low in enumerate(grades):
            if high > low:
                apart = abs(rank[i] - rank[j])
                rho = abs(1 / math.log2(1 + rank[i]) - 1 / math.log2(1 + rank[j]))
                delta = 1 / math.log2(1 + apart) - 1 / math.log2(2 + apart)
                total += (high - low) / ideal * (rho + mu * delta) * math.log2(1 + math.exp(-(scores[i] - scores[j])))
    return total


@pytest.mark.parametrize("mu", [0.0, 10.0])
def test_lambda_loss_is_its_formula(mu: float) -> None:
    scores = torch.randn(6, 7, generator=RANDOM, dtype=torch.float64)
    grades = torch.randint(0, 7, (6, 7), generator=RANDOM).double()
    expected = [naive_lambda(s, g, mu) for s, g in zip(scores.tolist(), grades.tolist(), strict=True)]
    assert lambda_loss(scores, grades, mu).tolist() == pytest.approx(expected, rel=1e-9)


def test_lambda_weights_are_the_change_of_ndcg() -> None:
    """At far-apart scores a wrong pair costs |ΔNDCG| · difference / log 2, a right one nothing."""
    scores, grades = np.array([[100.0, 0.0]]), np.array([[0.0, 3.0]])
    change = 1 - ndcg_score(grades, scores)
    value = lambda_loss(torch.tensor(scores), torch.tensor(grades)).item()
    assert value == pytest.approx(change * 100 / math.log(2), rel=1e-9)
    assert lambda_loss(-torch.tensor(scores), torch.tensor(grades)).item() == pytest.approx(0, abs=1e-9)


def test_ties_count_against_the_loss_wherever_they_stand() -> None:
    """Grade 6 tied with 0: it holds rank 2, in either order of the documents."""
    one = lambda_loss(torch.zeros(1, 2), torch.tensor([[6, 0]])).item()
    assert one == pytest.approx(1 - 1 / math.log2(3))
    three = lambda_loss(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0, 6, 0]])).item()
    assert three == pytest.approx(lambda_loss(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[6, 0, 0]])).item())


def test_lce_averages_the_best_and_leaves_them_out_of_each_others_negatives() -> None:
    """Two best at log 3 and 0 against one negative at 0: −log ¾ and −log ½."""
    scores, grades = torch.tensor([[math.log(3), 0.0, 0.0]]), torch.tensor([[6, 6, 0]])
    assert lce(scores, grades).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_lce_of_equal_grades_is_zero_with_a_finite_gradient() -> None:
    scores = torch.zeros(1, 2, requires_grad=True)
    lce(scores, torch.tensor([[3, 3]])).sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_a_steeper_lambda_loss_by_hand() -> None:
    """Scores log 3 and 0 at σ = 2: |1 − 1/log₂3| · log₂(1 + 1/9)."""
    value = lambda_loss(torch.tensor([[math.log(3), 0.0]]), torch.tensor([[1, 0]]), sigma=2.0).item()
    assert value == pytest.approx((1 - 1 / math.log2(3)) * math.log2(10 / 9))


def test_modules_pass_their_settings_on() -> None:
    scores, grades = torch.randn(2, 4, generator=RANDOM), torch.tensor([[6, 3, 1, 0], [0, 2, 0, 1]])
    assert ListNet(temperature=0.5)(scores, grades).tolist() == listnet(scores, grades, 0.5).tolist()
    assert LambdaLoss(mu=10, sigma=2)(scores, grades).tolist() == lambda_loss(scores, grades, 10, 2).tolist()
    assert lambda_loss(scores, grades, 10, 2).tolist() != lambda_loss(scores, grades, 2, 10).tolist()


def test_every_module_gives_a_value_a_query_and_a_gradient() -> None:
    grades = torch.tensor([[6, 3, 0], [3, 0, 0]])
    for module in (SoftmaxCrossEntropy(), ListNet(), LambdaLoss(mu=1.0), LCE()):
        scores = torch.zeros(2, 3, requires_grad=True)
        values = module(scores, grades)
        values.sum().backward()
        assert values.shape == (2,)
        assert scores.grad is not None
        assert (scores.grad[:, 0] < 0).all()  # the best rises


def test_single_documents_are_rejected_with_the_cure() -> None:
    with pytest.raises(
        ConfigError, match=r"loss lce needs 2 or more documents per query, got 1; use sampling=listwise"
    ):
        check_samples({"lce": LCE()}, [Sample("q", ("a",), (6,))])
    with pytest.raises(ConfigError, match=r"loss.listnet.temperature is 0"):
        ListNet(temperature=0)
