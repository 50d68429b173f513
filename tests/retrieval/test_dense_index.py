"""Search among vectors against brute force in NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.retrieval.dense_index import IndexSettings, nearest, open_index
from clir_lightning.scoring.text_encoder import Vectors

pytest.importorskip("faiss", reason="the extra `dense` is not installed")


def random_vectors(rows: int, width: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def brute_force(vectors: Vectors, query: Vectors, depth: int) -> tuple[list[int], list[float]]:
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    order = np.lexsort((np.arange(len(scores)), -scores.round(12)))[:depth]
    return order.tolist(), scores[order].tolist()


@pytest.mark.parametrize("queries", [3, 40])  # FAISS has one kernel for few queries and another for many
def test_flat_equals_brute_force(queries: int) -> None:
    vectors, asked = random_vectors(3000, 32, 1), random_vectors(queries, 32, 2)
    search = open_index(IndexSettings(), vectors, key="", cache=None)
    for query, (rows, scores) in zip(asked, nearest(search, vectors, asked, 50), strict=True):
        best, values = brute_force(vectors, query, 50)
        assert rows.tolist() == best
        assert scores.tolist() == pytest.approx(values, abs=1e-12)


def test_ties_go_to_the_lower_row_however_many_there_are() -> None:
    vectors = random_vectors(500, 16, 1)
    vectors[100:400] = vectors[7]  # 301 equal documents
    search = open_index(IndexSettings(), vectors, key="", cache=None)
    ((rows, _),) = nearest(search, vectors, vectors[7:8], 20)
    assert rows.tolist() == [7, *range(100, 119)]


def test_more_documents_asked_for_than_there_are() -> None:
    vectors = random_vectors(5, 8, 1)
    ((rows, _),) = nearest(open_index(IndexSettings(), vectors, key="", cache=None), vectors, vectors[:1], 100)
    assert sorted(rows.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("name", "least"), [("ivf", 0.9), ("hnsw", 0.95), ("pq", 0.5)])
def test_approximate_indexes_find_most_and_score_exactly(name: str, least: float, tmp_path: Path) -> None:
    vectors, asked = random_vectors(2000, 16, 1), random_vectors(20, 16, 2)
    settings = IndexSettings(name, code_bytes=8)
    for _ in range(2):  # built, then read from the cache
        search = open_index(settings, vectors, key="k", cache=tmp_path)
        hits = 0
        for query, (rows, scores) in zip(asked, nearest(search, vectors, asked, 10, exact=False), strict=True):
            hits += len(set(rows.tolist()) & set(brute_force(vectors, query, 10)[0]))
            assert scores.tolist() == pytest.approx((vectors[rows] @ query).tolist(), abs=1e-6)
        assert hits / 200 >= least
    assert len(list((tmp_path / "indexes").glob("*/index.faiss"))) == 1


def test_settings_that_cannot_work() -> None:
    with pytest.raises(ConfigError, match="index is 'flta'; allowed: flat, ivf, hnsw, pq; did you mean 'flat'"):
        IndexSettings("flta")
    with pytest.raises(ConfigError, match="code_bytes is 48; allowed: divisors of the vectors' size, 128"):
        IndexSettings("pq").recipe(1000, 128)
    with pytest.raises(ConfigError, match="use index=flat"):
        IndexSettings("pq", code_bytes=8).recipe(100, 128)
