"""Fusion of runs: reciprocal ranks (Cormack et al., SIGIR 2009), CombSUM and CombMNZ (Fox and Shaw, TREC-2)."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from clir_lightning.errors import ConfigError, DataError, one_of
from clir_lightning.types import Run, Scores

METHODS = ("rrf", "combsum", "combmnz")
Normalisation = Callable[[Scores], dict[str, float]]


def min_max(scores: Scores) -> dict[str, float]:
    """Scores from 0 to 1; all 1 where they are equal.

    >>> min_max({"a": 4.0, "b": 2.0, "c": 3.0})
    {'a': 1.0, 'b': 0.0, 'c': 0.5}
    """
    low = min(scores.values(), default=0.0)
    high = max(scores.values(), default=0.0)
    return {document: (score - low) / (high - low) if high > low else 1.0 for document, score in scores.items()}


def z_norm(scores: Scores) -> dict[str, float]:
    """Scores in standard deviations from their mean; all 0 where they are equal.

    >>> z_norm({"a": 4.0, "b": 2.0})
    {'a': 1.0, 'b': -1.0}
    """
    spread = statistics.pstdev(scores.values()) if scores else 0.0
    mean = statistics.fmean(scores.values()) if scores else 0.0
    return {document: (score - mean) / spread if spread else 0.0 for document, score in scores.items()}


def from_lowest(scores: Scores) -> dict[str, float]:
    """Scores that count from the lowest one, where that is below 0: what is not in the list, and so gets 0, is last.

    Without it a document of a negative score would rank below one that the run did not find at all. The order among
    sums is that of giving the missing document the lowest score, as Pyserini's hybrid search does.

    >>> from_lowest({"a": 1.0, "b": -1.0}), from_lowest({"a": 3.0, "b": 2.0})
    ({'a': 2.0, 'b': 0.0}, {'a': 3.0, 'b': 2.0})
    """
    lowest = min(0.0, *scores.values())
    return {document: score - lowest for document, score in scores.items()}


NORMALISATIONS: dict[str, Normalisation] = {"minmax": min_max, "z": z_norm, "none": dict}


def finite_scores(run: Run, query: str) -> Scores:
    """The scores of a query; `DataError` for infinite ones, which cannot be added."""
    scores = run[query]
    if not all(map(math.isfinite, scores.values())):
        raise DataError(f"run {run.name!r} has an infinite score for query {query!r}", cure="take method=rrf")
    return scores


def fuse(
    runs: Sequence[Run],
    *,
    method: str = "rrf",
    normalisation: str = "minmax",
    weights: Sequence[float] | None = None,
    k: int = 60,
    depth: int | None = None,
) -> Run:
    """One run of several; a document that a run lacks gets from it what its last document gets, or less.

    Args:
        runs: over any queries; a query needs to be in one of them.
        method: `rrf`, Σ w / (k + rank); `combsum`, Σ w · score; `combmnz`, that times the number of runs with it.
        normalisation: `minmax`, `z` or `none`, of each query's scores, for the last two; then `from_lowest`.
        weights: one per run; `None` for 1.
        k: of `rrf`.
        depth: documents kept per query; `None` for all.

    >>> one, two = Run({"q": {"a": 9.0, "b": 8.0}}), Run({"q": {"b": 0.2, "c": 0.1}})
    >>> fused = fuse([one, two])
    >>> fused.ranking("q"), round(fused["q"]["b"], 5)  # 1/62 + 1/61
    (['b', 'a', 'c'], 0.03252)
    """
    one_of(method, METHODS, "method")
    normalise = NORMALISATIONS[one_of(normalisation, NORMALISATIONS, "normalisation")]
    shares = [1.0] * len(runs) if weights is None else list(weights)
    if not runs or len(shares) != len(runs) or any(share < 0 for share in shares):
        raise ConfigError(
            f"{len(runs)} runs and {len(shares)} weights; give at least one run and a weight ≥ 0 for each"
        )

    # What a run gives to a query's documents, before its weight.
    def scores_of(run: Run, query: str) -> Scores:
        if method == "rrf":
            return {document: 1 / (k + rank) for rank, document in enumerate(run.ranking(query), start=1)}
        return from_lowest(normalise(finite_scores(run, query)))

    # Ties are broken where the list is cut as `Run.ranking` breaks them everywhere.
    lists: dict[str, dict[str, float]] = {}
    for query in dict.fromkeys(itertools.chain.from_iterable(runs)):
        pairs = zip(runs, shares, strict=True)
        weighted = [(scores_of(run, query), share) for run, share in pairs if share and query in run]
        total = weighted_sum(weighted, times_runs=method == "combmnz")
        kept = Run({query: total}).ranking(query)[:depth]
        lists[query] = {document: total[document] for document in kept}
    return Run(lists, name=method)


def weighted_sum(lists: Sequence[tuple[Scores, float]], *, times_runs: bool = False) -> dict[str, float]:
    """Σ share · score of each document; with `times_runs`, times the number of lists that hold it.

    >>> weighted_sum([({"a": 1.0}, 2.0), ({"a": 0.5, "b": 1.0}, 1.0)], times_runs=True)
    {'a': 5.0, 'b': 1.0}
    """
    total: dict[str, float] = {}
    runs: Counter[str] = Counter()
    for scores, share in lists:
        runs.update(scores.keys())
        for document, score in scores.items():
            total[document] = total.get(document, 0.0) + share * score
    return {document: score * runs[document] for document, score in total.items()} if times_runs else total


def tune(runs: Sequence[Run], quality: Callable[[Sequence[float]], float], *, steps: int = 10) -> list[float]:
    """The weights, in `1/steps` and summing to 1, of the highest `quality`; of equal ones the most even.

    Every combination is tried: 11 for two runs, 66 for three, 286 for four.

    >>> tune([Run({}), Run({})], lambda weights: -abs(weights[0] - 0.3))
    [0.3, 0.7]
    """
    if len(runs) < 2:
        raise ConfigError("there is nothing to tune with fewer than two runs")
    grid = (parts for parts in itertools.product(range(steps + 1), repeat=len(runs)) if sum(parts) == steps)
    choices = sorted(([part / steps for part in parts] for parts in grid), key=lambda parts: sum(p * p for p in parts))
    return max(choices, key=quality)
