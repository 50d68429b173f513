"""Reader of the raw CLIRMatrix layout, for any language pair (Sun and Duh, EMNLP 2020).

A folder holds the documents, `kk.tsv` (`id<TAB>text`), and a file a split, `zh.kk.train.base.jl`, with one query a
line: `{"src_id": "42", "src_query": "…", "tgt_results": [["17", 6], ["99", 0], …]}`. Each may be gzipped (`.gz`). The
files of BI-139 end in `base.jl` or `full.jl`; those of MULTI-8 are named `zh.ja.train.jl`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection
from clir_lightning.data.intake import LARGEST_GRADE, Problems, Source, check_id, check_text, load
from clir_lightning.data.lines import find_file, read_lines
from clir_lightning.errors import DataError, one_of

log = logging.getLogger(__name__)

VARIANTS = {"base": ".base", "full": ".full", "multi8": ""}


def _parse_query(line: str, path: Path, number: int) -> tuple[str, str, dict[str, int]]:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"malformed JSON ({error})", path=path, line=number, cure="fetch the file again") from error
    try:
        text = row["src_query"]
        pairs = [(document_id, grade) for document_id, grade in row["tgt_results"]]
        ids = [row["src_id"], *(document_id for document_id, _ in pairs)]
        if any(type(text_id) not in (str, int) for text_id in ids):
            raise TypeError("an id is a string or a whole number")
        query_id = str(row["src_id"])
        pairs = [(str(document_id), grade) for document_id, grade in pairs]
    except (KeyError, TypeError, ValueError) as error:
        wanted = '{"src_id": …, "src_query": "…", "tgt_results": [[id, grade], …]}'
        raise DataError("not a CLIRMatrix query", path=path, line=number, cure=f"expected {wanted}") from error
    if problem := next(filter(None, map(check_id, [query_id, *(document_id for document_id, _ in pairs)])), ""):
        raise DataError(problem, path=path, line=number, cure="correct the id")
    if problem := check_text(text) if isinstance(text, str) else "is no text":
        raise DataError(f"query {query_id!r} {problem}", path=path, line=number, cure="remove the line")
    for document_id, grade in pairs:
        if type(grade) is not int or not 0 <= grade <= LARGEST_GRADE:
            raise DataError(
                f"grade {grade!r} of document {document_id!r}", path=path, line=number, cure="use a whole number from 0"
            )
    grades = dict(pairs)
    if len(grades) < len(pairs):
        raise DataError(
            f"query {query_id!r} judges a document twice", path=path, line=number, cure="keep one judgement"
        )
    return query_id, text, grades


@dataclass
class _Reader:
    """Reads documents, remembers their ids, and holds the judgements against them."""

    problems: Problems
    on_missing: str
    known: set[str] = field(default_factory=set)

    def documents(self, path: Path) -> Iterator[tuple[str, str]]:
        """`id<TAB>text` lines; an id that comes twice, or an empty one, is a problem."""
        self.known.clear()
        for number, line in read_lines(path, self.problems.found):
            document_id, tab, text = line.partition("\t")
            problem, cure = "", "remove the line"
            if not tab:
                problem, cure = "no 'id<TAB>text'", "put a tab between the id and the text"
            elif bad := check_id(document_id):
                problem, cure = bad, "correct the id"
            elif bad := check_text(text):
                problem = f"document {document_id!r} {bad}"
            elif document_id in self.known:
                problem, cure = f"document id {document_id!r} twice", "keep one of the two"
            if problem:
                self.problems.found(DataError(problem, path=path, line=number, cure=cure))
                continue
            self.known.add(document_id)
            yield document_id, text
        if not self.known:
            raise DataError("no documents", path=path, cure="the file is empty: fetch it again")

    def split(self, path: Path) -> Iterator[tuple[str, str, dict[str, int]]]:
        """The queries of one file. A judged document that is not known is an error or skipped with a count."""
        seen: set[str] = set()
        missing, first_missing = 0, ("", 0)
        for number, line in read_lines(path, self.problems.found):
            try:
                query_id, text, grades = _parse_query(line, path, number)
                if query_id in seen:
                    cure = "keep one of the two"
                    raise DataError(f"query id {query_id!r} twice", path=path, line=number, cure=cure)
            except DataError as error:
                self.problems.found(error)
                continue
            seen.add(query_id)
            absent = [document_id for document_id in grades if document_id not in self.known]
            if absent and not missing:
                first_missing = (absent[0], number)
            missing += len(absent)
            yield query_id, text, {i: grade for i, grade in grades.items() if i in self.known}
        if not seen:
            raise DataError("no queries", path=path, cure="the file is empty: fetch it again")
        if missing and self.on_missing == "error":
            problem = f"{missing} judged documents are not in the collection, first {first_missing[0]!r}"
            cure = "complete the documents, or set data.on_missing=skip to leave them out"
            raise DataError(problem, path=path, line=first_missing[1], cure=cure)
        if missing:
            log.warning("%s: %d judged documents are not in the collection and are left out", path, missing)


def read_clirmatrix(
    path: str,
    *,
    query_language: str = "zh",
    document_language: str = "kk",
    variant: str = "base",
    splits: Sequence[str] = ("train", "dev", "test1"),
    on_missing: str = "error",
    on_error: str = "error",
    cache: str | None = None,
) -> Collection:
    """Read a folder in the raw CLIRMatrix layout.

    Args:
        path: the folder.
        query_language: ISO 639 code of the queries, the first part of the split files' names.
        document_language: ISO 639 code of the documents, the name of their file.
        variant: `base` or `full`, as in the files' names, or `multi8`, which these do not mention.
        splits: the splits to read, among `train`, `dev`, `test1` and `test2`; each must be there.
        on_missing: `error` or `skip`, for judged documents that the document file lacks.
        on_error: `error` or `skip`: leave defective lines out and report their number and the first of them.
        cache: where the collection is prepared once, to be opened in no time; `None` keeps it in memory.
    """
    one_of(on_missing, ("error", "skip"), "data.on_missing")
    end = VARIANTS[one_of(variant, VARIANTS, "data.variant")]
    names = {split: f"{query_language}.{document_language}.{split}{end}.jl" for split in splits}
    files = {split: find_file(path, name) for split, name in names.items()}  # complain before the slow reading
    texts = find_file(path, f"{document_language}.tsv")
    problems = Problems(on_error)
    reader = _Reader(problems, on_missing)

    def rows(file: Path) -> Any:
        return lambda: reader.split(file)

    source = Source(
        Path(path).resolve().name,
        query_language,
        document_language,
        lambda: reader.documents(texts),
        {split: rows(file) for split, file in files.items()},
    )
    settings = (query_language, document_language, variant, tuple(splits), on_missing, on_error)
    return load(source, problems, files=[texts, *files.values()], settings=settings, cache=cache)
