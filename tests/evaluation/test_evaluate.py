"""`evaluate` against pytrec_eval and ir_measures: random runs, ties, odd qrels, and the real zh-kk judgements."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clir_lightning.data.files.trec import read_qrels
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.types import Qrels, Run
from trec_eval_oracle import IR, TREC, exp2_ndcg, ir_means, trec_eval

REAL = Path(__file__).parents[3] / "shared/data/clirmatrix-zh-kk-excerpt/test.qrels.gz"
DOCUMENTS = ["d1", "d10", "d2", "D3", "тест", "文", "é", "z-9", "00", "d11", "a", "b"]

# Few distinct scores: ties are the rule; the last two differ in double precision alone.
scores = st.sampled_from([0.0, -0.0, 1.0, -1.5, 7.25, 1e30, -1e30, 0.1, 0.1 + 1e-12]) | st.floats(-10, 10, width=32)
lists = st.dictionaries(st.sampled_from(DOCUMENTS), scores, max_size=12)
# pytrec_eval can loop for ever on negative grades: they have a test of their own below.
grades = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 6), min_size=1, max_size=12)
queries = st.sampled_from(["q1", "q2", "q3", "q4"])


@settings(max_examples=500, derandomize=True)
@given(st.dictionaries(queries, lists, max_size=4), st.dictionaries(queries, grades, min_size=1, max_size=4))
def test_equals_trec_eval_on_random_runs(
    lists_by_query: dict[str, dict[str, float]], judged: dict[str, dict[str, int]]
) -> None:
    run = Run({query: scored for query, scored in lists_by_query.items() if scored})
    ours = evaluate(run, judged, [*TREC, *IR, "ndcgexp2_10", "mrr_3"])
    theirs, exp2 = trec_eval(run, judged), exp2_ndcg(run, judged)
    for query in judged:
        for measure in TREC:
            assert ours.per_query[query][measure] == pytest.approx(theirs[query][measure], abs=1e-6), (query, measure)
        whole = theirs[query]["mrr"]
        assert ours.per_query[query]["mrr_3"] == pytest.approx(whole if whole > 0.3 else 0.0, abs=1e-6)
        assert ours.per_query[query]["ndcgexp2_10"] == pytest.approx(exp2[query], abs=1e-6)
    if all(max(judged[query].values()) > 0 for query in judged):
        for measure, mean in ir_means(run, judged).items():
            assert ours.means[measure] == pytest.approx(mean, abs=1e-6), measure


def real_qrels() -> Qrels:
    if not REAL.is_file():
        pytest.skip(f"the real zh-kk qrels are not at {REAL}")
    return read_qrels(REAL)


@pytest.mark.parametrize("kind", ["random", "reversed", "tied", "two values"])
def test_equals_trec_eval_on_the_real_qrels(kind: str) -> None:
    qrels, rng = real_qrels(), random.Random(3)
    score: Callable[[int], float] = {
        "random": lambda grade: rng.random(),
        "reversed": lambda grade: -float(grade),
        "tied": lambda grade: 1.0,
        "two values": lambda grade: float(rng.random() < 0.1),
    }[kind]
    run = Run({query: {document: score(grade) for document, grade in qrels[query].items()} for query in qrels})
    ours, theirs = evaluate(run, qrels, [*TREC, *IR]), trec_eval(run, qrels)
    assert len(ours.per_query) == 1088
    for query, values in theirs.items():
        assert {m: ours.per_query[query][m] for m in TREC} == pytest.approx(values, abs=1e-6)
    assert {m: ours.means[m] for m in IR} == pytest.approx(ir_means(run, qrels), abs=1e-6)


def test_random_order_on_the_real_qrels_scores_the_known_floor() -> None:
    qrels, totals = real_qrels(), dict.fromkeys(("ndcg_10", "ndcg_5", "mrr_10"), 0.0)
    for seed in range(5):
        rng = random.Random(seed)
        run = Run({query: {document: rng.random() for document in qrels[query]} for query in qrels})
        for measure, mean in evaluate(run, qrels, list(totals)).means.items():
            totals[measure] += mean / 5
    assert totals == pytest.approx(
        {"ndcg_10": 0.092, "ndcg_5": 0.071, "mrr_10": 0.204}, abs=0.01
    )  # five shuffles spread by .004


def test_coverage_counts_all_that_does_not_fit() -> None:
    qrels = {"found": {"a": 2, "b": 0, "gone": 1}, "missing": {"a": 1}, "barren": {"a": 0}}
    result = evaluate(
        Run({"found": {"a": 1.0, "x": 2.0}, "barren": {"a": 1.0}, "extra": {"a": 1.0}}), qrels, ["mrr_10"]
    )
    assert result.means["mrr_10"] == pytest.approx((1 / 2 + 0 + 0) / 3)
    assert result.coverage.notes() == [
        "1 of 3 judged queries are not in the run and count 0",
        "1 of 3 judged queries have no relevant document and count 0",
        "1 queries of the run are not judged and left out",
        "2 relevant documents are not in the run",
        "1 documents of the run are not judged and count as grade 0",
    ]


def test_a_negative_grade_counts_as_grade_0_but_as_judged() -> None:
    run = Run({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    names = ["ndcg", "ndcgexp2", "map", "recall_3", "judged_3"]
    with_minus = evaluate(run, {"q": {"a": -2, "b": 1, "c": -1}}, names).means
    assert with_minus == evaluate(run, {"q": {"a": 0, "b": 1, "c": 0}}, names).means
    assert with_minus["map"] == 0.5
    assert with_minus["judged_3"] == 1.0


def test_no_queries_and_an_empty_run_are_zero() -> None:
    assert evaluate(Run({}), {}, ["map"]).means == {"map": 0.0}
    assert evaluate(Run({}), {"q": {"a": 1}}, ["map", "ndcg_10", "mrr", "hits_3"]).means["ndcg_10"] == 0.0


def test_a_score_that_is_not_a_number_is_named() -> None:
    with pytest.raises(DataError, match="document 'b' for query 'q' is not a number"):
        evaluate(Run({"q": {"a": 1.0, "b": float("nan")}}), {"q": {"a": 1}})


@pytest.mark.parametrize("name", ["ndcg@10", "ndcg_0", "recall", "bleu_4", "mrr_ten"])
def test_unknown_measures_are_rejected_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed: mrr_K, ndcg_K, ndcgexp2_K, recall_K, precision_K, map_K"):
        evaluate(Run({}), {}, [name])


def test_a_run_without_an_order_of_its_own_is_said_so() -> None:
    """Ids order equal scores: what such a run reaches is not its system's merit."""
    qrels = {"q": {"a": 0, "b": 1}, "r": {"a": 1, "b": 0}, "s": {"a": 1}}
    run = Run({"q": {"a": 0.5, "b": 0.5}, "r": {"a": 0.5, "b": 0.6}, "s": {"a": 0.5}})
    result = evaluate(run, qrels)
    assert result.per_query["q"]["mrr_5"] == 1.0
    assert result.coverage.notes() == ["1 of 3 queries give all documents one score: document ids alone order them"]
    assert evaluate(Run({}), {"q": {"a": 1}}).coverage.tied == 0
