"""*Random order* against its expectation, *ideal* against the qrels, on the real zh-kk judgements too."""

from __future__ import annotations

from pathlib import Path

import pytest

from clir_lightning.data.files.trec import read_qrels
from clir_lightning.evaluation.bounds import ideal, random_order
from clir_lightning.evaluation.evaluate import MEASURES
from clir_lightning.evaluation.ranking import Pool


def test_random_order_is_the_expectation() -> None:
    """One relevant document among ten: the mean reciprocal rank is H(10) / 10, recall at 3 is 3 / 10."""
    documents = [f"d{i}" for i in range(10)]
    pool = Pool.of({f"q{i}": documents for i in range(2000)}, {f"q{i}": {"d3": 2} for i in range(2000)})
    means = random_order(pool, ["mrr", "recall_3"]).means
    assert means["mrr"] == pytest.approx(sum(1 / rank for rank in range(1, 11)) / 10, abs=0.005)
    assert means["recall_3"] == pytest.approx(0.3, abs=0.007)


def test_the_same_seed_gives_the_same_floor_and_lists_may_differ_in_length() -> None:
    pool = Pool.of({"q": ["a", "b", "c"], "p": ["a"]}, {"q": {"a": 1}, "p": {"a": 1}, "none": {"a": 1}})
    first, second = random_order(pool, ["mrr_5"]), random_order(pool, ["mrr_5"])
    assert first == second
    assert first.per_query["p"]["mrr_5"] == 1.0
    assert first.per_query["none"]["mrr_5"] == 0.0


def test_the_real_judgements(real_data: Path) -> None:
    qrels = read_qrels(real_data / "clirmatrix-zh-kk-excerpt" / "test.qrels.gz")
    pool = Pool.of(qrels, qrels)
    floor = random_order(pool, MEASURES).means
    # Independent shuffles of these judgements, each scored with pytrec_eval: .071, .092 and .204.
    assert floor["ndcg_5"] == pytest.approx(0.071, abs=0.002)
    assert floor["ndcg_10"] == pytest.approx(0.092, abs=0.002)
    assert floor["mrr_10"] == pytest.approx(0.204, abs=0.005)
    assert ideal(pool, MEASURES).means == pytest.approx(dict.fromkeys(MEASURES, 1.0))
