"""Measures worked out by hand, and judged@k against ir_measures."""

from __future__ import annotations

import math

import ir_measures
import pytest
import torch
from sklearn.metrics import ndcg_score

from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.evaluation.measures import deepest, label, measure, ndcg_exp2
from clir_lightning.evaluation.ranking import Pool, sort_keys
from clir_lightning.types import Run

QRELS = {"q": {"a": 3, "b": 0, "c": 1, "e": 2}}  # e is not in the run; x is not judged
RUN = Run({"q": {"b": 4.0, "c": 3.0, "x": 2.0, "a": 1.0}})
BY_HAND = {
    "mrr_1": 0.0,
    "mrr_5": 1 / 2,
    "precision_2": 1 / 2,
    "precision_10": 2 / 10,
    "recall_2": 1 / 3,
    "recall_4": 2 / 3,
    "map": (1 / 2 + 2 / 4) / 3,
    "map_3": (1 / 2) / 3,
    "hits_1": 0.0,
    "hits_2": 1.0,
    "judged_3": 2 / 3,
    "judged_10": 3 / 4,
    "ndcg_4": (1 / math.log2(3) + 3 / math.log2(5)) / (3 + 2 / math.log2(3) + 1 / 2),
    "ndcgexp2_4": (1 / math.log2(3) + 7 / math.log2(5)) / (7 + 3 / math.log2(3) + 1 / 2),
}


@pytest.mark.parametrize(("name", "value"), BY_HAND.items())
def test_by_hand(name: str, value: float) -> None:
    assert evaluate(RUN, QRELS, [name]).means[name] == pytest.approx(value, abs=1e-12)


def test_a_measure_does_not_depend_on_those_beside_it() -> None:
    together = evaluate(RUN, QRELS, list(BY_HAND)).means
    assert together == pytest.approx(BY_HAND, abs=1e-12)


def test_judged_equals_ir_measures() -> None:
    theirs = ir_measures.calc_aggregate([ir_measures.Judged @ 3], QRELS, {"q": dict(RUN["q"])})
    assert evaluate(RUN, QRELS, ["judged_3"]).means["judged_3"] == pytest.approx(theirs[ir_measures.Judged @ 3])


def test_exp2_gain_equals_scikit_learn_on_raised_grades() -> None:
    torch.manual_seed(0)
    grades, scores = torch.randint(0, 5, (6, 20)), torch.randn(6, 20)
    ranked = grades.gather(1, scores.argsort(dim=1, descending=True))
    ideal = grades.sort(dim=1, descending=True).values
    theirs = ndcg_score((2**grades - 1).numpy(), scores.numpy(), k=10)
    assert float(ndcg_exp2(ranked, ideal, 10).mean()) == pytest.approx(theirs)


def test_sort_keys_follow_scores_then_columns() -> None:
    values = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 1e-45, -1e-45, 3.0, -3.0, 3.0])
    order = sort_keys(values).argsort(descending=True).tolist()
    assert order == [2, 8, 6, 4, 1, 0, 5, 7, 3]


def test_a_list_without_scores_and_depth_below_the_width() -> None:
    pool = Pool.of({"q": ["a", "b", "c"]}, {"q": {"a": 3}, "missing": {"a": 1}})
    ranked = pool.ranked(torch.tensor([[0.3, 0.1, 0.2], [0.0, 0.0, 0.0]]), depth=2)
    assert ranked.gains.tolist() == [[3, 0], [0, 0]]
    assert ranked.length.tolist() == [3, 0]


def test_labels_and_depths() -> None:
    assert [label(name) for name in ("mrr_5", "precision_5", "judged_10", "map")] == [
        "MRR@5",
        "P@5",
        "Judged@10",
        "MAP",
    ]
    assert deepest(["mrr_5", "recall_50"]) == 50
    assert measure("hits_1") is not None
