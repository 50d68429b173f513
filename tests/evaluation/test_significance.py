"""The tests against scipy's and statsmodels', and where these are silent against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clir_lightning.evaluation.significance import holm, randomisation_test, t_test, wins_ties_losses

RNG = np.random.default_rng(3)


def mean_difference(a: np.ndarray, b: np.ndarray, axis: int = 0) -> np.ndarray:
    difference: np.ndarray = np.mean(a - b, axis=axis)
    return difference


@pytest.mark.parametrize("count", [2, 5, 12])
def test_few_queries_are_tested_exactly_as_scipy_does(count: int) -> None:
    a, b = RNG.random((2, count, 3)).round(1)  # rounded, so that some differ by nothing and sums tie
    for column, p in enumerate(randomisation_test(a - b)):
        pair = (a[:, column], b[:, column])
        expected = stats.permutation_test(pair, mean_difference, permutation_type="samples", n_resamples=10**6)
        assert p == pytest.approx(expected.pvalue, abs=1e-12)


def test_more_patterns_than_are_held_at_once_are_counted_once_each() -> None:
    """Fourteen queries that all differ: 16,384 patterns in eight parts."""
    a, b = RNG.normal(0.3, 1, (14, 1)), np.zeros((14, 1))
    pair = (a[:, 0], b[:, 0])
    expected = stats.permutation_test(pair, mean_difference, permutation_type="samples", n_resamples=10**6)
    assert randomisation_test(a - b) == pytest.approx([expected.pvalue], abs=1e-12)


def test_many_queries_are_tested_by_sampling_as_scipy_does() -> None:
    a = RNG.random((200, 2))
    b = a + RNG.normal(0.02, 0.2, (200, 2))
    p = randomisation_test(a - b, samples=50_000, seed=5)
    assert p.tolist() == randomisation_test(a - b, samples=50_000, seed=5).tolist()
    assert p.tolist() != randomisation_test(a - b, samples=50_000, seed=6).tolist()
    for column in range(2):
        expected = stats.permutation_test(
            (a[:, column], b[:, column]),
            mean_difference,
            permutation_type="samples",
            vectorized=True,
            n_resamples=50_000,
            rng=np.random.default_rng(1),
        )
        assert p[column] == pytest.approx(expected.pvalue, abs=0.01)  # 4 standard errors of two samples


def test_a_sampled_p_is_never_zero() -> None:
    assert randomisation_test(np.ones((60, 1)), samples=999).tolist() == [1 / 1000]


def test_unless_told_100_000_patterns_are_drawn_by_seed_0() -> None:
    differences = RNG.normal(0.1, 1, (25, 1))
    assert randomisation_test(differences) == randomisation_test(differences, samples=100_000, seed=0)


@pytest.mark.parametrize("count", [2, 3, 40])
def test_the_t_test_is_scipys(count: int) -> None:
    a, b = RNG.random((2, count, 3))
    assert t_test(a - b) == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-10)


@pytest.mark.filterwarnings("error")  # of a division by 0
def test_nothing_to_tell_apart_is_p_1_and_a_constant_difference_p_0() -> None:
    assert t_test(np.zeros((0, 2))).tolist() == randomisation_test(np.zeros((0, 2))).tolist() == [1.0, 1.0]
    assert t_test(np.zeros((5, 1))).tolist() == randomisation_test(np.zeros((5, 1))).tolist() == [1.0]
    assert t_test(np.array([[0.5]])).tolist() == randomisation_test(np.array([[0.5]])).tolist() == [1.0]
    assert t_test(np.full((5, 1), 0.5)).tolist() == [0.0]


def test_holm_by_hand_and_ties() -> None:
    assert holm([0.01, 0.01, 0.5, 0.9]) == pytest.approx([0.04, 0.04, 1.0, 1.0])
    assert holm([]) == []


def test_holm_is_statsmodels() -> None:
    from statsmodels.stats import multitest  # takes seconds, and pytest imports this module in each of its processes

    for _ in range(20):
        p = RNG.random(7) ** 3
        assert holm(p.tolist()) == pytest.approx(multitest.multipletests(p, method="holm")[1].tolist(), abs=1e-12)


def test_wins_ties_losses_by_hand() -> None:
    assert wins_ties_losses(np.array([[1, 0], [-1, 0], [0, 2]])) == [(1, 1, 1), (1, 2, 0)]
