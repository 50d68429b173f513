"""Measures against ir_measures, which runs trec_eval's code, and the floor of the real judgements."""

from __future__ import annotations

import random
from pathlib import Path

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clir_lightning.data.trec import read_qrels
from clir_lightning.errors import ConfigError
from clir_lightning.evaluation.evaluate import MEASURES, evaluate
from clir_lightning.types import Run

# trec_eval knows reciprocal rank without a cut-off only, and ir_measures hands RR@k to the MS MARCO script, which
# orders ties in another way: so take RR, which counts at a cut-off k where it is at least 1/k.
REFERENCE = {
    "mrr_5": (ir_measures.parse_measure("RR"), 1 / 5),
    "mrr_10": (ir_measures.parse_measure("RR"), 1 / 10),
    "ndcg_5": (ir_measures.parse_measure("nDCG@5"), 0.0),
    "ndcg_10": (ir_measures.parse_measure("nDCG@10"), 0.0),
}
DOCUMENTS = [f"d{number}" for number in range(14)]
SCORES = st.one_of(st.sampled_from([0.0, 1.0, -2.5]), st.floats(-1e6, 1e6, width=32))  # ties are frequent


def reference(run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]) -> dict[str, float]:
    """The means over all judged queries that ir_measures gives."""
    measures = list(dict.fromkeys(measure for measure, _ in REFERENCE.values()))
    totals = dict.fromkeys(REFERENCE, 0.0)
    for metric in ir_measures.iter_calc(measures, qrels, run):
        for name, (measure, least) in REFERENCE.items():
            if measure == metric.measure and metric.value >= least - 1e-9:
                totals[name] += metric.value
    return {name: total / len(qrels) for name, total in totals.items()}


@settings(max_examples=200, deadline=None)
@given(
    qrels=st.dictionaries(
        st.sampled_from(["q1", "q2", "q3"]),
        st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 6), min_size=1),
        min_size=1,
    ),
    run=st.dictionaries(
        st.sampled_from(["q1", "q2", "q4"]),
        st.dictionaries(st.sampled_from(DOCUMENTS), SCORES, min_size=1),
        min_size=1,
    ),
)
def test_random_runs_agree_with_ir_measures(qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]) -> None:
    """With ties, missing queries and documents, unjudged documents and queries without relevant ones."""
    assert evaluate(Run(run), qrels).means == pytest.approx(reference(run, qrels), abs=1e-6)


def test_the_real_judgements_floor_is_that_of_random_order(real_data: Path) -> None:
    """1,088 judged test queries in random order: NDCG@10 .092, NDCG@5 .071, MRR@10 .204 (± sampling)."""
    qrels = read_qrels(real_data / "clirmatrix-zh-kk-excerpt" / "test.qrels.gz")
    rng = random.Random(1)
    run = {query: {document: rng.random() for document in grades} for query, grades in qrels.items()}
    means = evaluate(Run(run), qrels).means
    assert len(qrels) == 1088
    assert means["ndcg_10"] == pytest.approx(0.092, abs=0.01)
    assert means["ndcg_5"] == pytest.approx(0.071, abs=0.01)
    assert means["mrr_10"] == pytest.approx(0.204, abs=0.02)
    plain = {query: dict(grades) for query, grades in qrels.items()}
    assert means == pytest.approx(reference(run, plain), abs=1e-6)


def test_per_query_values_average_to_the_means() -> None:
    qrels = {"a": {"x": 1}, "b": {"y": 1}, "nothing relevant": {"z": 0}}
    result = evaluate(Run({"a": {"x": 1.0}, "b": {"x": 2.0, "y": 1.0}}), qrels)
    assert [result.per_query[query]["mrr_10"] for query in qrels] == [1.0, 0.5, 0.0]
    assert result.means["mrr_10"] == pytest.approx(0.5)
    assert tuple(result.means) == MEASURES


@pytest.mark.parametrize("name", ["recal_10", "ndcg", "ndcg_0", "ndcg_x"])
def test_unknown_measures_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match="allowed: mrr_K and ndcg_K"):
        evaluate(Run({}), {"q": {"d": 1}}, [name])
