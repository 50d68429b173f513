"""The report's figures, each a list of `(caption, picture)`."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import pad

from clir_lightning.evaluation.comparison import SAME, Comparison, System
from clir_lightning.evaluation.evaluate import run_scores
from clir_lightning.evaluation.measures import label
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.report.markup import Figure, key, named
from clir_lightning.evaluation.report.svg import INK, PALETTE, Frame, Points, kept, lines, steps
from clir_lightning.evaluation.spread import spread
from clir_lightning.types import Grades

BINS = 25
CURVES = (
    ("train/loss_epoch", "training loss"),
    ("val/geometry/auc", "dev AUC of cosines"),
    ("val/geometry/random_mean", "dev mean cosine of random pairs"),
)
RELEVANT = PALETTE[0]
OTHER = PALETTE[5]


def colours(comparison: Comparison) -> dict[str, str]:
    """Each system's colour; the baseline has that of the text."""
    names = [row.name for row in comparison.rows if row.name != comparison.baseline]
    own = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}
    return {comparison.baseline: INK, **own}


def score_distributions(systems: Sequence[System], qrels: Mapping[str, Grades]) -> list[Figure]:
    """For each system the scores of relevant pairs beside those of the others, over all of its seeds."""
    figures = []
    for system in systems:
        pairs = []
        ordered = []
        for member in system.members:
            pool = Pool.of(member.run.by_query, qrels)
            scores = run_scores(member.run, pool)
            ordered.append(spread(scores, pool.grades, pool.present).ordered)
            pairs.append(torch.stack([scores[pool.present], pool.grades[pool.present]]).double())
        score, grade = torch.cat(pairs, dim=1).numpy()
        finite = np.isfinite(score)
        if finite.any():
            figures.append(_distribution(system, score[finite], grade[finite] > 0, float(np.mean(ordered))))
    return figures


def distribution(first: np.ndarray, second: np.ndarray, axis: str, kinds: tuple[str, str], what: str) -> str:
    """Two histograms over each other, each in shares of its own values; the outer bins hold all that lies beyond."""
    extent = [np.quantile(values, [0.001, 0.999]) for values in (first, second) if len(values)]
    low = float(np.min(extent))
    high = float(np.max(extent))
    if low == high:  # all scores are one
        low -= 0.5
        high += 0.5
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(values.clip(low, high), edges)[0] / max(1, len(values)) for values in (first, second)]

    # The second lies behind the first.
    frame = Frame((low, high), (0.0, float(max(share.max() for share in shares)) * 1.05))
    body = "".join(
        frame.area(steps(edges.tolist(), shares[i].tolist()), colour) for i, colour in ((1, OTHER), (0, RELEVANT))
    )

    # A bin is read at its middle.
    bins = [f"{start:.3g} to {end:.3g}" for start, end in pairwise(edges)]
    bins[0] = f"below {edges[1]:.3g}"
    bins[-1] = f"{edges[-2]:.3g} and above"
    readings = [
        (float(middle), [said, f"{100 * one:.1f} %", f"{100 * two:.1f} %"])
        for middle, said, one, two in zip((edges[:-1] + edges[1:]) / 2, bins, *shares, strict=True)
    ]
    described = f"{what}: {len(first)} {kinds[0]} and {len(second)} {kinds[1]} pairs"
    return frame.chart((axis, "share of pairs"), body, described, [axis, *kinds], readings)


def _distribution(system: System, score: np.ndarray, relevant: np.ndarray, ordered: float) -> Figure:
    told = "" if math.isnan(ordered) else f"<br>{100 * ordered:.1f} % of a query's pairs of different grades in order"
    caption = f"{named(system.name)}{key({'relevant': RELEVANT, 'other': OTHER})}{told}"
    kinds = ("relevant", "other")
    return caption, distribution(score[relevant], score[~relevant], "score", kinds, f"scores of {system.name}")


