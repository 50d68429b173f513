"""The table of systems by measures that a job ends with."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from clir_lightning.evaluation.evaluate import Evaluation
from clir_lightning.evaluation.measures import label


def result_table(title: str, rows: Sequence[Evaluation]) -> Table:
    """A row a system, a column a measure, in percent as the field prints them."""
    table = Table(title=title, title_justify="left")
    table.add_column("system")
    for name in rows[0].means:
        table.add_column(label(name), justify="right")
    for row in rows:
        table.add_row(row.name, *(f"{100 * value:.1f}" for value in row.means.values()))
    return table
