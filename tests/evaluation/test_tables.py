"""The same comparison as text in each form, read back where there is a reader."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from clir_lightning.evaluation import tables
from clir_lightning.evaluation.comparison import Comparison, Member, System, compare
from clir_lightning.types import Run

QRELS = {f"q{i}": {"a": 1, "b": 0} for i in range(8)}


def system(name: str, *rights: int) -> System:
    """A system with one member per number: it ranks so many queries rightly (1), the others wrongly (1/2)."""
    runs = [Run({f"q{i}": {"a": float(i < right), "b": 0.5} for i in range(8)}) for right in rights]
    return System(name, tuple(Member(run, QRELS, seed) for seed, run in enumerate(runs)))


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare([system("base_1", 0), system("50% | more", 8, 6)], measures=["mrr_5", "recall_1"])


def test_cells_have_deviations_stars_and_the_baseline(found: Comparison) -> None:
    cells = tables.measure_cells(found, alpha=0.05)
    assert cells[1] == ["base_1 (baseline)", "1", "50.0", "0.0"]
    assert cells[2] == ["50% | more", "2", "93.8 ± 8.8*", "87.5 ± 17.7*"]  # 8 of 8 differ one way: p = 2 / 256
    assert tables.measure_cells(found, alpha=0.001)[2][2] == "93.8 ± 8.8"
    assert [row[0] for row in cells[::3]] == ["random order", "ideal"]
    assert tables.paired_cells(found.tests[0]) == \
        ["50% | more", "MRR@5", "+43.8", ".008", ".008", "< .001", "< .001", "8/0/0"]  # fmt: skip


def test_markdown_escapes_its_own_signs(found: Comparison) -> None:
    text = tables.markdown(found, 0.05, ["one seed"])
    assert "| 50% \\| more | 2 | 93.8 ± 8.8\\* | 87.5 ± 17.7\\* |\n" in text
    assert text.endswith("- one seed\n")
    header, rule = text.splitlines()[:2]
    assert header.count("|") == rule.count("|") == 5


def test_latex_escapes_and_marks_the_best(found: Comparison) -> None:
    text = tables.latex(found, 0.05)
    assert "base\\_1 (baseline) & 1 & 50.0 & 0.0 \\\\" in text
    best = r"50\% \textbar{} more & 2 & \textbf{93.8 $\pm$ 8.8$^{*}$} & \textbf{87.5 $\pm$ 17.7$^{*}$} \\"
    assert best in text
    assert text.count("{") == text.count("}")
    assert "for each measure" in text


def test_csv_and_json_hold_full_precision(found: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.csv_text(found))))
    assert len(rows) == 4 * 2
    mine = next(row for row in rows if row["system"] == "50% | more" and row["measure"] == "mrr_5")
    assert (float(mine["mean"]), float(mine["p_randomisation"])) == (0.9375, 2 / 256)
    assert float(mine["deviation"]) == pytest.approx(0.125 / 2**0.5, rel=1e-12)
    assert {row["wins"] for row in rows if row["system"] in ("base_1", "ideal")} == {""}
    content = json.loads(tables.json_text(found, ["one seed"]))
    assert content["notes"] == ["one seed"]
    assert content["systems"][2]["means"]["mrr_5"] == 0.9375
    assert content["tests"][0]["wins"] == 8


def test_per_query_values_average_to_the_means(found: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.per_query_csv(found))))
    assert len(rows) == 4 * 8
    mine = [float(row["mrr_5"]) for row in rows if row["system"] == "50% | more"]
    assert sum(mine) / 8 == 0.9375
    assert mine[-1] == 0.75  # 1 by one seed, 1/2 by the other


def test_without_tests_nothing_is_said_of_them(found: Comparison) -> None:
    alone = replace(found, tests=(), rows=found.rows[:1])
    assert "Holm" not in tables.markdown(alone, 0.05) + tables.latex(alone, 0.05)
    assert tables.measure_cells(alone, 0.05)[1][0] == "base_1"
