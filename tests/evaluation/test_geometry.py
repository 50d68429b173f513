"""Geometry against NumPy and scikit-learn, on vectors whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import normalize

from clir_lightning.evaluation.geometry import (
    area_under_curve,
    centred,
    effective_rank,
    geometry,
    language_bias,
    meaning,
    told_apart,
    uniformity,
    whitening,
)


def cone(count: int, width: int, offset: float, seed: int) -> torch.Tensor:
    """Unit vectors around one direction; a large offset makes a narrow cone."""
    vectors = torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    vectors[:, 0] += offset
    return normalize(vectors, dim=-1)


def test_values_equal_those_of_independent_tools() -> None:
    queries, documents = cone(20, 8, 1.0, seed=1), cone(30, 8, 2.0, seed=2)
    positives = torch.stack([torch.arange(20), torch.arange(20)], dim=1)
    negatives = torch.stack([torch.arange(20), torch.arange(10, 30)], dim=1)
    found = geometry(3 * queries, documents, positives, negatives)
    q, d = queries.numpy(), documents.numpy()
    cosines = q @ d.T
    above, below = cosines[np.arange(20), np.arange(20)], cosines[np.arange(20), np.arange(10, 30)]
    assert found.cosines.random_mean == pytest.approx(cosines.mean())
    assert found.cosines.random_deviation == pytest.approx(cosines.std())
    assert found.cosines.gap == pytest.approx(above.mean() - below.mean())
    labels = np.repeat([1, 0], 20)
    assert found.cosines.auc == pytest.approx(roc_auc_score(labels, np.concatenate([above, below])))
    values = np.linalg.svd(np.concatenate([q, d]), compute_uv=False)
    shares = values / values.sum()
    assert found.effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert found.top_share == pytest.approx(values[0] ** 2 / (values**2).sum())
    assert found.document_mean_norm == pytest.approx(np.linalg.norm(d.mean(axis=0)))
    assert found.alignment == pytest.approx((2 - 2 * above).mean())
    both = np.concatenate([q, d])
    apart = [((x - y) ** 2).sum() for i, x in enumerate(both) for y in both[:i]]
    assert found.uniformity == pytest.approx(np.log(np.exp(-2 * np.array(apart)).mean()))


def test_a_narrower_cone_has_higher_cosines_and_a_lower_rank() -> None:
    wide, narrow = cone(200, 16, 0.0, seed=1), cone(200, 16, 20.0, seed=1)
    assert effective_rank(narrow) < effective_rank(wide) / 1.5
    assert uniformity(narrow) > uniformity(wide) + 1
    mean = narrow.mean(dim=0)
    assert effective_rank(centred(narrow, mean)) > 0.9 * effective_rank(wide)


def test_equal_cosines_count_half() -> None:
    assert area_under_curve(torch.ones(3), torch.ones(4)) == 0.5


def test_two_languages_apart_are_a_bias_and_centring_ends_it() -> None:
    queries, documents = cone(60, 16, 6.0, seed=1), cone(60, 16, -6.0, seed=2)
    assert language_bias(queries, documents) == pytest.approx(0.5)
    both = [centred(vectors, vectors.mean(dim=0)) for vectors in (queries, documents)]
    assert abs(language_bias(both[0], both[1])) < 0.05


def test_whitened_vectors_are_uncorrelated_and_directions_without_variance_are_left_out() -> None:
    vectors = torch.randn(500, 3, generator=torch.Generator().manual_seed(1)) @ torch.tensor(
        [[3.0, 1.0, 0.0, 4.0], [0.0, 2.0, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5]]
    )
    vectors = vectors - vectors.mean(dim=0)
    white = vectors @ whitening(vectors)
    assert white.shape == (500, 3)
    assert torch.allclose(white.T @ white / 500, torch.eye(3), atol=1e-4)


def test_a_list_of_one_grade_tells_nothing_apart() -> None:
    lists = {"a": ["x", "y"], "b": ["x", "y", "z"]}
    qrels = {"a": {"x": 1, "y": 1}, "b": {"y": 3, "z": 3}}
    positives, negatives = told_apart(lists, qrels, {"a": 0, "b": 1}, {"x": 0, "y": 1, "z": 2})
    assert positives.tolist() == [[1, 1], [1, 2]]
    assert negatives.tolist() == [[1, 0]]


def test_documents_and_queries_without_a_judgement_count_as_grade_0() -> None:
    lists = {"a": ["x", "y"], "unjudged": ["x", "y"]}
    found = told_apart(lists, {"a": {"y": 1}}, {"a": 0, "unjudged": 1}, {"x": 0, "y": 1})
    assert [pairs.tolist() for pairs in found] == [[[0, 1]], [[0, 0]]]
    assert [tuple(pairs.shape) for pairs in told_apart({}, {}, {}, {})] == [(0, 2), (0, 2)]


@pytest.mark.parametrize(("signal", "words"), [(0.0, "hardly tell documents apart"), (3.0, "order depends on diff")])
def test_high_cosines_alone_are_not_called_a_collapse(signal: float, words: str) -> None:
    draws = torch.Generator().manual_seed(3)
    shared = torch.randn(50, 16, generator=draws, dtype=torch.double) * signal
    queries, documents = (
        normalize(shared + torch.randn(50, 16, generator=draws, dtype=torch.double) + torch.eye(16)[0] * 40, dim=-1)
        for _ in range(2)
    )
    own = torch.arange(50)
    found = geometry(queries, documents, torch.stack([own, own], dim=1), torch.stack([own, own.roll(1)], dim=1))
    assert found.cosines.random_mean > 0.7
    assert words in meaning(found, found, 16)[0]
