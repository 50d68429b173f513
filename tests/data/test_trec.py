"""TREC files: what is written reads back, and each defect is named with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clir_lightning.data.trec import read_qrels, read_run, write_run
from clir_lightning.errors import DataError
from clir_lightning.types import Qrels, Run


@pytest.mark.parametrize("name", ["a.trec", "a.trec.gz"])
def test_a_run_reads_back_to_the_same_scores(name: str, tmp_path: Path) -> None:
    run = Run({"q": {"a": 0.1 + 0.2, "b": 1e-17, "c": -3.0}, "p": {"a": 5.0}}, name="my system")
    write_run(run, tmp_path / name)
    assert dict(read_run(tmp_path / name).by_query) == dict(run.by_query)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_run_files_form(tmp_path: Path) -> None:
    write_run(Run({"q": {"a": 1.0, "b": 2.0}}, name="my system"), tmp_path / "a")
    assert (tmp_path / "a").read_text() == "q Q0 b 1 2.0 my_system\nq Q0 a 2 1.0 my_system\n"


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_run, "q Q0 a 1 2.0\n", "line 1: 5 fields; a line has 6"),
        (read_run, "q Q0 a 1 2.0 x\nq Q0 b 2 nan x\n", "line 2: score 'nan'"),
        (read_run, "q Q0 a 1 2.0 x\nq Q0 a 2 1.0 x\n", "line 2: document 'a' twice for query 'q'"),
        (read_run, "", "no lines"),
        (read_qrels, "q 0 a\n", "line 1: 3 fields; a line has 4"),
        (read_qrels, "q 0 a 1.5\n", "line 1: grade '1.5'"),
        (read_qrels, "q 0 a 1\nq 0 a 0\n", "line 2: document 'a' twice"),
    ],
)
def test_defects_are_named(read: Callable[[Path], Run | Qrels], content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(content)
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        read(tmp_path / "file")
