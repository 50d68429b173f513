"""Means and deviations over seeds, tests per query, and judgements that do not belong together, worked by hand."""

from __future__ import annotations

import pytest

from clir_lightning.errors import ConfigError, DataError
from clir_lightning.evaluation.comparison import Member, System, compare
from clir_lightning.types import Run

QRELS = {f"q{i}": {"a": 1, "b": 0} for i in range(4)}
RIGHT, WRONG = {"a": 2.0, "b": 1.0}, {"a": 1.0, "b": 2.0}  # reciprocal rank 1 and 1/2


def member(right: str, seed: int | None = None, **replaced: dict[str, dict[str, int]]) -> Member:
    """A run that ranks the queries of these numbers rightly, the others wrongly."""
    return Member(Run({q: RIGHT if q[1] in right else WRONG for q in QRELS}), replaced.get("qrels", QRELS), seed)


def test_two_seeds_against_a_baseline_by_hand() -> None:
    systems = [System("base", (member("0"),)), System("ours", (member("0123", 1), member("12", 2)))]
    found = compare(systems, measures=["mrr_5"])
    base, ours = found.rows
    assert base.means == {"mrr_5": (1 + 0.5 + 0.5 + 0.5) / 4}
    assert base.deviations is None
    assert ours.means == {"mrr_5": pytest.approx((1.0 + 0.75) / 2)}
    assert ours.deviations is not None
    assert ours.deviations["mrr_5"] == pytest.approx(0.125 * 2**0.5)  # of 1 and .75
    assert [values["mrr_5"] for values in ours.per_query.values()] == [0.75, 1.0, 1.0, 0.75]
    (test,) = found.tests
    # Differences -.25, .5, .5, .25, sum 1. Patterns where the two .5 agree sum to ±(1 + .5), ±1, ±1 and ±(1 - .5), the
    # others to at most .5: 6 of 16 are as far from 0.
    assert (test.system, test.measure, test.difference) == ("ours", "mrr_5", 0.25)
    assert test.p_randomisation == test.p_randomisation_holm == 6 / 16
    assert (test.wins, test.ties, test.losses) == (3, 0, 1)


def test_holm_is_over_the_systems_within_a_measure() -> None:
    systems = [System(name, (member(right),)) for name, right in (("base", ""), ("x", "0123"), ("y", "012"))]
    found = compare(systems, baseline="base", measures=["mrr_5", "ndcg_5"])
    x, y = (test for test in found.tests if test.measure == "mrr_5")
    assert (x.p_randomisation, y.p_randomisation) == (2 / 16, 2 / 8)
    assert (x.p_randomisation_holm, y.p_randomisation_holm) == (4 / 16, 4 / 16)


def test_floor_and_ceiling_are_over_all_that_any_system_ranks() -> None:
    one = System("one", (Member(Run({"q": {"b": 1.0}}), {"q": {"a": 1}}),))
    two = System("two", (Member(Run({"q": {"a": 1.0}}), {"q": {"a": 1}}),))
    found = compare([one, two], measures=["mrr_5"])
    assert [row.name for row in found.all_rows] == ["random order", "one", "two", "ideal"]
    assert [row.means["mrr_5"] for row in found.rows] == [0.0, 1.0]
    assert 0.5 <= found.floor.means["mrr_5"] <= 1.0
    assert found.ceiling.means["mrr_5"] == 1.0
    assert any("different documents" in note for note in found.notes)


def test_judgements_that_differ_are_rejected_and_common_queries_can_be_asked_for() -> None:
    fewer = {query: QRELS[query] for query in ("q1", "q2")}
    systems = [System("all", (member("01"),)), System("few", (member("1", qrels=fewer),))]
    with pytest.raises(DataError, match=r"'all' and 'few' .* 2 of them common.*queries=common"):
        compare(systems)
    found = compare(systems, queries="common", measures=["mrr_5"])
    assert found.queries == 2
    assert found.rows[0].means == {"mrr_5": 0.75}
    regraded = System("new", (member("1", qrels={**QRELS, "q3": {"a": 0, "b": 1}}),))
    with pytest.raises(DataError, match="different judgements of query 'q3'"):
        compare([systems[0], regraded], queries="common")
    with pytest.raises(ConfigError, match="queries is 'comon'"):
        compare(systems, queries="comon")
    other = System("other", (Member(Run({"z": {"a": 1.0}}), {"z": {"a": 1}}),))
    with pytest.raises(DataError, match="no query is common"):
        compare([systems[0], other], queries="common")


def test_an_unknown_baseline_names_the_systems() -> None:
    with pytest.raises(ConfigError, match="baseline is 'bse'; allowed: base; did you mean 'base'"):
        compare([System("base", (member("0"),))], baseline="bse")
