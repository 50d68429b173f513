"""Hard negatives from a run: a window of ranks, without the documents that may well be relevant."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from clir_lightning.errors import ConfigError, at_least
from clir_lightning.progress import Progress
from clir_lightning.settings.markers import Amount, Count, Range
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Grades, Run, Sample

# Why a document of the window is not a negative, in this order; `positive`: the run has no score of the positive.
REASONS = ("grade", "unjudged", "positive", "margin", "teacher")


def limit(positive: float, ratio: float) -> float:
    """The highest score of a negative beside a positive's score s⁺: ratio · s⁺ from 0 on, (2 − ratio) · s⁺ below.

    Both lie (1 − ratio) · |s⁺| below the positive. Scores below 0 are a cross-encoder's logits, say, where ratio · s⁺
    would lie above it.

    >>> limit(8.0, 0.75), limit(-8.0, 0.75)
    (6.0, -10.0)
    """
    return (ratio if positive >= 0 else 2 - ratio) * positive


@dataclass(frozen=True)
class Filters:
    """Which documents that a run ranks high are negatives of a query.

    `margin` and `ratio` leave no negative to a query whose positive the run did not find: what it did find scores
    above that.

    Args:
        first, last: ranks, from 1, both included.
        grade: the highest grade of a negative; unjudged documents count as 0.
        unjudged: whether documents without a judgement may be negatives.
        margin: how far below the positive's score a negative must stay, in the run's scores; `None` for no limit.
        ratio: a negative scores at most this many times what the positive scores (.95, NV-Retriever, Moreira et al.,
            2024), in the run's scores, of which `limit` says what that means below 0; `None` for no limit.
        teacher_margin: how far below the positive's a negative's score by a teacher must stay; a document without one
            is none; `None` for no limit.
    """

    first: Count = 1
    last: Count = 100
    grade: int = 0
    unjudged: bool = True
    margin: Amount | None = None
    ratio: Annotated[float, Range(above=0, most=1)] | None = None
    teacher_margin: Amount | None = None

    def __post_init__(self) -> None:
        check_fields(self, "filters")
        at_least(self.last, self.first, "filters.last")

    def reason(self, document: str, positive: str, grades: Grades, scores: Mapping[str, float]) -> str | None:
        """Why the run's scores or the judgements rule a document out; `None` if they do not."""
        if grades.get(document, 0) > self.grade or document == positive:
            return "grade"
        if not self.unjudged and document not in grades:
            return "unjudged"
        if self.margin is None and self.ratio is None:
            return None
        best = scores.get(positive)
        if best is None:  # all that the run has may well score above it
            return "positive"
        if self.margin is not None and scores[document] > best - self.margin:
            return "margin"
        if self.ratio is not None and scores[document] > limit(best, self.ratio):
            return "margin"
        return None

    def taught(self, document: str, positive: str, teacher: Mapping[str, float]) -> str | None:
        """Why the teacher rules a document out."""
        if self.teacher_margin is None:
            return None
        known = document in teacher and positive in teacher
        return None if known and teacher[document] <= teacher[positive] - self.teacher_margin else "teacher"


@dataclass(frozen=True)
class Mined:
    """The negatives of each query as candidates with their scores, its positive, and what the filters took away."""

    negatives: Run
    positives: Mapping[str, str]
    removed: Mapping[str, int]  # by reason

    def triples(self, negatives: int, seed: int) -> list[Sample]:
        """A sample of the positive and `negatives` of the mined documents for each query that has as many, drawn."""
        at_least(negatives, 1, "negatives")
        samples = []
        for query, pool in self.negatives.items():
            if len(pool) >= negatives:
                drawn = random.Random(f"{seed}/{query}").sample(self.negatives.ranking(query), negatives)
                samples.append(Sample(query, (self.positives[query], *drawn), (1, *[0] * negatives)))
        return samples


def mine(run: Run, qrels: Mapping[str, Grades], filters: Filters, teacher: Run | None = None) -> Mined:
    """The negatives of a run for the queries that have a relevant document.

    The positive is the best-graded document, of several the one that the run scores highest.

    >>> mined = mine(Run({"q": {"a": 9.0, "b": 8.9, "c": 5.0}}), {"q": {"a": 1}}, Filters(margin=1.0))
    >>> mined.negatives["q"], dict(mined.removed)
    ({'c': 5.0}, {'grade': 1, 'unjudged': 0, 'positive': 0, 'margin': 1, 'teacher': 0})
    """
    if filters.teacher_margin is not None and teacher is None:
        raise ConfigError("teacher_margin needs a teacher's scores: add teacher=RUN_FILE")
    removed: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
    negatives: dict[str, dict[str, float]] = {}
    positives: dict[str, str] = {}
    for query, grades in Progress("mining", "queries", len(qrels)).over(qrels.items()):
        best = max(grades.values(), default=0)
        if best <= 0 or query not in run:
            continue

        # The positive: the run's favourite among the best-graded documents, those that it lacks being its last choice.
        scores = run[query]
        equal = [document for document, grade in grades.items() if grade == best]
        positive = max(equal, key=lambda document: (scores.get(document, float("-inf")), document))
        positives[query] = positive

        # Each document of the ranks is a negative, or counted under the first filter that takes it away.
        taught = teacher.by_query.get(query, {}) if teacher is not None else {}
        kept = {}
        for document in run.ranking(query)[filters.first - 1 : filters.last]:
            reason = filters.reason(document, positive, grades, scores) or filters.taught(document, positive, taught)
            if reason is None:
                kept[document] = scores[document]
            else:
                removed[reason] += 1
        if kept:
            negatives[query] = kept
    return Mined(Run(negatives, name=f"{run.name}, negatives"), positives, removed)
