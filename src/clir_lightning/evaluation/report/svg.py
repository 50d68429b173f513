"""Small charts as inline SVG: a frame with axes, and lines, areas and steps inside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

# Okabe and Ito's palette, told apart by colour-blind readers too; black goes to the baseline.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F5F00", "#6A3D9A")

# The margins of a chart in pixels: left and below stand the numbers of the axes.
LEFT = 58
RIGHT = 12
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
        """The points joined by straight lines, as an SVG path."""
        return "M" + "L".join("{} {}".format(*self.place(x, y)) for x, y in points)

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

    def line(self, points: Points, colour: str, title: str) -> str:
        """A line with a title that a pointer over it shows; a single point is a dot."""
        if len(points) == 1:
            x, y = self.place(*points[0])
            return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"><title>{escape(title)}</title></circle>'
        path = f'<path class="line" stroke="{colour}" d="{self.path(points)}">'
        return f"{path}<title>{escape(title)}</title></path>"

    def area(self, points: Points, colour: str, title: str) -> str:
        """The area between the points and 0."""
        closed = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
        return (
            f'<path class="area" stroke="{colour}" fill="{colour}" d="{self.path(closed)}Z">'
            f"<title>{escape(title)}</title></path>"
        )

    def chart(self, x_label: str, y_label: str, body: str, what: str) -> str:
        """The whole picture; `what` describes it to those who do not see it."""
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        return f'<svg {size} role="img" aria-label="{escape(what)}">{self.axes(x_label, y_label)}{body}</svg>'


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
