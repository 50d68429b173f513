"""A run against qrels: the one function behind validation, test and `clir evaluate`, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from clir_lightning.evaluation.measures import deepest, measure
from clir_lightning.evaluation.ranking import Pool, Ranked
from clir_lightning.types import Grades, Run

MEASURES = ("mrr_5", "mrr_10", "ndcg_5", "ndcg_10")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a run and its qrels fit together; every count but `queries` is one to wonder about when it is not 0."""

    queries: int = 0  # with judgements: the means are over these
    missing_queries: int = 0  # judged, not in the run: count 0
    without_relevant: int = 0  # judged, nothing relevant: count 0
    unjudged_queries: int = 0  # in the run, not judged: left out
    missing_relevant: int = 0  # relevant documents that the run lacks: they lower recall and NDCG
    unjudged_documents: int = 0  # in the run, not judged: count as grade 0
    tied: int = 0  # queries all of whose documents have one score: their order is that of the ids

    def notes(self) -> list[str]:
        """What a reader of the table should know, one line each.

        >>> Coverage(queries=2, missing_queries=1).notes()
        ['1 of 2 judged queries are not in the run and count 0']
        """
        said = {
            f"of {self.queries} judged queries are not in the run and count 0": self.missing_queries,
            f"of {self.queries} judged queries have no relevant document and count 0": self.without_relevant,
            "queries of the run are not judged and left out": self.unjudged_queries,
            "relevant documents are not in the run": self.missing_relevant,
            "documents of the run are not judged and count as grade 0": self.unjudged_documents,
            f"of {self.queries} queries give all documents one score: document ids alone order them": self.tied,
        }
        return [f"{count} {text}" for text, count in said.items() if count]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measures of one run: means over all judged queries, each query's values, and how run and qrels fit."""

    name: str
    means: dict[str, float]
    per_query: dict[str, dict[str, float]] = field(repr=False)
    coverage: Coverage = field(default_factory=Coverage)


def values_of(ranked: Ranked, measures: Sequence[str]) -> dict[str, Tensor]:
    """Each measure's values `[Q]`."""
    return {name: measure(name)(ranked) for name in measures}


def run_scores(run: Run, pool: Pool) -> Tensor:
    """The run's scores `[Q, D]` in the pool's order, in single precision; NaN where the run lacks the document."""
    table = np.full(tuple(pool.grades.shape), np.nan, np.float32)
    for row, query, documents in zip(table, pool.queries, pool.documents, strict=True):
        scores = run.by_query.get(query, {})
        with np.errstate(over="ignore"):  # a score beyond single precision is infinite in it
            row[: len(documents)] = [scores.get(document, np.nan) for document in documents]
    return torch.from_numpy(table)


def evaluation(name: str, pool: Pool, ranked: Ranked, measures: Sequence[str], unjudged_queries: int = 0) -> Evaluation:
    """The measures of ranked lists, with means over all the pool's queries."""
    rows = values_of(ranked, measures)
    per_query = torch.stack(list(rows.values()), dim=1).tolist() if rows else [[] for _ in pool.queries]
    ranked_relevant = int(((pool.grades > 0) & pool.present).sum())
    coverage = Coverage(
        queries=len(pool.queries),
        missing_queries=int((ranked.length == 0).sum()),
        without_relevant=int((~(pool.ideal > 0).any(dim=1)).sum()),
        unjudged_queries=unjudged_queries,
        missing_relevant=int((pool.ideal > 0).sum()) - ranked_relevant,
        unjudged_documents=int((pool.present & ~pool.judged).sum()),
        tied=int(ranked.tied.sum()),
    )
    return Evaluation(
        name,
        {measure: float(values.mean()) if len(values) else 0.0 for measure, values in rows.items()},
        {query: dict(zip(rows, values, strict=True)) for query, values in zip(pool.queries, per_query, strict=True)},
        coverage,
    )


def evaluate(run: Run, qrels: Mapping[str, Grades], measures: Sequence[str] = MEASURES) -> Evaluation:
    """Evaluate `run` over every query of `qrels`, as `trec_eval -c` does.

    Queries missing from the run and queries without relevant documents count with 0; queries of the run that the qrels
    lack are left out; unjudged documents have grade 0; scores are compared in single precision and equal ones ordered
    by document id, the higher first; the ideal ranking comes from the full qrels. `coverage` counts all of these.

    >>> evaluate(Run({"q": {"a": 0.1, "b": 0.9}}), {"q": {"a": 1}, "missing": {"a": 1}}).means["mrr_5"]
    0.25
    """
    depth = deepest(list(measures))  # complains about a name before the work
    pool = Pool.of(run.by_query, qrels)
    ranked = pool.ranked(run_scores(run, pool), depth=depth)
    return evaluation(run.name, pool, ranked, measures, sum(query not in qrels for query in run))
