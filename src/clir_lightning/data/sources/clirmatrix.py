"""Reader of the raw CLIRMatrix layout, for any language pair (Sun and Duh, EMNLP 2020).

A folder holds the documents, `kk.tsv` (`id<TAB>text`), and one file per split, `zh.kk.train.base.jl`, with one query
per line: `{"src_id": "42", "src_query": "…", "tgt_results": [["17", 6], ["99", 0], …]}`. Each may be gzipped (`.gz`).
The files of BI-139 end in `base.jl` or `full.jl`; those of MULTI-8 are named `zh.ja.train.jl`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from clir_lightning.data.collection import Collection
from clir_lightning.data.files.lines import Report, find_file, read_lines, tab_line, tab_rows, write_whole
from clir_lightning.data.sources.checks import ON_PROBLEM, Intake, Problems, QueryRow
from clir_lightning.data.sources.source import Source, load, stamps
from clir_lightning.data.store.fresh import fresh_folder
from clir_lightning.errors import DataError, one_of
from clir_lightning.settings.markers import OneOf

log = logging.getLogger(__name__)

VARIANTS = {"base": ".base", "full": ".full", "multi8": ""}
SPLITS = ("train", "dev", "test1", "test2")


def split_file(query_language: str, document_language: str, split: str, variant: str) -> str:
    """The name of a split's file.

    >>> split_file("zh", "kk", "train", "base")
    'zh.kk.train.base.jl'
    """
    return f"{query_language}.{document_language}.{split}{VARIANTS[one_of(variant, VARIANTS, 'data.variant')]}.jl"


def query_rows(path: Path, report: Report) -> Iterator[QueryRow]:
    """The rows of a split's file."""
    for number, line in read_lines(path, report):
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            report(DataError(f"malformed JSON ({error})", path=path, line=number, cure="fetch the file again"))
            continue
        try:
            pairs = [(document_id, grade) for document_id, grade in row["tgt_results"]]
            query_id = row["src_id"]
            text = row["src_query"]
            if type(text) is not str or any(type(i) not in (str, int) for i in (query_id, *(i for i, _ in pairs))):
                raise TypeError("an id is a string or a whole number, a text a string")
        except (ValueError, KeyError, TypeError) as error:
            wanted = '{"src_id": …, "src_query": "…", "tgt_results": [[id, grade], …]}'
            report(DataError(f"not a CLIRMatrix query ({error})", path=path, line=number, cure=f"expected {wanted}"))
            continue
        yield number, str(query_id), text, [(number, str(document_id), grade) for document_id, grade in pairs]


def read_clirmatrix(
    path: str,
    *,
    query_language: str = "zh",
    document_language: str = "kk",
    variant: Annotated[str, OneOf(VARIANTS)] = "base",
    splits: Sequence[str] = ("train", "dev", "test1"),
    on_missing: Annotated[str, OneOf(ON_PROBLEM)] = "error",
    on_error: Annotated[str, OneOf(ON_PROBLEM)] = "error",
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
    names = {split: split_file(query_language, document_language, split, variant) for split in splits}
    files = {split: find_file(path, name) for split, name in names.items()}  # complain before the slow reading
    texts = find_file(path, f"{document_language}.tsv")
    problems = Problems(on_error, on_missing)
    intake = Intake(problems)

    def queries(file: Path) -> Iterator[tuple[str, str, dict[str, int]]]:
        return intake.queries(query_rows(file, problems.report), file)

    # Nothing is read before someone asks for it.
    source = Source(
        Path(path).resolve().name,
        query_language,
        document_language,
        lambda: intake.documents(tab_rows(texts, problems.report), texts),
        {split: partial(queries, file) for split, file in files.items()},
    )
    settings = ("clirmatrix", query_language, document_language, variant, tuple(splits), on_missing, on_error)
    return load(source, problems, stamps=stamps([texts, *files.values()]), settings=settings, cache=cache)


def write_clirmatrix(collection: Collection, path: str | Path, *, variant: str = "base") -> list[Path]:
    """Write a collection in the raw layout, gzipped, into a new or empty folder, whole; returns the files.

    Grades stand highest first, as in the original. Runs have no place in this layout and are left out, which the log
    says; line breaks within a text become blanks. Raises `DataError` for a folder that holds anything.
    """
    document_language = collection.document_language
    names = [f"{document_language}.tsv.gz"]
    with fresh_folder(path, last=names[0]) as home:
        with write_whole(home / names[0]) as stream:
            stream.writelines(tab_line(document) for document in collection.documents.values())

        # One file per split, with one query per line.
        for name, split in collection.splits.items():
            if split.run is not None:
                log.warning("%s: the layout has no place for candidates; run %s is left out", name, split.run.name)
            names.append(f"{split_file(collection.query_language, document_language, name, variant)}.gz")
            with write_whole(home / names[-1]) as stream:
                for query_id, query in split.queries.items():
                    grades = sorted(split.qrels[query_id].items(), key=lambda graded: -graded[1])
                    row = {"src_id": query_id, "src_query": query.text, "tgt_results": grades}
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return [Path(path) / name for name in names]
