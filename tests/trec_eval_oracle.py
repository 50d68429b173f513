"""What pytrec_eval and ir_measures say of a run, for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ir_measures
import pytrec_eval

from clir_lightning.types import Grades, Run

# ours → trec_eval's name in, trec_eval's name out, and its value at k from what comes out
TREC = {
    "ndcg_5": ("ndcg_cut.5", "ndcg_cut_5"),
    "ndcg_10": ("ndcg_cut.10", "ndcg_cut_10"),
    "ndcg": ("ndcg", "ndcg"),
    "recall_10": ("recall.10", "recall_10"),
    "precision_5": ("P.5", "P_5"),
    "map_10": ("map_cut.10", "map_cut_10"),
    "map": ("map", "map"),
    "hits_5": ("success.5", "success_5"),
    "mrr": ("recip_rank", "recip_rank"),
}
IR = {
    "ndcg_10": ir_measures.nDCG @ 10,
    "recall_5": ir_measures.R @ 5,
    "precision_10": ir_measures.P @ 10,
    "map_5": ir_measures.AP @ 5,
    "hits_10": ir_measures.Success @ 10,
}


def trec_eval(run: Run, qrels: Mapping[str, Grades]) -> dict[str, dict[str, float]]:
    """Per query and measure; queries that trec_eval leaves out are added with 0, as its option `-c` does."""
    evaluator = pytrec_eval.RelevanceEvaluator(_plain(qrels), {name for name, _ in TREC.values()})
    found: dict[str, Any] = evaluator.evaluate(_plain(run.by_query))
    return {
        query: {ours: found.get(query, {}).get(theirs, 0.0) for ours, (_, theirs) in TREC.items()} for query in qrels
    }


def ir_means(run: Run, qrels: Mapping[str, Grades]) -> dict[str, float]:
    """The means that ir_measures gives for the measures of `IR`."""
    # Its pytrec_eval provider by name: the one it would take for RR@10 and judged@10 breaks ties the other way round.
    means = ir_measures.pytrec_eval.calc_aggregate(list(IR.values()), _plain(qrels), _plain(run.by_query))
    return {ours: means[theirs] for ours, theirs in IR.items()}


def exp2_ndcg(run: Run, qrels: Mapping[str, Grades]) -> dict[str, float]:
    """trec_eval's NDCG@10 with every grade g written as 2^g - 1: NDCG with exponential gain."""
    raised = {query: {d: 2**g - 1 for d, g in grades.items()} for query, grades in _plain(qrels).items()}
    found = pytrec_eval.RelevanceEvaluator(raised, {"ndcg_cut.10"}).evaluate(_plain(run.by_query))
    return {query: found.get(query, {}).get("ndcg_cut_10", 0.0) for query in qrels}


def _plain(nested: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {query: dict(values) for query, values in nested.items()}
