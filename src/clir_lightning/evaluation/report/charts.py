"""The report's figures, each a list of `(caption, svg)`."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import pad

from clir_lightning.evaluation.comparison import SAME, Comparison, System
from clir_lightning.evaluation.evaluate import run_scores
from clir_lightning.evaluation.measures import label
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.evaluation.report.svg import PALETTE, Frame, Points, steps
from clir_lightning.evaluation.spread import spread
from clir_lightning.types import Grades

Figure = tuple[str, str]  # caption as HTML, picture
BINS = 25
CURVES = (
    ("train/loss_epoch", "training loss"),
    ("val/geometry/auc", "dev AUC of cosines"),
    ("val/geometry/random_mean", "dev mean cosine of random pairs"),
)
RELEVANT = PALETTE[0]
OTHER = PALETTE[5]


def colours(comparison: Comparison) -> dict[str, str]:
    """Each system's colour; the baseline is black, the bounds are grey."""
    names = [row.name for row in comparison.rows if row.name != comparison.baseline]
    own = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}
    grey = dict.fromkeys((comparison.floor.name, comparison.ceiling.name), "#999")
    return {**grey, comparison.baseline: "#222", **own}


def swatch(colour: str, text: str) -> str:
    """A key's coloured square with its text."""
    return f'<span class="key"><i style="background:{colour}"></i>{escape(text)}</span>'


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
    """Two histograms over each other, each in shares of its own values."""
    low, high = np.quantile(np.concatenate([first, second]), [0.001, 0.999])
    if low == high:  # all scores are one
        low -= 0.5
        high += 0.5
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(values.clip(low, high), edges)[0] / max(1, len(values)) for values in (first, second)]
    frame = Frame((low, high), (0.0, float(max(share.max() for share in shares)) * 1.05))
    body = "".join(
        frame.area(steps(edges.tolist(), shares[i].tolist()), colour, f"{len(values)} {kinds[i]} pairs")
        for i, colour, values in ((1, OTHER, second), (0, RELEVANT, first))
    )
    return frame.chart(axis, "share of pairs", body, what)


def _distribution(system: System, score: np.ndarray, relevant: np.ndarray, ordered: float) -> Figure:
    told = "" if math.isnan(ordered) else f"<br>{100 * ordered:.1f} % of a query's pairs of different grades in order"
    caption = f"<b>{escape(system.name)}</b>{swatch(RELEVANT, 'relevant')}{swatch(OTHER, 'other')}{told}"
    picture = distribution(
        score[relevant], score[~relevant], "score", ("relevant", "other"), f"scores of {system.name}"
    )
    return caption, picture


def query_differences(comparison: Comparison, measure: str) -> list[Figure]:
    """For each system its difference to the baseline on every query, the greatest gain first."""
    base = next(row for row in comparison.rows if row.name == comparison.baseline)
    column = comparison.measures.index(measure)
    shades = colours(comparison)
    others = [row for row in comparison.rows if row.name != comparison.baseline]
    figures = []
    for row in others:
        # [Q], in the order of the picture rather than of the queries.
        differences = np.sort(row.values()[:, column] - base.values()[:, column])[::-1]
        differences[np.abs(differences) < SAME] = 0.0

        # What a reader would count.
        wins = int((differences > 0).sum())
        losses = int((differences < 0).sum())
        caption = (
            f"<b>{escape(row.name)}</b> minus {escape(comparison.baseline)}<br>better on {wins}, equal on "
            f"{len(differences) - wins - losses}, worse on {losses}"
        )

        # The baseline is the line at 0; the axis is as long downwards as upwards.
        limit = max(0.05, float(np.abs(differences).max()))
        frame = Frame((0, len(differences)), (-limit, limit))
        outline = steps(list(range(len(differences) + 1)), differences.tolist())
        zero = frame.line([(0, 0.0), (len(differences), 0.0)], "#222", comparison.baseline)
        body = frame.area(outline, shades[row.name], row.name) + zero
        picture = frame.chart("queries", f"difference in {label(measure)}", body, f"{row.name}, differences")
        figures.append((caption, picture))
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
    frame = Frame((1, depth), (0.0, 1.0), width=620, height=320)
    body = "".join(frame.line(list(enumerate(values, start=1)), shades[name], name) for name, values in curves.items())
    caption = "".join(swatch(shades[name], name) for name in curves)
    return [(caption, frame.chart("rank", "recall", body, "recall over depth"))]


def _logged(path: Path) -> dict[str, Points]:
    """Every column of a `metrics.csv` over the steps."""
    columns: dict[str, list[tuple[float, float]]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
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
        if member.folder is not None and (member.folder / "metrics.csv").is_file()
    ]

    # A figure for each column that any folder has.
    figures = []
    for column, text in ((f"val/{measure}", f"dev {label(measure)}"), *CURVES):
        lines = [(f"{name}, seed {seed}", shades[name], log[column]) for name, seed, log in logs if log.get(column)]
        if lines:
            names = dict.fromkeys(name for name, _, log in logs if log.get(column))
            caption = f"<b>{escape(text)}</b>{''.join(swatch(shades[name], name) for name in names)}"
            figures.append((caption, _lines_over_steps(lines, text)))
    return figures


def _lines_over_steps(lines: Sequence[tuple[str, str, Points]], text: str) -> str:
    """Lines of a title, a colour and points, from step 0 and, where no value is below it, from 0."""
    values = [value for _, _, points in lines for _, value in points]
    last = max(points[-1][0] for _, _, points in lines)
    frame = Frame((0, last or 1.0), (min(0.0, min(values)), max(values) * 1.05 or 1.0), width=460, height=280)
    body = "".join(frame.line(points, colour, title) for title, colour, points in lines)
    return frame.chart("step", text, body, f"{text} over training")
