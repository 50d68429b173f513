"""Small charts as inline SVG: axes, lines and areas, and their values under the pointer and as a table. No scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import median

from clir_lightning.evaluation.report.markup import table

Points = Sequence[tuple[float, float]]
Reading = tuple[float, Sequence[str]]  # an x, and in words the x and each value there

# Named in the style sheet, for light and for dark.
PALETTE = tuple(f"var(--c{number})" for number in range(8))
INK = "var(--ink)"
MOST = 200  # readings of a chart
VALUES = 600  # of all its lines

# The margins of a chart in pixels: left and below stand the numbers of the axes.
LEFT = 58
RIGHT = 16
TOP = 10
BOTTOM = 38


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most about `most` of them.

    >>> ticks(0.0, 0.83), ticks(1, 100)
    ([0.0, 0.2, 0.4, 0.6, 0.8], [20, 40, 60, 80, 100])
    """
    size = (high - low) / most
    if size <= 0 or not math.isfinite(size):
        return [low]
    unit = 10 ** math.floor(math.log10(size))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= size * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


@dataclass(frozen=True)
class Frame:
    """The plane of a chart: the ranges of its axes, `(low, high)` each, and its size in pixels."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: int = 360
    height: int = 210

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the plane lies in the picture."""
        x0, x1 = self.x
        y0, y1 = self.y
        across = LEFT + (x - x0) / ((x1 - x0) or 1.0) * (self.width - LEFT - RIGHT)
        down = self.height - BOTTOM - (y - y0) / ((y1 - y0) or 1.0) * (self.height - TOP - BOTTOM)
        return round(across, 1), round(down, 1)

    def path(self, points: Points) -> str:
        """The points joined by straight lines, as an SVG path; upright and level ones are written short."""
        x, y = self.place(*points[0])
        path = f"M{x} {y}"
        for point in points[1:]:
            to, at = self.place(*point)
            path += f"V{at}" if to == x else f"H{to}" if at == y else f"L{to} {at}"
            x = to
            y = at
        return path

    def axes(self, x_label: str, y_label: str) -> str:
        """Grid lines, their numbers and the names of both axes."""
        parts = []
        for value in ticks(*self.y, most=5):
            _, y = self.place(self.x[0], value)
            parts.append(f'<path class="grid" d="M{LEFT} {y}H{self.width - RIGHT}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5}" text-anchor="end">{value:g}</text>')
        for value in ticks(*self.x):
            x, y = self.place(value, self.y[0])
            parts.append(f'<text x="{x}" y="{y + 15}" text-anchor="middle">{value:g}</text>')

        # The names stand in the middle of their axes, that of the upright one turned.
        middle = (LEFT + self.width - RIGHT) / 2
        centre = (TOP + self.height - BOTTOM) / 2
        parts.append(f'<text x="{middle}" y="{self.height - 5}" text-anchor="middle">{escape(x_label)}</text>')
        turned = f'transform="rotate(-90 12 {centre})"'
        parts.append(f'<text x="12" y="{centre + 4}" text-anchor="middle" {turned}>{escape(y_label)}</text>')
        return "".join(parts)

    def line(self, points: Points, colour: str) -> str:
        """A line; a single point is a dot."""
        if len(points) == 1:
            x, y = self.place(*points[0])
            return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
        return f'<path class="line" stroke="{colour}" d="{self.path(points)}"/>'

    def area(self, points: Points, colour: str) -> str:
        """The area between the points and 0."""
        closed = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
        return f'<path class="area" stroke="{colour}" fill="{colour}" d="{self.path(closed)}Z"/>'

    def picture(self, x_label: str, y_label: str, body: str, what: str) -> str:
        """The SVG alone; `what` describes it to those who do not see it."""
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        return f'<svg {size} role="img" aria-label="{escape(what)}">{self.axes(x_label, y_label)}{body}</svg>'

    def chart(
        self, labels: tuple[str, str], body: str, what: str, head: Sequence[str], readings: Sequence[Reading]
    ) -> str:
        """The picture with its values, by the x axis, under the pointer and as a table to unfold; `head` is of both."""
        numbers = table(head, [cells for _, cells in readings], 1)
        return (
            f'<div class="chart">{self.picture(*labels, body, what)}{self.strips(head, readings)}</div>'
            f"<details><summary>Numbers</summary>{numbers}</details>"
        )

    def strips(self, head: Sequence[str], readings: Sequence[Reading]) -> str:
        """Over the plane, around each reading's x, a strip that shows its values while the pointer is on it."""
        low, high = self.x
        edges = [low, *((x + y) / 2 for (x, _), (y, _) in pairwise(readings)), high]
        usual = median(right - left for left, right in pairwise(edges))

        # A value with its name where there are several; they hang to the left of a strip in the right half.
        strips = []
        for (left, right), (_, cells) in zip(pairwise(edges), readings, strict=True):
            side = " class=r" if left + right > low + high else ""
            wide = f"{(right - left) / (usual or 1.0):.3g}"
            grow = "" if wide == "1" else f' style="flex-grow:{wide}"'
            pairs = zip(head if len(head) > 2 else ("", ""), cells, strict=True)
            said = "\n".join(f"{name} {cell}".strip() for name, cell in pairs if cell)
            strips.append(f'<i{side}{grow} data-said="{escape(said)}"></i>')
        margins = (TOP / self.height, RIGHT / self.width, BOTTOM / self.height, LEFT / self.width)
        inset = " ".join(f"{100 * margin:.2f}%" for margin in margins)
        return f'<div class="at" aria-hidden="true" style="inset:{inset}">{"".join(strips)}</div>'


def kept(number: int, most: int = MOST) -> list[int]:
    """The places out of `number` that are read: all, or every so many of them up to the last.

    >>> kept(3), kept(10, most=4)
    ([0, 1, 2], [1, 4, 6, 9])
    """
    few = min(number, most)
    return [(place + 1) * number // few - 1 for place in range(few)]


def steps(edges: Sequence[float], heights: Sequence[float]) -> list[tuple[float, float]]:
    """A histogram's outline.

    >>> steps([0, 1, 2], [5, 3])
    [(0, 5), (1, 5), (1, 3), (2, 3)]
    """
    return [
        point
        for low, high, height in zip(edges, edges[1:], heights, strict=False)
        for point in ((low, height), (high, height))
    ]


def lines(frame: Frame, labels: tuple[str, str], what: str, series: Sequence[tuple[str, str, Points]]) -> str:
    """Lines of a name, a colour and points over each other, read wherever any of them has a point."""
    values = [dict(points) for _, _, points in series]
    xs = sorted(set().union(*values))
    readings = [
        (x, [f"{x:g}", *(f"{known[x]:.4g}" if x in known else "" for known in values)])
        for x in (xs[place] for place in kept(len(xs), max(10, VALUES // len(series))))
    ]
    body = "".join(frame.line(points, colour) for _, colour, points in series)
    return frame.chart(labels, body, what, [labels[0], *(name for name, _, _ in series)], readings)
