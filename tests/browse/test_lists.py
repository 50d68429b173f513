"""Lists side by side, by hand: ranks, changes, measures, and what no system found."""

from __future__ import annotations

from math import log2

import pytest

from clir_lightning.browse.lists import Answer, listings, not_found, shown_documents

FIRST = Answer("first", {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0})
SECOND = Answer("second", {"d": 0.9, "a": 0.8, "x": 0.1})
GRADES = {"a": 0, "d": 2, "x": 1, "y": 0, "z": 3}


def test_rows_have_rank_score_grade_and_change() -> None:
    first, second = listings([FIRST, SECOND], GRADES, depth=2)
    assert [(row.rank, row.document, row.score, row.grade, row.change) for row in first.rows] == [
        (1, "a", 4.0, 0, None),
        (2, "b", 3.0, None, None),
    ]
    assert [(row.rank, row.document, row.grade, row.change) for row in second.rows] == [(1, "d", 2, 3), (2, "a", 0, -1)]
    assert (first.length, second.length) == (4, 3)
    assert (first.first, second.first) == (True, False)


def test_a_change_is_counted_in_the_whole_first_list_and_none_for_what_it_lacks() -> None:
    """`d` is the fourth of the first list, of which one document is shown."""
    _, second = listings([FIRST, SECOND], None, depth=3)
    assert [row.change for row in second.rows] == [3, -1, None]


def test_the_same_list_has_no_changes() -> None:
    _, again = listings([FIRST, Answer("again", FIRST.scores)], None, depth=4)
    assert [row.change for row in again.rows] == [0, 0, 0, 0]


def test_measures_are_of_the_whole_list_with_all_judgements() -> None:
    """The first list has grade 2 at rank 4; ideal are 3, 2 and 1: of all judged documents, not of those found."""
    first, second = listings([FIRST, SECOND], GRADES, depth=1)
    ideal = 3 / log2(2) + 2 / log2(3) + 1 / log2(4)
    assert first.measures["mrr_10"] == pytest.approx(1 / 4)
    assert first.measures["ndcg_10"] == pytest.approx(2 / log2(5) / ideal)
    assert second.measures["mrr_10"] == 1.0
    assert second.measures["ndcg_10"] == pytest.approx((2 / log2(2) + 1 / log2(4)) / ideal)


@pytest.mark.parametrize("grades", [None, {}])
def test_without_judgements_there_are_no_measures(grades: dict[str, int] | None) -> None:
    [first] = listings([FIRST], grades, depth=1)
    assert first.measures == {}
    assert first.rows[0].grade is None


def test_a_list_that_could_not_be_had_has_its_reason_and_no_measures() -> None:
    found = listings([Answer("gone", {}, "there is no list"), SECOND], GRADES, depth=2)
    assert (found[0].problem, found[0].measures, found[0].rows) == ("there is no list", {}, ())
    assert [row.change for row in found[1].rows] == [None, None]


def test_what_no_system_found_is_looked_for_in_whole_lists() -> None:
    assert not_found([FIRST, SECOND], GRADES) == [("z", 3)]
    assert not_found([FIRST], GRADES) == [("z", 3), ("x", 1)]
    assert not_found([FIRST], None) == []


def test_documents_to_look_into_come_by_their_best_rank() -> None:
    assert shown_documents(listings([FIRST, SECOND], None, depth=2)) == ["a", "d", "b"]
