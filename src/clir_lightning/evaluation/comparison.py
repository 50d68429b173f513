"""Systems side by side: means and deviations over seeds, and paired tests of each against a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clir_lightning.errors import ConfigError, DataError, one_of
from clir_lightning.evaluation.bounds import ideal, random_order
from clir_lightning.evaluation.evaluate import MEASURES, Evaluation, evaluate
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.significance import Floats, holm, randomisation_test, t_test, wins_ties_losses
from clir_lightning.types import Grades, Run

SAME = 1e-12  # values of a query that differ by less are equal: what averaging over seeds rounds


@dataclass(frozen=True)
class Member:
    """One run of a system: a seed's, or a run file."""

    run: Run
    qrels: Mapping[str, Grades]
    seed: int | None = None
    folder: Path | None = None  # the output folder that it came from
    config: Mapping[str, Any] | None = None  # that folder's
    written: int = 0  # when its file was last written to, in nanoseconds


@dataclass(frozen=True)
class System:
    """What a row of the table stands for: runs that differ by their seed alone."""

    name: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A system's measures: the mean over its seeds' means and their sample standard deviation, `None` for one seed."""

    name: str
    seeds: int
    means: dict[str, float]
    deviations: dict[str, float] | None
    per_query: dict[str, dict[str, float]] = field(repr=False)
    notes: tuple[str, ...] = ()  # on how its runs and the judgements fit

    def values(self) -> Floats:
        """Each query's values, mean over the seeds, `[Q, M]`."""
        return np.array([list(values.values()) for values in self.per_query.values()])


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A system against the baseline on one measure; `difference` is system minus baseline, Holm's over the systems."""

    system: str
    measure: str
    difference: float
    p_randomisation: float
    p_randomisation_holm: float
    p_t: float
    p_t_holm: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that the tables print: `rows` of systems between `floor` and `ceiling`, and their tests."""

    queries: int
    measures: tuple[str, ...]
    baseline: str
    floor: Row
    rows: tuple[Row, ...]
    ceiling: Row
    tests: tuple[PairedTest, ...]
    notes: tuple[str, ...] = ()

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """The table from floor to ceiling."""
        return (self.floor, *self.rows, self.ceiling)


def row(name: str, evaluations: Sequence[Evaluation]) -> Row:
    """The row of one system's evaluations, one per seed.

    >>> def seed(a, b):
    ...     return Evaluation("", {"mrr": (a + b) / 2}, {"q": {"mrr": a}, "p": {"mrr": b}})
    >>> made = row("x", [seed(1.0, 0.0), seed(0.5, 0.1)])
    >>> made.means, made.per_query["q"], round(made.deviations["mrr"], 4)  # of .5 and .3
    ({'mrr': 0.4}, {'mrr': 0.75}, 0.1414)
    """
    measures = list(evaluations[0].means)

    # `[S, M]`: the seeds' means; a deviation needs two of them.
    table = np.array([[result.means[name] for name in measures] for result in evaluations])
    deviations = table.std(axis=0, ddof=1).tolist() if len(table) > 1 else None

    # `[S, Q, M]` to `[Q, M]`: each query's mean over the seeds, which is what the tests compare.
    by_seed = [[[q[name] for name in measures] for q in result.per_query.values()] for result in evaluations]
    values = np.mean(by_seed, axis=0).tolist()
    return Row(
        name,
        len(evaluations),
        dict(zip(measures, table.mean(axis=0).tolist(), strict=True)),
        None if deviations is None else dict(zip(measures, deviations, strict=True)),
        {q: dict(zip(measures, v, strict=True)) for q, v in zip(evaluations[0].per_query, values, strict=True)},
        tuple(dict.fromkeys(note for result in evaluations for note in result.coverage.notes())),
    )


def paired_tests(rows: Sequence[Row], baseline: str, *, samples: int = 100_000, seed: int = 0) -> list[PairedTest]:
    """Each other row against the baseline's, on every measure, Holm's correction over the systems within a measure."""
    base = next(row for row in rows if row.name == baseline)
    others = [row for row in rows if row.name != baseline]
    if not others:
        return []

    # One `[Q, M]` of differences per system; p-values `[S, M]`.
    differences = [row.values() - base.values() for row in others]
    differences = [np.where(np.abs(d) < SAME, 0.0, d) for d in differences]
    randomised = np.array([randomisation_test(d, samples=samples, seed=seed) for d in differences])
    student = np.array([t_test(d) for d in differences])
    counts = [wins_ties_losses(d) for d in differences]

    # Holm's family is a column: all systems on one measure.
    tests = []
    for column, measure in enumerate(base.means):
        randomised_holm = holm(randomised[:, column].tolist())
        student_holm = holm(student[:, column].tolist())
        for place, other in enumerate(others):
            mean = float(differences[place][:, column].mean())
            by_randomisation = (float(randomised[place, column]), randomised_holm[place])
            by_student = (float(student[place, column]), student_holm[place])
            tests.append(PairedTest(other.name, measure, mean, *by_randomisation, *by_student, *counts[place][column]))
    return tests


def shared_qrels(systems: Sequence[System], queries: str = "same") -> dict[str, Grades]:
    """The judgements that all systems are measured by.

    `queries="same"` wants one set of judgements; `"common"` takes the queries that all have. Raises `DataError` where
    they differ, for other numbers cannot stand in one table.
    """
    one_of(queries, ("same", "common"), "queries")
    judged = [(system.name, member.qrels) for system in systems for member in system.members]
    first_name, first = judged[0]
    common = [query for query in first if all(query in qrels for _, qrels in judged)]

    # `same`: no system has a query that another lacks.
    other = next((name for name, qrels in judged if set(qrels) != set(first)), None)
    if queries == "same" and other is not None:
        raise DataError(
            f"{first_name!r} and {other!r} have judgements of different queries, {len(common)} of them common",
            cure="compare runs of one split, or add queries=common for the common ones alone",
        )

    # Either way, a query that all have must be judged alike.
    for name, qrels in judged:
        wrong = next((query for query in common if dict(qrels[query]) != dict(first[query])), None)
        if wrong is not None:
            raise DataError(
                f"{first_name!r} and {name!r} have different judgements of query {wrong!r}",
                cure="compare runs of one version of the data",
            )
    if not common:
        raise DataError("no query is common to all systems", cure="compare runs of one split")
    return {query: first[query] for query in common}


def pooled(systems: Sequence[System], qrels: Mapping[str, Grades]) -> tuple[Pool, bool]:
    """All documents that any system ranks, and whether each ranks the same ones."""
    lists = {query: set[str]() for query in qrels}
    same = True
    for number, member in enumerate(member for system in systems for member in system.members):
        for query, documents in lists.items():
            ranked = member.run.by_query.get(query, {}).keys()
            same = same and (number == 0 or ranked == documents)
            documents.update(ranked)
    return Pool.of(lists, qrels), same


def compare(
    systems: Sequence[System],
    *,
    baseline: str | None = None,
    measures: Sequence[str] = MEASURES,
    queries: str = "same",
    samples: int = 100_000,
    seed: int = 0,
) -> Comparison:
    """Measure all systems and test each against `baseline`, by default the first."""
    names = [system.name for system in systems]
    if not measures:
        raise ConfigError("measures is empty; name one at least, such as ndcg_10")
    baseline = names[0] if baseline is None else one_of(baseline, names, "baseline")

    # One row per system, all by the same judgements.
    qrels = shared_qrels(systems, queries)
    rows = [row(s.name, [evaluate(member.run, qrels, measures) for member in s.members]) for s in systems]
    pool, same = pooled(systems, qrels)
    notes = shared_notes(rows)
    if not same:
        notes.append("the systems rank different documents: random order and ideal are of all that any of them ranks")

    # Floor and ceiling rank the pool of all systems' documents.
    return Comparison(
        len(qrels),
        tuple(measures),
        baseline,
        row("random order", [random_order(pool, measures)]),
        tuple(rows),
        row("ideal", [ideal(pool, measures)]),
        tuple(paired_tests(rows, baseline, samples=samples, seed=seed)),
        tuple(notes),
    )


def shared_notes(rows: Sequence[Row]) -> list[str]:
    """The notes on all rows, each once; one that does not hold for every system opens with the system's name."""
    notes = [
        note if all(note in other.notes for other in rows) else f"{one.name}: {note}"
        for one in rows
        for note in one.notes
    ]
    return list(dict.fromkeys(notes))
