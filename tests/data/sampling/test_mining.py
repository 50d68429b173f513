"""Which documents of a run are negatives, worked out by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clir_lightning.data.sampling.mining import Filters, mine
from clir_lightning.errors import ConfigError
from clir_lightning.types import Run

RUN = Run({"q": {"a": 10.0, "p": 8.0, "b": 7.9, "c": 6.0, "d": 4.0, "e": 2.0}, "none": {"a": 1.0}})
QRELS = {"q": {"p": 6, "c": 3, "d": 0}, "none": {"a": 0}, "absent": {"z": 6}}


def left(filters: Filters, teacher: Run | None = None) -> list[str]:
    mined = mine(RUN, QRELS, filters, teacher)
    assert set(mined.positives) == {"q"}
    return mined.negatives.ranking("q")


@pytest.mark.parametrize(
    ("filters", "negatives"),
    [
        (Filters(), ["a", "b", "d", "e"]),
        (Filters(first=2, last=5), ["b", "d"]),
        (Filters(grade=3), ["a", "b", "c", "d", "e"]),
        (Filters(unjudged=False), ["d"]),
        (Filters(margin=0.5), ["d", "e"]),
        (Filters(ratio=0.99), ["b", "d", "e"]),
        (Filters(ratio=0.5), ["d", "e"]),
    ],
)
def test_filters(filters: Filters, negatives: list[str]) -> None:
    assert left(filters) == negatives


@pytest.mark.parametrize(
    ("ratio", "negatives"),
    [
        (1.0, ["b", "c", "d"]),  # at most −2
        (0.95, ["b", "c", "d"]),  # −2 − .05 · 2 = −2.1
        (0.9, ["c", "d"]),  # −2.2
        (0.5, ["d"]),  # −3
    ],
)
def test_a_ratio_keeps_nothing_above_a_positive_with_a_negative_score(ratio: float, negatives: list[str]) -> None:
    """Logits: −.95 · 2 = −1.9 would let x, which beats the positive, through."""
    run = Run({"q": {"x": -1.95, "p": -2.0, "y": -1.0, "b": -2.1, "c": -2.5, "d": -3.0}})
    assert mine(run, {"q": {"p": 1}}, Filters(ratio=ratio)).negatives.ranking("q") == negatives


def test_a_positive_that_the_run_did_not_find_leaves_nothing_to_compare_with() -> None:
    run, qrels = Run({"q": {"a": 2.0, "b": 1.0}}), {"q": {"p": 1}}
    for filters in (Filters(ratio=0.9), Filters(margin=0.5)):
        mined = mine(run, qrels, filters)
        assert (dict(mined.negatives), mined.removed["positive"]) == ({}, 2)
    assert mine(run, qrels, Filters()).negatives.ranking("q") == ["a", "b"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"ratio": 1.05}, "filters.ratio is 1.05; allowed: above 0, at most 1"),
        ({"ratio": 0.0}, "filters.ratio is 0.0; allowed: above 0, at most 1"),
        ({"margin": -0.1}, "filters.margin is -0.1; allowed: 0 or more"),
        ({"teacher_margin": -1.0}, "filters.teacher_margin is -1.0; allowed: 0 or more"),
        ({"first": 5, "last": 4}, "filters.last is 4; allowed: 5 or more"),
    ],
)
def test_filters_that_would_keep_what_beats_the_positive_are_rejected(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        Filters(**settings)


def test_a_teacher_rules_out_what_it_scores_like_the_positive_or_not_at_all() -> None:
    teacher = Run({"q": {"p": 0.9, "a": 0.8, "b": 0.2, "d": 0.1}})
    assert left(Filters(teacher_margin=0.5), teacher) == ["b", "d"]
    with pytest.raises(ConfigError, match="add teacher=RUN_FILE"):
        left(Filters(teacher_margin=0.5))


def test_the_run_decides_between_equally_good_positives() -> None:
    mined = mine(RUN, {"q": {"p": 6, "c": 6}}, Filters(margin=3.0))
    assert mined.positives == {"q": "p"}
    assert mined.negatives.ranking("q") == ["d", "e"]
    assert mined.removed == {"grade": 2, "unjudged": 0, "positive": 0, "margin": 2, "teacher": 0}


def test_triples_are_drawn_by_the_seed_and_leave_short_queries_out() -> None:
    mined = mine(RUN, QRELS, Filters())
    (sample,) = mined.triples(3, seed=1)
    assert sample.document_ids[0] == "p"
    assert set(sample.document_ids[1:]) < {"a", "b", "d", "e"}
    assert (sample.query_id, sample.grades) == ("q", (1, 0, 0, 0))
    assert mined.triples(3, seed=1) == [sample]
    assert {found.document_ids for seed in range(30) for found in mined.triples(1, seed=seed)} == {
        ("p", "a"),
        ("p", "b"),
        ("p", "d"),
        ("p", "e"),
    }
    assert len(mined.triples(4, seed=1)) == 1
    assert mined.triples(5, seed=1) == []
    with pytest.raises(ConfigError, match="negatives is 0; allowed: 1 or more"):
        mined.triples(0, seed=1)


def test_a_ratio_of_a_positive_score_below_1_lies_below_it() -> None:
    found = mine(Run({"q": {"p": 0.5, "a": 0.49, "b": 0.4}}), {"q": {"p": 1}}, Filters(ratio=0.9))
    assert found.negatives.ranking("q") == ["b"]
