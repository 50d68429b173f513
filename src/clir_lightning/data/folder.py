"""Collections in folders of the two common layouts, each file gzipped or plain.

BEIR (Thakur et al., 2021): `corpus.jsonl` of `{"_id": "17", "title": "…", "text": "…"}`, `queries.jsonl` of
`{"_id": "42", "text": "…"}`, `qrels/SPLIT.tsv` of `query<TAB>document<TAB>grade` with a header line.

TREC: `documents.tsv` and `queries.tsv` of `id<TAB>text`, `qrels/SPLIT.qrels` of `query 0 document grade`.

Either may hold `runs/SPLIT.trec`, candidate lists in TREC's run format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from clir_lightning.data.collection import Collection
from clir_lightning.data.intake import Intake, Problems, TextRow, ValueRow, is_grade, is_score
from clir_lightning.data.lines import Found, find_file, read_lines, tab_line, tab_rows, write_whole
from clir_lightning.data.source import Source, load, stamps
from clir_lightning.data.trec import write_qrels, write_run
from clir_lightning.errors import DataError, one_of
from clir_lightning.types import Document, Query, Run

Triple = tuple[int, str, str, str]  # line, query id, document id, and the grade or score as it stands there


@dataclass(frozen=True)
class Layout:
    """What the files of a layout are called, and how their lines are read."""

    documents: str
    queries: str
    qrels: str
    texts: Callable[[Path, Found], Iterable[TextRow]]
    judgements: Callable[[Path, Found], Iterable[Triple]]


def json_rows(path: Path, found: Found) -> Iterator[TextRow]:
    """The rows of a BEIR file of texts, a title before its text."""
    for number, line in read_lines(path, found):
        try:
            row: Any = json.loads(line)
            text_id, text, title = row["_id"], row["text"], row.get("title") or ""
            if type(text) is not str or type(title) is not str or type(text_id) not in (str, int):
                raise TypeError("`_id`, `title` and `text` are strings")
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            cure = 'expected {"_id": "…", "text": "…"}'
            found(DataError(f"not a BEIR record ({error})", path=path, line=number, cure=cure))
            continue
        yield number, str(text_id), f"{title} {text}".strip() if title else text


def field_rows(path: Path, found: Found, *, form: str, separator: str | None, header: bool = False) -> Iterator[Triple]:
    """The rows of a file whose lines have the fields that `form` names: query, document, and grade or score."""
    names = form.split()
    places = names.index("query"), names.index("document"), names.index("score" if "score" in names else "grade")
    for number, line in read_lines(path, found):
        fields = line.split(separator)
        if len(fields) != len(names):
            found(DataError(f"{len(fields)} fields", path=path, line=number, cure=f"a line has {len(names)}: {form}"))
        elif not (header and number == 1 and not fields[-1].lstrip("-").isdigit()):
            query_id, document_id, value = (fields[place] for place in places)
            yield number, query_id, document_id, value


BEIR_QRELS = partial(field_rows, form="query document grade", separator="\t", header=True)
TREC_QRELS = partial(field_rows, form="query 0 document grade", separator=None)
TREC_RUN = partial(field_rows, form="query Q0 document rank score name", separator=None)
LAYOUTS = {
    "beir": Layout("corpus.jsonl", "queries.jsonl", "qrels/{}.tsv", json_rows, BEIR_QRELS),
    "trec": Layout("documents.tsv", "queries.tsv", "qrels/{}.qrels", tab_rows, TREC_QRELS),
}


def grouped(rows: Iterable[Triple], number: type[int] | type[float]) -> dict[str, list[ValueRow]]:
    """The rows of each query, their last field as a number where it is one."""

    def parsed(text: str) -> Any:
        try:
            return number(text)
        except ValueError:
            return text

    lists: dict[str, list[ValueRow]] = {}
    for line, query_id, document_id, value in rows:
        lists.setdefault(query_id, []).append((line, document_id, parsed(value)))
    return lists


@dataclass(frozen=True)
class _Folder:
    """Reads one folder, every defect through the intake."""

    layout: Layout
    intake: Intake
    corpus: Path
    topics: Path

    def _texts(self, path: Path) -> Iterable[TextRow]:
        return self.layout.texts(path, self.intake.problems.found)

    def documents(self) -> Iterator[tuple[str, str]]:
        """The corpus."""
        return self.intake.documents(self._texts(self.corpus), self.corpus)

    @cached_property
    def queries(self) -> dict[str, str]:
        """All queries' texts, read once for all splits."""
        return dict(self.intake.texts(self._texts(self.topics), self.topics, "query"))

    def split(self, qrels: Path) -> Iterator[tuple[str, str, dict[str, int]]]:
        """The queries that a qrels file judges."""
        judged = grouped(self.layout.judgements(qrels, self.intake.problems.found), int)
        if not judged:
            raise DataError("no judgements", path=qrels, cure="it is empty: fetch it again")
        for query_id in self._known(judged, qrels):
            yield query_id, self.queries[query_id], self.intake.values(query_id, judged[query_id], qrels, is_grade)

    def run(self, path: Path) -> Run:
        """The candidates that a run file holds."""
        ranked = grouped(TREC_RUN(path, self.intake.problems.found), float)
        if not ranked:
            raise DataError("no candidates", path=path, cure="the file is empty: write it again, or remove it")
        known = self._known(ranked, path)
        return Run(
            {query_id: self.intake.values(query_id, ranked[query_id], path, is_score) for query_id in known},
            name=path.name.removesuffix(".gz").removesuffix(".trec"),
        )

    def _known(self, lists: dict[str, list[ValueRow]], path: Path) -> Iterator[str]:
        for query_id, rows in lists.items():
            if query_id in self.queries:
                yield query_id
            else:
                problem, cure = f"query {query_id!r} is not in {self.topics.name}", "complete or correct it"
                self.intake.problems.found(DataError(problem, path=path, line=rows[0][0], cure=cure))


