"""Reader of the raw CLIRMatrix layout, for any language pair (Sun and Duh, EMNLP 2020).

A folder holds the documents, `kk.tsv` (`id<TAB>text`), and a file a split, `zh.kk.train.base.jl`, with one query a
line: `{"src_id": "42", "src_query": "…", "tgt_results": [["17", 6], ["99", 0], …]}`. Each may be gzipped (`.gz`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.lines import find_file, read_lines
from clir_lightning.errors import DataError, one_of
from clir_lightning.types import Document, Qrels, Query

log = logging.getLogger(__name__)


def read_documents(path: Path, language: str) -> dict[str, Document]:
    """Read `id<TAB>text` lines; an id that comes twice, or an empty one, is an error."""
    documents: dict[str, Document] = {}
    for number, line in read_lines(path):
        document_id, tab, text = line.partition("\t")
        if not tab or not document_id.strip():
            raise DataError("no 'id<TAB>text'", path=path, line=number, cure="put a tab between the id and the text")
        if not text.strip():
            raise DataError(f"document {document_id!r} is empty", path=path, line=number, cure="remove the line")
        if document_id in documents:
            raise DataError(f"document id {document_id!r} twice", path=path, line=number, cure="keep one of the two")
        documents[document_id] = Document(document_id, text, language)
    if not documents:
        raise DataError("no documents", path=path, cure="the file is empty: fetch it again")
    return documents


def _parse_query(line: str, path: Path, number: int) -> tuple[str, str, dict[str, int]]:
    try:
        row: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"malformed JSON ({error})", path=path, line=number, cure="fetch the file again") from error
    try:
        query_id, text = str(row["src_id"]), row["src_query"]
        pairs = [(str(document_id), grade) for document_id, grade in row["tgt_results"]]
    except (KeyError, TypeError, ValueError) as error:
        wanted = '{"src_id": …, "src_query": "…", "tgt_results": [[id, grade], …]}'
        raise DataError("not a CLIRMatrix query", path=path, line=number, cure=f"expected {wanted}") from error
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"query {query_id!r} is empty", path=path, line=number, cure="remove the line")
    for document_id, grade in pairs:
        if type(grade) is not int or grade < 0:
            raise DataError(
                f"grade {grade!r} of document {document_id!r}", path=path, line=number, cure="use a whole number from 0"
            )
    grades = dict(pairs)
    if len(grades) < len(pairs):
        raise DataError(
            f"query {query_id!r} judges a document twice", path=path, line=number, cure="keep one judgement"
        )
    return query_id, text, grades


def read_split(path: Path, language: str, documents: dict[str, Document], on_missing: str) -> Split:
    """Read the queries of one file. A judged document that `documents` lacks is an error or skipped with a count."""
    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    missing, first_missing = 0, ("", 0)
    for number, line in read_lines(path):
        query_id, text, grades = _parse_query(line, path, number)
        if query_id in queries:
            raise DataError(f"query id {query_id!r} twice", path=path, line=number, cure="keep one of the two")
        absent = [document_id for document_id in grades if document_id not in documents]
        if absent and not missing:
            first_missing = (absent[0], number)
        missing += len(absent)
        queries[query_id] = Query(query_id, text, language)
        qrels[query_id] = {document_id: grade for document_id, grade in grades.items() if document_id in documents}
    if not queries:
        raise DataError("no queries", path=path, cure="the file is empty: fetch it again")
    if missing and on_missing == "error":
        raise DataError(
            f"{missing} judged documents are not in the collection, first {first_missing[0]!r}",
            path=path,
            line=first_missing[1],
            cure="complete the documents, or set data.on_missing=skip to leave them out",
        )
    if missing:
        log.warning("%s: %d judged documents are not in the collection and are left out", path, missing)
    return Split(queries, Qrels(qrels))


def read_clirmatrix(
    path: str,
    *,
    query_language: str = "zh",
    document_language: str = "kk",
    variant: str = "base",
    splits: Sequence[str] = ("train", "dev", "test1"),
    on_missing: str = "error",
) -> Collection:
    """Read a folder in the raw CLIRMatrix layout.

    Args:
        path: the folder.
        query_language: ISO 639 code of the queries, the first part of the split files' names.
        document_language: ISO 639 code of the documents, the name of their file.
        variant: `base` or `full`, as in the files' names.
        splits: the splits to read; each must be there.
        on_missing: `error` or `skip`, for judged documents that the document file lacks.
    """
    one_of(on_missing, ("error", "skip"), "data.on_missing")
    names = {split: f"{query_language}.{document_language}.{split}.{variant}.jl" for split in splits}
    files = {split: find_file(path, name) for split, name in names.items()}  # complain before the slow reading
    documents = read_documents(find_file(path, f"{document_language}.tsv"), document_language)
    return Collection(
        Path(path).resolve().name,
        documents,
        {split: read_split(file, query_language, documents, on_missing) for split, file in files.items()},
    )
