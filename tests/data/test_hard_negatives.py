"""Which documents of a run are negatives, worked out by hand."""

from __future__ import annotations

import pytest

from clir_lightning.data.hard_negatives import Filters, mine
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


def test_a_teacher_rules_out_what_it_scores_like_the_positive_or_not_at_all() -> None:
    teacher = Run({"q": {"p": 0.9, "a": 0.8, "b": 0.2, "d": 0.1}})
    assert left(Filters(teacher_margin=0.5), teacher) == ["b", "d"]
    with pytest.raises(ConfigError, match="add teacher=RUN_FILE"):
        left(Filters(teacher_margin=0.5))


def test_the_run_decides_between_equally_good_positives() -> None:
    mined = mine(RUN, {"q": {"p": 6, "c": 6}}, Filters(margin=3.0))
    assert mined.positives == {"q": "p"}
    assert mined.negatives.ranking("q") == ["d", "e"]
    assert mined.removed == {"grade": 2, "unjudged": 0, "margin": 2, "teacher": 0}


def test_triples_are_drawn_by_the_seed_and_leave_short_queries_out() -> None:
    mined = mine(RUN, QRELS, Filters())
    (sample,) = mined.triples(3, seed=1)
    assert sample.document_ids[0] == "p"
    assert set(sample.document_ids[1:]) < {"a", "b", "d", "e"}
    assert mined.triples(3, seed=1) == [sample]
    assert mined.triples(5, seed=1) == []
