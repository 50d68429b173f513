"""A comparison as text: for the terminal, Markdown, LaTeX, CSV and JSON, all from the same cells."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from clir_lightning.evaluation.comparison import Comparison, PairedTest, Row
from clir_lightning.evaluation.evaluate import Evaluation
from clir_lightning.evaluation.measures import label

PAIRED_HEAD = ("system", "measure", "difference", "p randomisation", "Holm", "p t-test", "Holm", "wins/ties/losses")


def percent(row: Row, measure: str) -> str:
    """A measure in percent, with its standard deviation where there are several seeds.

    >>> percent(Row("x", 2, {"mrr": 0.4}, {"mrr": 0.1414}, {}), "mrr")
    '40.0 ± 14.1'
    """
    mean = f"{100 * row.means[measure]:.1f}"
    return mean if row.deviations is None else f"{mean} ± {100 * row.deviations[measure]:.1f}"


def printed_p(p: float) -> str:
    """A p-value with what a reader needs of it.

    >>> printed_p(0.04321), printed_p(0.00002), printed_p(1.0)
    ('.043', '< .001', '1')
    """
    return "< .001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}".removeprefix("0")


def marks(comparison: Comparison, alpha: float) -> dict[tuple[str, str], str]:
    """`*` by (system, measure) where the randomisation test tells it from the baseline at `alpha` after Holm."""
    return {(t.system, t.measure): "*" for t in comparison.tests if t.p_randomisation_holm < alpha}


def measure_head(comparison: Comparison) -> list[str]:
    """The columns of the table of measures."""
    return ["system", "seeds", *map(label, comparison.measures)]


def measure_cells(comparison: Comparison, alpha: float) -> list[list[str]]:
    """The rows of the table of measures, from floor to ceiling."""
    mark = marks(comparison, alpha)
    bounds = (comparison.floor, comparison.ceiling)
    return [
        [
            f"{row.name} (baseline)" if row.name == comparison.baseline and comparison.tests else row.name,
            "" if row in bounds else str(row.seeds),
            *(percent(row, name) + mark.get((row.name, name), "") for name in comparison.measures),
        ]
        for row in comparison.all_rows
    ]


def paired_cells(test: PairedTest) -> list[str]:
    """A row of the table of tests."""
    p = (test.p_randomisation, test.p_randomisation_holm, test.p_t, test.p_t_holm)
    counts = f"{test.wins}/{test.ties}/{test.losses}"
    return [test.system, label(test.measure), f"{100 * test.difference:+.1f}", *map(printed_p, p), counts]


def explanation(comparison: Comparison, alpha: float) -> str:
    """What the tables show, for a caption."""
    text = f"Means over {comparison.queries} queries in percent, ± the standard deviation over seeds."
    if not comparison.tests:
        return text
    return (
        f"{text} * differs from {comparison.baseline} at α = {alpha:g} (two-sided paired randomisation test of each "
        "query's mean over the seeds; Holm's correction over the systems, for each measure)."
    )


def terminal(title: str, head: Sequence[str], cells: Sequence[Sequence[str]], left: int = 1) -> Table:
    """A table for the terminal whose first `left` columns hold text."""
    table = Table(title=escape(title), title_justify="left")
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if place < left else "right")
    for row in cells:
        table.add_row(*map(escape, row))
    return table


def _markdown(head: Sequence[str], cells: Sequence[Sequence[str]], left: int) -> str:
    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in row) + " |\n"

    rule = "|" + "".join("---|" if place < left else "---:|" for place in range(len(head))) + "\n"
    return line(head) + rule + "".join(map(line, cells))


def markdown(comparison: Comparison, alpha: float, notes: Sequence[str] = ()) -> str:
    """The tables as Markdown, with their explanation and what there is to note."""
    parts = [_markdown(measure_head(comparison), measure_cells(comparison, alpha), 1)]
    parts.append(explanation(comparison, alpha).replace("*", "\\*") + "\n")
    if comparison.tests:
        parts.append(_markdown(PAIRED_HEAD, [paired_cells(test) for test in comparison.tests], 2))
    if notes:
        parts.append("".join(f"- {note}\n" for note in notes))
    return "\n".join(parts)


_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    "±": r"$\pm$", "α": r"$\alpha$", "*": r"$^{*}$", "<": r"$<$", ">": r"$>$", "|": r"\textbar{}"
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}  # fmt: skip


def latex_text(text: str) -> str:
    r"""Text with LaTeX's own signs escaped.

    >>> print(latex_text("lr_1 50% ± 2*"))
    lr\_1 50\% $\pm$ 2$^{*}$
    """
    return "".join(_LATEX.get(sign, sign) for sign in text)


def latex(comparison: Comparison, alpha: float) -> str:
    """The table of measures for LaTeX with booktabs; the highest mean of the systems is bold."""
    best = {name: max(row.means[name] for row in comparison.rows) for name in comparison.measures}
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}\n\\centering",
        f"\\caption{{{latex_text(explanation(comparison, alpha))}}}",
        f"\\begin{{tabular}}{{lr{'r' * len(comparison.measures)}}}\n\\toprule",
        " & ".join(map(latex_text, measure_head(comparison))) + " \\\\\n\\midrule",
    ]
    for row, cells in zip(comparison.all_rows, measure_cells(comparison, alpha), strict=True):
        texts = [latex_text(cell) for cell in cells]
        for place, name in enumerate(comparison.measures, start=2):
            if row in comparison.rows and row.means[name] == best[name]:
                texts[place] = f"\\textbf{{{texts[place]}}}"
        lines.append(" & ".join(texts) + " \\\\")
    return "\n".join([*lines, "\\bottomrule\n\\end{tabular}\n\\end{table}\n"])


def csv_text(comparison: Comparison) -> str:
    """One line per system and measure, in full precision; without a test against the baseline its cells are empty."""
    tests = {(test.system, test.measure): asdict(test) for test in comparison.tests}
    columns = [name for name in PairedTest.__slots__ if name not in ("system", "measure")]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["system", "seeds", "measure", "mean", "deviation", *columns])
    for row in comparison.all_rows:
        for name, mean in row.means.items():
            test = tests.get((row.name, name), {})
            deviation = "" if row.deviations is None else row.deviations[name]
            writer.writerow([row.name, row.seeds, name, mean, deviation, *(test.get(key, "") for key in columns)])
    return stream.getvalue()


def per_query_csv(comparison: Comparison) -> str:
    """One line per system and query, one column per measure: the mean over the system's seeds, in full precision."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["system", "qid", *comparison.measures])
    for row in comparison.all_rows:
        writer.writerows([row.name, query, *map(repr, values.values())] for query, values in row.per_query.items())
    return stream.getvalue()


def json_text(comparison: Comparison, notes: Sequence[str] = ()) -> str:
    """Everything but the single queries."""
    content = {
        "queries": comparison.queries,
        "baseline": comparison.baseline,
        "systems": [
            {"name": row.name, "seeds": row.seeds, "means": row.means, "deviations": row.deviations}
            for row in comparison.all_rows
        ],
        "tests": [asdict(test) for test in comparison.tests],
        "notes": list(notes),
    }
    assert all(math.isfinite(test.p_t) for test in comparison.tests)
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def result_table(title: str, rows: Sequence[Evaluation]) -> Table:
    """One row per system, one column per measure, in percent as the field prints them."""
    table = Table(title=title, title_justify="left")
    table.add_column("system")
    for name in rows[0].means:
        table.add_column(label(name), justify="right")
    for row in rows:
        table.add_row(row.name, *(f"{100 * value:.1f}" for value in row.means.values()))
    return table


def print_whole(table: Table, console: Console) -> None:
    """Print a table without cutting its cells: a terminal folds them, a file has no width to keep to."""
    wide = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    if not console.is_terminal:
        console = Console(width=max(wide, console.width))
    console.print(table)
