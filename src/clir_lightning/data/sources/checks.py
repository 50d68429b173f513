"""What a collection may hold, decided once for every source.

A source's reader only parses: it yields rows with the line they stand on. `Intake` lets through what is right; a
defect ends the reading or is counted, as the user wants it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from clir_lightning.errors import DataError
from clir_lightning.settings.markers import OneOf
from clir_lightning.settings.values import check_fields

LARGEST_GRADE = 2**31 - 1
ON_PROBLEM = ("error", "skip")  # what becomes of a defective line or a document that is not there
SHOWN = 5

Line = int | None
TextRow = tuple[Line, str, str]  # line, id, text
ValueRow = tuple[Line, str, Any]  # line, document id, grade or score
QueryRow = tuple[Line, str, str, Iterable[ValueRow]]  # line, id, text, judgements


@dataclass
class Problems:
    """What is wrong with a source: the first problem ends the reading, or each is counted and its row left out.

    Judged documents that the collection lacks are a kind of their own, under `on_missing`.
    """

    on_error: Annotated[str, OneOf(ON_PROBLEM)] = "error"
    on_missing: Annotated[str, OneOf(ON_PROBLEM)] = "error"
    defects: list[str] = field(default_factory=list)
    missing: int = 0

    def __post_init__(self) -> None:
        check_fields(self, "data")

    def report(self, error: DataError) -> None:
        """Raise `error`, or note it."""
        if self.on_error == "error":
            raise error
        self.defects.append(str(error) if len(self.defects) < SHOWN else "")

    def absent(self, document_id: str, path: str | Path, line: Line) -> None:
        """Raise for a document that is not in the collection, or count it."""
        if self.on_missing == "error":
            cure = "complete the documents, or set data.on_missing=skip to leave such rows out"
            raise DataError(f"document {document_id!r} is not in the collection", path=path, line=line, cure=cure)
        self.missing += 1

    def notes(self) -> list[str]:
        """What was left out, one line each."""
        notes = []
        if self.defects:
            first = " | ".join(filter(None, self.defects))
            notes.append(f"{len(self.defects)} defects left out, the first: {first}")
        if self.missing:
            notes.append(f"{self.missing} judged or ranked documents are not in the collection and are left out")
        return notes


def plural(what: str) -> str:
    """`documents`, `queries`.

    >>> plural("query")
    'queries'
    """
    return f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"


def check_text(text: str) -> str:
    """What is wrong with a text, or nothing.

    >>> check_text(" "), check_text("a\\ud800")
    ('is empty', 'holds half a character (a lone surrogate)')
    """
    if not text or text.isspace():
        return "is empty"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)"
    return ""


def check_id(text_id: str) -> str:
    """What is wrong with an id, or nothing: TREC files are split at white space."""
    if text_id.split() != [text_id]:
        return f"id {text_id!r} is empty or has white space"
    return "" if text_id.isascii() else check_text(text_id) and f"id {text_id!r} {check_text(text_id)}"


@dataclass
class Intake:
    """Checks the rows of one source; a row that fails goes to `problems` with its file and line."""

    problems: Problems
    known: set[str] = field(default_factory=set)

    def _checked(self, rows: Iterable[Any], path: str | Path, what: str) -> Iterator[Any]:
        """The rows, of line, id, text and perhaps more, whose ids are new and usable and whose texts are not empty."""
        seen: set[str] = set()
        for row in rows:
            line, text_id, text, *_ = row
            problem = check_id(text_id)
            if not problem and (bad := check_text(text)):
                problem = f"{what} {text_id!r} {bad}"
            if not problem and text_id in seen:
                problem = f"{what} id {text_id!r} twice"
            if problem:
                self.problems.report(DataError(problem, path=path, line=line, cure="correct or remove it"))
                continue
            seen.add(text_id)
            yield row
        if not seen:
            raise DataError(f"no {plural(what)}", path=path, cure="it is empty: fetch it again")

    def texts(self, rows: Iterable[TextRow], path: str | Path, what: str) -> Iterator[tuple[str, str]]:
        """(id, text) of the rows that pass."""
        yield from ((text_id, text) for _, text_id, text in self._checked(rows, path, what))

    def documents(self, rows: Iterable[TextRow], path: str | Path) -> Iterator[tuple[str, str]]:
        """As `texts`; the ids are remembered, for judgements to be held against."""
        self.known.clear()
        for document_id, text in self.texts(rows, path, "document"):
            self.known.add(document_id)
            yield document_id, text

    def queries(self, rows: Iterable[QueryRow], path: str | Path) -> Iterator[tuple[str, str, dict[str, int]]]:
        """(id, text, judgements) of each query that passes."""
        for _, query_id, text, judgements in self._checked(rows, path, "query"):
            yield query_id, text, self.values(query_id, judgements, path, is_grade)

    def values(
        self, query_id: str, rows: Iterable[ValueRow], path: str | Path, valid: Callable[[Any], str]
    ) -> dict[str, Any]:
        """Document id → value of the rows whose document is in the collection and whose value `valid` accepts."""
        values: dict[str, Any] = {}
        for line, document_id, value in rows:
            # What is wrong with the row itself comes first: an absent document may be left out silently.
            problem = valid(value)
            if problem:
                problem = f"document {document_id!r} has {problem}"
            elif document_id in values:
                problem = f"document {document_id!r} twice for query {query_id!r}"

            # Only a valid row is kept.
            if problem:
                self.problems.report(DataError(problem, path=path, line=line, cure="correct or remove it"))
            elif document_id in self.known:
                values[document_id] = value
            else:
                self.problems.absent(document_id, path, line)
        return values


def is_grade(value: Any) -> str:
    """What is wrong with a grade, or nothing."""
    return "" if type(value) is int and abs(value) <= LARGEST_GRADE else f"grade {value!r}, which is not a whole number"


def is_score(value: Any) -> str:
    """What is wrong with a score, or nothing."""
    return "" if isinstance(value, float) and not math.isnan(value) else f"score {value!r}, which is not a number"
