"""Eight measures of a whole run from a tensor of scores: `python benchmarks/evaluation.py [--queries 10000 …]`.

Each tool gets the same scores `[Q, D]` and grades and gives the mean of MRR@10, NDCG@5, NDCG@10, Recall@10, Recall@50,
P@5, MAP@100 and Hits@1. What can be made once and used for every validation, the judgements, is made beforehand for all
of them; timed is everything from the tensor on, the form that a tool takes scores in among it. torchmetrics is timed
with NDCG@10 alone too. Rounds alternate the tools; the median counts, with its ratio to ours. The first round's numbers
are compared before the timing, for a fast wrong answer is not an answer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.torchmetric import RankingMeasures

MEASURES = ("mrr_10", "ndcg_5", "ndcg_10", "recall_10", "recall_50", "precision_5", "map_100", "hits_1")
TREC = ("recip_rank", "ndcg_cut_5", "ndcg_cut_10", "recall_10", "recall_50", "P_5", "map_cut_100", "success_1")
RANX = ("mrr@10", "ndcg@5", "ndcg@10", "recall@10", "recall@50", "precision@5", "map@100", "hit_rate@1")

Means = dict[str, float]


class Inputs:
    """Seeded scores and grades of 0 to 6, most of them 0, and the judgements in each tool's own form."""

    def __init__(self, queries: int, documents: int) -> None:
        generator = torch.Generator().manual_seed(1)
        self.scores = torch.randn(queries, documents, generator=generator)
        self.grades = torch.randint(-40, 7, (queries, documents), generator=generator).clamp(min=0)
        self.grades[:, 0] = 6  # each query has something to find
        self.queries = [f"q{i:06d}" for i in range(queries)]
        self.documents = [f"d{i:06d}" for i in range(documents)]
        rows = zip(self.queries, self.grades.tolist(), strict=True)
        self.qrels = {query: dict(zip(self.documents, row, strict=True)) for query, row in rows}

    def run(self) -> dict[str, dict[str, float]]:
        """The scores as the dictionaries that the tools for run files take."""
        rows = zip(self.queries, self.scores.tolist(), strict=True)
        return {query: dict(zip(self.documents, row, strict=True)) for query, row in rows}


def ours(inputs: Inputs) -> Callable[[], Means]:
    """`RankingMeasures`, as a validation uses it: batches of 128 queries, then the means."""
    pool = Pool.of(inputs.qrels, inputs.qrels)
    metric = RankingMeasures(pool, MEASURES)
    rows, columns = (places.reshape(inputs.scores.shape) for places in _places(inputs.scores))
    batches = [slice(start, start + 128) for start in range(0, len(inputs.queries), 128)]

    def measure() -> Means:
        metric.reset()
        for batch in batches:
            metric.update(rows[batch].flatten(), columns[batch].flatten(), inputs.scores[batch].flatten())
        return {name: float(value) for name, value in metric.compute().items()}

    return measure


def _places(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    queries, documents = scores.shape
    return torch.arange(queries).repeat_interleave(documents), torch.arange(documents).repeat(queries)


def pytrec_eval(inputs: Inputs) -> Callable[[], Means]:
    """trec_eval itself, its cut-offs of MRR by hand: it has none."""
    import pytrec_eval as tool

    names = {"recip_rank", "ndcg_cut.5,10", "recall.10,50", "P.5", "map_cut.100", "success.1"}
    evaluator = tool.RelevanceEvaluator(inputs.qrels, names)

    def measure() -> Means:
        values = evaluator.evaluate(inputs.run()).values()
        table = np.array([[row[name] for name in TREC] for row in values])
        table[:, 0] *= table[:, 0] >= 1 / 10
        return dict(zip(MEASURES, table.mean(axis=0).tolist(), strict=True))

    return measure


def ranx(inputs: Inputs) -> Callable[[], Means]:
    """ranx; its judgements hold relevant documents alone, as it counts every judged one in NDCG's ideal otherwise."""
    from ranx import Qrels, Run, evaluate

    qrels = Qrels({q: {d: grade for d, grade in row.items() if grade} for q, row in inputs.qrels.items()})

    def measure() -> Means:
        values = evaluate(qrels, Run(inputs.run()), list(RANX))
        return dict(zip(MEASURES, map(float, values.values()), strict=True))

    return measure


def torchmetrics(inputs: Inputs) -> Callable[[], Means]:
    """`RetrievalNormalizedDCG` with a cut-off of 10: one of the eight measures, from the tensor itself."""
    from torchmetrics.retrieval import RetrievalNormalizedDCG

    metric = RetrievalNormalizedDCG(top_k=10)
    indexes = _places(inputs.scores)[0]

    def measure() -> Means:
        metric.reset()
        metric.update(inputs.scores.flatten(), inputs.grades.flatten(), indexes=indexes)
        return {"ndcg_10": float(metric.compute())}

    return measure


def torchmetrics_all(inputs: Inputs) -> Callable[[], Means]:
    """The eight measures by torchmetrics' own classes, each over the same tensors."""
    from torchmetrics import retrieval as tools

    metrics = dict(
        zip(
            MEASURES,
            (
                tools.RetrievalMRR(top_k=10),
                tools.RetrievalNormalizedDCG(top_k=5),
                tools.RetrievalNormalizedDCG(top_k=10),
                tools.RetrievalRecall(top_k=10),
                tools.RetrievalRecall(top_k=50),
                tools.RetrievalPrecision(top_k=5),
                tools.RetrievalMAP(top_k=100),
                tools.RetrievalHitRate(top_k=1),
            ),
            strict=True,
        )
    )
    indexes = _places(inputs.scores)[0]

    def measure() -> Means:
        means = {}
        for name, metric in metrics.items():
            target = inputs.grades if name.startswith("ndcg") else inputs.grades > 0
            metric.reset()
            metric.update(inputs.scores.flatten(), target.flatten(), indexes=indexes)
            means[name] = float(metric.compute())
        return means

    return measure


TOOLS: dict[str, Callable[[Inputs], Callable[[], Means]]] = {
    "clir_lightning": ours,
    "pytrec_eval": pytrec_eval,
    "ranx": ranx,
    "torchmetrics, NDCG@10 alone": torchmetrics,
    "torchmetrics": torchmetrics_all,
}


def main() -> None:
    """Check that the tools agree, then time them in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    arguments = parser.parse_args()
    inputs = Inputs(arguments.queries, arguments.documents)
    ready = {name: TOOLS[name](inputs) for name in arguments.tools}
    first = {name: measure() for name, measure in ready.items()}  # compiles and warms up too
    for name, means in first.items():
        own = first[arguments.tools[0]]
        apart, at = max((abs(means[measure] - own[measure]), measure) for measure in means)
        print(f"{name}: {len(means)} measures, at most {apart:.1e} from {arguments.tools[0]} ({at})", flush=True)
    seconds: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(arguments.rounds):
        for name, measure in ready.items():
            start = time.perf_counter()
            measure()
            seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds[arguments.tools[0]])
    print(f"{arguments.queries} queries x {arguments.documents} documents, median of {arguments.rounds}, [min, max]")
    for name, spent in seconds.items():
        middle = statistics.median(spent)
        print(f"{name:<27} {middle:8.3f} s  [{min(spent):.3f}, {max(spent):.3f}]  {middle / base:6.1f} times ours")


if __name__ == "__main__":
    main()