def query_differences(comparison: Comparison, measure: str) -> list[Figure]:
    """For each system its difference to the baseline on every query, the greatest gain first."""
    base = next(row for row in comparison.rows if row.name == comparison.baseline)
    column = comparison.measures.index(measure)
    axes = ("queries", f"difference in {label(measure)}")
    shades = colours(comparison)
    queries = list(base.per_query)
    figures = []
    for row in comparison.rows:
        if row is base:
            continue

        # [Q], in the order of the picture rather than of the queries.
        found = row.values()[:, column] - base.values()[:, column]
        found[np.abs(found) < SAME] = 0.0
        order = np.argsort(-found, kind="stable")
        falling = found[order].tolist()

        # What a reader would count.
        wins = int((found > 0).sum())
        losses = int((found < 0).sum())
        counted = f"better on {wins}, equal on {len(found) - wins - losses}, worse on {losses}"
        caption = f"{named(row.name)} minus <bdi>{escape(base.name)}</bdi><br>{counted}"

        # The baseline is the line at 0; the axis is as long downwards as upwards.
        limit = max(0.05, float(np.abs(found).max()))
        frame = Frame((0, len(found)), (-limit, limit))
        outline = frame.area(steps(range(len(found) + 1), falling), shades[row.name])
        body = outline + frame.line([(0, 0.0), (len(found), 0.0)], INK)
        readings = [(at + 0.5, [queries[order[at]], f"{falling[at]:+.3f}"]) for at in kept(len(found))]
        described = f"{row.name} minus {base.name}, {counted}"
        figures.append((caption, frame.chart(axes, body, described, ["query", axes[1]], readings)))
    return figures


def mean_recall(system: System, qrels: Mapping[str, Grades]) -> list[float]:
    """The recall at each rank, mean over queries and seeds; a seed of shorter lists keeps its last value to the end."""
    curves = []
    for member in system.members:
        pool = Pool.of(member.run.by_query, qrels)
        ranked = pool.ranked(run_scores(member.run, pool))
        relevant = (ranked.ideal > 0).sum(dim=1).clamp(min=1)
        curves.append(((ranked.gains > 0).cumsum(dim=1) / relevant[:, None]).double().mean(dim=0))
    depth = max(map(len, curves))
    padded = [pad(curve[None], (0, depth - len(curve)), mode="replicate")[0] for curve in curves if len(curve)]
    return torch.stack(padded).mean(dim=0).tolist() if padded else []


def recall_over_depth(comparison: Comparison, systems: Sequence[System], qrels: Mapping[str, Grades]) -> list[Figure]:
    """The mean recall of each system down to each rank."""
    curves = {system.name: mean_recall(system, qrels) for system in systems}
    curves = {name: values for name, values in curves.items() if values}
    depth = max(map(len, curves.values()), default=0)
    if depth < 2:
        return []

    # One line per system, ranks from 1.
    shades = colours(comparison)
    series = [(name, shades[name], list(enumerate(values, start=1))) for name, values in curves.items()]
    frame = Frame((1, depth), (0.0, 1.0), width=620, height=320)
    return [(key({name: shades[name] for name in curves}), lines(frame, ("rank", "recall"), "recall by rank", series))]


def _logged(path: Path) -> dict[str, Points]:
    """Every column of a `metrics.csv` over the steps, none where there is no such file."""
    columns: dict[str, list[tuple[float, float]]] = {}
    with suppress(FileNotFoundError), path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            for name, text in row.items():
                if text and name not in ("step", "epoch") and row.get("step"):
                    columns.setdefault(name, []).append((float(row["step"]), float(text)))
    return {name: [point for point in points if math.isfinite(point[1])] for name, points in columns.items()}


def over_training(comparison: Comparison, systems: Sequence[System], measure: str) -> list[Figure]:
    """The dev measure and the training loss over the steps, one line per seed, of those folders that logged them."""
    shades = colours(comparison)
    logs = [
        (system.name, member.seed, _logged(member.folder / "metrics.csv"))
        for system in systems
        for member in system.members
        if member.folder is not None
    ]

    # A figure for each column that any folder has.
    figures = []
    for column, text in ((f"val/{measure}", f"dev {label(measure)}"), *CURVES):
        having = [(name, seed, log[column]) for name, seed, log in logs if log.get(column)]
        if not having:
            continue

        # From step 0 and, where no value is below it, from 0.
        values = [value for _, _, points in having for _, value in points]
        last = max(points[-1][0] for _, _, points in having)
        frame = Frame((0, last or 1.0), (min(0.0, min(values)), max(values) * 1.05 or 1.0))
        series = [(f"{name}, seed {seed}", shades[name], points) for name, seed, points in having]
        caption = named(text) + key({name: shades[name] for name, _, _ in having})
        figures.append((caption, lines(frame, ("step", text), f"{text} over training", series)))
    return figures