def _find(folder: Path, name: str) -> Path:
    return find_file(folder / Path(name).parent, Path(name).name)


def _layout(path: Path, layout: str) -> Layout:
    if one_of(layout, ("auto", *LAYOUTS), "data.layout") != "auto":
        return LAYOUTS[layout]
    for one in LAYOUTS.values():
        if any((path / f"{one.documents}{end}").is_file() for end in ("", ".gz")):
            return one
    wanted = " or ".join(f"{one.documents} ({name})" for name, one in LAYOUTS.items())
    raise DataError("neither a BEIR nor a TREC folder", path=path, cure=f"put {wanted} there, plain or gzipped")


def read_folder(
    path: str,
    *,
    query_language: str,
    document_language: str,
    layout: str = "auto",
    splits: Sequence[str] = ("train", "dev", "test"),
    on_missing: str = "error",
    on_error: str = "error",
    cache: str | None = None,
) -> Collection:
    """Read a folder in the BEIR or TREC layout.

    Args:
        path: the folder.
        query_language, document_language: ISO 639 codes; the files do not tell.
        layout: `beir`, `trec`, or `auto`, which goes by the files that are there.
        splits: names of files in `qrels/`; each must be there. `runs/SPLIT.trec` gives a split's candidates.
        on_missing: `error` or `skip`, for judged or ranked documents that the corpus lacks.
        on_error: `error` or `skip`: leave defective lines out and report their number and the first of them.
        cache: where the collection is prepared once, to be opened in no time; `None` keeps it in memory.
    """
    home = Path(path)
    form = _layout(home, layout)
    qrels = {split: _find(home, form.qrels.format(split)) for split in splits}
    places = [(split, home / "runs" / f"{split}.trec{end}") for split in splits for end in ("", ".gz")]
    runs = {split: file for split, file in places if file.is_file()}
    problems = Problems(on_error, on_missing)
    folder = _Folder(form, Intake(problems), _find(home, form.documents), _find(home, form.queries))
    source = Source(
        home.resolve().name,
        query_language,
        document_language,
        folder.documents,
        {split: partial(folder.split, file) for split, file in qrels.items()},
        {split: partial(folder.run, file) for split, file in runs.items()},
    )
    files = [folder.corpus, folder.topics, *qrels.values(), *runs.values()]
    settings = ("folder", query_language, document_language, layout, tuple(splits), on_missing, on_error)
    return load(source, problems, stamps=stamps(files), settings=settings, cache=cache)


def _json_line(record: Query | Document) -> str:
    return json.dumps({"_id": record.id, "text": record.text}, ensure_ascii=False) + "\n"


def write_folder(collection: Collection, path: str | Path, *, layout: str = "beir") -> list[Path]:
    """Write a collection in the BEIR or TREC layout; returns the files.

    TREC's cannot hold line breaks within a text: they become blanks. Raises `DataError` for a query id that stands for
    two texts, since both layouts have one file of queries.
    """
    form, home = LAYOUTS[one_of(layout, LAYOUTS, "layout")], Path(path)
    line = _json_line if layout == "beir" else tab_line
    queries: dict[str, Query] = {}
    for split in collection.splits.values():
        for query_id, query in split.queries.items():
            if queries.setdefault(query_id, query).text != query.text:
                raise DataError(f"query id {query_id!r} stands for two texts", cure="export one split at a time")
    written = [home / form.documents, home / form.queries]
    everything: list[Mapping[str, Query] | Mapping[str, Document]] = [collection.documents, queries]
    for file, records in zip(written, everything, strict=True):
        with write_whole(file) as stream:
            stream.writelines(line(record) for record in records.values())
    for name, split in collection.splits.items():
        written.append(home / form.qrels.format(name))
        if layout == "trec":
            write_qrels(split.qrels, written[-1])
        else:
            with write_whole(written[-1]) as stream:
                stream.write("query-id\tcorpus-id\tscore\n")
                for query_id, grades in split.qrels.items():
                    stream.writelines(f"{query_id}\t{document}\t{grade}\n" for document, grade in grades.items())
        if split.run is not None:
            written.append(home / "runs" / f"{name}.trec")
            write_run(split.run, written[-1])
    return written
