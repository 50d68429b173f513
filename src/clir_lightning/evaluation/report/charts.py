"""The report's figures, each a list of `(caption, svg)`."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import torch

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
RELEVANT, OTHER = PALETTE[0], PALETTE[5]


def colours(comparison: Comparison) -> dict[str, str]:
    """Each system's colour; the baseline is black, the bounds are grey."""
    names = [row.name for row in comparison.rows if row.name != comparison.baseline]
    found = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}
    grey = dict.fromkeys((comparison.floor.name, comparison.ceiling.name), "#999")
    return {**grey, comparison.baseline: "#222", **found}


def swatch(colour: str, text: str) -> str:
    """A key's coloured square with its text."""
    return f'<span class="key"><i style="background:{colour}"></i>{escape(text)}</span>'


def score_distributions(systems: Sequence[System], qrels: Mapping[str, Grades]) -> list[Figure]:
    """For each system the scores of relevant pairs beside those of the others, over all of its seeds."""
    figures = []
    for system in systems:
        pairs, ordered = [], []
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
    if low == high:
        low, high = low - 0.5, high + 0.5
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
    shades, figures = colours(comparison), []
    for row in comparison.rows:
        if row.name == comparison.baseline:
            continue
        found = np.sort(row.values()[:, column] - base.values()[:, column])[::-1]
        found[np.abs(found) < SAME] = 0.0
        limit = max(0.05, float(np.abs(found).max()))
        frame = Frame((0, len(found)), (-limit, limit))
        outline = steps(list(range(len(found) + 1)), found.tolist())
        wins, losses = int((found > 0).sum()), int((found < 0).sum())
        zero = frame.line([(0, 0.0), (len(found), 0.0)], "#222", comparison.baseline)
        caption = (
            f"<b>{escape(row.name)}</b> minus {escape(comparison.baseline)}<br>better on {wins}, equal on "
            f"{len(found) - wins - losses}, worse on {losses}"
        )
        body = frame.area(outline, shades[row.name], row.name) + zero
        picture = frame.chart("queries", f"difference in {label(measure)}", body, f"{row.name}, differences")
        figures.append((caption, picture))
    return figures


def recall_over_depth(comparison: Comparison, systems: Sequence[System], qrels: Mapping[str, Grades]) -> list[Figure]:
    """The mean recall of each system down to each rank."""
    shades, curves = colours(comparison), []
    for system in systems:
        found = []
        for member in system.members:
            pool = Pool.of(member.run.by_query, qrels)
            ranked = pool.ranked(run_scores(member.run, pool))
            relevant = (ranked.ideal > 0).sum(dim=1).clamp(min=1)
            found.append(((ranked.gains > 0).cumsum(dim=1) / relevant[:, None]).double().mean(dim=0))
        depth = max(map(len, found))
        padded = [torch.nn.functional.pad(f[None], (0, depth - len(f)), mode="replicate")[0] for f in found if len(f)]
        if padded:
            curves.append((system.name, torch.stack(padded).mean(dim=0).tolist()))
    depth = max((len(values) for _, values in curves), default=0)
    if depth < 2:
        return []
    frame = Frame((1, depth), (0.0, 1.0), width=620, height=320)
    body = "".join(
        frame.line([(rank, value) for rank, value in enumerate(values, start=1)], shades[name], name)
        for name, values in curves
    )
    caption = "".join(swatch(shades[name], name) for name, _ in curves)
    return [(caption, frame.chart("rank", "recall", body, "recall over depth"))]


def _logged(path: Path) -> dict[str, Points]:
    """Every column of a `metrics.csv` over the steps."""
    found: dict[str, list[tuple[float, float]]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            for name, text in row.items():
                if text and name not in ("step", "epoch") and row.get("step"):
                    found.setdefault(name, []).append((float(row["step"]), float(text)))
    return {name: [point for point in points if math.isfinite(point[1])] for name, points in found.items()}


def over_training(comparison: Comparison, systems: Sequence[System], measure: str) -> list[Figure]:
    """The dev measure and the training loss over the steps, a line a seed, of those folders that logged them."""
    shades = colours(comparison)
    logs = [
        (system.name, member.seed, _logged(member.folder / "metrics.csv"))
        for system in systems
        for member in system.members
        if member.folder is not None and (member.folder / "metrics.csv").is_file()
    ]
    figures = []
    for column, text in ((f"val/{measure}", f"dev {label(measure)}"), *CURVES):
        lines = [(name, seed, log[column]) for name, seed, log in logs if log.get(column)]
        if not lines:
            continue
        values = [value for _, _, points in lines for _, value in points]
        top = max(values) * 1.05 or 1.0
        last = max(points[-1][0] for _, _, points in lines)
        frame = Frame((0, last or 1.0), (min(0.0, min(values)), top), width=460, height=280)
        body = "".join(frame.line(points, shades[name], f"{name}, seed {seed}") for name, seed, points in lines)
        names = dict.fromkeys(name for name, _, _ in lines)
        caption = f"<b>{escape(text)}</b>{''.join(swatch(shades[name], name) for name in names)}"
        figures.append((caption, frame.chart("step", text, body, f"{text} over training")))
    return figures
