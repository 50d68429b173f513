"""The BEIR layout (Thakur et al., 2021): `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`; gzip or plain.

A corpus line is `{"_id": "17", "title": "…", "text": "…"}`, a query line `{"_id": "42", "text": "…"}`; qrels are
`query<TAB>document<TAB>grade` with a header line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection
from clir_lightning.data.intake import LARGEST_GRADE, Problems, Source, check_id, check_text, load
from clir_lightning.data.lines import find_file, read_lines, write_whole
from clir_lightning.errors import DataError


@dataclass
class _Reader:
    """Reads the three kinds of files, every defect through `problems`."""

    problems: Problems
    known: set[str] = field(default_factory=set)

    def texts(self, path: Path) -> Iterator[tuple[str, str]]:
        """(id, text) of each line, a title before its text."""
        seen: set[str] = set()
        for number, line in read_lines(path, self.problems.found):
            try:
                row: Any = json.loads(line)
                text_id, text, title = row["_id"], row["text"], row.get("title") or ""
                if not isinstance(text, str) or not isinstance(title, str) or type(text_id) not in (str, int):
                    raise TypeError("`_id`, `title` and `text` are strings")
            except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
                cure = 'expected {"_id": "…", "text": "…"}'
                self.problems.found(DataError(f"not a BEIR record ({error})", path=path, line=number, cure=cure))
                continue
            text, text_id = f"{title} {text}".strip(), str(text_id)
            problem = check_id(text_id) or check_text(text) or (f"id {text_id!r} twice" if text_id in seen else "")
            if problem:
                problem = problem if "id " in problem else f"record {text_id!r} {problem}"
                self.problems.found(DataError(problem, path=path, line=number, cure="correct or remove the line"))
                continue
            seen.add(text_id)
            yield text_id, text
        if not seen:
            raise DataError("no records", path=path, cure="the file is empty: fetch it again")

    def documents(self, path: Path) -> Iterator[tuple[str, str]]:
        """The corpus, its ids remembered."""
        self.known.clear()
        for document_id, text in self.texts(path):
            self.known.add(document_id)
            yield document_id, text

    def split(self, qrels: Path, queries: Path) -> Iterator[tuple[str, str, dict[str, int]]]:
        """The queries that a qrels file judges."""
        texts = dict(self.texts(queries))
        judged: dict[str, dict[str, int]] = {}
        for number, line in read_lines(qrels, self.problems.found):
            fields = line.split("\t")
            if number == 1 and not fields[-1].lstrip("-").isdigit():
                continue  # the header
            problem = ""
            if len(fields) != 3 or not fields[2].lstrip("-").isdecimal() or len(fields[2]) > 10:
                problem = "not 'query<TAB>document<TAB>grade'"
            elif abs(int(fields[2])) > LARGEST_GRADE:
                problem = f"grade {fields[2]}"
            elif fields[0] not in texts:
                problem = f"query {fields[0]!r} is not in {queries.name}"
            elif fields[1] not in self.known:
                problem = f"document {fields[1]!r} is not in the corpus"
            elif fields[1] in judged.get(fields[0], {}):
                problem = f"document {fields[1]!r} twice for query {fields[0]!r}"
            if problem:
                cure = "correct the line, or set data.on_error=skip to leave such lines out"
                self.problems.found(DataError(problem, path=qrels, line=number, cure=cure))
                continue
            judged.setdefault(fields[0], {})[fields[1]] = int(fields[2])
        if not judged:
            raise DataError("no judgements", path=qrels, cure="the file is empty: fetch it again")
        yield from ((query_id, texts[query_id], grades) for query_id, grades in judged.items())


def read_beir(
    path: str,
    *,
    query_language: str,
    document_language: str,
    splits: Sequence[str] = ("train", "dev", "test"),
    on_error: str = "error",
    cache: str | None = None,
) -> Collection:
    """Read a folder in the BEIR layout.

    Args:
        path: the folder.
        query_language, document_language: ISO 639 codes; the files do not tell.
        splits: names of files in `qrels/`; each must be there.
        on_error: `error` or `skip`: leave defective lines out and report their number and the first of them.
        cache: where the collection is prepared once, to be opened in no time; `None` keeps it in memory.
    """
    files = {split: find_file(Path(path) / "qrels", f"{split}.tsv") for split in splits}
    corpus, queries = find_file(path, "corpus.jsonl"), find_file(path, "queries.jsonl")
    problems = Problems(on_error)
    reader = _Reader(problems)

    def rows(file: Path) -> Any:
        return lambda: reader.split(file, queries)

    source = Source(
        Path(path).resolve().name,
        query_language,
        document_language,
        lambda: reader.documents(corpus),
        {split: rows(file) for split, file in files.items()},
    )
    settings = ("beir", query_language, document_language, tuple(splits), on_error)
    return load(source, problems, files=[corpus, queries, *files.values()], settings=settings, cache=cache)


def write_beir(collection: Collection, path: str | Path) -> None:
    """Write a collection in the BEIR layout; `DataError` if a query id stands for two texts."""
    texts: dict[str, str] = {}
    for split in collection.splits.values():
        for query_id, query in split.queries.items():
            if texts.setdefault(query_id, query.text) != query.text:
                cure = "export one split at a time"
                raise DataError(f"query id {query_id!r} stands for two texts in two splits", cure=cure)
    with write_whole(Path(path) / "corpus.jsonl") as stream:
        for document in collection.documents.values():
            stream.write(json.dumps({"_id": document.id, "text": document.text}, ensure_ascii=False) + "\n")
    with write_whole(Path(path) / "queries.jsonl") as stream:
        for query_id, text in texts.items():
            stream.write(json.dumps({"_id": query_id, "text": text}, ensure_ascii=False) + "\n")
    for name, split in collection.splits.items():
        with write_whole(Path(path) / "qrels" / f"{name}.tsv") as stream:
            stream.write("query-id\tcorpus-id\tscore\n")
            for query_id, grades in split.qrels.items():
                stream.writelines(f"{query_id}\t{document}\t{grade}\n" for document, grade in grades.items())
