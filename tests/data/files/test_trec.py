"""TREC files: exact round trips, rejections with line numbers, and other tools reading ours."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clir_lightning.data.files.trec import field_rows, read_qrels, read_run, write_qrels, write_run
from clir_lightning.errors import DataError
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.types import Run

RUN = Run({"q1": {"а": 0.1, "b": 0.30000000000000004, "c": 0.3}, "q2": {"b": -1e-30}}, name="my system")
QRELS = {"q1": {"а": 2, "c": 0}, "q2": {"b": 1}}


@pytest.mark.parametrize("name", ["run.trec", "run.trec.gz"])
def test_run_comes_back_the_same(name: str, tmp_path: Path) -> None:
    write_run(RUN, tmp_path / name)
    back = read_run(tmp_path / name)
    assert back.by_query == RUN.by_query
    assert back.name == "run"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(allow_nan=False), min_size=1))
def test_scores_written_give_the_same_order(tmp_path_factory: pytest.TempPathFactory, scores: dict[str, float]) -> None:
    path = tmp_path_factory.mktemp("run") / "run.trec"
    write_run(Run({"q": scores}), path)
    assert read_run(path).ranking("q") == Run({"q": scores}).ranking("q")
    assert [line.split()[2] for line in path.read_text().splitlines()] == Run({"q": scores}).ranking("q")


@pytest.mark.parametrize("name", ["test.qrels", "test.qrels.gz"])
def test_qrels_come_back_the_same(name: str, tmp_path: Path) -> None:
    write_qrels(QRELS, tmp_path / name)
    assert read_qrels(tmp_path / name).by_query == QRELS


def test_blanks_and_tabs_both_separate(tmp_path: Path) -> None:
    (tmp_path / "tabs").write_text("q1\tQ0\td1\t1\t2.5\tname\n")
    (tmp_path / "blanks").write_text("q1  Q0 d1   1 2.5 name\r\n")
    with gzip.open(tmp_path / "packed.gz", "wt") as stream:
        stream.write("q1 \t Q0 d1 1\t2.5 name")
    for name in ("tabs", "blanks", "packed.gz"):
        assert read_run(tmp_path / name).by_query == {"q1": {"d1": 2.5}}
    (tmp_path / "qrels").write_text("q1\t0\td1\t3\nq1 0 d2 -1\n")
    assert read_qrels(tmp_path / "qrels").by_query == {"q1": {"d1": 3, "d2": -1}}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("q1 Q0 d1 1 nan name", "line 2: score 'nan'"),
        ("q1 Q0 d1 1 high name", "line 2: score 'high'"),
        ("q1 Q0 d0 1 1.0 name", "line 2: document 'd0' twice for query 'q1'"),
        ("q1 Q0 d1 1 1.0", "line 2: 5 fields; a line has 6: query Q0 document rank score name"),
        ("", "line 2: 0 fields"),
    ],
)
def test_bad_run_lines_are_rejected_by_number(line: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "run").write_text(f"q1 Q0 d0 1 2.0 name\n{line}\n")
    with pytest.raises(DataError, match=says):
        read_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("line", "says"),
    [("q1 0 d1 high", "line 2: grade 'high'"), ("q1 0 d0 1", "line 2: document 'd0' twice"), ("q1 d1 1", "3 fields")],
)
def test_bad_qrels_lines_are_rejected_by_number(line: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text(f"q1 0 d0 1\n{line}\n")
    with pytest.raises(DataError, match=says):
        read_qrels(tmp_path / "qrels")


def test_what_the_format_cannot_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="id 'a b' is empty or has whitespace"):
        write_run(Run({"q": {"a b": 1.0}}), tmp_path / "run")
    with pytest.raises(DataError, match="'a' for query 'q' is not a number"):
        write_run(Run({"q": {"a": float("nan")}}), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_ir_measures_reads_ours_and_agrees(tmp_path: Path) -> None:
    write_run(RUN, tmp_path / "run.trec")
    write_qrels(QRELS, tmp_path / "test.qrels")
    tool: Any = ir_measures
    run = list(tool.read_trec_run(str(tmp_path / "run.trec")))
    theirs = ir_measures.calc_aggregate(
        [ir_measures.nDCG @ 10], tool.read_trec_qrels(str(tmp_path / "test.qrels")), run
    )
    assert evaluate(RUN, QRELS).means["ndcg_10"] == pytest.approx(theirs[ir_measures.nDCG @ 10])


def test_ranx_reads_ours_and_agrees(tmp_path: Path) -> None:
    ranx = pytest.importorskip("ranx", reason="ranx is not installed; it comes with the extra 'bench'")
    write_run(RUN, tmp_path / "run.trec")
    write_qrels(QRELS, tmp_path / "test.qrels")
    theirs = ranx.evaluate(
        ranx.Qrels.from_file(str(tmp_path / "test.qrels"), kind="trec"),
        ranx.Run.from_file(str(tmp_path / "run.trec"), kind="trec"),
        "ndcg@10",
    )
    assert evaluate(RUN, QRELS).means["ndcg_10"] == pytest.approx(theirs)


def test_rows_of_other_fields_are_reported_and_left_out(tmp_path: Path) -> None:
    """A header is one line of names; the separator decides what a field is."""
    path = tmp_path / "test.tsv"
    path.write_text("query\tdocument\tgrade\nq\ta b\t2\nq\td\nq\te\tx\n")
    told: list[DataError] = []
    rows = field_rows(path, told.append, form="query document grade", separator="\t", header=True)
    assert list(rows) == [(2, "q", "a b", "2"), (4, "q", "e", "x")]
    assert [str(error) for error in told] == [f"{path}, line 3: 2 fields; a line has 3: query document grade"]
