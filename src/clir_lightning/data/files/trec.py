"""TREC run files (`query Q0 document rank score name`) and qrels files (`query 0 document grade`), gzip or plain.

Fields stand between blanks or tabs, any number of them. `field_rows` only parses: `read_run` and `read_qrels` reject a
file with any defect, a source's reader leaves defective rows out if the user wants that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from clir_lightning.data.files.lines import Report, read_lines, stop, write_whole
from clir_lightning.errors import DataError
from clir_lightning.progress import Progress
from clir_lightning.types import Grades, Qrels, Run

FieldRow = tuple[int, str, str, str]  # line, query id, document id, and the grade or score as it stands there
Value = TypeVar("Value", int, float)


def field_rows(
    path: str | Path, report: Report = stop, *, form: str, separator: str | None = None, header: bool = False
) -> Iterator[FieldRow]:
    """The rows of a file whose lines have the fields that `form` names: query, document, and grade or score.

    Args:
        path: the file.
        report: is told of a line with more or fewer fields, which is then left out.
        form: the fields' names, in order.
        separator: what stands between fields; `None` for whitespace.
        header: whether the first line may name the fields; it does if its last one is not a number.
    """
    # Ranks, names and the like are passed over.
    names = form.split()
    places = [names.index("query"), names.index("document"), names.index("score" if "score" in names else "grade")]
    for number, line in Progress(f"reading {Path(path).name}", "lines").over(read_lines(path, report)):
        fields = line.split(separator)
        if len(fields) != len(names):
            report(DataError(f"{len(fields)} fields", path=path, line=number, cure=f"a line has {len(names)}: {form}"))
        elif not (header and number == 1 and not fields[-1].lstrip("-").isdigit()):
            query, document, value = (fields[place] for place in places)
            yield number, query, document, value


run_rows = partial(field_rows, form="query Q0 document rank score name")
qrels_rows = partial(field_rows, form="query 0 document grade")


def run_name(path: str | Path) -> str:
    """A run's name, by its file.

    >>> run_name("runs/bm25.trec.gz")
    'bm25'
    """
    return Path(path).name.removesuffix(".gz").removesuffix(".trec")


def read_run(path: str | Path) -> Run:
    """Read a run file. The scores alone give the order, as in trec_eval; the rank column is ignored."""
    lists = _lists(run_rows(path), path, _score, cure="a score is a number, NaN not among them")
    if not lists:
        raise DataError("no lines", path=path, cure="the run is empty: make it again")
    return Run(lists, name=run_name(path))


def read_qrels(path: str | Path) -> Qrels:
    """Read a qrels file."""
    judged = _lists(qrels_rows(path), path, _grade, cure="a grade is a whole number")
    if not judged:
        raise DataError("no lines", path=path, cure="the qrels are empty: fetch them again")
    return Qrels(judged)


def _lists(
    rows: Iterable[FieldRow], path: str | Path, parsed: Callable[[str], Value], *, cure: str
) -> dict[str, dict[str, Value]]:
    """The values of each query's documents. Raises `DataError` for what `parsed` rejects and for a document twice."""
    lists: dict[str, dict[str, Value]] = {}
    for line, query, document, text in rows:
        try:
            value = parsed(text)
        except ValueError as error:
            raise DataError(str(error), path=path, line=line, cure=cure) from error
        if document in lists.setdefault(query, {}):
            problem = f"document {document!r} twice for query {query!r}"
            raise DataError(problem, path=path, line=line, cure="keep one of the two")
        lists[query][document] = value
    return lists


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise ValueError(f"score {text!r}")
    return score


def _grade(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"grade {text!r}") from error


def write_run(run: Run, path: str | Path) -> None:
    """Write a run, best document first, with scores that read back to the same numbers and so to the same order."""
    tag = "_".join(run.name.split()) or "run"
    with write_whole(path) as stream:
        for query in run:
            for rank, document in enumerate(run.ranking(query), start=1):
                score = run[query][document]
                if math.isnan(score):
                    raise DataError(f"the score of {document!r} for query {query!r} is not a number", path=path)
                # `repr` is the shortest text that reads back to the same number.
                stream.write(f"{_id(query, path)} Q0 {_id(document, path)} {rank} {float(score)!r} {tag}\n")


def write_qrels(qrels: Mapping[str, Grades], path: str | Path) -> None:
    """Write a qrels file, in the order of `qrels`."""
    with write_whole(path) as stream:
        for query, grades in qrels.items():
            for document, grade in grades.items():
                stream.write(f"{_id(query, path)} 0 {_id(document, path)} {grade}\n")


def _id(name: str, path: str | Path) -> str:
    """An id that a file of fields between whitespace can hold."""
    if not name or len(name.split()) != 1 or name != name.strip():
        raise DataError(f"id {name!r} is empty or has whitespace in it", path=path, cure="TREC files cannot hold it")
    return name
