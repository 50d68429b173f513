"""A run against qrels: the one function behind validation, test and `clir evaluate`, so that they cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clir_lightning.evaluation.measures import measure
from clir_lightning.types import Grades, Run, Scores

MEASURES = ("mrr_5", "mrr_10", "ndcg_5", "ndcg_10")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measures of one run: means over all judged queries, and each query's values."""

    name: str
    means: dict[str, float]
    per_query: dict[str, dict[str, float]]


def ranked_grades(scores: Scores, grades: Grades) -> list[int]:
    """The grades of the scored documents, best first; 0 where unjudged. Negative grades count as 0.

    As trec_eval does, scores are compared in single precision and equal ones ordered by document id, higher id first.

    >>> ranked_grades({"a": 1.0, "b": 1.0, "c": 2.0}, {"a": 3, "b": 1})
    [0, 1, 3]
    """
    single = np.fromiter(scores.values(), np.float64, len(scores)).astype(np.float32).tolist()
    order = sorted(zip(single, scores, strict=True), reverse=True)
    return [max(0, grades.get(document, 0)) for _, document in order]


def _padded(rows: list[list[int]]) -> Tensor:
    width = max((len(row) for row in rows), default=0)
    return torch.tensor([row + [0] * (width - len(row)) for row in rows], dtype=torch.float64).reshape(len(rows), width)


def evaluate(run: Run, qrels: Mapping[str, Grades], measures: Sequence[str] = MEASURES) -> Evaluation:
    """Evaluate `run` over every query of `qrels`, as `trec_eval -c` does.

    Queries missing from the run and queries without relevant documents count with 0; queries of the run that the qrels
    lack are left out; unjudged documents have grade 0; the ideal ranking comes from the full qrels.

    >>> evaluate(Run({"q": {"a": 0.1, "b": 0.9}}), {"q": {"a": 1}, "missing": {"a": 1}}).means["mrr_5"]
    0.25
    """
    functions = {name: measure(name) for name in measures}  # complain about a name before the work
    queries = list(qrels)
    gains = _padded([ranked_grades(run.by_query.get(query, {}), qrels[query]) for query in queries])
    ideal = _padded([sorted((max(0, grade) for grade in qrels[query].values()), reverse=True) for query in queries])
    values = {name: function(gains, ideal) for name, function in functions.items()}
    return Evaluation(
        run.name,
        {name: float(value.mean()) if queries else 0.0 for name, value in values.items()},
        {query: {name: float(value[row]) for name, value in values.items()} for row, query in enumerate(queries)},
    )
