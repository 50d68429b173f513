"""The objective's parts against NumPy, term by term."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from clir_lightning.topics.objective import alignment, divergence, log_likelihood, prior_variance


def test_the_prior_is_laplaces_approximation_of_a_dirichlet() -> None:
    topics, alpha = 7, 0.3
    whole = np.full(topics, alpha)
    variance = (1 / whole) * (1 - 2 / topics) + (1 / whole).sum() / topics**2
    assert prior_variance(topics, alpha) == pytest.approx(variance[0])


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    random = np.random.default_rng(1)
    mean, log_variance, prior = random.normal(size=(3, 4)), random.normal(size=(3, 4)), 0.8
    by_hand = [
        sum(
            0.5 * (math.exp(v) / prior + m * m / prior - 1 + math.log(prior) - v)
            for m, v in zip(mean[row], log_variance[row], strict=True)
        )
        for row in range(3)
    ]
    found = divergence(torch.tensor(mean), torch.tensor(log_variance), prior)
    assert found.numpy() == pytest.approx(by_hand, rel=1e-6)
    # Torch's own, of distributions as objects.
    first = torch.distributions.Normal(torch.tensor(mean), torch.tensor(log_variance / 2).exp())
    second = torch.distributions.Normal(torch.zeros(3, 4), math.sqrt(prior))
    assert torch.distributions.kl_divergence(first, second).sum(dim=1).numpy() == pytest.approx(by_hand, rel=1e-6)


def test_the_likelihood_weighs_each_words_log_probability_by_its_count() -> None:
    random = np.random.default_rng(2)
    logits, counts = random.normal(size=(2, 5)), random.integers(0, 4, size=(2, 5)).astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = log_likelihood(torch.tensor(counts), torch.tensor(logits))
    assert found.numpy() == pytest.approx((counts * np.log(shares)).sum(axis=1))


def by_hand(queries: np.ndarray, documents: np.ndarray, linked: np.ndarray, temperature: float) -> float:
    """InfoCTM's loss, loop by loop."""
    one = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    other = documents / np.linalg.norm(documents, axis=1, keepdims=True)
    scores = one @ other.T / temperature
    means = []
    for table, links in ((scores, linked), (scores.T, linked.T)):
        rows = []
        for row, link in zip(table, links, strict=True):
            if link.any():
                rest = np.exp(row[~link]).sum()
                rows.append(np.mean([-np.log(np.exp(s) / (np.exp(s) + rest)) for s in row[link]]))
        means.append(np.mean(rows))
    return float(np.mean(means))


def test_alignment_is_infoctms() -> None:
    random = np.random.default_rng(3)
    queries, documents = random.normal(size=(4, 3)), random.normal(size=(5, 3))
    linked = np.zeros((4, 5), bool)
    linked[[0, 0, 1, 3], [1, 2, 0, 4]] = True  # a term with two translations, one with none; a translation with none
    found = alignment(torch.tensor(queries), torch.tensor(documents), torch.tensor(linked), 0.2)
    assert float(found) == pytest.approx(by_hand(queries, documents, linked, 0.2))


def test_alignment_falls_where_linked_terms_come_closer_and_nothing_breaks_without_others() -> None:
    queries = torch.eye(3, requires_grad=True)
    apart = alignment(queries, torch.eye(3).roll(1, 0), torch.eye(3).bool())
    assert alignment(queries, torch.eye(3), torch.eye(3).bool()) < apart
    for linked in (torch.ones(3, 3).bool(), torch.zeros(3, 3).bool()):  # no other term; no link
        loss = alignment(queries, torch.eye(3), linked)
        assert float(loss) == 0
        (gradient,) = torch.autograd.grad(loss, queries, allow_unused=True)
        assert gradient is None or bool(gradient.isfinite().all())
