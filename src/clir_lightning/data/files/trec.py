"""TREC run files (`query Q0 document rank score name`) and qrels files (`query 0 document grade`), gzip or plain.

Fields stand between blanks or tabs, any number of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from clir_lightning.data.files.lines import read_lines, write_whole
from clir_lightning.errors import DataError
from clir_lightning.types import Grades, Qrels, Run


def _fields(line: str, count: int, form: str, path: str | Path, number: int) -> list[str]:
    fields = line.split()
    if len(fields) != count:
        raise DataError(f"{len(fields)} fields", path=path, line=number, cure=f"a line has {count}: {form}")
    return fields


def _id(name: str, path: str | Path) -> str:
    """An id that a file of fields between whitespace can hold."""
    if not name or len(name.split()) != 1 or name != name.strip():
        raise DataError(f"id {name!r} is empty or has whitespace in it", path=path, cure="TREC files cannot hold it")
    return name


def read_run(path: str | Path) -> Run:
    """Read a run file. The scores alone give the order, as in trec_eval; the rank column is ignored."""
    lists: dict[str, dict[str, float]] = {}
    name = Path(path).name.removesuffix(".gz").removesuffix(".trec")
    for number, line in read_lines(path):
        query, _, document, _, text, _ = _fields(line, 6, "query Q0 document rank score name", path, number)
        try:
            score = float(text)
        except ValueError:
            score = math.nan
        if math.isnan(score):
            raise DataError(f"score {text!r}", path=path, line=number, cure="a score is a number, NaN not among them")
        if document in lists.setdefault(query, {}):
            problem = f"document {document!r} twice for query {query!r}"
            raise DataError(problem, path=path, line=number, cure="keep one of the two")
        lists[query][document] = score
    if not lists:
        raise DataError("no lines", path=path, cure="the run is empty: make it again")
    return Run(lists, name=name)


def write_run(run: Run, path: str | Path) -> None:
    """Write a run, best document first, with scores that read back to the same numbers and so to the same order."""
    tag = "_".join(run.name.split()) or "run"
    with write_whole(path) as stream:
        for query in run:
            for rank, document in enumerate(run.ranking(query), start=1):
                score = run[query][document]
                if math.isnan(score):
                    raise DataError(f"the score of {document!r} for query {query!r} is not a number", path=path)
                stream.write(f"{_id(query, path)} Q0 {_id(document, path)} {rank} {float(score)!r} {tag}\n")


def write_qrels(qrels: Mapping[str, Grades], path: str | Path) -> None:
    """Write a qrels file, in the order of `qrels`."""
    with write_whole(path) as stream:
        for query, grades in qrels.items():
            for document, grade in grades.items():
                stream.write(f"{_id(query, path)} 0 {_id(document, path)} {grade}\n")


def read_qrels(path: str | Path) -> Qrels:
    """Read a qrels file."""
    judged: dict[str, dict[str, int]] = {}
    for number, line in read_lines(path):
        query, _, document, text = _fields(line, 4, "query 0 document grade", path, number)
        try:
            grade = int(text)
        except ValueError as error:
            raise DataError(f"grade {text!r}", path=path, line=number, cure="a grade is a whole number") from error
        if document in judged.setdefault(query, {}):
            problem = f"document {document!r} twice for query {query!r}"
            raise DataError(problem, path=path, line=number, cure="keep one of the two")
        judged[query][document] = grade
    if not judged:
        raise DataError("no lines", path=path, cure="the qrels are empty: fetch them again")
    return Qrels(judged)
